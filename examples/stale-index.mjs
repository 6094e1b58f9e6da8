// An index that is behind its table: a worker queries an index for open jobs, and does one that is done already.
//   node examples/stale-index.mjs
import { CreateTableCommand, DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Jobs';
const IndexName = 'by-state';
const keyOf = (AttributeName) => [{ AttributeName, KeyType: 'HASH' }];
await client.send(
  new CreateTableCommand({
    TableName,
    AttributeDefinitions: ['id', 'state'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keyOf('id'),
    GlobalSecondaryIndexes: [{ IndexName, KeySchema: keyOf('state'), Projection: { ProjectionType: 'ALL' } }],
    BillingMode: 'PAY_PER_REQUEST',
  }),
);

const names = {
  ExpressionAttributeNames: { '#state': 'state' },
  ExpressionAttributeValues: { ':open': { S: 'open' } },
};
const put = (id, state, more) =>
  client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, state: { S: state } }, ...more }));

/** Does the jobs that the index shows as open. @param condition on which a job is taken */
async function work(condition) {
  const query = { TableName, IndexName, KeyConditionExpression: '#state = :open', ...names };
  const { Items } = await client.send(new QueryCommand(query));
  const done = [];
  for (const { id } of Items) {
    await put(id.S, 'done', condition).then(
      () => done.push(id.S),
      () => {},
    );
  }
  return done.join() || 'nothing';
}

await put('a', 'open');
console.log(`calm: did ${await work()}, then ${await work()}`);

await put('b', 'open');
dynaring.faults.add({ kind: 'staleness', table: TableName, index: IndexName, whole: true, worst: true });
console.log(`bug:  did ${await work()}, then ${await work()}`);

dynaring.faults.clear();
await put('c', 'open');
await dynaring.waitUntilConsistent();
const isOpen = { ConditionExpression: '#state = :open', ...names };
dynaring.faults.add({ kind: 'staleness', table: TableName, index: IndexName, whole: true, worst: true });
console.log(`fix:  did ${await work(isOpen)}, then ${await work(isOpen)}`);

console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
