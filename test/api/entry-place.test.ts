import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import {
  entryPartitionKey,
  entrySortKey,
  grouped,
  joinedPartitionKey,
  localSortKey,
} from '../../src/api/entry-place.ts';
import type { EncodedKey } from '../../src/api/primary-key.ts';
import { compareScalars } from '../model/values.ts';
import { attribute } from './sample-table.ts';

/** Texts that differ in what is hard: their lengths around a group of eight, zeros at their ends, the highest byte. */
const byte = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('\0', '\x01', '\x08', '\x09', '\x0a', 'a', '\xfe', '\xff') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) },
);
const short = fc.array(byte, { maxLength: 4 }).map((bytes) => bytes.join(''));
const bytes = fc.oneof(
  short,
  fc.array(byte, { minLength: 6, maxLength: 18 }).map((each) => each.join('')),
  fc.tuple(fc.constantFrom(7, 8, 9, 15, 16, 17), byte, short).map(([n, each, end]) => each.repeat(n) + end),
);
const lists = fc.integer({ min: 1, max: 4 }).chain((length) => {
  const list = fc.array(bytes, { minLength: length, maxLength: length });
  // Lists and values that begin alike, which two random ones hardly do.
  const related = fc.tuple(list, list, fc.nat({ max: length })).map(([a, b, shared]) => {
    return [a, [...a.slice(0, shared), ...b.slice(shared)]] as [string[], string[]];
  });
  const extended = fc.tuple(list, bytes, fc.nat({ max: length - 1 })).map(([a, more, at]) => {
    return [a, a.map((value, each) => (each === at ? value + more : value))] as [string[], string[]];
  });
  return fc.oneof(fc.tuple(list, list), related, extended);
});

const sign = (order: number) => Math.sign(order);
const compareBytes = (left: string, right: string) =>
  Buffer.compare(Buffer.from(left, 'latin1'), Buffer.from(right, 'latin1'));

function compareLists(left: readonly string[], right: readonly string[]): number {
  for (const [at, each] of left.entries()) {
    const order = compareBytes(each, right[at]!);
    if (order !== 0) return order;
  }
  return 0;
}

describe('groups', () => {
  test('compare, joined, as the lists of their values do', () => {
    fc.assert(
      fc.property(lists, ([left, right]) => {
        const joined = (list: readonly string[]) => list.map(grouped).join('');
        expect(sign(compareBytes(joined(left), joined(right)))).toBe(sign(compareLists(left, right)));
        // As text, which is how stores in memory compare their keys.
        expect(joined(left) < joined(right)).toBe(compareLists(left, right) < 0);
      }),
      { numRuns: 2_000 },
    );
  });

  test('are never the beginning of those of another value', () => {
    fc.assert(
      fc.property(bytes, bytes, (left, rest) => {
        for (const right of [rest, left + rest]) {
          if (left !== right) expect(grouped(right).startsWith(grouped(left))).toBe(false);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('have nine bytes for each eight that are begun, and for nothing', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_048 }), (length) => {
        expect(grouped('x'.repeat(length))).toHaveLength(9 * Math.max(1, Math.ceil(length / 8)));
      }),
    );
  });

  test('of what begins with a prefix lie between those of the prefix and of its successor', () => {
    const prefix = bytes.filter((each) => /[^\xff]/.test(each));
    fc.assert(
      fc.property(prefix, bytes, bytes, (begin, rest, other) => {
        const cut = begin.replace(/\xff+$/, '');
        const successor = cut.slice(0, -1) + String.fromCharCode(cut.charCodeAt(cut.length - 1) + 1);
        const isWithin = (value: string) =>
          compareBytes(grouped(begin), grouped(value)) <= 0 && compareBytes(grouped(value), grouped(successor)) < 0;
        expect(isWithin(begin + rest)).toBe(true);
        expect(isWithin(other)).toBe(other.startsWith(begin));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the partition key of an entry', () => {
  test('is another one for other values, however they are split', () => {
    fc.assert(
      fc.property(lists, ([left, right]) => {
        expect(joinedPartitionKey(left) === joinedPartitionKey(right)).toBe(compareLists(left, right) === 0);
      }),
      { numRuns: 2_000 },
    );
    expect(joinedPartitionKey(['ab', 'c'])).not.toBe(joinedPartitionKey(['a', 'bc']));
  });

  test('is that of a table if it has one attribute', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(joinedPartitionKey([value])).toBe(value);
      }),
    );
  });

  test('does not tell numbers apart that are equal, nor depend on other attributes', () => {
    const key = { partition: [attribute('N:n'), attribute('S:s')], sort: [] };
    const [one, other] = [
      { n: { N: '7' }, s: { S: 'é' } },
      { s: { S: 'é' }, n: { N: '7' }, x: { S: 'y' } },
    ];
    expect(entryPartitionKey({ key }, one)).toBe(entryPartitionKey({ key }, other));
    expect(entryPartitionKey({ key }, { ...one, n: { N: '8' } })).not.toBe(entryPartitionKey({ key }, one));
  });
});

const SORT = [attribute('S:a'), attribute('N:b'), attribute('B:c')];
const GLOBAL = { key: { partition: [attribute('S:p')], sort: SORT } };
const LOCAL = { key: { partition: [attribute('S:p')], sort: SORT.slice(0, 1) } };
const attributes: fc.Arbitrary<AttributeMap> = fc.record({
  a: fc
    .array(fc.constantFrom('\0', 'a', 'é', '\u{1f600}', '\uffff'), { minLength: 1, maxLength: 9 })
    .map((parts) => ({ S: parts.join('') })),
  b: fc.constantFrom('0', '-1', '1', '10', '1.21', '-1.2', `9${'0'.repeat(125)}`).map((N) => ({ N })),
  c: bytes.map((each) => ({ B: Buffer.from(each, 'latin1').toString('base64') })),
});
const key: fc.Arbitrary<EncodedKey> = fc.record({
  partitionKey: bytes,
  sortKey: fc.oneof(
    bytes,
    bytes.map((each) => 'k'.repeat(80) + each),
  ),
});

describe('the sort key of an entry', () => {
  test('is ordered by the sort key attributes of the index, and tells items apart', () => {
    fc.assert(
      fc.property(attributes, attributes, key, key, (left, right, ofLeft, ofRight) => {
        const places = [entrySortKey(GLOBAL, left, ofLeft), entrySortKey(GLOBAL, right, ofRight)] as const;
        const order = SORT.map(({ name }) => compareScalars(left[name]!, right[name]!)).find((each) => each !== 0);
        if (order !== undefined) expect(sign(compareBytes(...places))).toBe(sign(order));
        const isSameItem = ofLeft.partitionKey === ofRight.partitionKey && ofLeft.sortKey === ofRight.sortKey;
        expect(places[0] === places[1]).toBe(order === undefined && isSameItem);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is ordered by the items where the index decides nothing', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
    fc.assert(
      fc.property(attributes, plain, plain, plain, plain, (of, pk, sk, otherPk, otherSk) => {
        const one = { partitionKey: pk, sortKey: sk };
        const other = { partitionKey: otherPk, sortKey: otherSk };
        const order = sign(compareLists([pk, sk], [otherPk, otherSk]));
        expect(sign(compareBytes(entrySortKey(GLOBAL, of, one), entrySortKey(GLOBAL, of, other)))).toBe(order);
        expect(sign(compareBytes(localSortKey(LOCAL, of, one), localSortKey(LOCAL, of, other)))).toBe(
          sign(compareBytes(sk, otherSk)),
        );
      }),
    );
  });

  test('tells items apart whose keys begin alike, also in a local index', () => {
    fc.assert(
      fc.property(attributes, key, key, (of, left, right) => {
        expect(localSortKey(LOCAL, of, left) === localSortKey(LOCAL, of, right)).toBe(left.sortKey === right.sortKey);
        const moved = { partitionKey: left.partitionKey + left.sortKey.slice(0, 1), sortKey: left.sortKey.slice(1) };
        fc.pre(moved.partitionKey !== left.partitionKey);
        expect(entrySortKey(GLOBAL, of, moved)).not.toBe(entrySortKey(GLOBAL, of, left));
      }),
      { numRuns: 1_000 },
    );
  });

  test('begins with the groups of its attributes, from the left: what a range reads', () => {
    fc.assert(
      fc.property(attributes, key, (of, item) => {
        const place = entrySortKey(GLOBAL, of, item);
        const first = grouped(Buffer.from((of.a as { S: string }).S).toString('latin1'));
        expect(place.startsWith(first)).toBe(true);
        expect(localSortKey(LOCAL, of, item).startsWith(first)).toBe(true);
      }),
    );
  });

  test('leaves room for the rest of a key of a store', () => {
    // 1,024 bytes are the most of all sort key attributes together. A key of LMDB has 1,978; before the sort key come the
    // partition, the id of the table and the hash of the partition key.
    const sort = ['S:a', 'S:b', 'S:c', 'S:d'].map(attribute);
    const of = Object.fromEntries(sort.map(({ name }, at) => [name, { S: 'x'.repeat(at === 0 ? 1_021 : 1) }]));
    const longest = { partitionKey: 'p'.repeat(2_048), sortKey: 's'.repeat(1_024) };
    const place = entrySortKey({ key: { ...GLOBAL.key, sort } }, of, longest);
    expect(place.length).toBeLessThan(1_978 - 64);
  });
});
