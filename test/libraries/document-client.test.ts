import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  paginateScan,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/** The document client of the JavaScript SDK and its paginators, as its users call them. */

const TableName = 'Readings';
const SENSORS = ['attic', 'cellar'];
/** A sensor has 120 readings of 20 KB: two pages of 1 MB and a rest. */
const READINGS = 120;
const NOISE = 'x'.repeat(20 * 1024);

interface Reading {
  readonly sensor: string;
  readonly at: number;
  readonly celsius: number;
  readonly room: string;
  readonly noise: string;
}
const reading = (sensor: string, at: number): Reading => ({
  sensor,
  at,
  celsius: at % 30,
  room: at % 2 === 0 ? 'north' : 'south',
  noise: NOISE,
});
let db: Dynaring;
let base: DynamoDBClient;
let client: DynamoDBDocumentClient;

beforeAll(async () => {
  db = await startDynaring();
  base = new DynamoDBClient(db.clientConfig());
  client = DynamoDBDocumentClient.from(base, { marshallOptions: { removeUndefinedValues: true } });
  await createTable(base, TableName, {
    ...keysOf('sensor', 'at'),
    AttributeDefinitions: [
      { AttributeName: 'sensor', AttributeType: 'S' },
      { AttributeName: 'at', AttributeType: 'N' },
      { AttributeName: 'celsius', AttributeType: 'N' },
      { AttributeName: 'room', AttributeType: 'S' },
    ],
    LocalSecondaryIndexes: [
      {
        IndexName: 'byCelsius',
        KeySchema: [
          { AttributeName: 'sensor', KeyType: 'HASH' },
          { AttributeName: 'celsius', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byRoom',
        KeySchema: [
          { AttributeName: 'room', KeyType: 'HASH' },
          { AttributeName: 'at', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['celsius'] },
      },
    ],
  });
  for (const sensor of SENSORS) {
    for (let from = 0; from < READINGS; from += 20) {
      const some = Array.from({ length: 20 }, (_, i) => ({ PutRequest: { Item: reading(sensor, from + i) } }));
      await client.send(new BatchWriteCommand({ RequestItems: { [TableName]: some } }));
    }
  }
});
afterAll(async () => {
  client?.destroy();
  base?.destroy();
  await db?.stop();
});

/** A new one for each call, since a paginator writes its token and its page size into what it is given. */
const of = (sensor: string): QueryCommandInput => ({
  TableName,
  KeyConditionExpression: 'sensor = :sensor',
  ExpressionAttributeValues: { ':sensor': sensor },
});
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

/** What a paginator brings: how many items each page has, and one attribute of all of them. */
async function collect(pages: AsyncIterable<{ Items?: Record<string, unknown>[]; Count?: number }>, name = 'at') {
  const sizes: number[] = [];
  const values: unknown[] = [];
  for await (const { Items = [], Count } of pages) {
    expect(Count).toBe(Items.length);
    sizes.push(Items.length);
    values.push(...Items.map((item) => item[name]));
  }
  return { sizes, values };
}

describe('paginateQuery', () => {
  test('brings a partition in order, by pages of 1 MB', async () => {
    const { sizes, values } = await collect(paginateQuery({ client }, of('attic')));
    expect(values).toEqual(upTo(READINGS));
    // The page ends with the item that goes beyond; what items count towards it is a little more than their size.
    expect(sizes).toEqual([51, 51, 18]);
  });

  test('backwards, by pages of its size', async () => {
    const { sizes, values } = await collect(
      paginateQuery({ client, pageSize: 50 }, { ...of('attic'), ScanIndexForward: false }),
    );
    expect(values).toEqual(upTo(READINGS).reverse());
    expect(sizes).toEqual([50, 50, 20]);
  });

  test('from a token on', async () => {
    const startingToken = { sensor: 'attic', at: 99 };
    const { values } = await collect(paginateQuery({ client, pageSize: 10, startingToken }, of('attic')));
    expect(values).toEqual(upTo(READINGS).slice(100));
  });

  test('with a range, a filter and a projection', async () => {
    const { values, sizes } = await collect(
      paginateQuery(
        { client, pageSize: 20 },
        {
          TableName,
          KeyConditionExpression: '#s = :sensor AND #at BETWEEN :low AND :high',
          FilterExpression: 'room = :room',
          ProjectionExpression: '#at',
          ExpressionAttributeNames: { '#s': 'sensor', '#at': 'at' },
          ExpressionAttributeValues: { ':sensor': 'cellar', ':low': 10, ':high': 49, ':room': 'south' },
          ConsistentRead: true,
        },
      ),
    );
    expect(values).toEqual(upTo(50).filter((at) => at >= 10 && at % 2 === 1));
    // The limit counts what is read, not what the filter leaves. The second page ends at the end of the range.
    expect(sizes).toEqual([10, 10]);
  });

  test('of a local index, in its order', async () => {
    const range = { KeyConditionExpression: 'sensor = :sensor AND celsius >= :celsius', IndexName: 'byCelsius' };
    const ExpressionAttributeValues = { ':sensor': 'attic', ':celsius': 28 };
    const { values } = await collect(
      paginateQuery(
        { client, pageSize: 3 },
        { ...of('attic'), ...range, ExpressionAttributeValues, ConsistentRead: true },
      ),
      'celsius',
    );
    expect(values).toEqual([28, 28, 28, 28, 29, 29, 29, 29]);
  });

  test('of a global index, with what it projects', async () => {
    const { Items, LastEvaluatedKey } = await client.send(
      new QueryCommand({
        TableName,
        IndexName: 'byRoom',
        KeyConditionExpression: 'room = :room AND #at < :at',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':room': 'north', ':at': 2 },
      }),
    );
    expect(LastEvaluatedKey).toBeUndefined();
    const found = [...Items!].sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
    expect(found).toEqual(SENSORS.map((sensor) => ({ sensor, at: 0, room: 'north', celsius: 0 })));
    const all = { KeyConditionExpression: 'room = :room', ExpressionAttributeValues: { ':room': 'north' } };
    const { values } = await collect(
      paginateQuery({ client, pageSize: 7 }, { TableName, IndexName: 'byRoom', ...all }),
    );
    expect(values).toEqual(
      upTo(READINGS)
        .filter((at) => at % 2 === 0)
        .flatMap((at) => [at, at]),
    );
  });

  test('counts', async () => {
    let count = 0;
    for await (const page of paginateQuery({ client }, { ...of('attic'), Select: 'COUNT' })) {
      expect(page.Items).toBeUndefined();
      count += page.Count!;
    }
    expect(count).toBe(READINGS);
  });
});

describe('paginateScan', () => {
  test('brings each item once', async () => {
    const { values } = await collect(
      paginateScan(
        { client, pageSize: 17 },
        { TableName, ProjectionExpression: '#at', ExpressionAttributeNames: { '#at': 'at' } },
      ),
    );
    expect(values.sort((a, b) => Number(a) - Number(b))).toEqual(upTo(READINGS).flatMap((at) => [at, at]));
  });

  test('of a global index', async () => {
    const { values } = await collect(
      paginateScan({ client, pageSize: 50 }, { TableName, IndexName: 'byRoom' }),
      'room',
    );
    expect(values).toHaveLength(2 * READINGS);
    expect(new Set(values)).toEqual(new Set(['north', 'south']));
  });

  test('in parallel segments', async () => {
    const segments = await Promise.all(
      upTo(4).map((Segment) =>
        collect(paginateScan({ client, pageSize: 30 }, { TableName, Segment, TotalSegments: 4 })),
      ),
    );
    expect(segments.flatMap(({ values }) => values)).toHaveLength(2 * READINGS);
  });
});

test('native values go in and come out', async () => {
  const Item = {
    sensor: 'native',
    at: 1.5,
    tags: new Set(['a', 'b']),
    levels: new Set([1, 2]),
    bytes: new Uint8Array([1, 2, 3]),
    nested: { list: [1, 'two', null, true, { three: 3 }], empty: {} },
    missing: undefined,
  };
  await client.send(new PutCommand({ TableName, Item }));
  const { missing: _, ...stored } = Item;
  const Key = { sensor: 'native', at: 1.5 };
  expect((await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item).toEqual(stored);
  const query = { ...of('native'), ConsistentRead: true };
  expect((await client.send(new QueryCommand(query))).Items).toEqual([stored]);
  const { Responses } = await client.send(
    new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [Key, { sensor: 'none', at: 0 }] } } }),
  );
  expect(Responses).toEqual({ [TableName]: [stored] });
  const { Attributes } = await client.send(
    new UpdateCommand({
      TableName,
      Key,
      UpdateExpression: 'SET nested.#list[1] = :two ADD levels :more DELETE tags :less',
      ExpressionAttributeNames: { '#list': 'list' },
      ExpressionAttributeValues: { ':two': 2, ':more': new Set([3]), ':less': new Set(['a']) },
      ReturnValues: 'UPDATED_NEW',
    }),
  );
  expect(Attributes).toEqual({ levels: new Set([1, 2, 3]), tags: new Set(['b']), nested: { list: [2] } });
  const numbers = DynamoDBDocumentClient.from(base, { unmarshallOptions: { wrapNumbers: true } });
  const { Items } = await numbers.send(new QueryCommand(query));
  expect(Items).toMatchObject([
    { at: { value: '1.5' }, nested: { list: [{ value: '1' }, { value: '2' }, null, true, {}] } },
  ]);
});
