// A lost update: two sales each read the stock, take one off and put it back. Of ten pens two are sold, and nine are left.
//   node examples/lost-update.mjs
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Stock';
await dynaring.seed({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
  Items: ['pen', 'ink', 'ruler', 'book', 'map'].map((id) => ({ id, count: 10, version: 1 })),
});

async function read(id, ConsistentRead) {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead }));
  return { id, count: Number(Item.count.N), version: Number(Item.version.N) };
}

const putSold = ({ id, count, version }, condition) => {
  const Item = { id: { S: id }, count: { N: `${count - 1}` }, version: { N: `${version + 1}` } };
  return client.send(new PutItemCommand({ TableName, Item, ...condition }));
};

const sell = async (id) => putSold(await read(id, false));

/** The put is refused if another came after the read. Then all begins again, with a read that is not stale. */
async function sellFixed(id, ConsistentRead = false) {
  const item = await read(id, ConsistentRead);
  const ExpressionAttributeValues = { ':read': { N: `${item.version}` } };
  await putSold(item, { ConditionExpression: 'version = :read', ExpressionAttributeValues }).catch((error) => {
    if (error.name !== 'ConditionalCheckFailedException') throw error;
    return sellFixed(id, true);
  });
}

/** What is left after one sale and then another, and after two at once, both of which have read before either puts. */
async function show(word, sale, first, second) {
  await sale(first).then(() => sale(first));
  dynaring.faults.add({ kind: 'latency', ms: 100, operation: 'PutItem', times: 2 });
  await Promise.all([sale(second), sale(second)]);
  const [inTurn, atOnce] = [await read(first, true), await read(second, true)];
  console.log(`${word} ${inTurn.count} left after two sales, ${atOnce.count} after two at once`);
}

await sell('pen').then(() => sell('pen'));
console.log(`calm: ${(await read('pen', true)).count} left after two sales`);
dynaring.faults.add({ kind: 'staleness', worst: true });
await show('bug: ', sell, 'ink', 'map');
await show('fix: ', sellFixed, 'book', 'ruler');
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
