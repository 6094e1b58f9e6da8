// A stale read after a write: an order is paid, and the page that is shown next says that it is still open.
//   node examples/stale-read.mjs
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Orders';
await client.send(
  new CreateTableCommand({
    TableName,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  }),
);

const putOrder = (state) =>
  client.send(new PutItemCommand({ TableName, Item: { id: { S: '7' }, state: { S: state } } }));

async function stateOfOrder(ConsistentRead) {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: '7' } }, ConsistentRead }));
  return Item?.state.S;
}

await putOrder('open');
await putOrder('paid');
console.log(`calm: put paid, read ${await stateOfOrder(false)}`);

await putOrder('open');
dynaring.faults.add({ kind: 'staleness', worst: true, table: TableName });
await putOrder('paid');
console.log(`bug:  put paid, read ${await stateOfOrder(false)}`); // GetItem's default
console.log(`fix:  put paid, read ${await stateOfOrder(true)}`);

console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
