import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Clock, SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { openPeerDirectory, type PeerDirectory } from '../../src/env/peer-directory.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { memoryOf, type PeerMemory } from '../../src/serving/peer-memory.ts';
import { PeerNetwork } from '../../src/serving/peer-network.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { eventually } from '../parts/eventually.ts';
import { JumpingClock } from '../parts/jumping-clock.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** A process on a disk, and what it has ended for. */
async function network(
  memory: PeerMemory & Partial<Pick<PeerDirectory, 'close'>>,
  join: readonly Address[],
  clock: Clock = new SystemClock(),
) {
  const reasons: string[] = [];
  const created = new PeerNetwork({
    memory,
    role: 'member',
    build: 'test',
    instance: String(Math.random()),
    security: { kind: 'open' },
    join,
    hashOf: (text) => text,
    newClusterId: () => 'none',
    clock,
    random: new SystemRandom(),
    log: silentLog,
    onFatal: (reason) => reasons.push(reason),
  });
  const address = await created.listen(LOOPBACK, undefined);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await created.stop();
    await memory.close?.();
  };
  onTestFinished(stop);
  return { network: created, address, reasons, stop };
}

const MEMBERS = [
  { name: 'a', diskId: 1 },
  { name: 'b', diskId: 2 },
  { name: 'c', diskId: 3 },
];
const CLUSTER = { clusterId: 'one', partitions: 8, replication: 3, layout: 1, members: MEMBERS };

/** The disk of a node of a cluster of a and b, as its process sees it. */
function diskOf({ name, diskId }: (typeof MEMBERS)[number], boot: number): PeerMemory {
  return memoryOf({ diskId, name, boot, state: 'formed', cluster: CLUSTER });
}

/** Nodes a and b, which are connected. */
async function pair() {
  const b = await network(diskOf(MEMBERS[1]!, 1), []);
  const a = await network(diskOf(MEMBERS[0]!, 5), [b.address]);
  await eventually(() => {
    expect(a.network.transport.isUp(b.network.self)).toBe(true);
    expect(b.network.transport.isUp(a.network.self)).toBe(true);
  });
  return { a, b };
}

test('a copy of the disk of a node that runs is not let in, is newer by its start all the same, and is ended', async () => {
  const { a, b } = await pair();
  const clock = new JumpingClock();
  const disk = diskOf(MEMBERS[0]!, 6);
  const copy = await network(disk, [b.address], clock);
  await eventually(() => expect(b.network.figures.refused['disk-in-use']).toBeGreaterThan(1));
  // The process before may be gone without a word: that it is refused says nothing yet.
  expect(copy.reasons).toEqual([]);
  clock.jump(61_000);
  await eventually(() => expect(copy.reasons).toHaveLength(1));
  expect(copy.reasons[0]).toMatch(/refuse the disk of a: another process, which is connected, runs .*: start 5, not 6/);
  expect(disk.record.refused).toMatch(/another process/);
  expect(a.reasons).toEqual([]);
  expect(b.network.transport.isUp(a.network.self)).toBe(true);
});

test('a process that some have let in is not ended by one that still is connected to the other one on its disk', async () => {
  const c = await network(diskOf(MEMBERS[2]!, 1), []);
  const { a, b } = await pair();
  const clock = new JumpingClock();
  // Of the copy c hears first: a has never reached it.
  const copy = await network(diskOf(MEMBERS[0]!, 6), [c.address, b.address], clock);
  await eventually(() => expect(copy.network.transport.isUp(c.network.self)).toBe(true));
  const refusals = () => b.network.figures.refused['disk-in-use'] ?? 0;
  await eventually(() => expect(refusals()).toBeGreaterThan(0));
  // In steps that a process may take which is not stopped: else it would end its connections itself.
  for (let passedMs = 0; passedMs < 70_000; passedMs += 7_000) {
    clock.jump(7_000);
    await sleep(700);
  }
  expect(copy.network.transport.isUp(c.network.self)).toBe(true);
  const before = refusals();
  await eventually(() => expect(refusals()).toBeGreaterThan(before + 2));
  expect([copy.reasons, a.reasons]).toEqual([[], []]);
});

test('a copy that calls the node itself is ended by that, at once', async () => {
  const { a } = await pair();
  const disk = diskOf(MEMBERS[0]!, 6);
  const copy = await network(disk, [a.address]);
  await eventually(() => expect(copy.reasons).toHaveLength(1));
  expect(copy.reasons[0]).toMatch(/a copy of the disk of a: this one came later/);
  expect(disk.record.refused).toBeDefined();
  expect(a.reasons).toEqual([]);
});

test('the next process on a disk is let in as soon as the one before is gone', async () => {
  const { a, b } = await pair();
  const next = await network(diskOf(MEMBERS[0]!, 6), [b.address]);
  await eventually(() => expect(b.network.figures.refused['disk-in-use']).toBeGreaterThan(0));
  await a.stop();
  await eventually(() => expect(next.network.transport.isUp(b.network.self)).toBe(true));
  expect(next.reasons).toEqual([]);
});

test('a disk that was put back is refused, and stays refused however often a process starts on it', async () => {
  const [pathOfA, pathOfB, copy] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
  const b = await network(await openPeerDirectory(pathOfB, 'b'), []);
  const first = await openPeerDirectory(pathOfA, 'a');
  await first.close();
  cpSync(join(pathOfA, 'dynaring-peer.json'), join(copy, 'dynaring-peer.json'));
  for (let start = 2; start < 4; start++) await (await openPeerDirectory(pathOfA, 'a')).close();
  // B hears of start 4.
  const a = await network(await openPeerDirectory(pathOfA, 'a'), [b.address]);
  await eventually(() => expect(b.network.acquaintances.present).toEqual([a.network.self]));
  expect(a.reasons).toEqual([]);
  await a.stop();

  const old = await network(await openPeerDirectory(copy, 'a'), [b.address]);
  await eventually(() => expect(old.reasons).toHaveLength(1));
  expect(old.reasons[0]).toMatch(/refuse the disk of a: .* old copy of itself: start 2, but it had start 4 before/);
  await old.stop();
  for (let start = 3; start < 6; start++) {
    await expect(openPeerDirectory(copy, 'a')).rejects.toThrow(
      /was refused \(.*old copy of itself.*\): put the newest/,
    );
  }
  const next = await network(await openPeerDirectory(pathOfA, 'a'), [b.address]);
  await eventually(() => expect(next.network.acquaintances.present).toEqual([b.network.self]));
  expect(next.reasons).toEqual([]);
});
