// A consumer that counts twice: it counts orders from a stream, and gets some again, as after a crash before it noted its place.
//   node examples/counts-twice.mjs
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreams } from '@aws-sdk/client-dynamodb-streams';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient(dynaring.clientConfig());
const streams = new DynamoDBStreams(dynaring.clientConfig());
const TableName = 'Orders';
const table = {
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
};
const { LatestStreamArn: StreamArn } = (await client.send(new CreateTableCommand(table))).TableDescription;
const IDS = ['1', '2', '3', '4', '5'];
for (const id of IDS) await client.send(new PutItemCommand({ TableName, Item: { id: { S: id } } }));

/** Hands each record to `handle`, page by page, until there are no more and each order was there. */
async function consume(handle) {
  const { StreamDescription } = await streams.describeStream({ StreamArn });
  const begin = { StreamArn, ShardId: StreamDescription.Shards[0].ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  let { ShardIterator } = await streams.getShardIterator(begin);
  const seen = new Set();
  for (let isMore = true; isMore; ) {
    const { Records, NextShardIterator } = await streams.getRecords({ ShardIterator, Limit: 2 });
    for (const { dynamodb } of Records) seen.add(dynamodb.Keys.id.S) && handle(dynamodb);
    isMore = Records.length > 0 || seen.size < IDS.length;
    ShardIterator = NextShardIterator;
  }
}

async function count(orders = 0) {
  await consume(() => orders++);
  return orders;
}

// The same, once for each record: those of an item come in their order, so it keeps how far it is with each item.
async function countOnce(orders = 0) {
  const counted = new Map();
  await consume(({ Keys, SequenceNumber }) => {
    if (SequenceNumber <= (counted.get(Keys.id.S) ?? '')) return;
    orders++;
    counted.set(Keys.id.S, SequenceNumber);
  });
  return orders;
}

console.log(`calm: ${await count()} orders`);
dynaring.faults.add({ kind: 'redelivery', table: TableName });
console.log(`bug:  ${await count()} orders`);
console.log(`fix:  ${await countOnce()} orders`);
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
