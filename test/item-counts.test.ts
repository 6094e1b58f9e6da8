import {
  type AttributeValue,
  DeleteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { createTable, keysOf } from './parts/tables.ts';
import { openClient } from './parts/whole-server.ts';

const TableName = 'things';

async function start(options: DynaringOptions = {}): Promise<{ db: Dynaring; client: DynamoDBClient }> {
  const db = await startDynaring({ partitions: 16, ...options });
  const client = openClient(db);
  onTestFinished(async () => {
    client.destroy();
    await db.stop();
  });
  return { db, client };
}

type Item = Record<string, AttributeValue>;

const put = (client: DynamoDBClient, Item: Item) => client.send(new PutItemCommand({ TableName, Item }));
/** Two bytes and the name. */
const named = (pk: string): Item => ({ pk: { S: pk } });

/** Items and bytes of the table, as it is described when the count of a second ago is forgotten. */
async function sizes(db: Dynaring, client: DynamoDBClient): Promise<[number, number]> {
  db.clock.advance('1s');
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  return [Table!.ItemCount!, Table!.TableSizeBytes!];
}

test('a table tells how many items it has, and their size, as they change', async () => {
  const { db, client } = await start();
  await createTable(client, TableName);
  expect(await sizes(db, client)).toEqual([0, 0]);
  for (const pk of ['a', 'b', 'c']) await put(client, { ...named(pk), text: { S: '12345' } });
  await expect.poll(() => sizes(db, client)).toEqual([3, 36]);
  await put(client, named('a'));
  await client.send(new DeleteItemCommand({ TableName, Key: named('b') }));
  await client.send(
    new UpdateItemCommand({
      TableName,
      Key: named('d'),
      UpdateExpression: 'SET n = :n',
      ExpressionAttributeValues: { ':n': { S: '1234567890' } },
    }),
  );
  await expect.poll(() => sizes(db, client)).toEqual([3, 3 + 12 + 14]);
});

test('expired items are counted until they are deleted', async () => {
  const { db, client } = await start({ ttlIntervalMs: 0 });
  await createTable(client, TableName);
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'ttl' };
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  const now = Math.floor(db.clock.now() / 1_000);
  for (const [pk, ttl] of Object.entries({ a: now - 5, b: now - 5, c: now + 1_000 })) {
    await put(client, { ...named(pk), ttl: { N: String(ttl) } });
  }
  await expect.poll(async () => (await sizes(db, client))[0]).toBe(3);
  expect(await db.sweep()).toBe(2);
  await expect.poll(async () => (await sizes(db, client))[0]).toBe(1);
});

test('indexes tell how many entries they have', async () => {
  const { db, client } = await start();
  await createTable(client, TableName, {
    KeySchema: keysOf('pk', 'sk').KeySchema,
    AttributeDefinitions: ['pk', 'sk', 'x', 'y'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    LocalSecondaryIndexes: [
      { IndexName: 'byX', KeySchema: keysOf('pk', 'x').KeySchema, Projection: { ProjectionType: 'ALL' } },
      { IndexName: 'byY', KeySchema: keysOf('pk', 'y').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
      { IndexName: 'byYToo', KeySchema: keysOf('pk', 'y').KeySchema, Projection: { ProjectionType: 'ALL' } },
    ],
    GlobalSecondaryIndexes: [
      { IndexName: 'ofX', KeySchema: keysOf('x').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  });
  const item = (sk: string, more: Item): Item => ({
    pk: { S: 'p' },
    sk: { S: sk },
    text: { S: '1234567890' },
    ...more,
  });
  await put(client, item('1', { x: { S: 'v' } }));
  await put(client, item('2', { x: { S: 'v' } }));
  await put(client, item('3', { y: { S: 'v' } }));
  await put(client, item('4', {}));
  await client.send(new DeleteItemCommand({ TableName, Key: { pk: { S: 'p' }, sk: { S: '2' } } }));
  const described = async () => {
    db.clock.advance('1s');
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const all = [...Table!.LocalSecondaryIndexes!, ...Table!.GlobalSecondaryIndexes!];
    return [
      ['table', Table!.ItemCount, Table!.TableSizeBytes],
      ...all.map(({ IndexName, ItemCount, IndexSizeBytes }) => [IndexName, ItemCount, IndexSizeBytes]),
    ];
  };
  // pk 3, sk 3, text 14, x or y 2 bytes; the entries of byY and ofX have pk, sk and y or x.
  await expect.poll(described).toEqual([
    ['table', 3, 22 + 22 + 20],
    ['byX', 1, 22],
    ['byY', 1, 8],
    ['byYToo', 1, 22],
    ['ofX', 1, 8],
  ]);
});

test('they are right after a restart, with a node down, and on a new disk', async () => {
  const dataDir = temporaryDirectory();
  const first = await start({ dataDir });
  await createTable(first.client, TableName);
  for (let i = 0; i < 600; i++) await put(first.client, named(`k${i}`));
  await expect.poll(async () => (await sizes(first.db, first.client))[0]).toBe(600);
  await first.db.stop();
  const { db, client } = await start({ dataDir });
  expect((await sizes(db, client))[0]).toBe(600);
  await db.ring.stop('node-1');
  for (let i = 600; i < 620; i++) await put(client, named(`k${i}`));
  await expect.poll(async () => (await sizes(db, client))[0]).toBe(620);
  await db.ring.start('node-1');
  await db.ring.wipe('node-2');
  await db.waitUntilConsistent();
  await expect.poll(async () => (await sizes(db, client))[0]).toBe(620);
});

test('tables of the other consistency, and those that came by a snapshot, are counted; deleted ones are not', async () => {
  const { db, client } = await start();
  await createTable(client, TableName, { Tags: [{ Key: 'dynaring:consistency', Value: 'dynamo' }] });
  for (const pk of ['a', 'b', 'c']) await put(client, named(pk));
  await expect.poll(() => sizes(db, client)).toEqual([3, 9]);
  const snapshot = await db.snapshot();
  await db.reset();
  await createTable(client, TableName);
  expect(await sizes(db, client)).toEqual([0, 0]);
  await db.restore(snapshot);
  await expect.poll(() => sizes(db, client)).toEqual([3, 9]);
  expect((await client.send(new ScanCommand({ TableName, Select: 'COUNT' }))).Count).toBe(3);
});
