import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { Consistency } from '../../src/dynamo/client.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { readOf, writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { put, putIfAbsent, textOf } from './three-nodes.ts';

/** A put by that node; its outcome, and how long it took. */
function write(ring: EpochRing, at: string, name: string, text: string, mode: Consistency, mutation = put(text)) {
  const startMs = ring.clock.now();
  let outcome: WriteAnswer | undefined;
  let tookMs = Number.NaN;
  ring.node(at).coordinate(writeOf(keyOf(name), mutation, { partitionKey: name, consistency: mode }), (answered) => {
    outcome = answered;
    tookMs = ring.clock.now() - startMs;
  });
  for (let steps = 0; outcome === undefined && steps < 1_000; steps++) ring.settle(5);
  return { outcome: outcome?.kind, tookMs };
}

/** What a consistent read in `dynamo` mode finds. */
function readConsistently(ring: EpochRing, at: string, name: string): string | undefined {
  let found: string | undefined = 'no answer';
  ring.node(at).coordinate(readOf(keyOf(name), 'latest', 'dynamo'), (outcome) => {
    found = outcome.kind === 'found' ? textOf(outcome.item) : outcome.kind;
  });
  ring.settle(1_000);
  return found;
}

/** A ring of three whose nodes have promised something just now: their ceilings are ahead of the clock. */
function ringWithCeilings(): EpochRing {
  const ring = new EpochRing('ABC', 3);
  expect(write(ring, 'A', 'definitions', 'v', 'strict').outcome).toBe('applied');
  return ring;
}

function restart(ring: EpochRing, id: string): void {
  ring.kill(id);
  ring.start(id);
}

/** By how much the record that a node has committed is dated ahead of the clock. */
function aheadMs(ring: EpochRing, at: string, name: string): number {
  return ring.node(at).stateOf(keyOf(name)).committed!.ballot.hlc / TICKS_PER_MS - ring.clock.now();
}

describe('of two puts in dynamo mode, one after the other, the later one stays', () => {
  test('although the node that took the first one was started just before', () => {
    // A report of a lost write: N=3, W=2, one client, both puts answered 200.
    const ring = ringWithCeilings();
    restart(ring, 'B');
    ring.kill('A');
    expect(write(ring, 'B', 'ann', 'one', 'dynamo').outcome).toBe('applied');
    ring.start('A');
    expect(write(ring, 'A', 'ann', 'two', 'dynamo').outcome).toBe('applied');
    expect(readConsistently(ring, 'B', 'ann')).toBe('two');
  });

  test('although the first one comes after a strict write that had to be above a ceiling', () => {
    const ring = ringWithCeilings();
    restart(ring, 'B');
    restart(ring, 'C');
    ring.kill('A');
    expect(write(ring, 'B', 'definitions', 'w', 'strict').outcome).toBe('applied');
    // So it was: without this the test would show nothing.
    expect(aheadMs(ring, 'B', 'definitions')).toBeGreaterThan(DEFAULT_NODE_LIMITS.ceilingAheadMs / 2);
    for (const [at, name] of ['B ann', 'C bob'].map((each) => each.split(' '))) {
      expect(write(ring, at!, name!, 'one', 'dynamo').outcome).toBe('applied');
    }
    ring.start('A');
    for (const name of ['ann', 'bob']) {
      expect(write(ring, 'A', name, 'two', 'dynamo').outcome).toBe('applied');
      expect(readConsistently(ring, 'B', name)).toBe('two');
    }
  });

  test('although the first one was conditional, and replicas had just been started', () => {
    const ring = ringWithCeilings();
    for (const id of 'BC') restart(ring, id);
    ring.kill('A');
    const first = write(ring, 'B', 'ann', 'one', 'dynamo', putIfAbsent('one'));
    expect(first.outcome).toBe('applied');
    expect(first.tookMs).toBeLessThan(DEFAULT_NODE_LIMITS.ceilingAheadMs + 100);
    expect(aheadMs(ring, 'B', 'ann')).toBeLessThanOrEqual(0);
    ring.start('A');
    expect(write(ring, 'A', 'ann', 'two', 'dynamo').outcome).toBe('applied');
    expect(readConsistently(ring, 'B', 'ann')).toBe('two');
  });

  test('although the first one was settled by another node only after restarts', () => {
    const ring = ringWithCeilings();
    // B and C accept it; nobody hears that it is chosen.
    ring.isLost = ({ kind }) => kind === 'learn';
    const write = writeOf(keyOf('ann'), putIfAbsent('one'), { partitionKey: 'ann', consistency: 'dynamo' });
    ring.node('B').coordinate(write, () => {});
    ring.settle(50);
    expect(ring.accepted('C', 'ann')).toBe('one');
    ring.isLost = () => false;
    ring.kill('A');
    for (const id of 'BC') restart(ring, id);
    let isSettled = false;
    ring.node('C').settleAccepted(() => {
      isSettled = true;
    });
    ring.settle(DEFAULT_NODE_LIMITS.ceilingAheadMs + 500);
    expect(isSettled).toBe(true);
    expect(ring.committed('C', 'ann')).toBe('one');
    expect(aheadMs(ring, 'C', 'ann')).toBeLessThanOrEqual(0);
  });

  test('although its node has forgotten in a restart how far ahead the first one was', () => {
    const ring = ringWithCeilings();
    const record = recordOf('one', (ring.clock.now() + 10_000) * TICKS_PER_MS);
    for (const id of 'BC') ring.ask(id, { kind: 'learn', key: keyOf('ann'), record, isFlushed: true });
    restart(ring, 'B');
    expect(write(ring, 'B', 'ann', 'two', 'dynamo').outcome).toBe('applied');
    expect([...'ABC'].map((id) => ring.committed(id, 'ann'))).toEqual(['two', 'two', 'two']);
  });

  test('although its node knows of the first one only what it keeps for others', () => {
    const ring = new EpochRing('ABCD', 3);
    const record = recordOf('one', (ring.clock.now() + 10_000) * TICKS_PER_MS);
    ring.ask('D', { kind: 'hint', key: keyOf('ann'), record, home: 'B' });
    restart(ring, 'D');
    expect(write(ring, 'D', 'ann', 'two', 'dynamo').outcome).toBe('applied');
    ring.node('D').startBackground();
    ring.settle(1_000);
    ring.node('D').stop();
    expect(readConsistently(ring, 'A', 'ann')).toBe('two');
  });
});

test('after a restart a strict write is taken as before: refused once below the ceiling, it goes above it', () => {
  const ring = ringWithCeilings();
  for (const id of 'ABC') restart(ring, id);
  const second = write(ring, 'A', 'definitions', 'w', 'strict');
  expect(second.outcome).toBe('applied');
  expect(second.tookMs).toBeLessThan(100);
  expect(ring.read('B', 'definitions')).toBe('w');
});

test('a conditional write in dynamo mode waits for no ceiling where enough others take it', () => {
  const ring = ringWithCeilings();
  restart(ring, 'C');
  // Of the two others one has promised more to somebody else: another round is all that it takes.
  const hlc = (ring.clock.now() + 10) * TICKS_PER_MS;
  ring.ask('B', { kind: 'prepare', key: keyOf('ann'), ballot: { hlc, coordinator: 900, boot: 1 }, epoch: 0 });
  const { outcome, tookMs } = write(ring, 'A', 'ann', 'one', 'dynamo', putIfAbsent('one'));
  expect(outcome).toBe('applied');
  expect(tookMs).toBeLessThan(100);
});

test('a conditional write in dynamo mode does not wait for a clock that is far ahead', () => {
  const ring = ringWithCeilings();
  ring.ask('A', { kind: 'prepare', key: keyOf('other'), ballot: far(ring), epoch: 0 });
  ring.ask('B', { kind: 'prepare', key: keyOf('other'), ballot: far(ring), epoch: 0 });
  for (const id of 'AB') restart(ring, id);
  const { outcome, tookMs } = write(ring, 'A', 'ann', 'one', 'dynamo', putIfAbsent('one'));
  expect(outcome).toBe('applied');
  expect(tookMs).toBeLessThan(100);
});

/** Of a coordinator whose clock is as far ahead as replicas allow. */
function far({ clock }: EpochRing) {
  return { hlc: (clock.now() + 50_000) * TICKS_PER_MS, coordinator: 900, boot: 1 };
}
