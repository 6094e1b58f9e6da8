// A retried conditional put: the name is ours, but the answer is lost on its way. The SDK sends the put again, what the
// first one wrote refuses it, and we tell the user that the name is taken.
//   node examples/retried-conditional-put.mjs
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Users';
await dynaring.seed({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
});

async function register(id) {
  const condition = { ConditionExpression: 'attribute_not_exists(id)' };
  try {
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: id } }, ...condition }));
    return 'registered';
  } catch (error) {
    if (error.name !== 'ConditionalCheckFailedException') throw error;
    return 'taken';
  }
}

/** Each registration leaves a token of its own in the item, by which it knows that the item is its own. */
async function registerWithToken(id) {
  const token = crypto.randomUUID();
  const condition = {
    ConditionExpression: 'attribute_not_exists(id)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
  try {
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, token: { S: token } }, ...condition }));
    return 'registered';
  } catch (error) {
    if (error.name !== 'ConditionalCheckFailedException') throw error;
    return error.Item.token?.S === token ? 'registered' : 'taken';
  }
}

const loseOneAnswer = () =>
  dynaring.faults.add({ kind: 'drop-connection', when: 'after', operation: 'PutItem', times: 1 });

console.log(`calm: ann is ${await register('ann')}, ann again is ${await register('ann')}`);
loseOneAnswer();
console.log(`bug:  bob is ${await register('bob')}`);
loseOneAnswer();
console.log(`fix:  eve is ${await registerWithToken('eve')}, eve again is ${await registerWithToken('eve')}`);
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
