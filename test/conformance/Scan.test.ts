import {
  type AttributeValue,
  CreateTableCommand,
  DescribeTableCommand,
  PutItemCommand,
  ResourceNotFoundException,
  ScanCommand,
  type ScanCommandInput,
  type ScanCommandOutput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Things';
type Item = Record<string, AttributeValue>;
/** Half of them have a color and a rank, so are in the indexes. */
const ITEMS: readonly Item[] = Array.from({ length: 40 }, (_, i) => ({
  pk: { S: `p${i % 10}` },
  sk: { S: `s${i}` },
  n: { N: String(i) },
  nested: { M: { entries: { L: [{ N: String(i) }, { S: 'x' }] } } },
  ...(i % 2 === 0 ? { color: { S: i % 4 === 0 ? 'red' : 'blue' }, rank: { N: String(i) }, note: { S: 'even' } } : {}),
}));
const EVEN = ITEMS.filter((item) => item.color !== undefined);
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const byColor = [
    { AttributeName: 'color', KeyType: 'HASH' as const },
    { AttributeName: 'rank', KeyType: 'RANGE' as const },
  ];
  const byRank = [KeySchema[0]!, { AttributeName: 'rank', KeyType: 'RANGE' as const }];
  await server.client.send(
    new CreateTableCommand({
      ...tableInput(TableName),
      KeySchema,
      AttributeDefinitions: [
        ...AttributeDefinitions,
        { AttributeName: 'color', AttributeType: 'S' },
        { AttributeName: 'rank', AttributeType: 'N' },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'all', KeySchema: byColor, Projection: { ProjectionType: 'ALL' } },
        { IndexName: 'keys', KeySchema: byColor, Projection: { ProjectionType: 'KEYS_ONLY' } },
        { IndexName: 'some', KeySchema: byColor, Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n'] } },
      ],
      LocalSecondaryIndexes: [{ IndexName: 'local', KeySchema: byRank, Projection: { ProjectionType: 'KEYS_ONLY' } }],
    }),
  );
  await createTable(server.client, 'Empty');
  await Promise.all(ITEMS.map((Item) => server.client.send(new PutItemCommand({ TableName, Item }))));
});
afterAll(() => server.stop());

const scan = (rest: Partial<ScanCommandInput> = {}) => server.client.send(new ScanCommand({ TableName, ...rest }));

/** All pages until the last one. */
async function pages(rest: Partial<ScanCommandInput>): Promise<ScanCommandOutput[]> {
  const found: ScanCommandOutput[] = [];
  for (let next: Item | undefined; ; ) {
    const page = await scan({ ...rest, ...(next && { ExclusiveStartKey: next }) });
    found.push(page);
    next = page.LastEvaluatedKey;
    if (next === undefined) return found;
  }
}

const itemsOf = (found: readonly ScanCommandOutput[]) => found.flatMap(({ Items }) => Items ?? []);
const keyOf = (item: Item) => `${item.pk!.S}/${item.sk!.S}`;
const sorted = (items: readonly Item[] | undefined) =>
  [...(items ?? [])].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
const pick = (items: readonly Item[], ...names: string[]) =>
  items.map((item) => Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name))));

describe('the table', () => {
  test.each([true, false])('is found with all its items (ConsistentRead %s)', async (ConsistentRead) => {
    const answer = await scan({ ConsistentRead });
    expect(sorted(answer.Items)).toEqual(sorted(ITEMS));
    expect(answer).toMatchObject({ Count: 40, ScannedCount: 40 });
    expect(Object.hasOwn(answer, 'LastEvaluatedKey')).toBe(false);
    expect(Object.hasOwn(answer, 'ConsumedCapacity')).toBe(false);
  });

  test('may be empty, and is one page then', async () => {
    const answer = await scan({ TableName: 'Empty', ReturnConsumedCapacity: 'TOTAL' });
    expect(answer).toMatchObject({ Items: [], Count: 0, ScannedCount: 0 });
    expect(answer.LastEvaluatedKey).toBeUndefined();
    expect(answer.ConsumedCapacity).toEqual({ TableName: 'Empty', CapacityUnits: 0.5 });
  });

  test('may be named by its ARN', async () => {
    const { Table } = await server.client.send(new DescribeTableCommand({ TableName }));
    expect((await scan({ TableName: Table!.TableArn!, Limit: 3 })).Count).toBe(3);
  });

  test('that is not there is not found', async () => {
    await expect(scan({ TableName: 'Missing' })).rejects.toThrow(ResourceNotFoundException);
  });

  test('has the items of one partition key in the order of their sort keys', async () => {
    const { Items } = await scan();
    for (const pk of new Set(ITEMS.map((item) => item.pk!.S))) {
      const keys = Items!.filter((item) => item.pk!.S === pk).map((item) => item.sk!.S!);
      expect(keys).toEqual([...keys].sort());
    }
  });
});

describe('pages', () => {
  test('end at Limit, also where nothing follows', async () => {
    const found = await pages({ Limit: 10 });
    expect(found.map(({ Count }) => Count)).toEqual([10, 10, 10, 10, 0]);
    expect(found[3]!.LastEvaluatedKey).toEqual(pick(found[3]!.Items!.slice(-1), 'pk', 'sk')[0]);
    expect(sorted(itemsOf(found))).toEqual(sorted(ITEMS));
  });

  test('begin behind a key that need not exist', async () => {
    const all = (await scan()).Items!;
    const at = all.findIndex((item, i) => item.pk?.S === all[i + 1]?.pk?.S);
    const ExclusiveStartKey = { pk: all[at]!.pk!, sk: { S: `${all[at]!.sk!.S}\0` } };
    expect((await scan({ ExclusiveStartKey })).Items).toEqual(all.slice(at + 1));
  });

  test('have 1 MB and the item that goes beyond it, counted before the filter', async () => {
    const name = 'Large';
    await createTable(server.client, name);
    // 1,000 bytes each: with their names.
    const large = Array.from({ length: 1_100 }, (_, i) => ({
      pk: { S: String(i).padStart(8, '0') },
      text: { S: 'x'.repeat(1_000 - 14) },
    }));
    for (let i = 0; i < large.length; i += 50) {
      const put = (Item: Item) => server.client.send(new PutItemCommand({ TableName: name, Item }));
      await Promise.all(large.slice(i, i + 50).map(put));
    }
    // Each counts 20 bytes more (`api/page-size.ts` says where that comes from), which a full page pays for too.
    const inPage = Math.floor((1024 * 1024) / 1_020) + 1;
    const first = await scan({ TableName: name, ReturnConsumedCapacity: 'TOTAL' });
    expect(first).toMatchObject({ Count: inPage, ScannedCount: inPage });
    expect(first.ConsumedCapacity).toEqual({ TableName: name, CapacityUnits: 128.5 });
    const none = await scan({ TableName: name, FilterExpression: 'attribute_exists(absent)', ConsistentRead: true });
    expect(none).toMatchObject({ Items: [], Count: 0, ScannedCount: inPage });
    expect(none.LastEvaluatedKey).toBeDefined();
    const rest = await scan({ TableName: name, ExclusiveStartKey: none.LastEvaluatedKey! });
    expect(rest.Count).toBe(large.length - inPage);
    expect(new Set([...first.Items!, ...rest.Items!].map((item) => item.pk!.S)).size).toBe(large.length);
  });
});

describe('what is answered', () => {
  test('is what the filter lets through, keys among it, while all that was read counts', async () => {
    const answer = await scan({
      FilterExpression: '#n < :n AND pk <> :pk',
      ExpressionAttributeNames: { '#n': 'n' },
      ExpressionAttributeValues: { ':n': { N: '20' }, ':pk': { S: 'p3' } },
    });
    const wanted = ITEMS.filter(({ n, pk }) => Number(n!.N) < 20 && pk!.S !== 'p3');
    expect(sorted(answer.Items)).toEqual(sorted(wanted));
    expect(answer).toMatchObject({ Count: wanted.length, ScannedCount: 40 });
  });

  test('is what the legacy filter lets through', async () => {
    const ScanFilter: ScanCommandInput['ScanFilter'] = {
      n: { ComparisonOperator: 'LT', AttributeValueList: [{ N: '4' }] },
      color: { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'blue' }] },
    };
    expect((await scan({ ScanFilter })).Items).toEqual(ITEMS.slice(2, 3));
    const either = ITEMS.filter(({ n, color }) => Number(n!.N) < 4 || color?.S === 'blue');
    const { Items } = await scan({ ScanFilter, ConditionalOperator: 'OR', AttributesToGet: ['pk', 'sk', 'n'] });
    expect(sorted(Items)).toEqual(pick(sorted(either), 'pk', 'sk', 'n'));
  });

  test('is what the projection names', async () => {
    const { Items } = await scan({ ProjectionExpression: 'pk, sk, nested.entries[0]', Select: 'SPECIFIC_ATTRIBUTES' });
    const wanted = ITEMS.map(({ pk, sk, n }) => ({ pk: pk!, sk: sk!, nested: { M: { entries: { L: [n!] } } } }));
    expect(sorted(Items)).toEqual(sorted(wanted));
    expect((await scan({ ProjectionExpression: 'absent', Limit: 2 })).Items).toEqual([{}, {}]);
  });

  test('may be counts alone', async () => {
    const answer = await scan({ Select: 'COUNT', FilterExpression: 'attribute_exists(color)', Limit: 40 });
    expect(answer).toMatchObject({ Count: 20, ScannedCount: 40 });
    expect(Object.hasOwn(answer, 'Items')).toBe(false);
    expect(answer.LastEvaluatedKey).toBeDefined();
  });

  test('says what was consumed, for all that was read', async () => {
    const asked = { ReturnConsumedCapacity: 'INDEXES' as const, FilterExpression: 'attribute_exists(absent)' };
    expect((await scan(asked)).ConsumedCapacity).toEqual({
      TableName,
      CapacityUnits: 0.5,
      Table: { CapacityUnits: 0.5 },
    });
    expect((await scan({ ...asked, ConsistentRead: true })).ConsumedCapacity?.CapacityUnits).toBe(1);
  });
});

describe('an index', () => {
  test.each<[string, readonly string[] | undefined]>([
    ['all', undefined],
    ['keys', ['pk', 'sk', 'color', 'rank']],
    ['some', ['pk', 'sk', 'color', 'rank', 'n']],
    ['local', ['pk', 'sk', 'rank']],
  ])('%s has the items with its keys, and of each what it projects', async (IndexName, names) => {
    const wanted = sorted(names === undefined ? EVEN : pick(EVEN, ...names));
    const answer = await scan({ IndexName });
    expect(sorted(answer.Items)).toEqual(wanted);
    expect(answer).toMatchObject({ Count: 20, ScannedCount: 20 });
    const found = await pages({ IndexName, Limit: 3 });
    expect(found.map(({ ScannedCount }) => ScannedCount)).toEqual([3, 3, 3, 3, 3, 3, 2]);
    expect(sorted(itemsOf(found))).toEqual(wanted);
    const keys = ['pk', 'sk', 'rank', ...(IndexName === 'local' ? [] : ['color'])].sort();
    expect(Object.keys(found[0]!.LastEvaluatedKey!).sort()).toEqual(keys);
  });

  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
  test.each([
    ['all', 'color'],
    ['keys', 'color'],
    ['local', 'pk'],
  ])(
    '%s is in its own order: partitions together, each by the sort key, through all pages',
    async (IndexName, hash) => {
      for (const Limit of [undefined, 3]) {
        const found = itemsOf(await pages({ IndexName, ...(Limit && { Limit }) }));
        expect(found).toHaveLength(20);
        const partitions = found.map((item) => item[hash]!.S!);
        expect(partitions.filter((each, at) => each !== partitions[at - 1])).toHaveLength(new Set(partitions).size);
        for (const partition of new Set(partitions)) {
          const ranks = found.filter((item) => item[hash]!.S === partition).map(({ rank }) => Number(rank!.N));
          expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
        }
      }
    },
  );

  test('is filtered by what it projects', async () => {
    const filter = { FilterExpression: 'note = :note', ExpressionAttributeValues: { ':note': { S: 'even' } } };
    expect(await scan({ IndexName: 'all', ...filter })).toMatchObject({ Count: 20, ScannedCount: 20 });
    expect(await scan({ IndexName: 'keys', ...filter })).toMatchObject({ Count: 0, ScannedCount: 20 });
  });

  test('is completed from the table if it is local, at the cost of as many reads', async () => {
    const whole = await scan({ IndexName: 'local', Select: 'ALL_ATTRIBUTES', ReturnConsumedCapacity: 'INDEXES' });
    expect(sorted(whole.Items)).toEqual(sorted(EVEN));
    expect(whole.ConsumedCapacity).toEqual({
      TableName,
      CapacityUnits: 10.5,
      Table: { CapacityUnits: 10 },
      LocalSecondaryIndexes: { local: { CapacityUnits: 0.5 } },
    });
    const part = await scan({ IndexName: 'local', ProjectionExpression: 'pk, sk, note', ConsistentRead: true });
    expect(sorted(part.Items)).toEqual(pick(sorted(EVEN), 'pk', 'sk', 'note'));
  });

  test('that is global is what is consumed', async () => {
    const { ConsumedCapacity } = await scan({ IndexName: 'keys', ReturnConsumedCapacity: 'INDEXES' });
    expect(ConsumedCapacity).toEqual({
      TableName,
      CapacityUnits: 0.5,
      Table: { CapacityUnits: 0 },
      GlobalSecondaryIndexes: { keys: { CapacityUnits: 0.5 } },
    });
  });
});
