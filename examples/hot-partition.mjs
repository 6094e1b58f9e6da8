// A hot partition: the table has room for a million writes, but all of a day's events are under one partition key, and
// the service takes 1,000 write units a second of each.
//   node examples/hot-partition.mjs
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const TableName = 'Events';
const EVENTS = 30;
/** A write unit is a kilobyte: 30 events are 3,840 units. */
const details = 'x'.repeat(127.5 * 1024);
/** Each day is spread over so many partition keys. Who reads it asks for all of them. */
const SHARDS = 10;

/** Puts the events of a day at once, under partition keys that `keyOf` gives, and counts those that are refused. */
async function putEvents(throttle, keyOf) {
  const dynaring = await startDynaring({ throttle });
  const client = new DynamoDBClient({ ...dynaring.clientConfig(), maxAttempts: 1 });
  await dynaring.seed({
    TableName,
    AttributeDefinitions: [
      { AttributeName: 'day', AttributeType: 'S' },
      { AttributeName: 'number', AttributeType: 'N' },
    ],
    KeySchema: [
      { AttributeName: 'day', KeyType: 'HASH' },
      { AttributeName: 'number', KeyType: 'RANGE' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  });
  const put = async (number) => {
    const Item = { day: { S: keyOf(number) }, number: { N: `${number}` }, details: { S: details } };
    return client.send(new PutItemCommand({ TableName, Item })).then(
      () => 'taken',
      (error) => `${error.name}, ${error.throttlingReasons?.[0].reason}`,
    );
  };
  const answers = await Promise.all(Array.from({ length: EVENTS }, (_, number) => put(number)));
  await dynaring.stop();
  const refused = answers.filter((answer) => answer !== 'taken');
  return refused.length > 0 ? `${refused.length} of ${EVENTS} refused: ${refused[0]}` : `all ${EVENTS} events taken`;
}

const oneKey = () => '2007-10-14';
const shardedKey = (number) => `2007-10-14#${number % SHARDS}`;
console.log(`calm: ${await putEvents(false, oneKey)}`);
console.log(`bug:  ${await putEvents(true, oneKey)}`);
console.log(`fix:  ${await putEvents(true, shardedKey)}`);
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
