import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import type { ClusterView, Trace } from '../../src/api/admin.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { newDiskId } from '../../src/env/disk-id.ts';
import { silentLog } from '../../src/env/log.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { diskOf } from '../../src/peer/node-name.ts';
import { memoryOf } from '../../src/serving/peer-memory.ts';
import { PeerNetwork } from '../../src/serving/peer-network.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, runToExit } from '../processes/server-process.ts';
import { administer, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const POLL = { timeout: 90_000, interval: 250 };

/** `dynaring admin` against one of the peers. */
async function admin(peer: PeerProcess, ...args: string[]) {
  return await runToExit(['admin', ...args, '--endpoint', await peer.ready()]);
}

async function viewOf(peer: PeerProcess): Promise<ClusterView> {
  return (await administer(await peer.ready(), 'GET', '/cluster')) as ClusterView;
}

/** Four nodes and two fronts, which do not know each other. @param options of each */
async function cluster(...options: string[]) {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c', 'd']);
  const a = beginPeer('a', ['--data-dir', join(root, 'a'), ...options]);
  const meeting = await a.peerAddress();
  const [b, c, d] = ['b', 'c', 'd'].map((name) =>
    beginPeer(name, ['--data-dir', join(root, name), '--join', meeting, ...options]),
  ) as [PeerProcess, PeerProcess, PeerProcess];
  const front = beginPeer('front', ['--role', 'front', '--join', meeting, ...options]);
  const other = beginPeer('other', ['--role', 'front', '--join', meeting, ...options]);
  const all = [a, b, c, d, front, other] as const;
  await Promise.all(all.map((peer) => peer.ready()));
  onTestFinished(() => {
    // One that is stopped by a signal would not end.
    for (const peer of all) peer.signal('SIGCONT');
  });
  return { a, b, c, d, front, all };
}

/** A process that says that it speaks these versions, and stores nothing. */
function stranger(name: string, protocol: { protocolMin: number; protocolMax: number }, join: Address) {
  const network = new PeerNetwork({
    memory: memoryOf({ diskId: newDiskId(), name, boot: 1, state: 'new' }),
    role: 'member',
    build: 'the next one',
    protocol,
    instance: name,
    security: { kind: 'open' },
    join: [join],
    hashOf: (text) => text,
    newClusterId: () => 'none',
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    onFatal: () => {},
  });
  onTestFinished(() => network.stop());
  return network;
}

test('a process of another release is seen, and the level is raised only if all know a higher one', {
  timeout: 300_000,
}, async () => {
  const { a, b, front, all } = await cluster();
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const healthOf = async () => Promise.all(all.map(async (peer) => (await viewOf(peer)).healthy));
  await expect.poll(healthOf, POLL).toEqual(all.map(() => true));
  expect((await admin(front, 'status')).stdout).toContain(`\nversion ${version}; level 1\n`);
  const nothing = 'the level is 1, and there is nothing to raise: all processes have releases that go up to 1\n';
  expect(await admin(front, 'finalize')).toMatchObject({ status: 0, stdout: nothing });

  const [host, port] = (await a.peerAddress()).split(':') as [string, string];
  const meeting = { host, port: Number(port) };
  const older = stranger('older', { protocolMin: 0, protocolMax: 0 }, meeting);
  await older.listen({ host: '127.0.0.1', port: 0 }, undefined);
  const newer = stranger('newer', { protocolMin: 1, protocolMax: 2 }, meeting);
  await newer.listen({ host: '127.0.0.1', port: 0 }, undefined);
  await expect.poll(() => newer.acquaintances.present.length, POLL).toBeGreaterThan(0);
  const { name, diskId } = { name: 'newer', diskId: diskOf(newer.self) };
  const admitted = await new Promise((resolve) => {
    newer.port.ask(newer.acquaintances.present[0]!, { kind: 'admit', name, diskId }, resolve);
  });
  expect(admitted).toMatchObject({ answer: { kind: 'done' } });
  expect(older.acquaintances.present).toEqual([]);

  const seen = async () => (await viewOf(b)).nodes.find((node) => node.name === 'newer');
  await expect.poll(seen, POLL).toMatchObject({ state: 'silent', version: 'the next one', knowsLevel: 2 });
  expect((await admin(b, 'finalize')).stdout).toMatch(/^the level is 1, and there is nothing to raise: .* run/);
  await newer.stop();
  await expect
    .poll(async () => (await admin(b, 'finalize')).stderr, POLL)
    .toBe('dynaring: it is not known what newer can: all nodes have to be up\n');
  // It has never held anything, and can be taken out all the same.
  expect((await admin(b, 'remove', 'newer')).status).toBe(0);
  await expect.poll(healthOf, POLL).toEqual(all.map(() => true));
  expect((await admin(b, 'finalize')).stdout).toBe(nothing);
});

test('every process says the same of the cluster, whatever happens to it', { timeout: 300_000 }, async () => {
  const { a, b, c, d, front, all } = await cluster();
  const healthOf = async () => Promise.all(all.map(async (peer) => (await viewOf(peer)).healthy));
  await expect.poll(healthOf, POLL).toEqual(all.map(() => true));

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
  await expect.poll(healthOf, POLL).toEqual(all.map(() => true));

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

test('what a request did is known to every process, whichever has served it', { timeout: 300_000 }, async () => {
  const { a, d, front, all } = await cluster('--trace');
  const TableName = 'Things';
  await createTable(await a.client(), TableName);
  const traceAt = async (peer: PeerProcess, requestId: string) =>
    (await administer(await peer.ready(), 'GET', `/trace/${requestId}`)) as Trace;
  // Whatever the coordinator, its own process or another one.
  for (const by of [a, d, front]) {
    const client = await by.client();
    for (const id of ['1', '2', '3', '4', '5']) {
      const put = await client.send(new PutItemCommand({ TableName, Item: { id: { S: id } } }));
      const { requestId } = put.$metadata;
      const traces = await Promise.all(all.map((peer) => traceAt(peer, requestId!)));
      for (const trace of traces) {
        // What comes after the answer is filed where the coordinator is alone.
        expect(trace).toMatchObject({ requestId, operation: 'PutItem', coordinator: traces[0]!.coordinator });
        const did = trace.events.map(({ what, detail }) => `${what} ${detail}`);
        for (const [each, least] of [
          ['asked prepare', 3],
          ['answered promise', 2],
          ['asked accept', 3],
        ] as const) {
          expect(did.filter((one) => one === each).length, did.join()).toBeGreaterThanOrEqual(least);
        }
        expect(did).toContain('answered applied');
        const ballots = trace.events.flatMap(({ ballot }) => ballot ?? []);
        expect(ballots[0]).toContain(` ${trace.coordinator} boot `);
      }
      const get = new GetItemCommand({ TableName, Key: { id: { S: id } } });
      const read = await traceAt(d, (await client.send(get)).$metadata.requestId!);
      expect(read.events.at(-1)!.detail).toMatch(/^found/);
    }
  }
  const put = await (await front.client()).send(new PutItemCommand({ TableName, Item: { id: { S: 'last' } } }));
  const { requestId } = put.$metadata;
  await front.stop('SIGKILL');
  await expect(traceAt(a, requestId!)).rejects.toThrow(
    'front has served the request, and cannot be asked about it now',
  );
  await expect(traceAt(all[5], requestId!)).rejects.toThrow('front has served the request, and cannot');
  await expect(traceAt(a, 'NONE')).rejects.toThrow('there is no trace of this request');
});
