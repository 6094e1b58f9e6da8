import { describe, expect, test } from 'vitest';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { silentLog } from '../../src/env/log.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { configsOf } from '../../src/peer/founding.ts';
import { firstGoal } from '../../src/peer/goal.ts';
import type { Release } from '../../src/peer/level.ts';
import { Membership, wantedBy } from '../../src/peer/membership.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { PeerAnswer } from '../../src/peer/peer-messages.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { MemoryClient } from '../router/memory-client.ts';

const CLUSTER = {
  clusterId: 'x',
  partitions: 4,
  replication: 3,
  layout: 1,
  members: ['a', 'b', 'c'].map((name, i) => ({ name, diskId: i + 1 })),
};

const RELEASE: Release = { build: '1.0', protocolMin: 1, protocolMax: 1 };
const NEXT: Release = { build: '2.0', protocolMin: 1, protocolMax: 2 };
const AFTER_NEXT: Release = { build: '3.0', protocolMin: 2, protocolMax: 3 };

/** Processes without nodes over one register, who hear each other at once. */
function world() {
  const client = new MemoryClient();
  const clock = new ManualClock();
  const takenIn: string[] = [];
  const unfit: string[] = [];
  const levels = new Map<string, number>();
  /** What each process runs. The founders, which are not played, are there too. */
  const releases = new Map<string, Release>();
  for (const { name, diskId } of CLUSTER.members) releases.set(peerNodeId(name, diskId), RELEASE);
  const told: string[] = [];
  const peers = new Map<string, Membership>();
  const start = (name: string, diskId: number | undefined, release = RELEASE, note = () => {}) => {
    const id = peerNodeId(name, diskId ?? 99);
    releases.set(id, release);
    const membership = new Membership({
      self: id,
      disk: diskId === undefined ? undefined : { name, diskId },
      cluster: CLUSTER,
      client,
      view: new RingView(configsOf(CLUSTER)),
      node: undefined,
      port: {
        ask: (to, request, done) => {
          const other = peers.get(to)!;
          const answer = (reply: PeerAnswer) => done({ kind: 'answered', answer: reply });
          if (request.kind === 'goal') {
            other.noteVersion(request.version);
            answer({ kind: 'done', report: {} });
          } else if (request.kind === 'admit') {
            other.admit(request).then(
              () => answer({ kind: 'done', report: {} }),
              (error: Error) => answer({ kind: 'cannot', reason: error.message }),
            );
          }
          return { cancel: () => {} };
        },
      },
      present: () => [...peers.keys()].filter((peer) => peer !== id),
      clock,
      random: new SeededRandom(1),
      log: silentLog,
      releaseOf: (node) => releases.get(node),
      onLevel: (level) => levels.set(name, level),
      onUnfit: (reason) => unfit.push(reason),
      onSettings: (settings) => told.push(`${name} ${JSON.stringify(settings)}`),
      onTakenIn: () => {
        note();
        takenIn.push(name);
      },
      onLeft: () => {},
    });
    peers.set(id, membership);
    membership.start();
    return membership;
  };
  return { start, takenIn, told, clock, releases, levels, unfit };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a new name is taken in by asking, and every process hears of it', async () => {
  const { start, takenIn } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  start('d', 4);
  await settled();
  expect(takenIn).toEqual(['d']);
  for (const each of [one, other]) {
    expect(each.nodes).toContain(peerNodeId('d', 4));
    // They hold nothing yet.
    expect(each.progress.left).toBeGreaterThan(0);
  }
});

test('a disk that cannot note that it is taken in tries it again', async () => {
  const { start, takenIn, clock } = world();
  start('one', undefined);
  let refusals = 2;
  start('d', 4, RELEASE, () => {
    if (refusals-- > 0) throw new Error('the disk is full');
  });
  await settled();
  for (let asks = 0; asks < 3; asks++) {
    clock.advance(2_000);
    await settled();
  }
  expect([refusals, takenIn]).toEqual([-1, ['d']]);
});

test('a name that is taken is given to another disk only by an operator, while its process waits', async () => {
  const { start, takenIn, clock } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  await expect(one.replace('b')).rejects.toThrow('no process waits to be b: start one with --node-id b');
  const blank = start('b', 20);
  await settled();
  expect(takenIn).toEqual([]);
  blank.stop();
  clock.advance(10_001);
  await expect(one.replace('b')).rejects.toThrow('no process waits to be b');
  start('b', 21);
  await settled();
  await other.replace('b');
  await settled();
  expect(takenIn).toEqual(['b']);
  expect(one.nodes).toEqual([peerNodeId('a', 1), peerNodeId('b', 21), peerNodeId('c', 3)]);
  await expect(one.admit({ name: 'e', diskId: 2 })).rejects.toThrow('that disk has left the ring before');
});

test('a partition is moved by whoever is asked, and everybody hears who shall hold it', async () => {
  const { start } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  await one.admit({ name: 'd', diskId: 4 });
  await settled();
  const { left } = other.progress;
  const to = ['b', 'c', 'd'];
  const partition = [0, 1, 2, 3].find((at) => !firstGoal(CLUSTER).wanted[at]!.includes('d'))!;
  const before = await one.move(partition, to);
  expect(before.length).toBe(3);
  await settled();
  const { membersOf } = wantedBy(await other.readGoal());
  expect(membersOf(partition).map(({ node }) => node)).toEqual([
    peerNodeId('b', 2),
    peerNodeId('c', 3),
    peerNodeId('d', 4),
  ]);
  expect(other.progress.left).toBeGreaterThanOrEqual(left);
  await expect(other.move(4, to)).rejects.toThrow('there is no partition 4: they are 0 to 3');
});

test('a disk that waits for an operator is known by name, for as long as it asks', async () => {
  const { start, clock } = world();
  const one = start('one', undefined);
  await settled();
  start('b', 20).stop();
  await settled();
  expect(one.waiting).toEqual(['b']);
  clock.advance(10_001);
  expect(one.waiting).toEqual([]);
});

test('a node is removed only if as many stay as there are copies', async () => {
  const { start } = world();
  const one = start('one', undefined);
  await expect(one.remove('c')).rejects.toThrow('c cannot be removed: 2 nodes would be left for 3 copies');
  await one.admit({ name: 'd', diskId: 4 });
  await one.remove('c');
  expect(one.nodes).toEqual([peerNodeId('a', 1), peerNodeId('b', 2), peerNodeId('d', 4)]);
});

describe('the level', () => {
  const founders = CLUSTER.members.map(({ name, diskId }) => peerNodeId(name, diskId));

  test('is raised once all of the roster, and whoever else is there, can go as far', async () => {
    const { start, releases, levels, unfit } = world();
    const one = start('one', undefined);
    const nothing = { before: 1, level: 1, possible: 1, because: 'all processes have releases that go up to 1' };
    expect(await one.finalize()).toEqual(nothing);
    // A front that is older counts while it is there.
    start('two', undefined, NEXT);
    for (const node of founders) releases.set(node, NEXT);
    expect(await one.finalize()).toMatchObject({ level: 1, because: 'one runs a release that goes up to 1' });
    releases.set(peerNodeId('one', 99), NEXT);
    releases.set(founders[1]!, RELEASE);
    expect(await one.finalize()).toMatchObject({ level: 1, because: 'b runs a release that goes up to 1' });
    releases.set(founders[1]!, NEXT);
    expect(one.levelOf(await one.readGoal())).toMatchObject({ level: 1, possible: 2 });
    expect(await one.finalize()).toMatchObject({ before: 1, level: 2 });
    await settled();
    expect(await one.finalize()).toMatchObject({ before: 2, level: 2 });
    expect([levels.get('one'), levels.get('two')]).toEqual([2, 2]);
    expect(unfit).toEqual([]);
  });

  test('is not raised while it is not known what a node can', async () => {
    const { start, releases } = world();
    const one = start('one', undefined, NEXT);
    for (const node of founders) releases.set(node, NEXT);
    releases.delete(founders[2]!);
    await expect(one.finalize()).rejects.toThrow('it is not known what c can: all nodes have to be up');
    expect(one.levelOf(await one.readGoal())).toMatchObject({ possible: 1 });
  });

  test('keeps out who does not know it, or nothing so old, also if it was raised after they came', async () => {
    const { start, releases, takenIn, unfit } = world();
    const one = start('one', undefined, NEXT);
    start('e', 6, AFTER_NEXT);
    await settled();
    expect(takenIn).toEqual([]);
    expect(unfit).toEqual([
      'the cluster is at level 1, and the release 3.0 of e begins at 2: run one in between everywhere, and dynaring admin finalize',
    ]);
    for (const node of [...founders, peerNodeId('e', 6)]) releases.set(node, NEXT);
    expect(await one.finalize()).toMatchObject({ level: 2 });
    await expect(one.admit({ name: 'd', diskId: 4 })).resolves.toBeUndefined();
    const older = start('old', 5);
    await settled();
    expect(takenIn).toEqual([]);
    expect(unfit.at(-1)).toBe(
      'the cluster is at level 2, and the release 1.0 of old goes up to 1: install a newer one',
    );
    await expect(one.admit({ name: 'old', diskId: 5 })).rejects.toThrow('install a newer one');
    older.stop();
  });
});

test('settings are those of who says them first; what is changed is told to all', async () => {
  const { start, told } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  await settled();
  expect(await one.adoptSettings({ throttle: true })).toEqual({ throttle: true });
  expect(await other.adoptSettings({ throttle: false, isolate: 'none' })).toEqual({ throttle: true, isolate: 'none' });
  expect(await other.changeSettings({ throttle: false })).toEqual({ throttle: false, isolate: 'none' });
  await settled();
  const now = '{"throttle":false,"isolate":"none"}';
  for (const name of ['one', 'other']) expect(told.filter((line) => line === `${name} ${now}`)).toHaveLength(1);
  expect(await one.changeSettings({})).toEqual({ throttle: false, isolate: 'none' });
  expect(told.at(-1)).toBe(`one ${now}`);
});
