import {
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { createTable } from './parts/tables.ts';
import { openClient } from './parts/whole-server.ts';

const TableName = 'things';

async function start(options: DynaringOptions): Promise<{ db: Dynaring; client: DynamoDBClient }> {
  const db = await startDynaring({ partitions: 16, ...options });
  const client = openClient(db);
  onTestFinished(async () => {
    client.destroy();
    await db.stop();
  });
  return { db, client };
}

async function expiringTable(client: DynamoDBClient, changes: object = {}): Promise<void> {
  await createTable(client, TableName, changes);
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'expires' };
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
}

const expiry = (db: Dynaring, inS: number) => ({ N: String(Math.floor(db.clock.now() / 1_000) + inS) });

/** Puts items that expire in a minute, and one that does not. */
async function putItems(db: Dynaring, client: DynamoDBClient, count: number): Promise<void> {
  const items = Array.from({ length: count }, (_, i) => ({ pk: { S: `k${i}` }, expires: expiry(db, 60) }));
  await Promise.all(items.map((Item) => client.send(new PutItemCommand({ TableName, Item }))));
  await client.send(new PutItemCommand({ TableName, Item: { pk: { S: 'stays' } } }));
}

async function names(client: DynamoDBClient): Promise<string[]> {
  const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items!.map(({ pk }) => pk!.S!).sort();
}

test.each(['strict', 'dynamo'])('with a node down, %s items expire, and do not come back with it', async (Value) => {
  const { db, client } = await start({ ttlIntervalMs: 0 });
  await expiringTable(client, { Tags: [{ Key: 'dynaring:consistency', Value }] });
  await putItems(db, client, 30);
  await db.waitUntilConsistent();
  db.clock.advance('2m');
  await db.ring.stop('node-2');
  expect(await db.sweep()).toBe(30);
  await db.ring.start('node-2');
  await db.waitUntilConsistent();
  expect(await names(client)).toEqual(['stays']);
  for (const { isTombstone } of (await db.locate(TableName, { pk: { S: 'k0' } })).replicas)
    expect(isTombstone).toBe(true);
  expect(await db.sweep()).toBe(0);
});

test('without a majority nothing expires, which is told, and all of it does later', async () => {
  const { db, client } = await start({ limits: { node: { opLifeMs: 1_000, phaseTimeoutMs: 200 } } });
  await expiringTable(client);
  await putItems(db, client, 20);
  await db.ring.stop('node-2');
  await db.ring.stop('node-3');
  db.clock.advance('2m');
  await expect(db.sweep()).rejects.toMatchObject({ status: 503 });
  await db.ring.start('node-2');
  await db.ring.start('node-3');
  await expect.poll(() => names(client).catch(() => 'unavailable')).toEqual(['stays']);
});

test('what expired while the server was stopped goes after its start, unasked', async () => {
  const dataDir = temporaryDirectory();
  const first = await start({ dataDir });
  await expiringTable(first.client);
  await putItems(first.db, first.client, 20);
  await first.db.stop();
  const { db, client } = await start({ dataDir, timeOffsetMs: 3_600_000 });
  await expect
    .poll(async () => (await (await fetch(`${db.endpoint}/metrics`)).text()).match(/deleted_total (\d+)/)?.[1])
    .toBe('20');
  expect(await names(client)).toEqual(['stays']);
});

test('an update at the moment of the sweep either keeps the item or finds it gone', async () => {
  const { db, client } = await start({ ttlIntervalMs: 0 });
  await expiringTable(client);
  for (let round = 0; round < 20; round++) {
    const key = { pk: { S: 'a' } };
    await client.send(new PutItemCommand({ TableName, Item: { ...key, expires: expiry(db, -5), n: { N: '1' } } }));
    const update = client.send(
      new UpdateItemCommand({
        TableName,
        Key: key,
        UpdateExpression: 'SET expires = :later',
        ConditionExpression: 'attribute_exists(n)',
        ExpressionAttributeValues: { ':later': expiry(db, 3_600) },
      }),
    );
    const [kept, deleted] = await Promise.all([
      update.then(
        () => true,
        ({ name }) => {
          expect(name).toBe('ConditionalCheckFailedException');
          return false;
        },
      ),
      db.sweep(),
    ]);
    expect(deleted).toBe(kept ? 0 : 1);
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }));
    expect(Item !== undefined).toBe(kept);
  }
});

test('a lagging replica shows an item after it was deleted', async () => {
  const { db, client } = await start({ ttlIntervalMs: 0 });
  await expiringTable(client);
  await putItems(db, client, 1);
  await db.waitUntilConsistent();
  db.faults.add({ kind: 'staleness', worst: true });
  db.clock.advance('2m');
  expect(await db.sweep()).toBe(1);
  const read = (ConsistentRead: boolean) =>
    client.send(new GetItemCommand({ TableName, Key: { pk: { S: 'k0' } }, ConsistentRead }));
  expect((await read(false)).Item).toBeDefined();
  expect((await read(true)).Item).toBeUndefined();
  await db.waitUntilConsistent();
  db.faults.clear();
  expect((await read(false)).Item).toBeUndefined();
});

test('the setting itself survives a restart', async () => {
  const dataDir = temporaryDirectory();
  const first = await start({ dataDir });
  await expiringTable(first.client);
  await first.db.stop();
  const { client } = await start({ dataDir });
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }));
  expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
});
