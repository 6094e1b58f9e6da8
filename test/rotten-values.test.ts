import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { LmdbStore } from '../src/env/lmdb-store.ts';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { leastOfSome } from './parts/least-of-some.ts';
import { createTable, keysOf } from './parts/tables.ts';
import { flipBits } from './rotten-disk.ts';

const ITEMS = 400;
const TableName = 'things';
/** The last digit says the item: with its lowest bit flipped it says another one. */
const textOf = (i: number) => `the value of item ${String(i).padStart(4, '0')}`;

let dataDir: string;
let db: Dynaring | undefined;
let client: DynamoDBClient;

beforeEach(() => {
  dataDir = temporaryDirectory();
});

afterEach(async () => {
  client?.destroy();
  await db?.stop();
  db = undefined;
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
  await createTable(client, TableName, keysOf('k'));
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
    onTestFinished(() => stderr.mockRestore());
    await start({ logLevel: 'info', logFormat: 'json' });
    expect(await countRight(true)).toBe(ITEMS);
    await vi.waitFor(async () => expect(await metric('dynaring_node_damaged_keys')).toBe(0), 10_000);
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

  test('is found by a scrub, which restores it all', async () => {
    await start({ antiEntropyIntervalMs: 0, scrubIntervalMs: 0 });
    const answer = await fetch(`${db!.endpoint}/_dynaring/scrub`, { method: 'POST' });
    expect(await answer.json()).toMatchObject({ damaged: ITEMS, restored: ITEMS });
    expect(await db!.ring.scrub()).toMatchObject({ damaged: 0, restored: 0 });
    expect(await countRight(true)).toBe(ITEMS);
  });

  test('is shown by the key view, as long as it cannot be restored', async () => {
    const { ring, locate } = await start({ antiEntropyIntervalMs: 0 });
    const key = { k: { S: 'k7' } };
    // Of the two that it would have to ask, one is away; the last one is no majority. Nobody has looked at the key before:
    // a damage that is seen is repaired as soon as the others can be asked.
    const other = 'node-1';
    await ring.stop(other);
    const read = client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }));
    await expect(read).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    const damaged = async () => (await locate(TableName, key)).replicas.filter(({ isDamaged }) => isDamaged);
    expect(await damaged()).toMatchObject([{ node: 'node-2' }]);
    // An eventually consistent read needs one copy that can be read.
    expect((await client.send(new GetItemCommand({ TableName, Key: key }))).Item?.v?.S).toBe(textOf(7));
    await ring.start(other);
    await vi.waitFor(async () => expect(await damaged()).toEqual([]), 10_000);
    expect((await client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }))).Item?.v?.S).toBe(
      textOf(7),
    );
  }, 30_000);

  test('is found by the scrub that comes by itself', async () => {
    await start({ antiEntropyIntervalMs: 0, scrubIntervalMs: 100 });
    await vi.waitFor(
      async () => expect(await metric('dynaring_node_damaged_records_restored_total')).toBe(ITEMS),
      10_000,
    );
  });
});

test('different texts under one ballot, each with a checksum that is right, become one by repair', async () => {
  await start();
  await fill();
  await stop();
  // As of a disk that had rotted before its values got their checksums.
  const store = new LmdbStore(join(dataDir, 'nodes', 'node-2'), { durability: 'process' });
  for (const { key, value } of store.range('items', { from: '\0', to: '\xff\xff', limit: 10_000 })) {
    const at = Buffer.from(value).indexOf('the value of item');
    if (at >= 0) store.put('items', key, Buffer.from(value).fill('T', at, at + 1));
  }
  await store.close();
  const { ring } = await start({ antiEntropyIntervalMs: 0 });
  expect((await ring.repair()).recordsRepaired).toBeGreaterThanOrEqual(ITEMS);
  expect(await ring.repair()).toMatchObject({ recordsRepaired: 0 });
  expect(await countRight(true)).toBe(ITEMS);
  expect(await countRight(false)).toBe(ITEMS);
});

test('a record whose key has rotted is brought back under its key, by what is left of it', async () => {
  await start();
  await fill();
  await stop();
  const folder = join(dataDir, 'nodes', 'node-2');
  const store = new LmdbStore(folder, { durability: 'process' });
  const text = textOf(7);
  const { key } = store
    .range('items', { from: '\0', to: '\xff\xff', limit: 10_000 })
    .find(({ value }) => Buffer.from(value).includes(text))!;
  await store.close();
  const file = join(folder, 'data.mdb');
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf(key, 0, 'latin1'); at >= 0; at = bytes.indexOf(key, at + 1, 'latin1')) {
    bytes[at + key.length - 1]! ^= 1;
  }
  writeFileSync(file, bytes);
  const { ring, locate } = await start({ antiEntropyIntervalMs: 0 });
  const atNode2 = async () =>
    (await locate(TableName, { k: { S: 'k7' } })).replicas.find(({ node }) => node === 'node-2');
  expect((await atNode2())?.committedAtMs).toBeUndefined();
  expect(await ring.scrub()).toMatchObject({ damaged: 1, restored: 1 });
  await vi.waitFor(async () => expect(await atNode2()).toMatchObject({ isBehind: false }), 10_000);
  expect((await atNode2())?.committedAtMs).toBeDefined();
  expect(await ring.scrub()).toMatchObject({ damaged: 0 });
  expect(await countRight(true)).toBe(ITEMS);
});

test('a scrub of the largest items that there are holds the loop for no 50 ms', async () => {
  const { ring } = await start({ antiEntropyIntervalMs: 0 });
  await fill();
  const Item = { v: { S: 'x'.repeat(400_000) } };
  for (let i = 0; i < 100; i++) {
    await client.send(new PutItemCommand({ TableName, Item: { ...Item, k: { S: `large ${i}` } } }));
  }
  const longestMs = async () => {
    const scrub = ring.scrub();
    const longest = await longestTurnMs(scrub);
    expect((await scrub).records).toBeGreaterThan(3 * 100);
    return longest;
  };
  expect(await leastOfSome(50, 5, longestMs)).toBeLessThan(50);
});

/** The longest turn of the event loop until `work` is done, by the CPU time of this process: others take none of that. */
async function longestTurnMs(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  work.then(done, done);
  let longestUs = 0;
  while (!isDone) {
    const before = process.cpuUsage();
    await new Promise(setImmediate);
    const { user, system } = process.cpuUsage(before);
    longestUs = Math.max(longestUs, user + system);
  }

  return longestUs / 1_000;
}
