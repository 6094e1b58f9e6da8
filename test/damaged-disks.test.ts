import { existsSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LmdbEnvironment } from '../src/env/lmdb-environment.ts';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';

const NODES = ['node-1', 'node-2', 'node-3'];
const KEYS = Array.from({ length: 40 }, (_, at) => `k${at}`);

let dataDir: string;
let db: Dynaring;
let client: DynamoDBClient;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  client.destroy();
  await db.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: DynaringOptions = {}): Promise<void> {
  db = await startDynaring({ partitions: 16, dataDir, ...options });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  await client.send(
    new CreateTableCommand({
      TableName: 'things',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    }),
  );
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
    /^cannot start node-2: its disk is damaged \(data\.mdb was cut, from \d+ to 8192 bytes\); put its data back, or remove \S+node-2 for/,
  );
  await db.ring.start('node-3');
  await db.ring.start('node-2');
  expect(setAside()).toEqual(['node-2']);
  expect(await valuesOfAll()).toEqual(['old']);
});
