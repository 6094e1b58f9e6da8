// A lost transaction: money leaves one account and comes to another, or neither. When the transaction is cancelled, we take it
// that there was not enough. It was a conflict with another transaction, which the SDK does not retry.
//   node examples/lost-transaction.mjs
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient, TransactGetItemsCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Accounts';
const ann = { TableName, Key: { id: { S: 'ann' } } };
const bob = { TableName, Key: { id: { S: 'bob' } } };
await dynaring.seed({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
  Items: ['ann', 'bob'].map((id) => ({ id, euros: 10 })),
});

function transfer(euros, ClientRequestToken) {
  const by = { ExpressionAttributeValues: { ':e': { N: `${euros}` } } };
  const take = { ...ann, ...by, UpdateExpression: 'SET euros = euros - :e', ConditionExpression: 'euros >= :e' };
  const give = { ...bob, ...by, UpdateExpression: 'SET euros = euros + :e' };
  const TransactItems = [{ Update: take }, { Update: give }];
  return client.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken }));
}

const pay = async (euros) => ((await transfer(euros).catch(() => undefined)) ? 'paid' : 'not enough');

/** Looks into the reasons, and tries again after a conflict: by the same token, so that it is never done twice. */
async function payFixed(euros, token = crypto.randomUUID(), pauseMs = 20) {
  try {
    await transfer(euros, token);
    return 'paid';
  } catch (error) {
    const codes = error.CancellationReasons?.map(({ Code }) => Code) ?? [];
    if (codes.includes('ConditionalCheckFailed')) return 'not enough';
    if (!codes.includes('TransactionConflict') || pauseMs > 10_000) throw error;
  }
  await setTimeout(Math.random() * pauseMs);
  return payFixed(euros, token, 2 * pauseMs);
}

async function show(word, answer) {
  const { Responses } = await client.send(new TransactGetItemsCommand({ TransactItems: [{ Get: ann }, { Get: bob }] }));
  console.log(`${word} ${answer}; then ann and bob have ${Responses.map(({ Item }) => Item.euros.N).join(' and ')}`);
}

const conflict = (times) => dynaring.faults.add({ kind: 'conflict', operation: 'TransactWriteItems', times });

await show('calm:', await pay(4));
conflict(1);
await show('bug: ', await pay(4));
conflict(3);
await show('fix: ', `${await payFixed(4)}, ${await payFixed(4)}`);
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
