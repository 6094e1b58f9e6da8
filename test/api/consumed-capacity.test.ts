import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { readCapacity, unitsCapacity, writeUnits } from '../../src/api/consumed-capacity.ts';
import { sizeOf } from '../../src/api/item.ts';
import { attribute, globalIndex, localIndex, sampleTable } from './sample-table.ts';

describe('a read', () => {
  test.each([
    ['no item', 0, 0.5, 1],
    ['one byte', 1, 0.5, 1],
    ['4 KB', 4096, 0.5, 1],
    ['a byte above 4 KB', 4097, 1, 2],
    ['400 KB', 409_600, 50, 100],
  ])('of %s costs half of what a consistent one costs', (_, size, eventual, consistent) => {
    expect(readCapacity('TOTAL', 'T', size, 'eventual')).toEqual({ TableName: 'T', CapacityUnits: eventual });
    expect(readCapacity('INDEXES', 'T', size, 'strong')).toEqual({
      TableName: 'T',
      CapacityUnits: consistent,
      Table: { CapacityUnits: consistent },
    });
  });
});

describe('a write', () => {
  const plain = sampleTable({ partition: attribute('S:pk') });
  const ofSize = (size: number) => ({ size, item: {} });
  const cost = (before?: number, after?: number) =>
    unitsCapacity(
      'TOTAL',
      'T',
      writeUnits(
        plain,
        before === undefined ? undefined : ofSize(before),
        after === undefined ? undefined : ofSize(after),
      ),
    );

  test.each([
    ['deletes nothing', undefined, undefined, 1],
    ['puts 1 KB', undefined, 1024, 1],
    ['puts a byte more', undefined, 1025, 2],
    ['replaces the larger', 3000, 10, 3],
    ['replaces the smaller', 10, 3000, 3],
    ['deletes', 2049, undefined, 3],
  ])('that %s', (_, before, after, CapacityUnits) => {
    expect(cost(before, after)).toEqual({ TableName: 'T', CapacityUnits });
  });
});

describe('a write to a table with indexes', () => {
  const include = { ProjectionType: 'INCLUDE' as const, NonKeyAttributes: ['proj'] };
  const table = sampleTable({ partition: attribute('S:pk'), sort: attribute('S:sk') }, [
    globalIndex('gsi', { partition: 'S:g' }, include),
    localIndex('lsi', { partition: 'S:pk', sort: 'S:l' }, { ProjectionType: 'KEYS_ONLY' }),
  ]);
  const keys: AttributeMap = { pk: { S: 'p' }, sk: { S: 's' } };
  const sized = (item: AttributeMap | undefined) => item && { size: sizeOf(item), item: { ...keys, ...item } };
  const write = (before: AttributeMap | undefined, after: AttributeMap | undefined) =>
    unitsCapacity('INDEXES', 'T', writeUnits(table, sized(before), sized(after)));
  const expected = (gsi: number, lsi: number) => ({
    TableName: 'T',
    CapacityUnits: 1 + gsi + lsi,
    Table: { CapacityUnits: 1 },
    ...(lsi === 0 ? {} : { LocalSecondaryIndexes: { lsi: { CapacityUnits: lsi } } }),
    ...(gsi === 0 ? {} : { GlobalSecondaryIndexes: { gsi: { CapacityUnits: gsi } } }),
  });
  const g = { S: 'g1' };
  const l = { S: 'l1' };

  test.each<[string, AttributeMap | undefined, AttributeMap | undefined, number, number]>([
    ['costs nothing more if no index has the item', undefined, { a: { S: 'x' } }, 0, 0],
    ['costs one for each index that gets the item', undefined, { g, l }, 1, 1],
    ['costs one for the index that loses the item', { g, l }, { l }, 1, 0],
    ['costs one for each index that a deleted item was in', { g, l }, undefined, 1, 1],
    ['costs nothing more if the item is put again', { g, l, proj: { S: 'x' } }, { g, l, proj: { S: 'x' } }, 0, 0],
    ['costs one where a projected attribute changes', { g, l, proj: { S: 'x' } }, { g, l, proj: { S: 'y' } }, 1, 0],
    ['costs nothing more if another attribute changes', { g, l, a: { S: 'x' } }, { g, l, a: { S: 'y' } }, 0, 0],
    ['costs two where the index key changes', { g, l }, { g: { S: 'g2' }, l: { S: 'l2' } }, 2, 2],
    ['costs by the size of the entry', undefined, { g, proj: { S: 'x'.repeat(100) } }, 1, 0],
  ])('%s', (_, before, after, gsi, lsi) => {
    expect(write(before, after)).toEqual(expected(gsi, lsi));
  });

  test('charges a large entry for each KB, a small one of a large item for one', () => {
    const after = { g, l, proj: { S: 'x'.repeat(3000) } };
    expect(write(undefined, after)).toEqual({
      TableName: 'T',
      CapacityUnits: 7,
      Table: { CapacityUnits: 3 },
      LocalSecondaryIndexes: { lsi: { CapacityUnits: 1 } },
      GlobalSecondaryIndexes: { gsi: { CapacityUnits: 3 } },
    });
  });

  test('counts the indexes in the total without naming them', () => {
    expect(unitsCapacity('TOTAL', 'T', writeUnits(table, undefined, sized({ g, l })))).toEqual({
      TableName: 'T',
      CapacityUnits: 3,
    });
  });

  test('names an index whatever its name', () => {
    const hostile = sampleTable({ partition: attribute('S:pk') }, [globalIndex('__proto__', { partition: 'S:g' })]);
    const capacity = unitsCapacity('INDEXES', 'T', writeUnits(hostile, undefined, sized({ g })));
    expect(JSON.stringify(capacity.GlobalSecondaryIndexes)).toBe('{"__proto__":{"CapacityUnits":1}}');
  });
});
