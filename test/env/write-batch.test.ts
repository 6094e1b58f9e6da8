import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyOrder, StoreKey } from '../../src/env/store.ts';
import { REMOVED, rangeOver, type Visit, WriteBatch, type Written, writtenBetween } from '../../src/env/write-batch.ts';

const KEYS: readonly StoreKey[] = ['a', 'c', 'e', 'g', 'i'];
const settledValue = Buffer.from('settled');
const writtenValue = Buffer.from('written');

/** The settled entries in an order, and how many of them were read. */
function settled(order: KeyOrder) {
  const read: StoreKey[] = [];
  const entries = (visit: Visit) => {
    for (const key of order === 'forward' ? KEYS : KEYS.toReversed()) {
      read.push(key);
      if (!visit(key, settledValue)) return;
    }
  };
  return { entries, read };
}

function batch(changes: Record<StoreKey, Written>): WriteBatch {
  const made = new WriteBatch();
  for (const [key, written] of Object.entries(changes)) made.set('items', key, written);
  return made;
}

function read(order: KeyOrder, limit: number, changes: Record<StoreKey, Written>) {
  const { entries, read } = settled(order);
  const written = writtenBetween([batch(changes)], 'items', { from: 'a', to: 'z' }, order);
  const found = rangeOver(entries, written, { order, limit });
  return { keys: found.map(({ key, value }) => (value === writtenValue ? key.toUpperCase() : key)).join(''), read };
}

describe('a range over what is settled', () => {
  test('reads no more of it than it returns', () => {
    expect(read('forward', 2, {})).toEqual({ keys: 'ac', read: ['a', 'c'] });
    expect(read('backward', 2, {})).toEqual({ keys: 'ig', read: ['i', 'g'] });
  });

  test('reads on for each entry that was removed', () => {
    const changes = { a: REMOVED, g: REMOVED };
    expect(read('forward', 2, changes)).toEqual({ keys: 'ce', read: ['a', 'c', 'e'] });
    expect(read('backward', 2, changes)).toEqual({ keys: 'ie', read: ['i', 'g', 'e'] });
  });

  test('puts what was written in its place, and in place of what is settled', () => {
    const changes = { b: writtenValue, e: writtenValue, k: writtenValue };
    expect(read('forward', 9, changes).keys).toBe('aBcEgiK');
    expect(read('backward', 9, changes).keys).toBe('KigEcBa');
    expect(read('backward', 1, changes)).toEqual({ keys: 'K', read: ['i'] });
  });
});

test('of two batches with changes to a key the later one counts, in either order', () => {
  const batches = [batch({ b: writtenValue, c: writtenValue }), batch({ b: REMOVED, d: writtenValue })];
  const keys = (order: KeyOrder) =>
    writtenBetween(batches, 'items', { from: 'b', to: 'd' }, order).map(({ key, value }) =>
      value === REMOVED ? `${key}-` : key,
    );
  expect(keys('forward')).toEqual(['b-', 'c']);
  expect(keys('backward')).toEqual(['c', 'b-']);
});

test('a range of a batch has what was written to its keys and not forgotten, however many came and went', () => {
  const key = fc.integer({ min: 0, max: 700 }).map((number) => `k${number}`);
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ set: key, isRemoval: fc.boolean() }) },
    { weight: 10, arbitrary: fc.record({ forget: key }) },
    { weight: 1, arbitrary: fc.record({ from: key, to: key }) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 500, maxLength: 2_000, size: 'max' }), (steps) => {
      const made = new WriteBatch();
      const model = new Map<StoreKey, Written>();
      for (const each of steps) {
        if ('set' in each) {
          const written = each.isRemoval ? REMOVED : writtenValue;
          made.set('items', each.set, written);
          model.set(each.set, written);
        } else if ('forget' in each) {
          made.forget('items', each.forget);
          model.delete(each.forget);
        } else {
          const expected = [...model]
            .filter(([at]) => at >= each.from && at < each.to)
            .sort(([a], [b]) => (a < b ? -1 : 1));
          const found = writtenBetween([made], 'items', each, 'forward');
          expect(found).toEqual(expected.map(([at, value]) => ({ key: at, value })));
        }
      }
    }),
    { numRuns: 100 },
  );
});
