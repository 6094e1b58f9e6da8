import {
  type AttributeValue,
  PutItemCommand,
  TransactGetItemsCommand,
  type TransactGetItemsCommandInput,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, TransactGetCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let tables = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

async function newTable(changes = {}): Promise<string> {
  const name = `TransactGet${tables++}`;
  await createTable(server.client, name, changes);
  return name;
}

const key = (pk: string) => ({ pk: { S: pk } });
const get = (TableName: string, pk: string, more = {}) => ({ Get: { TableName, Key: key(pk), ...more } });
const put = (TableName: string, pk: string, rest: Record<string, AttributeValue> = {}) =>
  server.client.send(new PutItemCommand({ TableName, Item: { ...key(pk), ...rest } }));
const read = (TransactItems: TransactGetItemsCommandInput['TransactItems'], more = {}) =>
  server.client.send(new TransactGetItemsCommand({ TransactItems, ...more }));
const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

test('items of several tables are answered in the order asked, each with its projection', async () => {
  const [one, other] = [await newTable(), await newTable(keysOf('pk', 'sk'))];
  await put(one, 'a', { n: { N: '1' }, m: { M: { x: { S: 'x' }, y: { S: 'y' } } } });
  await put(other, 'a', { sk: { S: 's' } });
  const projection = { ProjectionExpression: '#m.x, n', ExpressionAttributeNames: { '#m': 'm' } };
  const { Responses, ConsumedCapacity } = await read([
    get(one, 'never'),
    { Get: { TableName: other, Key: { ...key('a'), sk: { S: 's' } } } },
    get(one, 'a', projection),
    get(one, 'nor this', projection),
  ]);
  expect(Responses).toEqual([
    {},
    { Item: { ...key('a'), sk: { S: 's' } } },
    { Item: { n: { N: '1' }, m: { M: { x: { S: 'x' } } } } },
    {},
  ]);
  expect(ConsumedCapacity).toBeUndefined();
});

test('a hundred items at once', async () => {
  const table = await newTable();
  const names = Array.from({ length: 100 }, (_, at) => `k${at}`);
  await Promise.all(names.map((name) => put(table, name)));
  const { Responses } = await read(names.map((name) => get(table, name)));
  expect(Responses!.map(({ Item }) => Item!.pk!.S)).toEqual(names);
});

test('capacity is twice that of strong reads, also of what is absent', async () => {
  const table = await newTable();
  await put(table, 'a', { s: { S: 'x'.repeat(5_000) } });
  const units = { CapacityUnits: 6, ReadCapacityUnits: 6 };
  const gets = [get(table, 'a'), get(table, 'never', { ProjectionExpression: 'pk' })];
  expect((await read(gets, { ReturnConsumedCapacity: 'TOTAL' })).ConsumedCapacity).toEqual([
    { TableName: table, ...units },
  ]);
  expect((await read(gets, { ReturnConsumedCapacity: 'INDEXES' })).ConsumedCapacity).toEqual([
    { TableName: table, ...units, Table: units },
  ]);
});

describe('a read is refused as a whole', () => {
  const CONSTRAINT = 'ValidationException: 1 validation error detected: Value';
  const AT = "at 'transactItems' failed to satisfy constraint: Member must have length";

  test.each<[string, (name: string) => TransactGetItemsCommandInput['TransactItems'], string]>([
    ['without a Get', () => [], `${CONSTRAINT} '[]' ${AT} greater than or equal to 1`],
    [
      'with one item twice',
      (name) => [get(name, 'a'), get(name, 'a')],
      'ValidationException: Transaction request cannot include multiple operations on one item',
    ],
    [
      'with a table that there is not',
      (name) => [get(name, 'a'), get('Nowhere', 'a')],
      'ResourceNotFoundException: Requested resource not found',
    ],
    [
      'with an empty key',
      (name) => [get(name, '')],
      'ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
    ],
    [
      'with an unused name',
      (name) => [get(name, 'a', { ProjectionExpression: 'b', ExpressionAttributeNames: { '#a': 'a' } })],
      'ValidationException: Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
    ],
    [
      'with a path twice',
      (name) => [get(name, 'a', { ProjectionExpression: 'b, b' })],
      'ValidationException: Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [b], path two: [b]',
    ],
  ])('%s', async (_, itemsOf, expected) => {
    expect(await refusal(read(itemsOf(await newTable())))).toBe(expected);
  });

  test('with 101 Gets', async () => {
    const table = await newTable();
    const text = await refusal(read(Array.from({ length: 101 }, (_, at) => get(table, `k${at}`))));
    expect(text.startsWith(`${CONSTRAINT} '[TransactGetItem(get=Get(key={pk=AttributeValue(s=k0, n=null,`)).toBe(true);
    expect(text.endsWith(`${AT} less than or equal to 100`)).toBe(true);
  });

  test('with a key of a wrong type, which is a reason', async () => {
    const table = await newTable();
    const error = await read([get(table, 'a'), { Get: { TableName: table, Key: { pk: { N: '1' } } } }]).catch((e) => e);
    expect(error).toBeInstanceOf(TransactionCanceledException);
    expect(error.CancellationReasons).toEqual([
      { Code: 'None' },
      { Code: 'ValidationError', Message: 'The provided key element does not match the schema' },
    ]);
  });

  test('for more than 4 MB', async () => {
    const table = await newTable();
    const names = Array.from({ length: 11 }, (_, at) => `k${at}`);
    await Promise.all(names.map((name) => put(table, name, { s: { S: 'x'.repeat(400_000) } })));
    expect(await refusal(read(names.map((name) => get(table, name))))).toBe(
      'ValidationException: The aggregate size of the items in the transaction exceeded 4 MB.',
    );
    const { Responses } = await read(names.slice(1).map((name) => get(table, name)));
    expect(Responses!.map(({ Item }) => Item!.pk!.S)).toEqual(names.slice(1));
  });
});

test('the document client reads JavaScript values', async () => {
  const TableName = await newTable();
  await put(TableName, 'a', { n: { N: '1.5' }, s: { SS: ['x'] } });
  const documents = DynamoDBDocumentClient.from(server.connect());
  const { Responses } = await documents.send(
    new TransactGetCommand({
      TransactItems: [{ Get: { TableName, Key: { pk: 'a' } } }, { Get: { TableName, Key: { pk: 'b' } } }],
    }),
  );
  expect(Responses).toEqual([{ Item: { pk: 'a', n: 1.5, s: new Set(['x']) } }, {}]);
});
