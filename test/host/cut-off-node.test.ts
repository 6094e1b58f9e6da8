import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/*
 * docs/protocol.md section 3.7: one node that neither hears nor is heard costs clients no
 * request, and none of them long. Counters tell whether each update took effect once.
 */

/**
 * The longest that a request may take in the ring. A node is missed after a second (`suspectAfterMs`), and on an idle machine no
 * request takes longer than 1.2 s; this process shares its cores with others.
 */
const SLOWEST_MS = 3_000;
const KEYS = Array.from({ length: 8 }, (_, i) => `k${i}`);

let db: Dynaring;
let client: DynamoDBClient;

afterEach(async () => {
  client?.destroy();
  await db?.stop();
});

async function start(): Promise<void> {
  // More traces than requests are made while the slowest one is under way.
  db = await startDynaring({ partitions: 16, limits: { tracesKept: 50_000 } });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  await createTable(client, 'counters', keysOf('k'));
}

/** @returns how long the server took: this process is too busy to tell by its own clock */
async function count(k: string): Promise<number> {
  const { $metadata } = await client.send(
    new UpdateItemCommand({
      TableName: 'counters',
      Key: { k: { S: k } },
      UpdateExpression: 'ADD n :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    }),
  );
  return db.trace($metadata.requestId!)!.ms!;
}

async function read(k: string): Promise<{ readonly n: number; readonly ms: number }> {
  const { Item, $metadata } = await client.send(
    new GetItemCommand({ TableName: 'counters', Key: { k: { S: k } }, ConsistentRead: true }),
  );
  return { n: Number(Item?.n?.N ?? 0), ms: db.trace($metadata.requestId!)!.ms! };
}

/** Counts and reads all keys without pause, several at a time each, until `stop`. */
function useWithoutPause() {
  const counted = new Map(KEYS.map((k) => [k, 0]));
  const failed: string[] = [];
  let slowestMs = 0;
  let isStopped = false;
  const repeat = async (what: string, k: string, act: () => Promise<number>) => {
    while (!isStopped) {
      const ms = await act().catch((error: Error) => {
        failed.push(`${what} ${k}: ${error.message}`);
        return 0;
      });
      slowestMs = Math.max(slowestMs, ms);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const counter = (k: string) =>
    repeat('count', k, async () => {
      const ms = await count(k);
      counted.set(k, counted.get(k)! + 1);
      return ms;
    });
  const reader = (k: string) =>
    repeat('read', k, async () => {
      const least = counted.get(k)!;
      const { n, ms } = await read(k);
      expect(n).toBeGreaterThanOrEqual(least);
      return ms;
    });
  const users = KEYS.flatMap((k) => [counter(k), counter(k), reader(k)]);
  return async () => {
    isStopped = true;
    await Promise.all(users);
    return { counted, failed, slowestMs };
  };
}

function cutOff(id: string): void {
  for (const { id: other } of db.ring.describe().nodes) {
    if (other === id) continue;
    db.ring.setLink(id, other, { cut: true });
    db.ring.setLink(other, id, { cut: true });
  }
}

test.each([
  ['cut off from all others', cutOff, () => db.ring.healLinks()],
  ['paused', (id: string) => db.ring.pause(id), (id: string) => db.ring.resume(id)],
])(
  'a node that is %s under load costs no request, and none of them long; each update counts once',
  { timeout: 30_000 },
  async (_, hurt, heal) => {
    await start();
    const stop = useWithoutPause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    hurt('node-1');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    heal('node-1');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { counted, failed, slowestMs } = await stop();
    expect(failed).toEqual([]);
    expect(slowestMs).toBeLessThan(SLOWEST_MS);
    for (const [k, times] of counted) expect((await read(k)).n).toBe(times);
  },
);
