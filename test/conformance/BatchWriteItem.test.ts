import {
  BatchWriteItemCommand,
  type BatchWriteItemCommandInput,
  ScanCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let tables = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

async function newTable(changes = {}): Promise<string> {
  const name = `Batch${tables++}`;
  await createTable(server.client, name, changes);
  return name;
}

const put = (pk: string, rest = {}): WriteRequest => ({ PutRequest: { Item: { pk: { S: pk }, ...rest } } });
const remove = (pk: string): WriteRequest => ({ DeleteRequest: { Key: { pk: { S: pk } } } });
const write = (RequestItems: BatchWriteItemCommandInput['RequestItems'], rest = {}) =>
  server.client.send(new BatchWriteItemCommand({ RequestItems, ...rest }));
const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

async function keysIn(TableName: string): Promise<string[]> {
  const { Items } = await server.client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items!.map(({ pk }) => pk!.S!).toSorted();
}

test('puts and deletes of several tables are all done, and nothing is left', async () => {
  const [one, other] = [await newTable(), await newTable()];
  await write({ [one]: [put('a'), put('b')], [other]: [put('x')] });
  const answer = await write({ [one]: [remove('a'), put('c', { n: { N: '1.50' } })], [other]: [remove('never')] });
  expect(answer.UnprocessedItems).toEqual({});
  expect(answer.ConsumedCapacity).toBeUndefined();
  expect([await keysIn(one), await keysIn(other)]).toEqual([['b', 'c'], ['x']]);
});

test('twenty-five of them, each of nearly the largest size', async () => {
  const table = await newTable();
  const text = { S: 'x'.repeat(395 * 1024) };
  const names = Array.from({ length: 25 }, (_, index) => String.fromCharCode(97 + index));
  expect((await write({ [table]: names.map((name) => put(name, { text })) })).UnprocessedItems).toEqual({});
  const { Count } = await server.client.send(new ScanCommand({ TableName: table, Select: 'COUNT' }));
  expect(Count).toBeGreaterThan(0);
});

test('capacity is counted for each table, its indexes apart, and collections are told once', async () => {
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const table = await newTable({
    KeySchema,
    AttributeDefinitions: [...AttributeDefinitions, { AttributeName: 'at', AttributeType: 'S' }],
    LocalSecondaryIndexes: [
      { IndexName: 'by-at', KeySchema: keysOf('pk', 'at').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  });
  const other = await newTable();
  const answer = await write(
    {
      [table]: [
        put('a', { sk: { S: '1' }, at: { S: 'x' }, text: { S: 'x'.repeat(1500) } }),
        put('a', { sk: { S: '2' } }),
      ],
      [other]: [put('a'), remove('b')],
    },
    { ReturnConsumedCapacity: 'INDEXES', ReturnItemCollectionMetrics: 'SIZE' },
  );
  expect(answer.ConsumedCapacity).toEqual([
    {
      TableName: table,
      CapacityUnits: 4,
      Table: { CapacityUnits: 3 },
      LocalSecondaryIndexes: { 'by-at': { CapacityUnits: 1 } },
    },
    { TableName: other, CapacityUnits: 2, Table: { CapacityUnits: 2 } },
  ]);
  expect(answer.ItemCollectionMetrics).toEqual({
    [table]: [{ ItemCollectionKey: { pk: { S: 'a' } }, SizeEstimateRangeGB: [0, 1] }],
  });
});

describe('a batch is refused as a whole', () => {
  const CONSTRAINT = 'ValidationException: 1 validation error detected: Value';
  const echo = (index: number) =>
    `WriteRequest(putRequest=PutRequest(item={pk=AttributeValue(s=k${index}, n=null, b=null, iNT=null, dECIMAL=null, ` +
    'dOUBLE=null, sS=null, nS=null, bS=null, iNTSET=null, dECIMALSET=null, dOUBLESET=null, m=null, l=null, nULL=null, ' +
    'bOOL=null)}, workloadProfileName=null), deleteRequest=null)';
  const EACH_LIST =
    "at 'requestItems' failed to satisfy constraint: " +
    'Map value must satisfy constraint: [Member must have length less than or equal to 25, ' +
    'Member must have length greater than or equal to 1]';
  const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => put(`k${from + index}`));

  test.each<[string, (name: string, other: string) => BatchWriteItemCommandInput['RequestItems'], string]>([
    ['without a table', () => ({}), 'ValidationException: The requestItems parameter is required for BatchWriteItem'],
    ['with an empty list', (name) => ({ [name]: [] }), `${CONSTRAINT} '{NAME=[]}' ${EACH_LIST}`],
    [
      'with 26 writes of a table',
      (name) => ({ [name]: many(26) }),
      `${CONSTRAINT} '{NAME=[${[...Array(26).keys()].map(echo).join(', ')}]}' ${EACH_LIST}`,
    ],
    [
      'with 26 writes of two tables',
      (name, other) => ({ [name]: many(25), [other]: many(1) }),
      'ValidationException: Too many items requested for the BatchWriteItem call',
    ],
    [
      'with an item twice',
      (name) => ({ [name]: [put('a'), put('b'), remove('a')] }),
      'ValidationException: Provided list of item keys contains duplicates',
    ],
    [
      'with a table that there is not',
      (name) => ({ [name]: [put('a')], Nowhere: [put('a')] }),
      'ResourceNotFoundException: Requested resource not found',
    ],
    [
      'with an item without its key',
      (name) => ({ [name]: [put('a'), { PutRequest: { Item: { x: { S: 'a' } } } }] }),
      // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1, as are the texts of numbers and sets below.
      'ValidationException: The provided key element does not match the schema',
    ],
    [
      'with an item whose key has another type',
      (name) => ({ [name]: [put('a'), { PutRequest: { Item: { pk: { N: '1' } } } }] }),
      'ValidationException: The provided key element does not match the schema',
    ],
    [
      'with an item whose key is no scalar',
      (name) => ({ [name]: [put('a'), { PutRequest: { Item: { pk: { L: [] } } } }] }),
      'ValidationException: The provided key element does not match the schema',
    ],
    [
      'with an empty number',
      (name) => ({ [name]: [put('a', { x: { N: '' } })] }),
      'ValidationException: The parameter cannot be converted to a numeric value',
    ],
    [
      'with the exponent that wraps around',
      (name) => ({ [name]: [put('a', { x: { N: '1e2147483647' } })] }),
      'ValidationException: Number underflow. Attempting to store a number with magnitude smaller than supported range',
    ],
    [
      'with duplicates in a set',
      (name) => ({ [name]: [put('a', { x: { SS: ['b', 'a', 'b'] } })] }),
      'ValidationException: One or more parameter values were invalid: Input collection [b, a, b] contains duplicates.',
    ],
    [
      'with duplicates in a set of numbers',
      (name) => ({ [name]: [put('a', { x: { NS: ['1', '1.0'] } })] }),
      'ValidationException: Input collection contains duplicates',
    ],
    [
      'with a key of another schema',
      (name) => ({ [name]: [put('a'), { DeleteRequest: { Key: { x: { S: 'a' } } } }] }),
      'ValidationException: The provided key element does not match the schema',
    ],
    [
      'with an item that is too large',
      (name) => ({ [name]: [put('a'), put('b', { x: { S: 'x'.repeat(410_000) } })] }),
      'ValidationException: Item size has exceeded the maximum allowed size',
    ],
    [
      'with a value that is none',
      (name) => ({ [name]: [put('a'), put('b', { x: { N: 'one' } })] }),
      'ValidationException: The parameter cannot be converted to a numeric value: one',
    ],
  ])('%s', async (_, itemsOf, expected) => {
    const [name, other] = [await newTable(), await newTable()];
    expect(await refusal(write(itemsOf(name, other)))).toBe(expected.replaceAll('NAME', name));
    expect([await keysIn(name), await keysIn(other)]).toEqual([[], []]);
  });

  test('with a write that is neither, or both', async () => {
    const name = await newTable();
    const both = { ...put('a'), ...remove('b') } as WriteRequest;
    for (const request of [{} as WriteRequest, both]) {
      expect(await refusal(write({ [name]: [put('c'), request] }))).toMatch(/^ValidationException: /);
    }
    expect(await keysIn(name)).toEqual([]);
  });
});

describe('what the cluster does not let through', () => {
  let db: Dynaring;
  let client: ReturnType<TestServer['connect']>;

  beforeAll(async () => {
    db = await startDynaring({ throttle: true });
    client = server.connect(db.clientConfig());
    // Another unit comes after a whole second, however slow the machine is.
    const ProvisionedThroughput = { ReadCapacityUnits: 1, WriteCapacityUnits: 1 };
    await createTable(client, 'Slow', { BillingMode: 'PROVISIONED', ProvisionedThroughput });
  });
  afterAll(() => db.stop());

  const send = (count: number) =>
    client.send(
      new BatchWriteItemCommand({
        RequestItems: { Slow: Array.from({ length: count }, (_, index) => put(`k${index}`)) },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );

  test('is unprocessed, so that it can be sent again as it is; if that is all of it, the batch is throttled', async () => {
    const { UnprocessedItems, ConsumedCapacity } = await send(10);
    expect(ConsumedCapacity).toEqual([{ TableName: 'Slow', CapacityUnits: 1 }]);
    expect(UnprocessedItems!.Slow).toHaveLength(9);
    const refused = await client.send(new BatchWriteItemCommand({ RequestItems: UnprocessedItems })).catch((e) => e);
    expect(refused.name).toBe('ProvisionedThroughputExceededException');
  });

  test('fails as a whole where no quorum is left', async () => {
    await createTable(client, 'Free');
    await db.ring.stop('node-2');
    await db.ring.stop('node-3');
    const RequestItems = { Free: [put('a'), put('b')] };
    const refused = await client.send(new BatchWriteItemCommand({ RequestItems })).catch((error) => error);
    expect(refused.$metadata.httpStatusCode).toBe(503);
    await db.ring.start('node-2');
    expect((await client.send(new BatchWriteItemCommand({ RequestItems }))).UnprocessedItems).toEqual({});
  });
});
