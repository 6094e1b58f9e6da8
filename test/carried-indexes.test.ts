import { DeleteTableCommand, DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Snapshot } from '../src/api/admin.ts';
import { SYSTEM_TABLE } from '../src/dynamo/client.ts';
import { startDynaring } from '../src/index.ts';
import type { SeedSource } from '../src/seed/seed.ts';
import { type InsideDynaring, insideOf } from './parts/inside.ts';
import { createTable, keysOf, tableInput } from './parts/tables.ts';

/** A table whose global index groups items, and whose local index orders them. */
const INDEXED = {
  ...keysOf('pk', 'sk'),
  AttributeDefinitions: keysOf('pk', 'sk', 'a').AttributeDefinitions,
  GlobalSecondaryIndexes: [
    { IndexName: 'by-a', KeySchema: keysOf('a', 'sk').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' as const } },
  ],
  LocalSecondaryIndexes: [
    { IndexName: 'local', KeySchema: keysOf('pk', 'a').KeySchema, Projection: { ProjectionType: 'ALL' as const } },
  ],
};

let db: InsideDynaring;
let client: DynamoDBClient;
beforeEach(async () => {
  db = insideOf(await startDynaring({ partitions: 16 }));
  client = connect();
});
afterEach(async () => {
  client.destroy();
  await db.stop();
});

const connect = (namespace?: string) =>
  new DynamoDBClient({ ...(namespace === undefined ? db.clientConfig() : db.namespace(namespace)), maxAttempts: 1 });

async function putSome(from = client, a = 'x'): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const Item = { pk: { S: `p${i % 2}` }, sk: { S: `s${i}` }, a: { S: `${a}${i % 3}` } };
    await from.send(new PutItemCommand({ TableName: 'Things', Item }));
  }
}

async function query(IndexName: string, key: string, value: string, from = client): Promise<string[]> {
  const { Items } = await from.send(
    new QueryCommand({
      TableName: 'Things',
      IndexName,
      KeyConditionExpression: `${key} = :value`,
      ExpressionAttributeValues: { ':value': { S: value } },
    }),
  );
  return Items!.map(({ sk }) => sk!.S!);
}

/** The ids of which the nodes hold records, apart from the system's. */
async function idsHeld(): Promise<number> {
  const ids = new Set(await db.ring.client.tables());
  ids.delete(SYSTEM_TABLE);
  return ids.size;
}

test('a restored table has indexes of its own, with the entries of its items', async () => {
  await createTable(client, 'Things', INDEXED);
  await putSome();
  const snapshot = JSON.parse(JSON.stringify(await db.snapshot())) as Snapshot;
  await putSome(client, 'y');
  expect(await query('by-a', 'a', 'x1')).toEqual([]);
  await db.restore(snapshot);
  expect(await query('by-a', 'a', 'x1')).toEqual(['s1', 's4']);
  expect(await query('by-a', 'a', 'y1')).toEqual([]);
  expect(await query('local', 'pk', 'p0')).toEqual(['s0', 's4', 's2']);
  await putSome(client, 'z');
  expect(await query('by-a', 'a', 'z1')).toEqual(['s1', 's4']);
  expect(await query('by-a', 'a', 'x1')).toEqual([]);
  await vi.waitFor(async () => expect(await idsHeld()).toBe(2), 10_000);
});

test('a seeded table has them', async () => {
  const Items = ['s1', 's0'].map((sk) => ({ pk: { S: 'p' }, sk: { S: sk }, a: { S: 'x' } }));
  await db.seed({ ...tableInput('Things', INDEXED), Items } as SeedSource);
  expect(await query('by-a', 'a', 'x')).toEqual(['s0', 's1']);
});

test('tables of one name in two namespaces share no entries', async () => {
  const other = connect('other');
  for (const [from, a] of [
    [client, 'x'],
    [other, 'y'],
  ] as const) {
    await createTable(from, 'Things', INDEXED);
    await putSome(from, a);
  }
  expect(await query('by-a', 'a', 'x1')).toEqual(['s1', 's4']);
  expect(await query('by-a', 'a', 'x1', other)).toEqual([]);
  expect(await query('by-a', 'a', 'y1', other)).toEqual(['s1', 's4']);
  await db.reset('other');
  expect(await query('by-a', 'a', 'x1')).toEqual(['s1', 's4']);
  other.destroy();
});

test('nothing is left of a deleted table, nor found in the next one of its name', async () => {
  await createTable(client, 'Things', INDEXED);
  await putSome();
  await client.send(new DeleteTableCommand({ TableName: 'Things' }));
  await createTable(client, 'Things', INDEXED);
  expect(await query('by-a', 'a', 'x1')).toEqual([]);
  await vi.waitFor(async () => expect(await idsHeld()).toBe(0), 10_000);
  await db.reset();
  await db.waitUntilConsistent();
});
