import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, startServer } from './server-process.ts';

const TABLE = 'Log';
const WRITERS = 16;
const LOAD_MS = 700;
const KILLS = 2;

/** Writes the next numbers to item `writer-INDEX` until the server is gone, and counts in `acknowledged`. */
async function writeUntilGone(client: DynamoDBClient, acknowledged: number[], index: number): Promise<void> {
  for (;;) {
    const count = acknowledged[index]! + 1;
    const Item = { id: { S: `writer-${index}` }, count: { N: String(count) } };
    try {
      await client.send(new PutItemCommand({ TableName: TABLE, Item }));
    } catch {
      return;
    }
    acknowledged[index] = count;
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
    const args = ['--data-dir', temporaryDirectory(), ...ring];
    let server = await startServer(args);
    await createTable(server.client(), TABLE);
    const ids = Array.from({ length: WRITERS }, (_, index) => `writer-${index}`);
    let counts = ids.map(() => 0);
    for (let kill = 0; kill < KILLS; kill++) {
      const client = server.client();
      const acknowledged = [...counts];
      const writing = ids.map((_, index) => writeUntilGone(client, acknowledged, index));
      await sleep(LOAD_MS);
      const leastWritten = () => Math.min(...acknowledged.map((count, index) => count - counts[index]!));
      await vi.waitFor(() => expect(leastWritten()).toBeGreaterThan(0), 10_000);
      await server.stop('SIGKILL');
      await Promise.all(writing);

      server = await startServer(args);
      const found = await Promise.all(ids.map((id) => readCount(server.client(), id)));
      // The write under way at the kill may have happened or not.
      for (const [index, count] of found.entries()) expect([0, 1]).toContain(count - acknowledged[index]!);
      counts = found;
    }
  },
);
