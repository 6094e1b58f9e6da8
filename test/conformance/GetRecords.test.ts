import {
  BatchWriteItemCommand,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import type { _Record as StreamRecord } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type StreamServer, startStreamServer } from './stream-server.ts';

let server: StreamServer;
let TableName: string;
let arn: string;
let made = 0;

beforeAll(async () => {
  server = await startStreamServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  TableName = `Table${made++}`;
  arn = await server.createStream(TableName);
});

/** Reads until so many records have come. */
async function readAll(count: number, ShardIterator?: string): Promise<StreamRecord[]> {
  let next: string | undefined = ShardIterator ?? (await server.iterator(arn));
  const all: StreamRecord[] = [];
  await expect
    .poll(async () => {
      const page = await server.getRecords(next!);
      all.push(...page.records);
      next = page.next;
      return all.length;
    })
    .toBeGreaterThanOrEqual(count);
  return all;
}

const outline = ({ eventName, dynamodb }: StreamRecord) => [eventName, dynamodb!.OldImage, dynamodb!.NewImage];

describe('each change of an item', () => {
  test('is one record, with the members of the service', async () => {
    await server.put(TableName, 'a', { v: '1' });
    const [record] = await readAll(1);
    expect(record).toEqual({
      eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventName: 'INSERT',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'eu-west-1',
      dynamodb: {
        ApproximateCreationDateTime: expect.any(Date),
        Keys: { pk: { S: 'a' } },
        NewImage: { pk: { S: 'a' }, v: { S: '1' } },
        SequenceNumber: expect.stringMatching(/^\d{21}$/),
        SizeBytes: 3 + 3 + 2,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    });
    const ageMs = Date.now() - record!.dynamodb!.ApproximateCreationDateTime!.getTime();
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(ageMs).toBeLessThan(60_000);
    expect(record!.dynamodb!.ApproximateCreationDateTime!.getTime() % 1000).toBe(0);
  });

  test('comes in the order of the item, whichever operation made it; what changes nothing has no record', async () => {
    const Key = { pk: { S: 'a' } };
    await server.put(TableName, 'a', { v: '1' });
    await server.put(TableName, 'a', { v: '1' });
    await server.client.send(
      new UpdateItemCommand({
        TableName,
        Key,
        UpdateExpression: 'SET v = :v',
        ExpressionAttributeValues: { ':v': { S: '2' } },
      }),
    );
    await server.client.send(
      new UpdateItemCommand({
        TableName,
        Key,
        UpdateExpression: 'SET v = :v',
        ExpressionAttributeValues: { ':v': { S: '2' } },
      }),
    );
    await server.client.send(new DeleteItemCommand({ TableName, Key }));
    await server.client.send(new DeleteItemCommand({ TableName, Key }));
    await server.client.send(
      new BatchWriteItemCommand({
        RequestItems: { [TableName]: [{ PutRequest: { Item: { ...Key, v: { S: '3' } } } }] },
      }),
    );
    const image = (v: string) => ({ ...Key, v: { S: v } });
    const records = await readAll(4);
    expect(records.map(outline)).toEqual([
      ['INSERT', undefined, image('1')],
      ['MODIFY', image('1'), image('2')],
      ['REMOVE', image('2'), undefined],
      ['INSERT', undefined, image('3')],
    ]);
    const numbers = records.map(({ dynamodb }) => dynamodb!.SequenceNumber!);
    expect(numbers).toEqual([...numbers].sort());
    expect(new Set(numbers).size).toBe(4);
    expect(new Set(records.map(({ eventID }) => eventID)).size).toBe(4);
  });

  test.each([
    ['KEYS_ONLY', false, false],
    ['NEW_IMAGE', false, true],
    ['OLD_IMAGE', true, false],
  ] as const)('shows what %s says', async (StreamViewType, hasOld, hasNew) => {
    const StreamSpecification = { StreamEnabled: true, StreamViewType };
    TableName = `Table${made++}`;
    arn = await server.createStream(TableName, { StreamSpecification });
    await server.put(TableName, 'a', { v: '1' });
    await server.put(TableName, 'a', { v: '2' });
    const [, second] = await readAll(2);
    expect(second!.dynamodb!.StreamViewType).toBe(StreamViewType);
    expect(second!.dynamodb!.Keys).toEqual({ pk: { S: 'a' } });
    expect(second!.dynamodb!.OldImage !== undefined).toBe(hasOld);
    expect(second!.dynamodb!.NewImage !== undefined).toBe(hasNew);
  });

  test('shows binaries, sets and nested values as they were put', async () => {
    const Item = {
      pk: { S: 'a' },
      b: { B: new Uint8Array([1, 2, 3]) },
      n: { N: '12.5' },
      set: { NS: ['1', '2'] },
      list: { L: [{ NULL: true as const }, { BOOL: false }, { M: { x: { S: 'y' } } }] },
    };
    await server.client.send(new PutItemCommand({ TableName, Item }));
    const [record] = await readAll(1);
    expect(record!.dynamodb!.NewImage).toEqual(Item);
  });
});

test('pages end after Limit records, and 1,000 at most', async () => {
  const requests = Array.from({ length: 45 }, (_, batch) =>
    Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { pk: { S: `${batch}-${i}` } } } })),
  );
  for (const each of requests) {
    await server.client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: each } }));
  }
  const begin = await server.iterator(arn);
  expect((await server.getRecords(begin, { Limit: 7 })).records).toHaveLength(7);
  expect(await readAll(1_125)).toHaveLength(1_125);
  const { records, next } = await server.getRecords(begin);
  expect(records).toHaveLength(1_000);
  expect((await server.getRecords(next!)).records).toHaveLength(125);
});

test('pages end after a megabyte', async () => {
  for (let i = 0; i < 5; i++) await server.put(TableName, `k${i}`, { v: 'x'.repeat(300_000) });
  const sizes: number[] = [];
  let next: string | undefined = await server.iterator(arn);
  await expect
    .poll(async () => {
      const page = await server.getRecords(next!);
      next = page.next;
      if (page.records.length > 0) sizes.push(page.records.length);
      return sizes.reduce((sum, size) => sum + size, 0);
    })
    .toBe(5);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4);
});

test('a stream that was disabled ends', async () => {
  await server.put(TableName, 'a');
  const begin = await server.iterator(arn);
  await server.client.send(new UpdateTableCommand({ TableName, StreamSpecification: { StreamEnabled: false } }));
  await server.put(TableName, 'b');
  const { records, next } = await server.getRecords(begin);
  expect(records.map(({ dynamodb }) => dynamodb!.Keys!.pk!.S)).toEqual(['a']);
  expect(next).toBeUndefined();
});

test('what is no iterator is refused', async () => {
  await expect(server.getRecords('x')).rejects.toMatchObject({
    name: 'ValidationException',
    message: 'Invalid ShardIterator',
    $metadata: { httpStatusCode: 400 },
  });
  await expect(server.getRecords(await server.iterator(arn), { Limit: 0 })).rejects.toMatchObject({
    message:
      "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
  });
});
