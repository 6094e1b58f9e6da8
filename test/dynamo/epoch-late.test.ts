import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { Sent } from '../parts/memory-node.ts';
import { writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { image } from './three-nodes.ts';

const HOUR_MS = 3_600_000;
const PURGED_WITHIN_MS = DEFAULT_NODE_LIMITS.messageLifeMs + 10_000;
/** The time of a ballot, counted from the start of the test. */
const at = (ms: number) => (100_000_000 + ms) * TICKS_PER_MS;
const touches = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);

describe('what was staged for the decided attempt', () => {
  test('is not lost by a crash in the midst of beginning the epoch, whatever of that the disk has', () => {
    for (let survivors = 0; survivors < 12; survivors++) {
      const ring = new EpochRing('ABC', 3);
      for (const name of ['x', 'y']) ring.accept('AB', name, recordOf(name, at(0)));
      // C does not stage, so that A and B are the majority that has.
      ring.isLost = ({ kind, to }) => kind === 'activate' || (kind === 'stage' && to === 'C');
      ring.lead('A', 'ABC');
      ring.settle();
      expect(ring.decided.epoch).toBe(1);
      const store = ring.store('B');
      const { flush } = store;
      store.flush = () => {};
      ring.ask('B', { kind: 'activate', config: ring.decided });
      ring.kill('B', survivors);
      store.flush = flush;
      ring.start('B');
      for (const id of 'BC') ring.node(id).learnConfig(ring.decided);
      ring.ask('B', { kind: 'activate', config: ring.decided });
      ring.isLost = (sent) => touches(sent, 'A');
      ring.settle();
      for (const name of ['x', 'y']) expect(ring.read('B', name)).toBe(name);
    }
  });

  test('is not lost by hearing only then of the epoch before', () => {
    for (const whileStaging of [false, true]) {
      const ring = new EpochRing('ABCDEF', 3);
      ring.commit('AB', 'x', recordOf('x', at(-2 * HOUR_MS)));
      ring.accept('AB', 'y', recordOf('y', at(0)));
      ring.change('A', 'ABD');
      const first = ring.decided;
      ring.isLost = ({ kind, to }) => kind === 'activate' || (kind === 'stage' && to === 'D');
      ring.lead('A', 'DEF');
      if (whileStaging) {
        ring.isHeld = ({ kind, to }) => kind === 'sealed-records' && 'EF'.includes(to);
        ring.settle(20);
        for (const id of 'EF') ring.ask(id, { kind: 'activate', config: first });
        ring.isHeld = () => false;
        ring.release();
      }
      ring.settle();
      expect(ring.decided.epoch).toBe(2);
      for (const id of 'EF') ring.ask(id, { kind: 'activate', config: first });
      ring.isLost = (sent) => touches(sent, 'AB');
      ring.settle();
      for (const id of 'DEF') ring.node(id).learnConfig(ring.decided);
      for (const id of 'DEF') ring.ask(id, { kind: 'activate', config: ring.decided });
      ring.settle();
      for (const name of ['x', 'y']) expect(ring.read('E', name)).toBe(name);
    }
  });
});

describe('an item that was purged while a node was away', () => {
  /** C has it still; since epoch 1 it is none of the members. */
  function purged(): EpochRing {
    const ring = new EpochRing('ABCD', 3);
    ring.commit('ABC', 'x', recordOf('x', at(-10)));
    ring.isLost = (sent) => touches(sent, 'C');
    ring.change('A', 'ABD');
    ring.commit('ABD', 'x', recordOf(undefined, at(0)));
    ring.clock.advance(2 * HOUR_MS);
    let count = 0;
    ring.node('A').purgeTombstones((report) => {
      count = report.purged;
    });
    ring.settle(PURGED_WITHIN_MS);
    expect(count).toBe(1);
    ring.isLost = () => false;
    return ring;
  }

  test('does not come back when that node compares what it has, still taking itself for a member', () => {
    const ring = purged();
    ring.node('C').repair(() => {});
    ring.settle();
    expect(ring.read('A', 'x')).toBeUndefined();
  });

  test('does not come back when others compare with it before it has begun the epoch that names it again', () => {
    const ring = purged();
    // As an older version decided it: without the stage of the newcomer, C, whose disk still has the item.
    const next = { partition: 0, epoch: 2, members: ring.members('ABC'), attempt: 2 };
    for (const id of 'AB') ring.ask(id, { kind: 'seal', partition: 0, epoch: 1 });
    for (const id of 'AB') ring.ask(id, { kind: 'stage', next, sources: ['A', 'B'] });
    ring.settle();
    ring.decided = next;
    for (const id of 'AB') ring.node(id).learnConfig(next);
    ring.settle();
    expect([...'ABC'].map((id) => ring.node(id).votingConfig(0)?.epoch)).toEqual([2, 2, 0]);
    ring.node('A').repair(() => {});
    ring.settle();
    expect(ring.read('A', 'x')).toBeUndefined();
  });

  test('does not come back by a comparison that began before the epoch, and before the purge', () => {
    // Steps of a comparison may take as long as these changes.
    const ring = new EpochRing('ABCD', 3, { repairTimeoutMs: 400_000 });
    ring.commit('ABC', 'x', recordOf('x', at(-10)));
    ring.commit('AB', 'x', recordOf(undefined, at(0)));
    ring.clock.advance(2 * HOUR_MS);
    // What A asks C about its records waits.
    ring.isHeld = ({ from, to, kind }) => from === 'A' && to === 'C' && kind === 'merkle-keys';
    ring.node('A').repair(() => {});
    ring.settle(1_000);
    ring.isHeld = () => false;
    ring.isLost = (sent) => touches(sent, 'C');
    const led = ring.lead('B', 'ABD');
    ring.settle(10_000);
    expect(led.outcome).toMatchObject({ kind: 'changed' });
    ring.node('B').purgeTombstones(() => {});
    ring.node('A').purgeTombstones(() => {});
    ring.settle(PURGED_WITHIN_MS);
    expect([...'ABD'].map((id) => ring.node(id).stateOf(keyOf('x')).committed)).toEqual(Array(3).fill(undefined));
    ring.isLost = () => false;
    ring.release();
    ring.settle();
    expect(ring.read('A', 'x')).toBeUndefined();
  });

  test('does not come back by a copy that a newcomer was asked for, and hears of when it is a member', () => {
    const ring = purged();
    ring.ask('D', { kind: 'copy', partition: 0, epoch: 0, sources: ['C'] });
    ring.settle();
    expect(ring.node('D').stateOf(keyOf('x')).committed).toBeUndefined();
  });
});

test('a sealed member that has told what it accepted does not forget in a crash what it left out as committed', () => {
  const ring = new EpochRing('ABC', 3);
  const record = recordOf('x', at(-10));
  ring.accept('AB', 'x', record);
  ring.ask('B', { kind: 'seal', partition: 0, epoch: 0 });
  ring.commit('B', 'x', record);
  const asked = ring.ask('B', { kind: 'sealed-records', partition: 0, epoch: 0, after: undefined, limit: 10 });
  expect(asked.reply).toMatchObject({ kind: 'sealed-records', entries: [] });
  ring.kill('B');
  ring.start('B');
  expect(ring.committed('B', 'x')).toBe('x');
});

test('a member begins with what it has staged for the decided attempt; another stage could undo what was written', () => {
  for (const beginsWithDecided of [true, false]) {
    const ring = new EpochRing('ABC', 3, {}, { beginsWithDecided });
    // A has accepted what was never chosen, under a ballot that is ahead of the clocks, and stages it for attempt 1.
    ring.accept('A', 'y', recordOf('never chosen', at(50_000)));
    const next = (attempt: number) => ({ partition: 0, epoch: 1, members: ring.members('ABC'), attempt });
    for (const id of 'ABC') ring.ask(id, { kind: 'seal', partition: 0, epoch: 0 });
    ring.ask('A', { kind: 'stage', next: next(1), sources: ['A', 'B'] });
    // Attempt 2 counts on B and C, which have not heard of it.
    for (const id of 'BC') ring.ask(id, { kind: 'stage', next: next(2), sources: ['B', 'C'] });
    ring.settle();
    ring.decided = next(2);
    for (const id of 'ABC') ring.node(id).learnConfig(ring.decided);
    ring.settle();
    ring.isLost = (sent) => touches(sent, 'A');
    let outcome: string | undefined;
    ring.node('B').coordinate(writeOf(keyOf('y'), { kind: 'put', item: image('written') }), ({ kind }) => {
      outcome = kind;
    });
    ring.settle();
    expect(outcome).toBe('applied');
    ring.isLost = (sent) => touches(sent, 'C');
    expect(ring.read('A', 'y')).toBe(beginsWithDecided ? 'written' : 'never chosen');
  }
});
