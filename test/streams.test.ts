import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, type DynaringOptions, type StreamRecord, startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { tableInput } from './parts/tables.ts';
import { openClient } from './parts/whole-server.ts';

interface Started {
  readonly db: Dynaring;
  readonly client: DynamoDBClient;
  readonly streams: DynamoDBStreamsClient;
}

async function start(options: DynaringOptions = {}): Promise<Started> {
  const db = await startDynaring({ partitions: 8, ...options });
  const client = openClient(db);
  const streams = new DynamoDBStreamsClient({ ...db.clientConfig(), maxAttempts: 1 });
  onTestFinished(async () => {
    client.destroy();
    streams.destroy();
    await db.stop();
  });
  return { db, client, streams };
}

/** @returns the ARN of the stream */
async function createStream(client: DynamoDBClient, TableName = 'Orders'): Promise<string> {
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
  const { TableDescription } = await client.send(
    new CreateTableCommand(tableInput(TableName, { StreamSpecification })),
  );
  return TableDescription!.LatestStreamArn!;
}

const put = (client: DynamoDBClient, pk: string, more: Record<string, string> = {}, TableName = 'Orders') =>
  client.send(
    new PutItemCommand({
      TableName,
      Item: Object.fromEntries(Object.entries({ pk, ...more }).map(([name, S]) => [name, { S }])),
    }),
  );

async function take(records: AsyncIterableIterator<StreamRecord>, count: number): Promise<StreamRecord[]> {
  const taken: StreamRecord[] = [];
  while (taken.length < count) {
    const { value, done } = await records.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const keyOf = ({ dynamodb }: StreamRecord) => (dynamodb.Keys.pk as { S: string }).S;

async function iteratorOf(streams: DynamoDBStreamsClient, StreamArn: string): Promise<string> {
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const { ShardId } = StreamDescription!.Shards![0]!;
  const command = new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
  return (await streams.send(command)).ShardIterator!;
}

async function read(streams: DynamoDBStreamsClient, ShardIterator: string, Limit?: number) {
  const { Records, NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator, Limit }));
  return { keys: Records!.map(({ dynamodb }) => dynamodb!.Keys!.pk!.S!), next: NextShardIterator, records: Records! };
}

describe('db.stream', () => {
  test('gives records as functions of AWS Lambda get them, and waits for more', async () => {
    const { db, client } = await start();
    const arn = await createStream(client);
    await put(client, 'a', { state: 'open' });
    const records = db.stream('Orders');
    const [first] = await take(records, 1);
    expect(first).toMatchObject({
      eventName: 'INSERT',
      eventSource: 'aws:dynamodb',
      eventSourceARN: arn,
      dynamodb: { Keys: { pk: { S: 'a' } }, NewImage: { pk: { S: 'a' }, state: { S: 'open' } }, SizeBytes: 3 + 12 },
    });
    expect(first!.dynamodb.ApproximateCreationDateTime).toBeCloseTo(Date.now() / 1000, -2);
    const later = take(records, 1);
    await put(client, 'b');
    expect((await later).map(keyOf)).toEqual(['b']);
  });

  test('begins with the oldest record, or with what comes after it is ready', async () => {
    const { db, client } = await start();
    await createStream(client);
    await put(client, 'a');
    const latest = db.stream('Orders', { from: 'LATEST' });
    await latest.ready;
    await put(client, 'b');
    expect((await take(latest, 1)).map(keyOf)).toEqual(['b']);
    expect((await take(db.stream('Orders'), 2)).map(keyOf)).toEqual(['a', 'b']);
  });

  test('reads all shards, each item in its order', async () => {
    const { db, client } = await start({ streamShards: 4 });
    await createStream(client);
    for (let i = 0; i < 60; i++) await put(client, `k${i % 12}`, { at: String(i) });
    const records = await take(db.stream('Orders'), 60);
    for (let key = 0; key < 12; key++) {
      const of = records.filter((record) => keyOf(record) === `k${key}`);
      expect(of.map(({ dynamodb }) => Number((dynamodb.NewImage!.at as { S: string }).S))).toEqual(
        [0, 1, 2, 3, 4].map((round) => key + 12 * round),
      );
    }
  });

  test('ends when the stream is disabled', async () => {
    const { db, client } = await start();
    await createStream(client);
    await put(client, 'a');
    const records = db.stream('Orders');
    await records.ready;
    await client.send(new UpdateTableCommand({ TableName: 'Orders', StreamSpecification: { StreamEnabled: false } }));
    const found: string[] = [];
    for await (const record of records) found.push(keyOf(record));
    expect(found).toEqual(['a']);
  });

  test('ends when the server stops', async () => {
    const { db, client } = await start();
    await createStream(client);
    const records = db.stream('Orders');
    const next = records.next();
    await records.ready;
    await db.stop();
    expect((await next).done).toBe(true);
    expect((await records.next()).done).toBe(true);
  });

  test('may be left at any record', async () => {
    const { db, client } = await start();
    await createStream(client);
    for (const pk of ['a', 'b', 'c']) await put(client, pk);
    for await (const record of db.stream('Orders')) if (keyOf(record) === 'b') break;
    expect((await take(db.stream('Orders'), 3)).map(keyOf)).toEqual(['a', 'b', 'c']);
  });

  test('says so if there is none', async () => {
    const { db } = await start();
    const records = db.stream('Nothing');
    await expect(records.ready).rejects.toThrow('the table Nothing has no stream');
    await expect(records.next()).rejects.toThrow('the table Nothing has no stream');
  });
});

describe('the clock of the API', () => {
  test('lets iterators expire and records be trimmed', async () => {
    const { db, client, streams } = await start();
    const arn = await createStream(client);
    await put(client, 'a');
    const old = await iteratorOf(streams, arn);
    db.clock.advance('16m');
    await expect(read(streams, old)).rejects.toMatchObject({ name: 'ExpiredIteratorException' });
    expect((await read(streams, await iteratorOf(streams, arn))).keys).toEqual(['a']);
    db.clock.advance('24h');
    await put(client, 'b');
    await expect.poll(async () => (await read(streams, await iteratorOf(streams, arn))).keys).toEqual(['b']);
  });

  test('lets items expire, whose records say so', async () => {
    const { db, client } = await start({ ttlIntervalMs: 0 });
    await createStream(client);
    const TimeToLiveSpecification = { Enabled: true, AttributeName: 'ttl' };
    await client.send(new UpdateTimeToLiveCommand({ TableName: 'Orders', TimeToLiveSpecification }));
    const ttl = { N: String(Math.floor(Date.now() / 1000) + 60) };
    await client.send(new PutItemCommand({ TableName: 'Orders', Item: { pk: { S: 'a' }, ttl } }));
    await put(client, 'b');
    await client.send(new DeleteItemCommand({ TableName: 'Orders', Key: { pk: { S: 'b' } } }));
    db.clock.advance('2m');
    expect(await db.sweep()).toBe(1);
    const records = await take(db.stream('Orders'), 4);
    const removed = records.filter(({ eventName }) => eventName === 'REMOVE');
    expect(removed.map((record) => [keyOf(record), record.userIdentity]).sort()).toEqual([
      ['a', { type: 'Service', principalId: 'dynamodb.amazonaws.com' }],
      ['b', undefined],
    ]);
  });

  test('ends the streams of deleted tables after a day', async () => {
    const { db, client, streams } = await start();
    const arn = await createStream(client);
    await put(client, 'a');
    await client.send(new DeleteTableCommand({ TableName: 'Orders' }));
    expect((await read(streams, await iteratorOf(streams, arn))).keys).toEqual(['a']);
    db.clock.advance('24h');
    await expect(iteratorOf(streams, arn)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});

describe('fault rules', () => {
  test('let records come late', async () => {
    const { db, client, streams } = await start();
    const arn = await createStream(client);
    const { id } = db.faults.add({ kind: 'staleness', stream: true, table: 'Orders', worst: true });
    await put(client, 'a');
    const begin = await iteratorOf(streams, arn);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await read(streams, begin)).keys).toEqual([]);
    expect(db.faults.list()[0]!.fired).toBe(1);
    db.faults.remove(id);
    await expect.poll(async () => (await read(streams, begin)).keys).toEqual(['a']);
  });

  test('deliver records twice, and every record at last', async () => {
    const { db, client, streams } = await start();
    const arn = await createStream(client);
    for (const pk of ['a', 'b', 'c']) await put(client, pk);
    let next: string | undefined = await iteratorOf(streams, arn);
    await expect.poll(async () => (await read(streams, next!)).keys).toHaveLength(3);
    db.faults.add({ kind: 'redelivery', records: 2, times: 1 });
    const answers: string[][] = [];
    for (let i = 0; i < 3; i++) {
      const page: Awaited<ReturnType<typeof read>> = await read(streams, next!);
      answers.push(page.keys);
      next = page.next;
    }
    expect(answers).toEqual([['a', 'b', 'c'], ['b', 'c'], []]);
    expect(db.faults.list()).toEqual([]);
  });

  test.each(['ExpiredIteratorException', 'TrimmedDataAccessException', 'LimitExceededException'] as const)(
    'answer %s',
    async (error) => {
      const { db, client, streams } = await start();
      const arn = await createStream(client);
      const begin = await iteratorOf(streams, arn);
      db.faults.add({ kind: 'error', error, when: 'before', table: 'Orders', operation: 'GetRecords', times: 1 });
      await expect(read(streams, begin)).rejects.toMatchObject({ name: error, $metadata: { httpStatusCode: 400 } });
      expect((await read(streams, begin)).keys).toEqual([]);
    },
  );
});

test('a stream survives a restart, and so does an iterator', async () => {
  const dataDir = temporaryDirectory();
  const first = await start({ dataDir });
  const arn = await createStream(first.client);
  for (const pk of ['a', 'b']) await put(first.client, pk);
  const begin = await iteratorOf(first.streams, arn);
  await first.db.stop();
  const second = await start({ dataDir });
  await put(second.client, 'c');
  await expect.poll(async () => (await read(second.streams, begin)).keys).toEqual(['a', 'b', 'c']);
});

test('a stream that is enabled on a table with items shows what changes from then on', async () => {
  const { db, client } = await start();
  await client.send(new CreateTableCommand(tableInput('Orders')));
  await put(client, 'a', { v: '1' });
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
  await client.send(new UpdateTableCommand({ TableName: 'Orders', StreamSpecification }));
  await put(client, 'a', { v: '2' });
  await put(client, 'b');
  const records = await take(db.stream('Orders'), 2);
  expect(records.map((record) => [record.eventName, keyOf(record), record.dynamodb.OldImage?.v])).toEqual([
    ['MODIFY', 'a', { S: '1' }],
    ['INSERT', 'b', undefined],
  ]);
});

test('streams are separate in each namespace, and go with it', async () => {
  const { db } = await start();
  const clients = ['one', 'two'].map((name) => openClient(db, db.namespace(name)));
  for (const client of clients) await createStream(client);
  await put(clients[0]!, 'a');
  await put(clients[1]!, 'b');
  expect((await take(db.stream('Orders', { namespace: 'one' }), 1)).map(keyOf)).toEqual(['a']);
  expect((await take(db.stream('Orders', { namespace: 'two' }), 1)).map(keyOf)).toEqual(['b']);
  await db.reset('one');
  await expect(db.stream('Orders', { namespace: 'one' }).ready).rejects.toThrow('has no stream');
  expect((await take(db.stream('Orders', { namespace: 'two' }), 1)).map(keyOf)).toEqual(['b']);
});

test('a snapshot brings a table back with a stream that has no records of it', async () => {
  const { db, client } = await start();
  const arn = await createStream(client);
  await put(client, 'a');
  const snapshot = await db.snapshot();
  await put(client, 'b');
  await db.restore(snapshot);
  await put(client, 'a', { v: '2' });
  const [record] = await take(db.stream('Orders'), 1);
  expect([record!.eventName, keyOf(record!)]).toEqual(['MODIFY', 'a']);
  expect(record!.eventSourceARN).not.toBe(arn);
});

test('the records of many writers, while a node is away, replay to the table', async () => {
  const { db, client } = await start({ nodes: 3 });
  await createStream(client);
  const write = async (writer: number) => {
    for (let i = 0; i < 40; i++) {
      const pk = `k${(i * 7 + writer * 3) % 10}`;
      if (i % 5 === 4) await client.send(new DeleteItemCommand({ TableName: 'Orders', Key: { pk: { S: pk } } }));
      else await put(client, pk, { v: `${writer}-${i}` });
    }
  };
  const records = db.stream('Orders');
  await records.ready;
  const writing = Promise.all([0, 1, 2, 3].map(write));
  await db.ring.stop('node-2');
  await writing;
  await db.ring.start('node-2');
  const { Items } = await client.send(new ScanCommand({ TableName: 'Orders', ConsistentRead: true }));
  const byKey = (items: Iterable<unknown>) => [...items].map((item) => JSON.stringify(item)).sort();
  const wanted = byKey(Items!).join();
  const replayed = new Map<string, unknown>();
  const seen = new Set<string>();
  const replay = ({ dynamodb: { Keys, NewImage, OldImage, SequenceNumber } }: StreamRecord) => {
    expect(seen.has(SequenceNumber)).toBe(false);
    seen.add(SequenceNumber);
    const key = JSON.stringify(Keys);
    expect(OldImage).toEqual(replayed.get(key));
    if (NewImage === undefined) replayed.delete(key);
    else replayed.set(key, NewImage);
  };
  do for (const record of await take(records, 1)) replay(record);
  while (byKey(replayed.values()).join() !== wanted);
});
