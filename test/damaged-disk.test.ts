import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { flipBits } from './rotten-disk.ts';

const ITEMS = 400;
const TableName = 'things';
/** The last digit says the item: with its lowest bit flipped it says another one. */
const textOf = (i: number) => `the value of item ${String(i).padStart(4, '0')}`;

let dataDir: string;
let db: Dynaring | undefined;
let client: DynamoDBClient;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
});

afterEach(async () => {
  client?.destroy();
  await db?.stop();
  db = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: DynaringOptions = {}): Promise<Dynaring> {
  db = await startDynaring({ partitions: 16, dataDir, ...options });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  return db;
}

async function stop(): Promise<void> {
  client.destroy();
  await db?.stop();
  db = undefined;
}

async function fill(): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    }),
  );
  const put = (i: number) =>
    client.send(new PutItemCommand({ TableName, Item: { k: { S: `k${i}` }, v: { S: textOf(i) } } }));
  for (let i = 0; i < ITEMS; i += 40) await Promise.all(Array.from({ length: 40 }, (_, at) => put(i + at)));
}

/** How many items a read of each finds as they were written. */
async function countRight(ConsistentRead: boolean): Promise<number> {
  let right = 0;
  for (let i = 0; i < ITEMS; i++) {
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: { k: { S: `k${i}` } }, ConsistentRead }));
    if (Item?.v?.S === textOf(i)) right++;
  }
  return right;
}

const rot = (node: string) =>
  flipBits(
    join(dataDir, 'nodes', node, 'data.mdb'),
    Array.from({ length: ITEMS }, (_, i) => textOf(i)),
  );

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${db!.endpoint}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, 'gm'))].map(([, value]) => Number(value));
  expect(values.length, name).toBeGreaterThan(0);
  return values.reduce((a, b) => a + b);
}

describe('one bit flipped in each value that one node has on disk', () => {
  beforeEach(async () => {
    await start();
    await fill();
    await stop();
    expect(rot('node-2')).toBeGreaterThanOrEqual(ITEMS);
  });

  test('makes no read wrong, is said in the log and the metrics, and is repaired by the reads', async () => {
    const lines: string[] = [];
    const stderr = vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)));
    try {
      await start({ logLevel: 'info', logFormat: 'json' });
      expect(await countRight(true)).toBe(ITEMS);
      await vi.waitFor(async () => expect(await metric('dynaring_node_damaged_keys')).toBe(0), 10_000);
    } finally {
      stderr.mockRestore();
    }
    const said = lines.map((line) => JSON.parse(line)).filter(({ message }) => /damaged/.test(message));
    expect(said[0]).toMatchObject({ level: 'warn', node: 'node-2' });
    // One line a second, not one for each.
    expect(said.length).toBeLessThan(30);
    expect(await metric('dynaring_node_damaged_records_total')).toBeGreaterThanOrEqual(ITEMS);
    expect(await metric('dynaring_node_damaged_records_restored_total')).toBeGreaterThanOrEqual(ITEMS);
    // What was repaired is on disk: at the next start there is nothing to repair.
    await stop();
    await start();
    expect(await countRight(true)).toBe(ITEMS);
    expect(await metric('dynaring_node_damaged_records_total')).toBe(0);
  });

  test('makes no eventually consistent read and no scan wrong either, whichever replica is asked', async () => {
    await start({ readFrom: 'random', antiEntropyIntervalMs: 0 });
    expect(await countRight(false)).toBe(ITEMS);
    await stop();
    rot('node-1');
    await start({ readFrom: 'random', antiEntropyIntervalMs: 0 });
    for (const ConsistentRead of [false, true]) {
      const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead }));
      const texts = (Items ?? []).map(({ v }) => v?.S).sort();
      expect(texts).toEqual(Array.from({ length: ITEMS }, (_, i) => textOf(i)));
    }
  });
});
