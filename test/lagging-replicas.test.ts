import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, test } from 'vitest';
import { storageIdOf } from '../src/api/table-definition.ts';
import type { LagRelease, LagRule } from '../src/dynamo/client.ts';
import type { DynaringOptions } from '../src/index.ts';
import { startDynaring } from '../src/index.ts';
import { type InsideDynaring, insideOf } from './parts/inside.ts';

let db: InsideDynaring;
let client: DynamoDBClient;
/** Of the table `things`. */
let storageId: string;

afterEach(async () => {
  client?.destroy();
  await db?.stop();
});

/** A ring in which every eventually consistent read is one that asks for a replica that lags. */
async function start(options: DynaringOptions = {}, tags: { Key: string; Value: string }[] = []): Promise<void> {
  db = insideOf(await startDynaring({ partitions: 16, ...options }));
  const { client: inner } = db.ring;
  const read = inner.read.bind(inner);
  inner.read = (request) => read(request.from === 'committed' ? { ...request, from: 'laggard' } : request);
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  const { TableDescription } = await client.send(
    new CreateTableCommand({
      TableName: 'things',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
      Tags: tags,
    }),
  );
  storageId = storageIdOf(TableDescription!.TableId!);
}

async function put(k: string, v: string): Promise<void> {
  await client.send(new PutItemCommand({ TableName: 'things', Item: { k: { S: k }, v: { S: v } } }));
}

async function get(k: string, ConsistentRead = false): Promise<string | undefined> {
  const { Item } = await client.send(new GetItemCommand({ TableName: 'things', Key: { k: { S: k } }, ConsistentRead }));
  return Item?.v?.S;
}

const NEVER: LagRelease = { kind: 'never' };
const KEYS = Array.from({ length: 40 }, (_, i) => `k${i}`);

async function putAll(v: string): Promise<void> {
  await Promise.all(KEYS.map((k) => put(k, v)));
}

async function valuesOfAll(isConsistent = false): Promise<(string | undefined)[]> {
  return [...new Set(await Promise.all(KEYS.map((k) => get(k, isConsistent))))];
}

function everything(release: LagRelease): LagRule {
  return { id: 'everything', scope: [{ kind: 'table', table: storageId }], release };
}

const held = () => db.ring.describe().nodes.reduce((sum, { status }) => sum + (status?.held ?? 0), 0);

/** The home replicas of an item, the one that lags last. */
function homesOf(k: string) {
  return db.ring.locate({ table: storageId, partitionKey: k, sortKey: '' });
}

describe('GetItem of a replica that lags', () => {
  test('is really old, and ConsistentRead is right, until that is released', async () => {
    await start();
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    for (let again = 0; again < 3; again++) {
      expect(await valuesOfAll()).toEqual(['old']);
      expect(await valuesOfAll(true)).toEqual(['new']);
    }
    expect(held()).toBe(KEYS.length);
    db.ring.releaseLags();
    expect(await valuesOfAll()).toEqual(['new']);
    await putAll('newer');
    expect(await valuesOfAll()).toEqual(['new']);
    db.ring.setLags([]);
    expect(await valuesOfAll()).toEqual(['newer']);
    expect(held()).toBe(0);
  });

  test('says nothing of an item that was put since', async () => {
    await start();
    db.ring.setLags([everything(NEVER)]);
    await put('k', 'new');
    expect(await get('k')).toBeUndefined();
    expect(await get('k', true)).toBe('new');
  });

  test('is so many versions old, the same each time', async () => {
    await start();
    db.ring.setLags([everything({ kind: 'versions', count: 1 })]);
    const seen: (string | undefined)[] = [];
    for (let v = 1; v <= 20; v++) {
      await put('k', String(v));
      seen.push(await get('k'), await get('k', true));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, v) => [v === 0 ? undefined : String(v), String(v + 1)]).flat());
  });

  test('is so much time old', async () => {
    await start();
    await put('k', 'old');
    db.ring.setLags([everything({ kind: 'after', delay: { kind: 'constant', delayMs: 300 } })]);
    const sinceMs = performance.now();
    await put('k', 'new');
    expect(await get('k')).toBe('old');
    await expect.poll(() => get('k'), { interval: 5 }).toBe('new');
    expect(performance.now() - sinceMs).toBeGreaterThan(295);
  });

  test('asks the coordinator as ever where no replica may lag', async () => {
    await start({ writeQuorum: 3 });
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    expect(await valuesOfAll()).toEqual(['new']);
    expect(held()).toBe(0);
  });

  test('is old in dynamo mode too', async () => {
    await start({}, [{ Key: 'dynaring:consistency', Value: 'dynamo' }]);
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    expect(await valuesOfAll()).toEqual(['old']);
    expect(await valuesOfAll(true)).toEqual(['new']);
    await db.ring.waitUntilConsistent();
    expect(await valuesOfAll()).toEqual(['new']);
  });
});

describe('the lag lasts', () => {
  test('as long as nobody ends it, whatever the ring repairs by itself', async () => {
    const node = { finishIntervalMs: 50, hintIntervalMs: 50, gossipIntervalMs: 50, phaseTimeoutMs: 100 };
    await start({ antiEntropyIntervalMs: 100, limits: { node } });
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await valuesOfAll()).toEqual(['old']);
    const { replicas } = homesOf('k0');
    expect(replicas.map(({ held, isBehind, isUnsettled }) => [held, isBehind, isUnsettled])).toEqual([
      [0, false, false],
      [0, false, false],
      [1, true, true],
    ]);
  });

  test('also when the replica is started again', async () => {
    await start({ limits: { node: { finishIntervalMs: 50 } }, antiEntropyIntervalMs: 100 });
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    const lagging = homesOf('k0').replicas.at(-1)!.node;
    await db.ring.stop(lagging);
    expect(await get('k0')).toBe('new');
    await db.ring.start(lagging);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await get('k0')).toBe('old');
    expect(await valuesOfAll(true)).toEqual(['new']);
    db.ring.setLags([]);
    await expect.poll(() => get('k0')).toBe('new');
  });

  test('until a repair on demand; the rule stays for what is written after it', async () => {
    await start();
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    await db.ring.repair();
    expect(await valuesOfAll()).toEqual(['new']);
    expect((await db.ring.repair()).recordsRepaired).toBe(0);
    await putAll('newer');
    expect(await valuesOfAll()).toEqual(['new']);
  });

  test('in memory at most: a write is acknowledged by those who have it on their disks', async () => {
    await start();
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    for (const { id } of db.ring.describe().nodes) {
      await db.ring.stop(id);
      expect(await valuesOfAll(true)).toEqual(['new']);
      await db.ring.start(id);
    }
  });
});

describe('a ring with rules of lag', () => {
  test('loses a node, without a write that fails', async () => {
    await start();
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    await db.ring.stop('node-1');
    await putAll('newer');
    expect(await valuesOfAll(true)).toEqual(['newer']);
    expect(await valuesOfAll()).toEqual(['newer']);
    await db.ring.start('node-1');
    await putAll('newest');
    expect(await valuesOfAll(true)).toEqual(['newest']);
    await db.ring.waitUntilConsistent();
    expect(await valuesOfAll()).toEqual(['newest']);
  });

  test('changes its members as ever, and these begin with everything', async () => {
    await start({ nodes: 4 });
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    await putAll('new');
    await db.ring.removeNode('node-2');
    expect(await valuesOfAll(true)).toEqual(['new']);
    await putAll('newer');
    expect(await valuesOfAll(true)).toEqual(['newer']);
    expect(await valuesOfAll()).not.toContain('newer');
    await db.ring.wipe('node-3');
    await db.ring.settled();
    expect(await valuesOfAll(true)).toEqual(['newer']);
    await db.ring.waitUntilConsistent();
    expect(await valuesOfAll()).toEqual(['newer']);
  });

  test('holds only what a rule names', async () => {
    await start();
    await Promise.all([put('k', 'old'), put('other', 'old')]);
    const key = { table: storageId, partitionKey: 'k', sortKey: '' };
    db.ring.setLags([{ id: 'one', scope: [{ kind: 'item', key }], release: NEVER }]);
    await Promise.all([put('k', 'new'), put('other', 'new')]);
    expect([await get('k'), await get('other')]).toEqual(['old', 'new']);
  });
});

describe('waitUntilConsistent', () => {
  test('is quick where all is well', async () => {
    await start();
    await putAll('new');
    const sinceMs = performance.now();
    await db.ring.waitUntilConsistent();
    expect(performance.now() - sinceMs).toBeLessThan(3_000);
  });

  test('waits for a node that was down, and its hints', async () => {
    await start({ limits: { node: { phaseTimeoutMs: 50 } } });
    await db.ring.stop('node-3');
    await putAll('new');
    await expect.poll(() => db.ring.describe().nodes[0]!.status!.hints).toBeGreaterThan(0);
    const waited = db.ring.waitUntilConsistent();
    await db.ring.start('node-3');
    await waited;
    expect(await valuesOfAll()).toEqual(['new']);
    expect(db.ring.describe().nodes.map(({ status }) => status!.hints)).toEqual([0, 0, 0]);
  });

  test('says what is behind when its time is over, and leaves the rules as they were', async () => {
    await start();
    await putAll('old');
    db.ring.setLags([everything(NEVER)]);
    db.ring.pause('node-2');
    await expect(db.ring.waitUntilConsistent(200)).rejects.toThrow(/^replicas differ still: .*node-2 is paused/);
    db.ring.resume('node-2');
    await db.ring.waitUntilConsistent();
    await putAll('new');
    expect(await valuesOfAll()).toEqual(['old']);
  });

  test('ends with the ring', async () => {
    await start();
    await db.ring.stop('node-2');
    const waited = expect(db.ring.waitUntilConsistent()).rejects.toThrow('the ring is closed');
    await db.stop();
    await waited;
  });
});
