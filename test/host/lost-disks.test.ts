import { cpSync, existsSync, readdirSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LmdbEnvironment } from '../../src/env/lmdb-environment.ts';
import { DAMAGED } from '../../src/env/store.ts';
import { type Dynaring, type DynaringOptions, startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, keysOf } from '../parts/tables.ts';
import { flipBits } from '../rotten-disk.ts';

const NODES = ['node-1', 'node-2', 'node-3'];
const KEYS = Array.from({ length: 40 }, (_, at) => `k${at}`);

let dataDir: string;
let db: Dynaring;
let client: DynamoDBClient;

beforeEach(() => {
  dataDir = temporaryDirectory();
});

afterEach(async () => {
  vi.restoreAllMocks();
  client.destroy();
  await db.stop();
});

async function open(options: DynaringOptions = {}): Promise<void> {
  db = await startDynaring({ partitions: 16, dataDir, ...options });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
}

async function start(options: DynaringOptions = {}): Promise<void> {
  await open(options);
  await createTable(client, 'things', keysOf('k'));
}

/** What a node coordinated when it lost its disk has an unknown outcome: it is written again. */
async function putAll(v: string): Promise<void> {
  const put = (k: string) =>
    client.send(new PutItemCommand({ TableName: 'things', Item: { k: { S: k }, v: { S: v } } }));
  await Promise.all(KEYS.map((k) => put(k).catch(() => put(k))));
}

async function valuesOfAll(): Promise<(string | undefined)[]> {
  const get = (k: string) => new GetItemCommand({ TableName: 'things', Key: { k: { S: k } }, ConsistentRead: true });
  return [...new Set((await Promise.all(KEYS.map((k) => client.send(get(k))))).map(({ Item }) => Item?.v?.S))];
}

const setAside = () => NODES.filter((node) => existsSync(join(dataDir, 'nodes', `${node}.damaged`)));

const corrupted = () => Object.assign(new Error('MDB_CORRUPTED: Located page was wrong type'), { code: -30796 });
const prototype = LmdbEnvironment.prototype;

/** What LMDB does once when it finds a page that is not as it wrote it, by who asks. */
const FAULTS: [string, () => unknown][] = [
  ['get', () => vi.spyOn(prototype, 'get').mockImplementationOnce(() => fail())],
  ['has', () => vi.spyOn(prototype, 'has').mockImplementationOnce(() => fail())],
  ['range', () => vi.spyOn(prototype, 'range').mockImplementationOnce(() => fail())],
  ['commit', () => vi.spyOn(prototype, 'commit').mockRejectedValueOnce(corrupted())],
];

function fail(): never {
  throw corrupted();
}

test.each(FAULTS)('a node whose store fails to %s begins on an empty disk, and the ring goes on', async (_, inject) => {
  await start();
  await putAll('old');
  inject();
  await putAll('new');
  expect((await client.send(new ScanCommand({ TableName: 'things', ConsistentRead: true }))).Count).toBe(KEYS.length);
  await expect.poll(setAside, { timeout: 5_000 }).toHaveLength(1);
  const votes = () => db.ring.describe().nodes.map(({ state, status }) => [state, status?.partitions.length]);
  await expect.poll(votes, { timeout: 15_000 }).toEqual(NODES.map(() => ['up', 16]));
  expect(await valuesOfAll()).toEqual(['new']);
});

test('a node that the others could not bring back stops, and its disk stays where it is', async () => {
  await start({ limits: { node: { opLifeMs: 1_000, phaseTimeoutMs: 100 } } });
  await putAll('old');
  await db.ring.stop('node-3');
  FAULTS[2]![1]();
  await client.send(new ScanCommand({ TableName: 'things', ConsistentRead: true })).catch(() => undefined);
  const up = () => db.ring.describe().nodes.filter(({ state }) => state === 'up').length;
  await expect.poll(up, { timeout: 5_000 }).toBe(1);
  expect(setAside()).toEqual([]);
  await expect(valuesOfAll()).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
  await db.ring.start('node-3');
  expect(await valuesOfAll()).toEqual(['old']);
});

test('a node that is started on a damaged disk begins on an empty one, unless the others could not bring it back', async () => {
  await start();
  await putAll('old');
  const damage = async (node: string) => {
    await db.ring.stop(node);
    truncateSync(join(dataDir, 'nodes', node, 'data.mdb'), 8_192);
  };
  await damage('node-2');
  await db.ring.stop('node-3');
  await expect(db.ring.start('node-2')).rejects.toThrow(
    // Whichever is noticed first: what the journal says of the length, or what is there of the tree.
    /^cannot start node-2: its disk is damaged \(data\.mdb (was cut, from \d+ to 8192 bytes|is damaged: page \d+ is not there)\); put its data back, or remove \S+node-2 for/,
  );
  await db.ring.start('node-3');
  await db.ring.start('node-2');
  expect(setAside()).toEqual(['node-2']);
  expect(await valuesOfAll()).toEqual(['old']);
});

describe('a row of its own state that a node cannot read', () => {
  const rot = (node: string, text: string) =>
    expect(flipBits(join(dataDir, 'nodes', node, 'data.mdb'), [text])).toBeGreaterThan(0);

  const votes = () => db.ring.describe().nodes.map(({ state, status }) => [state, status?.partitions.length]);

  test.each(['"diskId"', '"isSealed"'])('costs it its disk at a start of all (%s)', async (text) => {
    await start();
    await putAll('old');
    await db.stop();
    rot('node-3', text);
    await open();
    expect(setAside()).toEqual(['node-3']);
    await db.ring.settled();
    expect(votes()).toEqual(NODES.map(() => ['up', 16]));
    expect(await valuesOfAll()).toEqual(['old']);
  });

  test('costs it its disk when it is started while the others run', async () => {
    await start();
    await putAll('old');
    await db.ring.stop('node-3');
    rot('node-3', '"isSealed"');
    await db.ring.start('node-3');
    expect(setAside()).toEqual(['node-3']);
    await db.ring.settled();
    expect(votes()).toEqual(NODES.map(() => ['up', 16]));
    expect(await valuesOfAll()).toEqual(['old']);
  });

  test('costs it its disk while it runs, and the ring goes on', async () => {
    await start();
    await putAll('old');
    const { get } = prototype;
    let rotten = 0;
    expect(await db.ring.addNode()).toBe('node-4');
    await db.ring.settled();
    vi.spyOn(prototype, 'get').mockImplementation(function (this: LmdbEnvironment, name, key) {
      const isRotten = name === 'meta' && key.startsWith('staged-attempt/') && rotten === 0;
      if (isRotten) rotten++;
      return isRotten ? DAMAGED : get.call(this, name, key);
    });
    // Its partitions move, for which the members of the next epoch read what they staged.
    await db.ring.removeNode('node-4');
    await putAll('new');
    expect(rotten).toBe(1);
    await expect.poll(() => readdirSync(join(dataDir, 'nodes')).filter((name) => /damaged/.test(name))).toHaveLength(1);
    await db.ring.settled();
    expect(db.ring.describe().nodes.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    expect(await valuesOfAll()).toEqual(['new']);
  });

  test('on two of three has the start refused in one line, and nothing is changed', async () => {
    await start();
    await putAll('old');
    await db.stop();
    const copy = `${dataDir}-copy`;
    cpSync(dataDir, copy, { recursive: true });
    rot('node-1', '"diskId"');
    rot('node-3', '"isSealed"');
    for (let time = 0; time < 2; time++) {
      await expect(open()).rejects.toThrow(
        /^too few copies are left in \S+: data was lost by node-1 \(the record 'identity' of the node's own state is damaged\), node-3 \(the record 'vote\/.*' of the node's own state is damaged\); put it back or begin a new data directory$/,
      );
    }
    expect(setAside()).toEqual([]);
    rmSync(dataDir, { recursive: true });
    renameSync(copy, dataDir);
    await open();
    expect(await valuesOfAll()).toEqual(['old']);
  });
});
