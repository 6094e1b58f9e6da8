import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  BatchWriteItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;

const key = (pk: string) => ({ pk: { S: pk } });
const get = (RequestItems: BatchGetItemCommandInput['RequestItems'], rest = {}, client = server.client) =>
  client.send(new BatchGetItemCommand({ RequestItems, ...rest }));
const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

beforeAll(async () => {
  server = await startServer();
  for (const name of ['One', 'Other', 'Large']) await createTable(server.client, name);
  const put = (pk: string, rest = {}) => ({ PutRequest: { Item: { ...key(pk), ...rest } } });
  await server.client.send(
    new BatchWriteItemCommand({
      RequestItems: {
        One: [put('a', { n: { N: '1' }, s: { S: 'x'.repeat(5000) } }), put('b', { n: { N: '2' } })],
        Other: [put('a', { m: { M: { k: { S: 'deep' }, l: { S: 'left out' } } } })],
      },
    }),
  );
});
afterAll(() => server.stop());

test('items of several tables come by table, those that are not there being left out', async () => {
  const answer = await get({
    One: { Keys: [key('b'), key('c')], ConsistentRead: true },
    Other: {
      Keys: [key('a')],
      ProjectionExpression: '#m.k',
      ExpressionAttributeNames: { '#m': 'm' },
    },
  });
  expect(answer.Responses).toEqual({
    One: [{ pk: { S: 'b' }, n: { N: '2' } }],
    Other: [{ m: { M: { k: { S: 'deep' } } } }],
  });
  expect(answer.UnprocessedKeys).toEqual({});
  expect(answer.ConsumedCapacity).toBeUndefined();
});

test('a table of which nothing is found has an empty list', async () => {
  expect((await get({ One: { Keys: [key('z')] }, Other: { Keys: [key('z')] } })).Responses).toEqual({
    One: [],
    Other: [],
  });
});

test('the legacy projection works, and capacity is counted for each table by its kind of read', async () => {
  const answer = await get(
    { One: { Keys: [key('a'), key('b')], AttributesToGet: ['n'] }, Other: { Keys: [key('a')], ConsistentRead: true } },
    { ReturnConsumedCapacity: 'INDEXES' },
  );
  expect(answer.Responses!.One).toEqual(expect.arrayContaining([{ n: { N: '1' } }, { n: { N: '2' } }]));
  expect(answer.ConsumedCapacity).toEqual([
    { TableName: 'One', CapacityUnits: 1.5, Table: { CapacityUnits: 1.5 } },
    { TableName: 'Other', CapacityUnits: 1, Table: { CapacityUnits: 1 } },
  ]);
});

test('of more than 16 MB the rest is unprocessed, with its parameters, until all have come once', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `k${index}`);
  for (const pk of names) {
    const Item = { ...key(pk), text: { S: 'x'.repeat(390 * 1024) } };
    await server.client.send(new PutItemCommand({ TableName: 'Large', Item }));
  }
  const first = { Large: { Keys: names.map(key), ProjectionExpression: 'pk', ConsistentRead: true } };
  let wanted: BatchGetItemCommandInput['RequestItems'] = first;
  const seen: string[] = [];
  const counts: number[] = [];
  while (Object.keys(wanted!).length > 0) {
    const { Responses, UnprocessedKeys }: Awaited<ReturnType<typeof get>> = await get(wanted);
    seen.push(...Responses!.Large!.map(({ pk }) => pk!.S!));
    counts.push(Responses!.Large!.length);
    if (UnprocessedKeys!.Large)
      expect(UnprocessedKeys!.Large).toMatchObject({ ProjectionExpression: 'pk', ConsistentRead: true });
    wanted = UnprocessedKeys;
  }
  expect(seen.toSorted()).toEqual(names.toSorted());
  // 16 MB are 42 items of 390 KB.
  expect(counts).toEqual([42, 18]);
});

describe('a batch is refused as a whole', () => {
  const CONSTRAINT = 'ValidationException: 1 validation error detected: Value';
  const many = (count: number) => Array.from({ length: count }, (_, index) => key(`k${index}`));
  const echo = (index: number) =>
    `Table${index}=KeysAndAttributes(keys=[{pk=AttributeValue(s=a, n=null, b=null, iNT=null, dECIMAL=null, dOUBLE=null, ` +
    'sS=null, nS=null, bS=null, iNTSET=null, dECIMALSET=null, dOUBLESET=null, m=null, l=null, nULL=null, bOOL=null)}], ' +
    'attributesToGet=null, consistentRead=null, projectionExpression=null, expressionAttributeNames=null)';
  const tables = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`Table${index}`, { Keys: [key('a')] }]));

  test.each<[string, BatchGetItemCommandInput['RequestItems'], string]>([
    [
      'without a table',
      {},
      `${CONSTRAINT} at 'RequestItems' failed to satisfy constraint: Member must have length greater than or equal to 1`,
    ],
    [
      'of 101 tables',
      tables(101),
      `${CONSTRAINT} '{${[...Array(101).keys()].map(echo).join(', ')}}' at 'requestItems' failed to satisfy constraint: Member must have length less than or equal to 100`,
    ],
    [
      'without keys',
      { One: { Keys: [] } },
      `${CONSTRAINT} at 'RequestItems.One.member.Keys' failed to satisfy constraint: Member must have length greater than or equal to 1`,
    ],
    [
      'with 101 keys of a table',
      { One: { Keys: many(101) } },
      `${CONSTRAINT} at 'RequestItems.One.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100`,
    ],
    [
      'with 101 keys of two tables',
      { One: { Keys: many(100) }, Other: { Keys: many(1) } },
      'ValidationException: Too many items requested for the BatchGetItem call',
    ],
    [
      'with a key twice',
      { One: { Keys: [key('a'), key('b'), key('a')] } },
      'ValidationException: Provided list of item keys contains duplicates',
    ],
    [
      'with a table that there is not',
      { One: { Keys: [key('a')] }, Nowhere: { Keys: [key('a')] } },
      'ResourceNotFoundException: Requested resource not found',
    ],
    [
      'with a key of another schema',
      { One: { Keys: [{ x: { S: 'a' } }] } },
      'ValidationException: The provided key element does not match the schema',
    ],
    [
      'with both projections',
      { One: { Keys: [key('a')], AttributesToGet: ['n'], ProjectionExpression: 'n' } },
      'ValidationException: Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}',
    ],
  ])('%s', async (_, RequestItems, expected) => {
    expect(await refusal(get(RequestItems))).toBe(expected);
  });
});

describe('what goes wrong on purpose', () => {
  let db: Dynaring;
  let client: ReturnType<TestServer['connect']>;

  beforeAll(async () => {
    db = await startDynaring();
    client = server.connect(db.clientConfig());
    for (const TableName of ['Orders', 'Others']) {
      await createTable(client, TableName);
      await client.send(new PutItemCommand({ TableName, Item: { ...key('a'), state: { S: 'open' } } }));
    }
  });
  beforeEach(() => db.faults.clear());
  afterAll(() => db.stop());

  test('a rule of staleness meets the tables that are read without ConsistentRead', async () => {
    db.faults.add({ kind: 'staleness', worst: true });
    for (const TableName of ['Orders', 'Others'])
      await client.send(new PutItemCommand({ TableName, Item: { ...key('a'), state: { S: 'paid' } } }));
    const { Responses } = await get(
      { Orders: { Keys: [key('a')] }, Others: { Keys: [key('a')], ConsistentRead: true } },
      {},
      client,
    );
    expect([Responses!.Orders![0]!.state!.S, Responses!.Others![0]!.state!.S]).toEqual(['open', 'paid']);
  });

  test('a rule of one table meets batches that name it', async () => {
    db.faults.add({ kind: 'error', error: 'InternalServerError', when: 'before', table: 'Orders' });
    expect(await refusal(get({ Others: { Keys: [key('a')] } }, {}, client))).toBe('not refused');
    expect(await refusal(get({ Others: { Keys: [key('a')] }, Orders: { Keys: [key('a')] } }, {}, client))).toMatch(
      /^InternalServerError/,
    );
  });

  test('no rule of a condition can be of a batch', () => {
    const rule = { kind: 'error', error: 'ConditionalCheckFailedException', when: 'before' } as const;
    expect(() => db.faults.add({ ...rule, operation: 'BatchWriteItem' })).toThrow(
      /must be one that BatchWriteItem can answer/,
    );
  });
});
