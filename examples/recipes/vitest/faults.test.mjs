// Fault rules meet every client of a server, unless they name a namespace. A file that adds some starts its own server.
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const TableName = 'Orders';
const Key = { id: { S: '7' } };
let dynaring;
let client;
let oneOrder;

beforeAll(async () => {
  dynaring = await startDynaring();
  client = new DynamoDBClient(dynaring.clientConfig());
  await dynaring.seed({
    TableName,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    Items: [{ id: '7', state: 'open' }],
  });
  oneOrder = await dynaring.snapshot();
});
afterEach(async () => {
  dynaring.faults.clear();
  await dynaring.restore(oneOrder);
});
afterAll(() => dynaring.stop());

test.each([
  { ConsistentRead: true, state: 'paid' },
  { ConsistentRead: false, state: 'open' },
])('at worst, a read with ConsistentRead $ConsistentRead says $state', async ({ ConsistentRead, state }) => {
  dynaring.faults.add({ kind: 'staleness', worst: true });
  await client.send(new PutItemCommand({ TableName, Item: { ...Key, state: { S: 'paid' } } }));
  const { Item } = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead }));
  expect(Item.state.S).toBe(state);
});
