import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localSortKey } from '../../src/api/entry-place.ts';
import { NO_BALLOT } from '../../src/dynamo/ballot.ts';
import { localBytesOf } from '../../src/dynamo/derived/places.ts';
import { collectionsOfRows, localRows, prefixEnd, rowsOfItems } from '../../src/dynamo/keyspace.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { ReplicaRows } from '../../src/dynamo/registers/replica-rows.ts';
import type { Rules } from '../../src/dynamo/rules.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { DAMAGED } from '../../src/env/store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { nodeSettings } from '../parts/node-settings.ts';
import { bytesOfStore, DERIVATION, itemOf, type Places, rowsOfStore } from './local-index.ts';
import { KEY } from './three-nodes.ts';

const EVERYTHING = { from: localRows(KEY, 0), to: prefixEnd(localRows(KEY, 1)) };

/** The version of an item that is committed at some time; undefined deletes it. */
function recordOf(hlc: number, sortKey: string, places: Places | undefined): ItemRecord {
  const ballot = { hlc, coordinator: 1, boot: 1 };
  const attributes = { x: { S: places?.x ?? '' }, y: { S: places?.y ?? '' } };
  const local = DERIVATION.indexes.map((index, at) => {
    const isIn = (at === 0 ? places?.x : places?.y) !== undefined;
    return isIn ? localSortKey(index, attributes, { partitionKey: 'user', sortKey }) : undefined;
  });
  const item = places && itemOf(sortKey, places);
  const localBytes = item === undefined ? 0 : localBytesOf(item, DERIVATION);
  const derived = { version: 1, valueBallot: ballot, due: NO_BALLOT, owed: [], entries: [], local, localBytes };
  return new ItemRecord({ ballot, item, partitionKey: 'user', lineage: [], derived });
}

function rowsOn(store: MemoryStore, rules: Partial<Rules> = {}) {
  const settings = nodeSettings({ id: 'A', diskId: 1, ring: [] });
  const clock = new ManualClock(0);
  return {
    clock,
    rows: new ReplicaRows(store, clock, { ...settings, rules: { ...settings.rules, ...rules } }, () => {}),
  };
}

const value = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined });
const step = fc.record({
  key: fc.constantFrom('k1', 'k2', 'k3'),
  places: fc.option(fc.record({ x: value, y: value }), { nil: undefined, freq: 4 }),
  isPurge: fc.boolean(),
  /** How many of the writes since the last crash survive one now; undefined: there is none. */
  survivors: fc.option(fc.nat(6), { nil: undefined, freq: 2 }),
});
type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never;

/** Commits and purges, with crashes between any two writes of the store. */
function run(
  steps: readonly Step[],
  rules: Partial<Rules>,
  check: (store: MemoryStore, found: readonly string[]) => void,
) {
  const store = new MemoryStore({ flushAfter: () => {} });
  let { rows } = rowsOn(store, rules);
  for (const [at, { key, places, isPurge, survivors }] of steps.entries()) {
    const storeKey = `${KEY}${key}`;
    if (isPurge && places === undefined) rows.remove(storeKey);
    else rows.commit(storeKey, recordOf(at + 1, key, places), rows.state(storeKey));
    if (survivors === undefined) continue;
    store.crash(survivors);
    rows = rowsOn(store, rules).rows;
  }
  for (const index of [0, 1]) {
    const prefix = localRows(KEY, index);
    const page = { from: prefix, to: prefixEnd(prefix), order: 'forward', limit: 100, bytesLimit: 100_000 } as const;
    const read = rows.local.page(page, 'all');
    if (read === undefined || read === 'crowded') throw new Error('the rows could not be read');
    const due = rowsOfStore(store)
      .due.filter((row) => row.startsWith(prefix))
      .map((row) => row.slice(row.indexOf('=k') + 1));
    expect(read.entries.map((entry) => entry.key.slice(KEY.length))).toEqual(due);
  }
  check(store, rowsOfStore(store).due);
}

describe('the rows of local indexes', () => {
  test('are those of the committed records, whatever of the writes a crash has kept', () => {
    const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) =>
      // The reads have removed what a crash had left too much.
      run(steps, {}, (store, due) => expect(rowsOfStore(store).there).toEqual(due)),
    );
    fc.assert(property, { numRuns: 300 });
  });

  test('are missing after a crash if they are written after the record', () => {
    const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) =>
      run(steps, { rowsBeforeRecord: false }, () => {}),
    );
    expect(fc.check(property, { numRuns: 300 }).failed).toBe(true);
  });

  test('are made again of the records when they are checked, and what belongs to none is removed', () => {
    const store = new MemoryStore();
    const { rows, clock } = rowsOn(store);
    for (let i = 0; i < 150; i++) {
      rows.commit(`${KEY}k${i}`, recordOf(i + 1, `k${i}`, { x: `x${i % 7}`, y: i % 2 ? 'y' : undefined }), {});
    }
    let { due } = rowsOfStore(store);
    for (const [i, { key }] of store.range('lsi', { ...EVERYTHING, limit: 300 }).entries()) {
      if (i % 3 === 0) store.damage('lsi', key);
      if (i % 3 === 1) store.remove('lsi', key);
    }
    for (let i = 0; i < 100; i++) store.put('lsi', `${localRows(KEY, 1)}stray ${i}`, Buffer.from(`k${i}`));
    let checked = 0;
    for (let waiting = 0; waiting < 2; waiting++) rows.local.check(0, () => checked++);
    const page = { ...EVERYTHING, order: 'forward', limit: 10, bytesLimit: 10_000 } as const;
    expect(rows.local.page(page, 'all')).toBeUndefined();
    clock.runNext();
    // Before and behind what was looked at by then.
    rows.commit(`${KEY}k0`, recordOf(1_000, 'k0', { x: 'new' }), rows.state(`${KEY}k0`));
    rows.commit(`${KEY}k99`, recordOf(1_001, 'k99', undefined), rows.state(`${KEY}k99`));
    ({ due } = rowsOfStore(store));
    while (clock.nextInMs !== undefined) clock.runNext();
    expect(checked).toBe(2);
    expect(rowsOfStore(store)).toEqual({ due, there: due });
    expect(rows.local.collectionBytes(KEY)).toBe(bytesOfStore(store));
    expect(rows.local.page(page, 'all')).toMatchObject({ unsettled: [] });
  });

  test('have the size of their collection right after a record that could not be read was replaced or removed', () => {
    const store = new MemoryStore();
    const { rows, clock } = rowsOn(store);
    const keys = ['k1', 'k2', 'k3'].map((name) => `${KEY}${name}`);
    for (const [i, key] of keys.entries())
      rows.commit(key, recordOf(i, `k${i + 1}`, { x: 'a', y: 'b' }), rows.state(key));
    const whole = bytesOfStore(store);
    expect(rows.local.collectionBytes(KEY)).toBe(whole);
    const [first, second, third] = keys as [string, string, string];
    for (const key of keys) {
      rows.release(key);
      store.damage('items', key);
    }
    // Restored, overwritten before that, and erased.
    rows.dropUnreadable(first);
    rows.commit(first, recordOf(10, 'k1', { x: 'longer' }), {});
    rows.mark(second);
    rows.commit(second, recordOf(11, 'k2', { y: 'longer, too' }), {});
    store.remove('items', third);
    rows.noteRemoved(third, DAMAGED);
    expect(rows.local.collectionBytes(KEY)).toBeGreaterThan(whole);
    while (clock.nextInMs !== undefined) clock.runNext();
    expect(rows.local.collectionBytes(KEY)).toBe(bytesOfStore(store));
    // What is counted anew follows what comes meanwhile.
    rows.local.recount(first);
    rows.commit(first, recordOf(12, 'k1', undefined), rows.state(first));
    while (clock.nextInMs !== undefined) clock.runNext();
    expect(rows.local.collectionBytes(KEY)).toBe(bytesOfStore(store));
  });

  test('of a range of items are those of one index, whatever comes behind the range', () => {
    const table = KEY.slice(0, 10);
    const rows = localRows(KEY, 1);
    expect(rowsOfItems({ from: table, to: prefixEnd(table) }, 1)).toEqual({
      from: `${table}\x01`,
      to: `${table}\x02`,
    });
    expect(rowsOfItems({ from: KEY, to: prefixEnd(KEY) }, 1)).toEqual({ from: rows, to: prefixEnd(rows) });
  });

  test('cover the collections that a range touches, whole', () => {
    const first = localRows(KEY, 0);
    const end = prefixEnd(KEY);
    expect(collectionsOfRows({ from: `${first}a`, to: `${first}b` })).toEqual({ from: KEY, to: end });
    expect(collectionsOfRows({ from: first, to: prefixEnd(first) })).toEqual({ from: KEY, to: end });
    const table = KEY.slice(0, 10);
    expect(collectionsOfRows({ from: `${table}\0`, to: `${table}\x01` })).toEqual({
      from: table,
      to: prefixEnd(table),
    });
    expect(collectionsOfRows({ from: `${table}\0\x10`, to: `${table}\0\x20` })).toEqual({
      from: `${table}\x10`,
      to: `${table}\x20`,
    });
  });
});
