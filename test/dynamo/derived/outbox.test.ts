import { describe, expect, test, vi } from 'vitest';
import { type Ballot, NO_BALLOT } from '../../../src/dynamo/ballot.ts';
import { Outbox } from '../../../src/dynamo/derived/outbox.ts';
import { NOTHING_SETTLED, type Settled } from '../../../src/dynamo/derived/settled.ts';
import { SettledMarks } from '../../../src/dynamo/derived/settled-marks.ts';
import { ItemRecord } from '../../../src/dynamo/record.ts';
import { MemoryStore } from '../../../src/env/memory-store.ts';
import { DAMAGED } from '../../../src/env/store.ts';
import { ManualClock } from '../../parts/manual-clock.ts';
import { keyOfItem, TABLE } from './indexed-ring.ts';

const KEY = keyOfItem('apple');
const ballot = (hlc: number): Ballot => ({ hlc, coordinator: 1, boot: 1 });
const due = (hlc: number): Settled => ({ ...NOTHING_SETTLED, due: ballot(hlc) });

function record(at: number, due = at): ItemRecord {
  const derived = {
    version: 1,
    valueBallot: ballot(at),
    due: due === 0 ? NO_BALLOT : ballot(due),
    owed: [],
    entries: [],
    local: [],
    localBytes: 0,
  };
  return new ItemRecord({ ballot: ballot(at), item: undefined, partitionKey: 'apple', lineage: [], derived });
}

function open(store = new MemoryStore()) {
  const clock = new ManualClock(5_000);
  const outbox = new Outbox(store, clock, { marksKept: 10, isWithRecord: true });
  const commit = (next: ItemRecord, before?: ItemRecord) => {
    outbox.committing(KEY, next);
    outbox.committed(KEY, next, before);
  };
  return { store, clock, outbox, commit };
}

describe('an outbox', () => {
  test('has a row for a record that is due, since when its item was first due', () => {
    const { outbox, clock, commit } = open();
    commit(record(1));
    clock.advance(100);
    commit(record(2), record(1));
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_000 }]);
    expect(outbox.count).toBe(1);
    expect(outbox.countOf(TABLE)).toBe(1);
    expect(outbox.countOf('\0\0\0\0\0\0\0\x02')).toBe(0);
  });

  test('counts what has been due for a while, without an item that was settled and is due again', () => {
    const { outbox, clock, commit } = open();
    commit(record(1));
    clock.advance(100);
    expect(outbox.countOf(TABLE, 100)).toBe(1);
    expect(outbox.countOf(TABLE, 101)).toBe(0);
    commit(record(2), record(1));
    outbox.settled(KEY, due(1));
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_100 }]);
    expect([outbox.countOf(TABLE), outbox.countOf(TABLE, 1)]).toEqual([1, 0]);
    clock.advance(10);
    outbox.settled(KEY, due(1));
    expect(outbox.countOf(TABLE, 10)).toBe(1);
  });

  test('loses it by a mark of that record or a later one, and not by an earlier one', () => {
    const { outbox, commit } = open();
    commit(record(2));
    outbox.settled(KEY, due(1));
    expect(outbox.has(KEY)).toBe(true);
    outbox.settled(KEY, due(2));
    expect(outbox.has(KEY)).toBe(false);
    expect(outbox.count).toBe(0);
  });

  test('makes none for what a mark has told to be settled before it came', () => {
    const { outbox, commit } = open();
    outbox.settled(KEY, due(2));
    commit(record(2));
    expect(outbox.has(KEY)).toBe(false);
    commit(record(3, 2), record(2));
    expect(outbox.has(KEY)).toBe(false);
    commit(record(4), record(3, 2));
    expect(outbox.has(KEY)).toBe(true);
  });

  test('keeps nothing of a record that owes nothing, nor of one of which nothing is derived', () => {
    const { outbox, commit } = open();
    commit(record(1, 0));
    expect(outbox.has(KEY)).toBe(false);
    const plain = new ItemRecord({ ballot: ballot(2), item: undefined, partitionKey: 'apple', lineage: [] });
    commit(record(1));
    commit(plain, record(1));
    expect(outbox.has(KEY)).toBe(false);
  });

  test('tells as settled what it has no row for', () => {
    const { outbox, commit } = open();
    expect(outbox.settledOf(KEY, {})).toBeUndefined();
    commit(record(2));
    expect(outbox.settledOf(KEY, { committed: record(2) })).toEqual(NOTHING_SETTLED);
    outbox.settled(KEY, due(2));
    outbox.marks.forget(KEY);
    expect(outbox.settledOf(KEY, { committed: record(2) })).toEqual(due(2));
    expect(outbox.settledOf(KEY, { accepted: record(3), committed: record(2) })).toEqual(due(2));
    outbox.settled(KEY, due(5));
    expect(outbox.settledOf(KEY, { committed: record(2) })).toEqual(due(5));
  });

  test('is read again by the next start, and after writes were lost', () => {
    const { store, commit } = open();
    commit(record(1));
    expect(open(store).outbox.count).toBe(1);
    expect(open(store).outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_000 }]);
  });

  test('is counted in steps at a start, and nobody takes what is not counted for nothing', () => {
    const { store, outbox, commit } = open();
    for (let i = 0; i < 2_500; i++) outbox.committing(keyOfItem(`${i}`), record(1));
    commit(record(1));
    expect(outbox.count).toBe(2_501);
    const next = open(store);
    expect(next.outbox.count).toBe(1_000);
    // On both sides of what was counted by then, where nothing else is.
    const { key: first } = next.outbox.page('', 1)[0]!;
    const last = next.outbox.page('', 3_000).at(-1)!.key;
    for (const key of [first, last]) next.outbox.settled(key, due(1));
    expect(next.outbox.count).toBe(999);
    for (const { key } of next.outbox.page('', 999)) next.outbox.settled(key, due(1));
    expect(next.outbox.count).toBe(1);
    expect(next.outbox.countOf('\0\0\0\0\0\0\0\x02', 100)).toBe(1);
    next.clock.advance(100);
    expect(next.outbox.count).toBe(1_500);
    expect([next.outbox.countOf(TABLE), next.outbox.countOf('\0\0\0\0\0\0\0\x02')]).toEqual([1_500, 0]);
    for (const { key } of next.outbox.page('', 3_000)) next.outbox.settled(key, due(1));
    expect(next.outbox.count).toBe(0);
  });

  test('makes a row again that cannot be read, if the record that is committed needs it', () => {
    const { store, outbox, clock, commit } = open();
    commit(record(2));
    store.put('outbox', KEY, DAMAGED);
    clock.advance(100);
    outbox.remake(KEY, record(2));
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_100 }]);
    store.put('outbox', KEY, DAMAGED);
    outbox.marks.note(KEY, due(2));
    outbox.remake(KEY, record(2));
    expect([outbox.has(KEY), outbox.count]).toEqual([false, 0]);
  });

  test('keeps a row that cannot be read until a record that is not older is settled', () => {
    const { store, outbox, commit } = open();
    commit(record(2));
    store.put('outbox', KEY, DAMAGED);
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 0 }]);
    outbox.settled(KEY, due(2));
    expect(outbox.has(KEY)).toBe(true);
    outbox.settledFor(KEY, due(1), record(2));
    expect(outbox.has(KEY)).toBe(true);
    outbox.settledFor(KEY, due(2), record(2));
    expect(outbox.has(KEY)).toBe(false);
  });

  test('keeps the row of a record that came while an earlier one was settled', () => {
    const { outbox, commit } = open();
    commit(record(2));
    outbox.settledFor(KEY, NOTHING_SETTLED, record(2));
    expect(outbox.has(KEY)).toBe(true);
    outbox.settledFor(KEY, NOTHING_SETTLED, undefined);
    expect(outbox.has(KEY)).toBe(false);
  });
});

describe('an outbox row of an item with a stream', () => {
  const change = (at: number) => ({
    stream: 'a stream',
    shards: 1,
    ballot: ballot(at),
    event: 'INSERT' as const,
    by: undefined,
    key: { size: 1, json: Buffer.from('{}') },
    old: undefined,
    next: undefined,
  });
  /** @param dueAt 0: nothing is due to an index */
  const changed = (at: number, dueAt: number, changes: readonly number[]): ItemRecord => {
    const { derived } = record(at, dueAt);
    return new ItemRecord({
      ballot: ballot(at),
      item: undefined,
      partitionKey: 'apple',
      lineage: [],
      derived: { ...derived!, changes: changes.map(change) },
    });
  };
  const logged = (hlc: number): Settled => ({ ...NOTHING_SETTLED, logged: ballot(hlc) });

  test('stays until the log has its newest change and its entries are in place, in whatever order', () => {
    for (const marks of [
      [due(2), logged(2)],
      [logged(2), due(2)],
    ]) {
      const { outbox, commit } = open();
      commit(changed(2, 2, [1, 2]));
      outbox.settled(KEY, logged(1));
      for (const mark of marks) {
        expect(outbox.has(KEY)).toBe(true);
        outbox.settled(KEY, mark);
      }
      expect(outbox.has(KEY)).toBe(false);
    }
  });

  test('is there for changes alone, and goes with a record that has none', () => {
    const { outbox, commit } = open();
    commit(changed(1, 0, [1]));
    expect(outbox.has(KEY)).toBe(true);
    commit(changed(2, 0, []), changed(1, 0, [1]));
    expect(outbox.has(KEY)).toBe(false);
  });

  test('grows old while one half is behind, however often the other one is settled', () => {
    const { outbox, clock, commit } = open();
    commit(changed(1, 1, [1]));
    clock.advance(100);
    commit(changed(2, 2, [1, 2]), changed(1, 1, [1]));
    outbox.settled(KEY, logged(1));
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_000 }]);
    outbox.settled(KEY, { due: ballot(1), logged: ballot(2) });
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 5_100 }]);
  });

  test('is read as a version before wrote it, which knew no streams', () => {
    const { store, outbox } = open();
    const row = Buffer.alloc(26);
    row.writeDoubleBE(4_000, 0);
    row.writeDoubleBE(3, 8);
    row.writeUIntBE(1, 16, 6);
    row.writeUInt32BE(1, 22);
    store.put('outbox', KEY, row);
    expect(outbox.page('')).toEqual([{ key: KEY, sinceMs: 4_000 }]);
    outbox.settled(KEY, due(2));
    expect(outbox.has(KEY)).toBe(true);
    outbox.settled(KEY, due(3));
    expect(outbox.has(KEY)).toBe(false);
  });
});

test('marks only grow, and the one that was noted longest ago is forgotten', () => {
  const marks = new SettledMarks(2);
  marks.note('a', due(3));
  marks.note('a', due(2));
  expect(marks.of('a')).toEqual(due(3));
  marks.note('b', due(1));
  marks.note('a', due(4));
  marks.note('c', due(1));
  expect([marks.of('a'), marks.of('b'), marks.of('c')]).toEqual([due(4), NOTHING_SETTLED, due(1)]);
});

test('an outbox looks at no item that no transaction has prepared', () => {
  const { store, outbox, commit } = open();
  commit(record(1));
  const get = vi.spyOn(store, 'get');
  outbox.settled(KEY, due(1));
  expect(outbox.count).toBe(0);
  expect(get.mock.calls.filter(([name]) => name === 'items')).toEqual([]);
});
