import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateTableCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient, type _Record as StreamRecord } from '@aws-sdk/client-dynamodb-streams';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { readWholeStream } from '../parts/read-stream.ts';
import { tableInput } from '../parts/tables.ts';
import { type Server, startServer } from './server-process.ts';

const TableName = 'Log';
const WRITERS = 8;
const KEYS = 12;
const LOAD_MS = 500;
/** Of these, `.ci/run` does more (`DYNARING_TEST_KILLS`). */
const KILLS = Number(process.env.DYNARING_TEST_KILLS ?? 3);

/** Puts and deletes items that all writers share, until the server is gone. */
async function writeUntilGone(client: DynamoDBClient, name: string): Promise<void> {
  for (let count = 0; ; count++) {
    const pk = { S: `k${(count * 5 + name.length) % KEYS}` };
    const v = { S: `${name}-${count}` };
    try {
      if (count % 4 === 3) await client.send(new DeleteItemCommand({ TableName, Key: { pk } }));
      else await client.send(new PutItemCommand({ TableName, Item: { pk, v } }));
    } catch {
      return;
    }
  }
}

/** What a table holds after these changes. Each begins with what the one before it has left, and none is there twice. */
function replay(records: readonly StreamRecord[]): string[] {
  const items = new Map<string, string>();
  expect(new Set(records.map(({ eventID }) => eventID)).size).toBe(records.length);
  for (const { eventName, dynamodb } of records) {
    const { Keys, OldImage, NewImage } = dynamodb!;
    const key = Keys!.pk!.S!;
    const before = items.get(key);
    expect(OldImage?.v?.S, `before ${eventName} of ${key}`).toBe(before);
    if (NewImage === undefined) items.delete(key);
    else items.set(key, NewImage.v!.S!);
  }
  return [...items].map(([key, v]) => `${key}=${v}`).sort();
}

async function contents(client: DynamoDBClient): Promise<string[]> {
  const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items!.map(({ pk, v }) => `${pk!.S}=${v!.S}`).sort();
}

test.each([
  ['process', '1'],
  ['process', '4'],
  ['disk', '1'],
])('after kill -9 with --durability %s the stream of %s shards replays to the table', async (durability, shards) => {
  const args = ['--data-dir', temporaryDirectory(), '--durability', durability, '--stream-shards', shards];
  const connect = ({ endpoint }: Server) => {
    const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
    const streams = new DynamoDBStreamsClient({ endpoint, region: 'local', credentials });
    onTestFinished(() => streams.destroy());
    return streams;
  };
  let server = await startServer(args);
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
  await server.client().send(new CreateTableCommand(tableInput(TableName, { StreamSpecification })));
  for (let kill = 0; kill < KILLS; kill++) {
    const client = server.client();
    const names = Array.from({ length: WRITERS }, (_, index) => `${kill}-${'w'.repeat(index)}`);
    const writing = names.map((name) => writeUntilGone(client, name));
    await sleep(LOAD_MS);
    await server.stop('SIGKILL');
    await Promise.all(writing);

    server = await startServer(args);
    const streams = connect(server);
    const next = server.client();
    const played = async () => replay(await readWholeStream(streams, TableName));
    // A write that nobody was told of may still be chosen by the scan, and is in the log soon after.
    await expect.poll(played, { timeout: 30_000 }).toEqual(await contents(next));
    expect(await played()).not.toEqual([]);
  }
});
