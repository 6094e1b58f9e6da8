// An unretried throttle: an import puts ten songs and logs what fails. One is refused for a moment, and is missing.
//   node examples/unretried-throttle.mjs
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring();
const client = new DynamoDBClient({ ...dynaring.clientConfig(), maxAttempts: 1 });
const TableName = 'Songs';
const IDS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'];
const table = {
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
};

const put = (id) => client.send(new PutItemCommand({ TableName, Item: { id: { S: id } } }));
const get = (id) => client.send(new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true }));

async function importSongs() {
  const log = [];
  for (const id of IDS) await put(id).catch((error) => log.push(error.message));
}

/** Again after a pause that doubles: what the SDK does with more `maxAttempts`, only that its pauses last up to a second. */
async function putAgain(id, pauseMs = 20) {
  try {
    await put(id);
  } catch (error) {
    if (error.name !== 'ProvisionedThroughputExceededException' || pauseMs > 10_000) throw error;
    await setTimeout(Math.random() * pauseMs);
    await putAgain(id, 2 * pauseMs);
  }
}

async function importSongsFixed() {
  for (const id of IDS) await putAgain(id);
}

async function show(word, run, fault) {
  await dynaring.reset();
  await dynaring.seed(table);
  if (fault) dynaring.faults.add(fault);
  await run();
  const answers = await Promise.all(IDS.map(get));
  console.log(`${word} ${answers.filter(({ Item }) => Item).length} of ${IDS.length} songs are there`);
}

const error = 'ProvisionedThroughputExceededException';
const refuseOnce = { kind: 'error', error, when: 'before', key: { id: { S: '7' } }, times: 1 };
await show('calm:', importSongs);
await show('bug: ', importSongs, refuseOnce);
await show('fix: ', importSongsFixed, refuseOnce);
console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
