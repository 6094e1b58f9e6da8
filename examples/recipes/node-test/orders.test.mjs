// node --test runs each file in a process of its own, so each starts a server of its own.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const TableName = 'Orders';
const Key = { id: { S: '7' } };
let dynaring;
let client;
let oneOrder;

before(async () => {
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
beforeEach(async () => {
  dynaring.faults.clear();
  await dynaring.restore(oneOrder);
});
after(() => dynaring.stop());

const pay = () => client.send(new PutItemCommand({ TableName, Item: { ...Key, state: { S: 'paid' } } }));

async function stateOfOrder(ConsistentRead) {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead }));
  return Item.state.S;
}

test('an order is paid', async () => {
  await pay();
  assert.equal(await stateOfOrder(false), 'paid');
});

test('each test begins with an open order', async () => {
  assert.equal(await stateOfOrder(true), 'open');
});

test('what is read without ConsistentRead may be old', async () => {
  dynaring.faults.add({ kind: 'staleness', worst: true, table: TableName });
  await pay();
  assert.equal(await stateOfOrder(false), 'open');
  assert.equal(await stateOfOrder(true), 'paid');
});

test('a put whose answer is lost is sent again by the SDK', async () => {
  const { id } = dynaring.faults.add({ kind: 'drop-connection', when: 'after', operation: 'PutItem', times: 1 });
  await pay();
  assert.equal(await stateOfOrder(true), 'paid');
  assert.ok(!dynaring.faults.list().some((fault) => fault.id === id), 'it fired, and is gone');
});
