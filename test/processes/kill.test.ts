import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { createTable, startServer, temporaryDirectory } from './server-process.ts';

const TABLE = 'Log';
const WRITERS = 16;
const LOAD_MS = 700;
const KILLS = 2;

/** Writes 1, 2, 3, ... to one item until the server is gone; returns the last number that was acknowledged. */
async function writeUntilGone(client: DynamoDBClient, id: string, from: number): Promise<number> {
  for (let count = from; ; count++) {
    const Item = { id: { S: id }, count: { N: String(count) } };
    try {
      await client.send(new PutItemCommand({ TableName: TABLE, Item }));
    } catch {
      return count - 1;
    }
  }
}

async function readCount(client: DynamoDBClient, id: string): Promise<number> {
  const get = new GetItemCommand({ TableName: TABLE, Key: { id: { S: id } }, ConsistentRead: true });
  return Number((await client.send(get)).Item?.count?.N ?? 0);
}

test.each([
  ['process', 'strict'],
  ['disk', 'strict'],
  ['process', 'dynamo'],
])(
  'kill -9 in the middle of writes with --durability %s loses no acknowledged write of a %s table',
  async (durability, consistency) => {
    const ring = ['--durability', durability, '--consistency', consistency];
    const args = ['--data-dir', await temporaryDirectory(), ...ring];
    let server = await startServer(args);
    await createTable(server.client(), TABLE);
    const ids = Array.from({ length: WRITERS }, (_, index) => `writer-${index}`);
    let counts = ids.map(() => 0);
    for (let kill = 0; kill < KILLS; kill++) {
      const client = server.client();
      const writing = ids.map((id, index) => writeUntilGone(client, id, counts[index]! + 1));
      await sleep(LOAD_MS);
      await server.stop('SIGKILL');
      const acknowledged = await Promise.all(writing);
      expect(Math.min(...acknowledged.map((count, index) => count - counts[index]!))).toBeGreaterThan(0);

      server = await startServer(args);
      const found = await Promise.all(ids.map((id) => readCount(server.client(), id)));
      // The write under way at the kill may have happened or not.
      for (const [index, count] of found.entries()) expect([0, 1]).toContain(count - acknowledged[index]!);
      counts = found;
    }
  },
);
