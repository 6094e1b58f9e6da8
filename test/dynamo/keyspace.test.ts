import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  collectionPrefix,
  haveOverlap,
  partitionOf,
  prefixEnd,
  sliceOf,
  sliceRange,
  sortKeyRange,
  storeKeyOf,
  tableRange,
} from '../../src/dynamo/keyspace.ts';

const TABLE = '\x01\x02\x03\x04\x05\x06\x07\x08';
const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array).toString('latin1'));

describe('store keys', () => {
  test('items of one partition key share a prefix and sort by their sort keys', () => {
    fc.assert(
      fc.property(bytes(60), bytes(20), bytes(20), (partitionKey, a, b) => {
        const prefix = collectionPrefix(TABLE, partitionKey, 64);
        const keyA = storeKeyOf({ table: TABLE, partitionKey, sortKey: a }, 64);
        const keyB = storeKeyOf({ table: TABLE, partitionKey, sortKey: b }, 64);
        expect(keyA.startsWith(prefix)).toBe(true);
        expect(keyA < keyB).toBe(a < b);
        expect(keyA >= prefix && keyA < prefixEnd(prefix)).toBe(true);
      }),
    );
  });

  test('a range of sort keys holds those between its bounds, and a bound itself where it is inclusive', () => {
    const prefix = collectionPrefix(TABLE, 'user', 64);
    const bound = fc.option(fc.record({ sortKey: bytes(3), isInclusive: fc.boolean() }), { nil: undefined });
    fc.assert(
      fc.property(bound, bound, bytes(3), (lower, upper, random) => {
        const { from, to } = sortKeyRange(prefix, lower, upper);
        for (const sortKey of [random, lower?.sortKey ?? '', upper?.sortKey ?? '', `${upper?.sortKey}\0`]) {
          const isAbove =
            lower === undefined || sortKey > lower.sortKey || (lower.isInclusive && sortKey === lower.sortKey);
          const isBelow =
            upper === undefined || sortKey < upper.sortKey || (upper.isInclusive && sortKey === upper.sortKey);
          const key = prefix + sortKey;
          expect(key >= from && key < to, JSON.stringify(sortKey)).toBe(isAbove && isBelow);
        }
      }),
    );
    expect(sortKeyRange(prefix, undefined, undefined)).toEqual({ from: prefix, to: prefixEnd(prefix) });
  });

  test('the place on the ring depends on the partition key alone', () => {
    const partitions = new Set(
      ['a', 'b', 'c'].map((sortKey) => partitionOf(storeKeyOf({ table: TABLE, partitionKey: 'user', sortKey }, 64))),
    );
    expect(partitions.size).toBe(1);
  });

  test('10,000 partition keys fill 64 partitions evenly', () => {
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 10_000; i++) counts[partitionOf(collectionPrefix(TABLE, `Suser-${i}`, 64))]!++;
    const expected = 10_000 / 64;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 63 degrees of freedom: above 110 with a probability of 0.0002 for even keys; the keys here are fixed.
    expect(chiSquare).toBeLessThan(110);
  });

  test('every partition number up to Q - 1 is reached, and none beyond', () => {
    for (const partitions of [1, 3, 64, 1000]) {
      const seen = new Set<number>();
      for (let i = 0; i < 20_000; i++) seen.add(partitionOf(collectionPrefix(TABLE, `k${i}`, partitions)));
      expect(Math.max(...seen)).toBe(partitions - 1);
      expect(seen.size).toBe(partitions);
    }
  });

  test('a table range holds the records of that table in that partition and no others', () => {
    const key = storeKeyOf({ table: TABLE, partitionKey: 'p', sortKey: '\xff\xff' }, 64);
    const { from, to } = tableRange(partitionOf(key), TABLE);
    expect(key >= from && key < to).toBe(true);
    const other = storeKeyOf({ table: '\x01\x02\x03\x04\x05\x06\x07\x09', partitionKey: 'p', sortKey: '' }, 64);
    expect(other >= from && other < to).toBe(false);
  });

  test('of however many slices of the ring, a record is in the range of one, which its partition meets', () => {
    const partitionCounts = fc.constantFrom(1, 3, 64, 1000);
    const sliceCounts = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 1_000_000 }));
    fc.assert(
      fc.property(partitionCounts, sliceCounts, bytes(20), bytes(4), (partitions, slices, partitionKey, sortKey) => {
        const key = storeKeyOf({ table: TABLE, partitionKey, sortKey }, partitions);
        const own = sliceOf(partitionKey, slices);
        for (const slice of [0, own - 1, own, own + 1, slices - 1].filter((at) => at >= 0 && at < slices)) {
          const { from, to } = sliceRange(partitionOf(key), TABLE, slice, slices);
          expect(key >= from && key < to).toBe(slice === own);
        }
        expect(haveOverlap(partitionOf(key), partitions, own, slices)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('a slice meets as many partitions as it is wide, and no more', () => {
    const met = (slice: number, slices: number) =>
      Array.from({ length: 4 }, (_, partition) => partition).filter((at) => haveOverlap(at, 4, slice, slices));
    expect([met(0, 1), met(0, 2), met(1, 2), met(1, 3), met(5, 8)]).toEqual([
      [0, 1, 2, 3],
      [0, 1],
      [2, 3],
      [1, 2],
      [2],
    ]);
  });

  test('the end of a prefix skips trailing 0xff bytes', () => {
    expect(prefixEnd('a\xff\xff')).toBe('b');
    expect(prefixEnd('ab')).toBe('ac');
    expect(() => prefixEnd('\xff')).toThrow(RangeError);
  });
});
