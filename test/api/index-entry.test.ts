import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { checkCollectionEntry, checkIndexKeys, indexEntry } from '../../src/api/index-entry.ts';
import { sizeOf } from '../../src/api/item.ts';
import { attribute, globalIndex, localIndex, sampleTable } from './sample-table.ts';

const key = { partition: attribute('S:pk'), sort: attribute('S:sk') };
const table = sampleTable(key);
const item: AttributeMap = {
  pk: { S: 'p' },
  sk: { S: 's' },
  g: { S: 'g' },
  h: { N: '1' },
  a: { S: 'a' },
  b: { S: 'b' },
};

describe('the entry of an item in an index', () => {
  test('is the item if all is projected', () => {
    expect(indexEntry(table, globalIndex('all', { partition: 'S:g' }), item)).toEqual(item);
  });

  test('has the keys of table and index if only keys are projected', () => {
    const index = globalIndex('keys', { partition: 'S:g', sort: 'N:h' }, { ProjectionType: 'KEYS_ONLY' });
    expect(indexEntry(table, index, item)).toEqual({ pk: { S: 'p' }, sk: { S: 's' }, g: { S: 'g' }, h: { N: '1' } });
  });

  test('has the included attributes that the item has', () => {
    const projection = { ProjectionType: 'INCLUDE' as const, NonKeyAttributes: ['b', 'missing'] };
    const index = globalIndex('include', { partition: 'S:g' }, projection);
    expect(indexEntry(table, index, item)).toEqual({ pk: { S: 'p' }, sk: { S: 's' }, g: { S: 'g' }, b: { S: 'b' } });
  });

  test('is missing if the item lacks a key attribute or has it with another type', () => {
    expect(indexEntry(table, globalIndex('sparse', { partition: 'S:g', sort: 'S:x' }), item)).toBeUndefined();
    expect(indexEntry(table, globalIndex('typed', { partition: 'S:h' }), item)).toBeUndefined();
    expect(indexEntry(table, globalIndex('own', { partition: 'S:constructor' }), item)).toBeUndefined();
    expect(indexEntry(table, globalIndex('none', { partition: 'S:g' }), undefined)).toBeUndefined();
  });
});

describe('a put into a table with indexes', () => {
  const indexes = [
    localIndex('byDate', { partition: 'S:pk', sort: 'N:date' }),
    globalIndex('byTag', { partition: 'S:tag' }),
  ];
  const put = (attributes: AttributeMap) => checkIndexKeys(indexes, { pk: { S: 'p' }, sk: { S: 's' }, ...attributes });

  test('may lack the keys of indexes', () => {
    expect(() => put({})).not.toThrow();
  });

  test.each<[AttributeMap, string]>([
    [
      { date: { S: 'today' } },
      'One or more parameter values were invalid: Type mismatch for Index Key date Expected: N Actual: S IndexName: byDate',
    ],
    [
      { tag: { NULL: true } },
      'One or more parameter values were invalid: Type mismatch for Index Key tag Expected: S Actual: NULL IndexName: byTag',
    ],
    [
      { tag: { S: '' } },
      'One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: byTag, IndexKey: tag',
    ],
    [
      { tag: { S: 'x'.repeat(2049) } },
      'One or more parameter values were invalid: Size limit exceeded for Index Key tag Actual Size: 2049 bytes Max Size: 2048 bytes IndexName: byTag',
    ],
  ])('is refused with %j', (attributes, message) => {
    expect(() => put(attributes)).toThrow(expect.objectContaining({ name: 'ValidationException', message }));
  });

  test('has 1,024 bytes for all sort key attributes of an index together, and 2,048 for those of its partition key', () => {
    const parts = (...names: string[]) => names.map((name) => attribute(`S:${name}`));
    const multi = {
      ...globalIndex('multi', { partition: 'S:a' }),
      key: { partition: parts('a', 'b'), sort: parts('c', 'd', 'e', 'f') },
    };
    const of = (partition: number, sort: number): AttributeMap => ({
      pk: { S: 'p' },
      ...Object.fromEntries(['a', 'b'].map((name) => [name, { S: 'x'.repeat(partition) }])),
      ...Object.fromEntries(['c', 'd', 'e', 'f'].map((name) => [name, { S: 'é'.repeat(sort / 2) }])),
    });
    expect(() => checkIndexKeys([multi], of(1_024, 256))).not.toThrow();
    expect(indexEntry(table, multi, of(1_024, 256))).toBeDefined();
    for (const [tooLong, message] of [
      [of(1_024, 258), 'Aggregated size of all range keys has exceeded the size limit of 1024 bytes'],
      [of(1_025, 256), 'Size of hashkey has exceeded the maximum size limit of2048 bytes'],
    ] as const) {
      expect(() => checkIndexKeys([multi], tooLong)).toThrow(message);
      // An item that is older than the index is left out of it.
      expect(indexEntry(table, multi, tooLong)).toBeUndefined();
    }
    const { f: _, ...notIndexed } = of(1_024, 512);
    expect(() => checkIndexKeys([multi], notIndexed)).not.toThrow();
  });

  test('has 400 KB for the item and its entries in local indexes together', () => {
    const keysOnly = localIndex('keys', { partition: 'S:pk', sort: 'N:date' }, { ProjectionType: 'KEYS_ONLY' });
    const withAll = sampleTable(key, [localIndex('all', { partition: 'S:pk', sort: 'N:date' })]);
    const withKeys = sampleTable(key, [keysOnly]);
    const large: AttributeMap = { pk: { S: 'p' }, sk: { S: 's' }, date: { N: '1' }, a: { S: 'x'.repeat(204_800) } };
    expect(() => checkCollectionEntry(withAll, large, sizeOf(large))).toThrow(
      'Item size has exceeded the maximum allowed size',
    );
    expect(() => checkCollectionEntry(withKeys, large, sizeOf(large))).not.toThrow();
    const { date: _, ...notIndexed } = large;
    expect(() => checkCollectionEntry(withAll, notIndexed, sizeOf(notIndexed))).not.toThrow();
  });
});
