// A session that has expired and still works: time to live deletes it only after a while, up to two days.
//   node examples/expired-session.mjs
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { startDynaring } from 'dynaring';

const startMs = performance.now();
const dynaring = await startDynaring({ ttlIntervalMs: 0 }); // expired items are deleted by dynaring.sweep() alone
const client = new DynamoDBClient(dynaring.clientConfig());
const TableName = 'Sessions';
await client.send(
  new CreateTableCommand({
    TableName,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  }),
);
const TimeToLiveSpecification = { Enabled: true, AttributeName: 'expires' };
await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));

const seconds = () => Math.floor(dynaring.clock.now() / 1000); // in a program of yours: Date.now()
const logIn = () => {
  const Item = { id: { S: 'ann' }, expires: { N: String(seconds() + 3600) } };
  return client.send(new PutItemCommand({ TableName, Item }));
};
const session = async () => (await client.send(new GetItemCommand({ TableName, Key: { id: { S: 'ann' } } }))).Item;
const isLoggedIn = async () => ((await session()) === undefined ? 'logged out' : 'logged in');
const isLoggedInByTime = async () =>
  Number((await session())?.expires.N ?? 0) > seconds() ? 'logged in' : 'logged out';

await logIn();
dynaring.clock.advance('2h');
await dynaring.sweep();
console.log(`calm: two hours later ann is ${await isLoggedIn()}`);

dynaring.faults.add({ kind: 'expiry', lingerMs: 48 * 3_600_000, table: TableName });
await logIn();
dynaring.clock.advance('2h');
await dynaring.sweep();
console.log(`bug:  two hours later ann is ${await isLoggedIn()}`);
console.log(`fix:  two hours later ann is ${await isLoggedInByTime()}`);

console.log(`took  ${Math.round(performance.now() - startMs)} ms`);
await dynaring.stop();
