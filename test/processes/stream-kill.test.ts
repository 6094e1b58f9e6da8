import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateTableCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { tableInput } from '../parts/tables.ts';
import { type Server, startServer } from './server-process.ts';

const TableName = 'Log';
const WRITERS = 8;
const KEYS = 12;
const LOAD_MS = 500;
/** `STREAM_KILLS=100` for a long run. */
const KILLS = Number(process.env.STREAM_KILLS ?? 3);

/** Puts and deletes items that all writers share, until the server is gone. @returns how many writes were acknowledged */
async function writeUntilGone(client: DynamoDBClient, name: string): Promise<number> {
  for (let count = 0; ; count++) {
    const pk = { S: `k${(count * 5 + name.length) % KEYS}` };
    const v = { S: `${name}-${count}` };
    try {
      if (count % 4 === 3) await client.send(new DeleteItemCommand({ TableName, Key: { pk } }));
      else await client.send(new PutItemCommand({ TableName, Item: { pk, v } }));
    } catch {
      return count;
    }
  }
}

/** All records of a stream's shards. @returns fewer than there will be, as long as some are on their way */
async function readAll(streams: DynamoDBStreamsClient, StreamArn: string): Promise<StreamRecord[]> {
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const all: StreamRecord[] = [];
  for (const { ShardId } of StreamDescription!.Shards!) {
    const begin = new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
    let { ShardIterator } = await streams.send(begin);
    for (let isMore = true; isMore && ShardIterator !== undefined; ) {
      const { Records, NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator }));
      all.push(...Records!);
      isMore = Records!.length > 0;
      ShardIterator = NextShardIterator;
    }
  }
  return all;
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
  const { TableDescription } = await server
    .client()
    .send(new CreateTableCommand(tableInput(TableName, { StreamSpecification })));
  const arn = TableDescription!.LatestStreamArn!;
  for (let kill = 0; kill < KILLS; kill++) {
    const client = server.client();
    const writing = Array.from({ length: WRITERS }, (_, index) =>
      writeUntilGone(client, `${kill}-${'w'.repeat(index)}`),
    );
    await sleep(LOAD_MS);
    await server.stop('SIGKILL');
    const written = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
    expect(written).toBeGreaterThan(0);

    server = await startServer(args);
    const streams = connect(server);
    const next = server.client();
    // A write that nobody was told of may still be chosen by the read, and is in the log soon after.
    await expect
      .poll(async () => replay(await readAll(streams, arn)).join(), { timeout: 30_000 })
      .toBe((await contents(next)).join());
  }
});
