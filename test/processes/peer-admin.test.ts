import { expect, onTestFinished, test } from 'vitest';
import type { ClusterView } from '../../src/api/admin.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { administer, beginNode, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';
import { runToExit } from './server-process.ts';

const POLL = { timeout: 90_000, interval: 250 };

/** `dynaring admin` against one of the peers. */
async function admin(peer: PeerProcess, ...args: string[]) {
  return await runToExit(['admin', ...args, '--endpoint', await peer.ready()]);
}

async function viewOf(peer: PeerProcess): Promise<ClusterView> {
  return (await administer(await peer.ready(), 'GET', '/cluster')) as ClusterView;
}

/** Four nodes and a front. */
async function cluster() {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c', 'd']);
  const a = beginNode(root, 'a');
  const meeting = await a.peerAddress();
  const [b, c, d] = ['b', 'c', 'd'].map((name) => beginNode(root, name, [meeting])) as [
    PeerProcess,
    PeerProcess,
    PeerProcess,
  ];
  const front = beginPeer('front', ['--role', 'front', '--join', meeting]);
  const all = [a, b, c, d, front] as const;
  await Promise.all(all.map((peer) => peer.ready()));
  onTestFinished(() => {
    // One that is stopped by a signal would not end.
    for (const peer of all) peer.signal('SIGCONT');
  });
  return { a, b, c, d, front, all };
}

test('every process says the same of the cluster, whatever happens to it', { timeout: 300_000 }, async () => {
  const { a, b, c, d, front, all } = await cluster();
  const healthOf = async () => Promise.all(all.map(async (peer) => (await viewOf(peer)).healthy));
  await expect.poll(healthOf, POLL).toEqual([true, true, true, true, true]);

  // A partition goes where an operator wants it.
  const { partitions, nodes } = await viewOf(front);
  const named = (ids: readonly string[]) => ids.map((id) => nodes.find((node) => node.id === id)!.name);
  const [first] = partitions;
  const absent = ['a', 'b', 'c', 'd'].find((name) => !named(first!.homes).includes(name))!;
  const to = [absent, ...named(first!.homes).slice(1)];
  expect(await admin(b, 'move', '0', '--to', to.join())).toMatchObject({
    status: 0,
    stdout: `partition 0 is to move from ${named(first!.homes).join(' ')} to ${to.join(' ')}: status tells when it has\n`,
  });
  const homesAt = async (peer: PeerProcess) => {
    const view = await viewOf(peer);
    return { healthy: view.healthy, homes: named(view.partitions[0]!.homes) };
  };
  for (const peer of all) await expect.poll(() => homesAt(peer), POLL).toEqual({ healthy: true, homes: to });
  expect(await admin(c, 'ring')).toMatchObject({ stdout: expect.stringMatching(`0 +1  ${to.join(' ')} *\n`) });
  expect((await admin(a, 'move', '0', '--to', to.join())).stdout).toBe(
    `partition 0 is held by ${to.join(' ')} already\n`,
  );
  expect(await admin(a, 'move', '0', '--to', 'a,b,z')).toMatchObject({
    status: 1,
    stderr: 'dynaring: there is no node z\n',
  });
  expect(await admin(a, 'move', '99', '--to', 'a,b,c')).toMatchObject({
    status: 1,
    stderr: 'dynaring: there is no partition 99: they are 0 to 15\n',
  });

  // A process that hears and does not answer has no vote; while it is away, a move to it says what it waits for.
  d.signal('SIGSTOP');
  for (const peer of [a, b, c, front]) {
    expect(await admin(peer, 'status', '--json')).toMatchObject({ status: 1 });
  }
  await expect.poll(async () => (await viewOf(a)).nodes.find(({ name }) => name === 'd')!.state, POLL).toBe('stopped');
  const spared = (await viewOf(a)).partitions.find(({ homes }) => !named(homes).includes('d'))!;
  await admin(front, 'move', String(spared.partition), '--to', `d,${named(spared.homes).slice(1).join()}`);
  const why = new RegExp(`^partition ${spared.partition}: cannot be moved yet: d\\.\\S+ cannot be reached$`);
  await expect.poll(async () => (await viewOf(front)).problems, POLL).toContainEqual(expect.stringMatching(why));
  d.signal('SIGCONT');
  await expect.poll(healthOf, POLL).toEqual([true, true, true, true, true]);

  // With two of four gone, partitions that both have held serve nothing; it is known which.
  await Promise.all([c.stop('SIGKILL'), d.stop('SIGKILL')]);
  const gone = new Set(nodes.filter(({ name }) => name === 'c' || name === 'd').map(({ id }) => id));
  const lost = async () => {
    const view = await viewOf(a);
    const expected = view.partitions.filter(({ homes }) => homes.filter((id) => gone.has(id)).length > 1);
    expect(view.withoutMajority).toEqual(expected.map(({ partition }) => partition));
    return view.withoutMajority.length > 0 && view.problems[0]!.includes('no majority votes');
  };
  await expect.poll(() => lost().catch(() => false), POLL).toBe(true);
});
