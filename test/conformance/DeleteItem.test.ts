import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  GetItemCommand,
  PutItemCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Items';
const Key = { pk: { S: 'a' } };
const Item = { ...Key, v: { N: '1' }, x: { S: 'x'.repeat(1500) } };
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, TableName);
});
beforeEach(() => server.client.send(new PutItemCommand({ TableName, Item })));
afterAll(() => server.stop());

const remove = (rest: Partial<DeleteItemCommandInput> = {}) =>
  server.client.send(new DeleteItemCommand({ TableName, Key, ...rest }));
const stored = async () =>
  (await server.client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;

test('a deleted item is gone, and is returned on request', async () => {
  expect((await remove({ ReturnValues: 'ALL_OLD' })).Attributes).toEqual(Item);
  expect(await stored()).toBeUndefined();
});

test('deleting what is not there succeeds, returns nothing and consumes one unit', async () => {
  expect((await remove({ ReturnConsumedCapacity: 'TOTAL' })).ConsumedCapacity).toEqual({ TableName, CapacityUnits: 2 });
  const again = await remove({ ReturnValues: 'ALL_OLD', ReturnConsumedCapacity: 'TOTAL' });
  expect(again.Attributes).toBeUndefined();
  expect(again.ConsumedCapacity).toEqual({ TableName, CapacityUnits: 1 });
});

test('a condition that fails keeps the item, and shows it on request', async () => {
  const condition = {
    ConditionExpression: 'v > :least AND size(x) > :size',
    ExpressionAttributeValues: { ':least': { N: '1' }, ':size': { N: '10' } },
  };
  const refused = await remove({ ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }).catch(
    (error) => error,
  );
  expect(refused).toBeInstanceOf(ConditionalCheckFailedException);
  expect(refused.Item).toEqual(Item);
  expect((await remove(condition).catch((error) => error)).Item).toBeUndefined();
  expect(await stored()).toEqual(Item);
});

test('a condition that holds lets the delete through, the legacy one too', async () => {
  await remove({ ConditionExpression: 'v = :v', ExpressionAttributeValues: { ':v': { N: '1.0' } } });
  expect(await stored()).toBeUndefined();
  await remove({ Expected: { v: { Exists: false } } });
  await expect(remove({ Expected: { v: { ComparisonOperator: 'NOT_NULL' } } })).rejects.toThrow(
    ConditionalCheckFailedException,
  );
});

test('a table that is not there is not found', async () => {
  await expect(remove({ TableName: 'Missing' })).rejects.toThrow(ResourceNotFoundException);
});

test.each<[string, Partial<DeleteItemCommandInput>, string]>([
  ['another key', { Key: { id: { S: 'a' } } }, 'The provided key element does not match the schema'],
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
  [
    'ReturnValues of an update',
    { ReturnValues: 'UPDATED_NEW' },
    '1 validation error detected: ReturnValues can only be ALL_OLD or NONE',
  ],
  [
    'ReturnValues of an update beside a value nested 100 deep',
    { ReturnValues: 'UPDATED_NEW', Key: { pk: nested(100) } },
    'ReturnValues can only be ALL_OLD or NONE',
  ],
  [
    'a value without an expression',
    { ExpressionAttributeValues: { ':v': { N: '1' } } },
    '1 validation error detected: ExpressionAttributeValues can only be specified when using expressions',
  ],
])('%s is refused and deletes nothing', async (_, rest, message) => {
  await expect(remove(rest)).rejects.toMatchObject({ name: 'ValidationException', message });
  expect(await stored()).toEqual(Item);
});

/** A text in so many lists. */
function nested(levels: number): AttributeValue {
  return levels === 0 ? { S: 'x' } : { L: [nested(levels - 1)] };
}
