import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { compareValues } from '../../src/api/attribute-value.ts';
import { derivationOf } from '../../src/api/derivation.ts';
import { toImage } from '../../src/api/item.ts';
import { RawJson, type ScanRequest } from '../../src/api/operations.ts';
import { keyOfItem } from '../../src/api/primary-key.ts';
import type { Table } from '../../src/api/table-definition.ts';
import { IndexBuilder } from '../../src/router/index-builder.ts';
import { ReadRoom } from '../../src/router/read-room.ts';
import { createScanOperations } from '../../src/router/scan-operations.ts';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { attribute, globalIndex, localIndex, sampleTable } from '../api/sample-table.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT } from './table-fixtures.ts';

/**
 * A table in `dynamo` mode, whose global indexes the nodes do not keep, and one whose indexes they keep.
 *
 * Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: partitions of an index together, each by the sort key.
 */
const KEYS_ONLY = { ProjectionType: 'KEYS_ONLY' } as const;
const BY_TAG = { partition: 'S:tag', sort: 'N:rank' };
const COMPUTED = {
  ...sampleTable({ partition: attribute('S:pk'), sort: attribute('N:sk') }, [
    globalIndex('byTag', BY_TAG),
    globalIndex('tagKeys', BY_TAG, KEYS_ONLY),
    globalIndex('bytes', { partition: 'B:raw' }),
    localIndex('local', { partition: 'S:pk', sort: 'N:rank' }),
    localIndex('localKeys', { partition: 'S:pk', sort: 'N:rank' }, KEYS_ONLY),
  ]),
  name: 'Indexed',
  derivation: 1,
  consistency: 'dynamo',
} as const satisfies Table;
const STORED: Table = {
  ...COMPUTED,
  consistency: 'strict',
  indexes: COMPUTED.indexes.map((index, at) =>
    index.kind === 'local' ? index : { ...index, storageId: `index-${at}-` },
  ),
};
const ALL = { items: 1_000, bytes: 1_000_000_000 };

async function scanOf(
  items: readonly AttributeMap[],
  { table = COMPUTED as Table, bounds = ALL, pause = async () => {} } = {},
) {
  const client = new MemoryClient();
  const catalog = new TableCatalog(client);
  await catalog.create(table);
  const put = (item: AttributeMap) =>
    client.write(
      { table: table.storageId, ...keyOfItem(table.key, item) },
      { kind: 'put', item: toImage(item) },
      { derivation: derivationOf(table) },
    );
  for (const item of items) await put(item);
  const { scan } = createScanOperations({
    client,
    catalog,
    indexes: new IndexBuilder({ client, catalog, newId: () => '', wait: undefined }),
    throughput: undefined,
    pause,
    room: new ReadRoom(pause),
    bounds,
  });
  const page = async (request: Partial<ScanRequest>, nowMs = CONTEXT.nowMs) => {
    const answer = await scan({ TableName: table.name, ...request }, { ...CONTEXT, nowMs }, '');
    const unwrap = (_: string, value: unknown) =>
      value instanceof RawJson ? JSON.parse(Buffer.from(value.bytes).toString()) : value;
    return JSON.parse(JSON.stringify(answer, unwrap)) as {
      Items: AttributeMap[];
      ScannedCount: number;
      LastEvaluatedKey?: AttributeMap;
    };
  };
  /** All items of all pages. */
  const all = async (request: Partial<ScanRequest>, from?: AttributeMap, nowMs?: number) => {
    const found: AttributeMap[] = [];
    for (let next = from; ; ) {
      const { Items, LastEvaluatedKey } = await page({ ...request, ...(next && { ExclusiveStartKey: next }) }, nowMs);
      found.push(...Items);
      if (LastEvaluatedKey === undefined) return found;
      next = LastEvaluatedKey;
    }
  };
  return { client, put, page, all };
}

const keyText = (item: AttributeMap) => JSON.stringify([item.pk, item.sk]);
const keysOf = (items: readonly AttributeMap[]) => items.map(keyText).sort();

function expectOrder(found: readonly AttributeMap[], partition: 'tag' | 'pk'): void {
  const seen = new Set<string>();
  for (const [at, item] of found.entries()) {
    const key = JSON.stringify(item[partition]);
    const before = found[at - 1];
    if (before === undefined || JSON.stringify(before[partition]) !== key) {
      expect(seen.has(key)).toBe(false);
      seen.add(key);
    } else {
      expect(compareValues(before.rank!, item.rank!)).toBeLessThanOrEqual(0);
    }
  }
}

const item = fc.record(
  {
    pk: fc.constantFrom('a', 'b', 'c', 'a\0', '\0').map((S) => ({ S })),
    sk: fc.integer({ min: -20, max: 20 }).map((n) => ({ N: String(n) })),
    tag: fc.constantFrom('red', 'blue', 'r', 'red\0', '\0').map((S) => ({ S })),
    rank: fc.integer({ min: -3, max: 12 }).map((n) => ({ N: String(n) })),
    n: fc.constant({ N: '7' }),
  },
  { requiredKeys: ['pk', 'sk'] },
);
const TABLES = fc.constantFrom<Table>(COMPUTED, STORED);
const items = fc.uniqueArray(item, { selector: (each) => keyText(each as AttributeMap), maxLength: 60 });

describe('a scan of an index', () => {
  test('has its entries in their order, once, however it is cut', async () => {
    const request = fc.record({
      IndexName: fc.constantFrom('byTag', 'tagKeys', 'local', 'localKeys'),
      Limit: fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }),
      Select: fc.constantFrom('ALL_ATTRIBUTES', undefined),
    });
    await fc.assert(
      fc.asyncProperty(TABLES, items, request, async (table, all, { IndexName, Limit, Select }) => {
        const isLocal = IndexName.startsWith('local');
        const scan = await scanOf(all as AttributeMap[], { table });
        const asked: Partial<ScanRequest> = { IndexName };
        if (Limit !== undefined) asked.Limit = Limit;
        if (Select !== undefined && IndexName !== 'tagKeys') asked.Select = 'ALL_ATTRIBUTES';
        const found = await scan.all(asked);
        const wanted = (all as AttributeMap[]).filter(({ rank, tag }) => rank && (isLocal || tag));
        expect(keysOf(found)).toEqual(keysOf(wanted));
        expectOrder(found, isLocal ? 'pk' : 'tag');
      }),
      { numRuns: 150 },
    );
  });

  test.each([COMPUTED, STORED])('goes on behind a place at which there is no entry ($consistency)', async (table) => {
    const ranked = Array.from({ length: 9 }, (_, rank) => ({
      pk: { S: `p${rank % 2}` },
      sk: { N: String(-rank) },
      tag: { S: 'red' },
      rank: { N: String(rank) },
    }));
    const { all } = await scanOf(ranked, { table });
    const from = { tag: { S: 'red' }, rank: { N: '4.5' }, pk: { S: 'x' }, sk: { N: '0' } };
    expect((await all({ IndexName: 'byTag' }, from)).map(({ rank }) => rank)).toEqual(
      [5, 6, 7, 8].map((rank) => ({ N: String(rank) })),
    );
    const inCollection = { pk: { S: 'p1' }, rank: { N: '4.5' }, sk: { N: '0' } };
    const behind = await all({ IndexName: 'local' }, inCollection);
    expect(behind.filter(({ pk }) => 'S' in pk! && pk.S === 'p1').map(({ rank }) => rank)).toEqual([
      { N: '5' },
      { N: '7' },
    ]);
  });

  test('that has no sort key keeps its partitions together', async () => {
    const raw = Array.from({ length: 30 }, (_, at) => ({
      pk: { S: `p${at}` },
      sk: { N: '1' },
      raw: { B: Buffer.of(at % 3, 0, at % 2).toString('base64') },
    }));
    const found = (await (await scanOf(raw)).all({ IndexName: 'bytes', Limit: 4 })).map((each) =>
      JSON.stringify(each.raw),
    );
    expect(found.filter((each, at) => each !== found[at - 1])).toHaveLength(new Set(found).size);
    expect(found).toHaveLength(30);
  });

  test.each([COMPUTED, STORED])('ends pages at 1 MB, in order all the same ($consistency)', async (table) => {
    const large = Array.from({ length: 40 }, (_, at) => ({
      pk: { S: 'p' },
      sk: { N: String(at) },
      tag: { S: 'red' },
      rank: { N: String((at * 7) % 40) },
      text: { S: 'x'.repeat(100_000) },
    }));
    const { page, all } = await scanOf(large, { table });
    for (const IndexName of ['byTag', 'local']) {
      const first = await page({ IndexName });
      expect(first.ScannedCount).toBe(11);
      expect(first.LastEvaluatedKey).toBeDefined();
      const found = await all({ IndexName });
      expect(found.map(({ rank }) => rank)).toEqual(large.map((_, rank) => ({ N: String(rank) })));
    }
    // Of entries that are completed, the items count.
    const completed = await page({ IndexName: 'localKeys', Select: 'ALL_ATTRIBUTES' });
    expect(completed.ScannedCount).toBe(11);
    expect(await all({ IndexName: 'localKeys', Select: 'ALL_ATTRIBUTES' })).toHaveLength(40);
  });
});

test('a long walk gives up the event loop between its steps, and a long filter too; a short one does not', async () => {
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  const wide = Array.from({ length: 60 }, (_, at) => ({
    pk: { S: `p${at}` },
    sk: { N: '1' },
    text: { S: 'x'.repeat(10_000) },
  }));
  const { page } = await scanOf(wide, { bounds: { items: 1_000, bytes: 1_000_000 }, pause });
  await page({ IndexName: 'byTag' });
  expect(pauses).toBeGreaterThanOrEqual(9);
  pauses = 0;
  await page({ FilterExpression: 'attribute_exists(pk)' });
  expect(pauses).toBeGreaterThanOrEqual(9);
  pauses = 0;
  await page({ Limit: 5 });
  expect(pauses).toBe(0);
});

test('entries that are made of large items, and projections of them, give up the event loop', async () => {
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  const large = Array.from({ length: 20 }, (_, at) => ({
    pk: { S: 'p' },
    sk: { N: String(at) },
    rank: { N: String(at) },
    list: { L: Array.from({ length: 5_000 }, (_, n) => ({ N: String(n) })) },
  }));
  const { page } = await scanOf(large, { table: STORED, pause });
  pauses = 0;
  expect((await page({ IndexName: 'localKeys' })).ScannedCount).toBe(20);
  expect(pauses).toBeGreaterThanOrEqual(10);
  pauses = 0;
  expect((await page({ ProjectionExpression: 'sk' })).ScannedCount).toBe(20);
  expect(pauses).toBeGreaterThanOrEqual(10);
});

describe('of a table that is too large to be walked through for a page', () => {
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => ({
      pk: { S: `p${from + at}` },
      sk: { N: '1' },
      tag: { S: `t${(from + at) % 3}` },
      rank: { N: String((from + at) % 10) },
    }));

  test('a global index has its entries in the order of the table, and one page costs no walk', async () => {
    const items = many(0, 100);
    const { all, page, client } = await scanOf(items, { bounds: { items: 50, bytes: 1_000_000 } });
    expect(keysOf(await all({ IndexName: 'byTag', Limit: 7 }))).toEqual(keysOf(items));
    client.calls.length = 0;
    await page({ IndexName: 'byTag', Limit: 1 });
    expect(client.calls.filter((call) => call === 'scan').length).toBeLessThanOrEqual(client.partitions);
  });

  test('a scan that has begun in the order of the index goes on in it while the table grows', async () => {
    const items = many(0, 40);
    const { page, all, put, client } = await scanOf(items, { bounds: { items: 50, bytes: 1_000_000 } });
    const first = await page({ IndexName: 'byTag', Limit: 7 });
    for (const item of many(40, 100)) await put(item);
    const rest = await all({ IndexName: 'byTag', Limit: 7 }, first.LastEvaluatedKey);
    const found = [...first.Items, ...rest];
    expectOrder(found, 'tag');
    expect(keysOf(found)).toEqual(expect.arrayContaining(keysOf(items)));
    const whole = await all({ IndexName: 'byTag', Limit: 7 });
    expectOrder(whole, 'tag');
    // Later scans go by the table, each from its first page on.
    const later = CONTEXT.nowMs + 11 * 60_000;
    client.calls.length = 0;
    expect(keysOf(await all({ IndexName: 'byTag', Limit: 7 }, undefined, later))).toEqual(keysOf(many(0, 100)));
    expect(keysOf(await all({ IndexName: 'byTag', Limit: 1 }, undefined, later))).toEqual(keysOf(many(0, 100)));
    client.calls.length = 0;
    await page({ IndexName: 'byTag', Limit: 1 }, later);
    expect(client.calls.filter((call) => call === 'scan').length).toBeLessThanOrEqual(client.partitions);
  });
});
