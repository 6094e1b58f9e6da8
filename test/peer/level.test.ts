import { describe, expect, onTestFinished, test } from 'vitest';
import { SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { firstGoal } from '../../src/peer/goal.ts';
import { levelReport, type Release, withHighestLevel } from '../../src/peer/level.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import { memoryOf } from '../../src/serving/peer-memory.ts';
import { PeerNetwork } from '../../src/serving/peer-network.ts';
import { eventually } from '../parts/eventually.ts';

const CLUSTER = {
  clusterId: 'x',
  partitions: 4,
  replication: 3,
  layout: 1,
  members: ['a', 'b', 'c'].map((name, i) => ({ name, diskId: i + 1 })),
};
const [A, B, C] = CLUSTER.members.map(({ name, diskId }) => peerNodeId(name, diskId)) as [string, string, string];
const FRONT = peerNodeId('front', 9);
const release = (protocolMin: number, protocolMax: number): Release => ({ build: 'x', protocolMin, protocolMax });

describe('the level that is possible', () => {
  const goal = firstGoal(CLUSTER);
  const reportOf = (releases: Record<string, Release>, others: string[] = []) =>
    levelReport(goal, others, (node) => releases[node]);
  const two = release(1, 2);

  test('is the highest that all of the roster know, and all others that are there', () => {
    expect(reportOf({ [A]: two, [B]: two, [C]: release(1, 3) })).toMatchObject({ level: 1, possible: 2 });
    expect(reportOf({ [A]: two, [B]: two, [C]: release(0, 1) })).toEqual({
      level: 1,
      possible: 1,
      because: 'c runs a release that goes up to 1',
    });
    const releases = { [A]: two, [B]: two, [C]: two, [FRONT]: release(1, 1) };
    expect(reportOf(releases, [FRONT, A])).toMatchObject({
      possible: 1,
      because: 'front runs a release that goes up to 1',
    });
    expect(reportOf(releases)).toMatchObject({ possible: 2, because: 'all processes have releases that go up to 2' });
  });

  test('is not known while one of the roster is away; it is never lowered', () => {
    expect(reportOf({ [A]: two, [B]: two })).toMatchObject({
      possible: 1,
      because: expect.stringMatching('what c can'),
    });
    expect(() => withHighestLevel(goal, [], (node) => (node === C ? undefined : two))).toThrow('what c can');
    const raised = withHighestLevel(goal, [], () => two);
    expect(raised).toEqual({ ...goal, version: 2, level: 2 });
    expect(withHighestLevel(raised, [], () => release(1, 1))).toBe(raised);
  });
});

/** A process on this host, that speaks these versions. */
async function network(name: string, diskId: number, speaks: Release, join: readonly Address[]) {
  const created = new PeerNetwork({
    memory: memoryOf({ diskId, name, boot: 1, state: 'formed', cluster: CLUSTER }),
    role: 'member',
    build: speaks.build,
    protocol: speaks,
    instance: `process of ${name}`,
    security: { kind: 'open' },
    join,
    hashOf: (text) => text,
    newClusterId: () => 'none',
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    onFatal: () => {},
  });
  onTestFinished(() => created.stop());
  return { network: created, address: await created.listen({ host: '127.0.0.1', port: 0 }, undefined) };
}

test('releases that do not know the level are cut off when it is raised, and refused from then on', async () => {
  const a = await network('a', 1, release(1, 2), []);
  const b = await network('b', 2, release(1, 2), [a.address]);
  const c = await network('c', 3, release(0, 1), [a.address]);
  await eventually(() => expect([B, C].map((peer) => a.network.releaseOf(peer)?.protocolMax)).toEqual([2, 1]));
  expect(a.network.releaseOf(A)).toMatchObject({ build: 'x', protocolMax: 2 });
  // Those that are older still have nothing in common with it.
  await network('d', 4, release(0, 0), [a.address]);
  await eventually(() => expect(a.network.figures.refused.protocol).toBeGreaterThan(0));

  expect(a.network.figures.refused.level ?? 0).toBe(0);
  a.network.requireLevel(2);
  await eventually(() => expect(a.network.figures.refused.level).toBeGreaterThan(0));
  await eventually(() => expect([B, C].map((peer) => a.network.releaseOf(peer)?.protocolMax)).toEqual([2, undefined]));
  await network('e', 5, release(3, 4), [b.address]);
  b.network.requireLevel(2);
  await eventually(() => expect(b.network.figures.refused.protocol).toBeGreaterThan(0));
  await c.network.stop();
  // One that begins above the level speaks with those that know as much, but not in this cluster yet.
  const f = await network('f', 6, release(2, 3), [a.address]);
  await eventually(() => expect(a.network.releaseOf(f.network.self)?.protocolMax).toBe(3));
});
