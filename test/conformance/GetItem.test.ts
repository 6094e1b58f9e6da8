import {
  DescribeTableCommand,
  GetItemCommand,
  type GetItemCommandInput,
  PutItemCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Items';
const Item = {
  pk: { S: 'a' },
  sk: { S: 'b' },
  title: { S: 'x'.repeat(5000) },
  size: { N: '3' },
  info: { M: { tags: { L: [{ S: 'one' }, { S: 'two' }, { S: 'three' }] }, 'a.b': { BOOL: true } } },
};
const Key = { pk: { S: 'a' }, sk: { S: 'b' } };
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, TableName, keysOf('pk', 'sk'));
  await server.client.send(new PutItemCommand({ TableName, Item }));
});
afterAll(() => server.stop());

const get = (rest: Partial<GetItemCommandInput> = {}) =>
  server.client.send(new GetItemCommand({ TableName, Key, ...rest }));

test.each([true, false])('the whole item is got (ConsistentRead %s)', async (ConsistentRead) => {
  expect((await get({ ConsistentRead })).Item).toEqual(Item);
});

test('an item that is not there has no Item in the answer, and half a unit is consumed', async () => {
  const answer = await get({ Key: { ...Key, sk: { S: 'other' } }, ReturnConsumedCapacity: 'TOTAL' });
  expect(Object.hasOwn(answer, 'Item')).toBe(false);
  expect(answer.ConsumedCapacity).toEqual({ TableName, CapacityUnits: 0.5 });
});

test('a projection keeps what it names, nested and by index', async () => {
  const { Item: part } = await get({
    ProjectionExpression: '#s, info.tags[2], info.tags[0], info.#dotted, absent',
    ExpressionAttributeNames: { '#s': 'size', '#dotted': 'a.b' },
  });
  expect(part).toEqual({
    size: { N: '3' },
    info: { M: { tags: { L: [{ S: 'one' }, { S: 'three' }] }, 'a.b': { BOOL: true } } },
  });
  expect((await get({ AttributesToGet: ['size', 'absent'] })).Item).toEqual({ size: { N: '3' } });
  expect((await get({ ProjectionExpression: 'absent' })).Item).toEqual({});
});

test('capacity counts the whole item, and twice as much for a consistent read', async () => {
  const asked = { ProjectionExpression: 'sk', ReturnConsumedCapacity: 'INDEXES' as const };
  expect((await get(asked)).ConsumedCapacity).toEqual({
    TableName,
    CapacityUnits: 1,
    Table: { CapacityUnits: 1 },
  });
  expect((await get({ ...asked, ConsistentRead: true })).ConsumedCapacity).toMatchObject({ CapacityUnits: 2 });
});

test('the table may be named by its ARN', async () => {
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName }));
  const { Item: whole, ConsumedCapacity } = await get({
    TableName: Table!.TableArn!,
    ReturnConsumedCapacity: 'TOTAL',
  });
  expect(whole).toEqual(Item);
  expect(ConsumedCapacity?.TableName).toBe(Table!.TableArn);
});

test('a table that is not there is not found', async () => {
  await expect(get({ TableName: 'Missing' })).rejects.toThrow(ResourceNotFoundException);
});

test.each<[string, Partial<GetItemCommandInput>, string]>([
  ['part of the key', { Key: { pk: { S: 'a' } } }, 'The provided key element does not match the schema'],
  ['a key of another type', { Key: { ...Key, sk: { N: '1' } } }, 'The provided key element does not match the schema'],
  ['too much of a key', { Key: { ...Key, size: { N: '3' } } }, 'The provided key element does not match the schema'],
  [
    'an empty key value',
    { Key: { ...Key, sk: { S: '' } } },
    'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: sk',
  ],
  [
    'a sort key that is too long',
    { Key: { ...Key, sk: { S: 'x'.repeat(1025) } } },
    'One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes',
  ],
  [
    'both kinds of projection',
    { ProjectionExpression: 'a', AttributesToGet: ['a'] },
    'Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}',
  ],
])('%s is refused', async (_, rest, message) => {
  await expect(get(rest)).rejects.toMatchObject({ name: 'ValidationException', message });
});
