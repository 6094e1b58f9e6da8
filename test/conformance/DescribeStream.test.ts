import { DeleteTableCommand, DescribeTableCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StreamServer, startStreamServer } from './stream-server.ts';

let server: StreamServer;
let sharded: StreamServer;

beforeAll(async () => {
  server = await startStreamServer();
  sharded = await startStreamServer({ streamShards: 4 });
});
afterAll(() => Promise.all([server.stop(), sharded.stop()]));

type Input = ConstructorParameters<typeof DescribeStreamCommand>[0];
const describeStream = async (StreamArn: string, more: Partial<Input> = {}, { streams } = server) =>
  (await streams.send(new DescribeStreamCommand({ StreamArn, ...more }))).StreamDescription!;

test('an enabled stream has one open shard', async () => {
  const arn = await server.createStream('Open');
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName: 'Open' }));
  expect(await describeStream(arn)).toEqual({
    StreamArn: arn,
    StreamLabel: Table!.LatestStreamLabel,
    StreamStatus: 'ENABLED',
    StreamViewType: 'NEW_AND_OLD_IMAGES',
    CreationRequestDateTime: new Date(`${Table!.LatestStreamLabel}Z`),
    TableName: 'Open',
    KeySchema: Table!.KeySchema,
    Shards: [
      {
        ShardId: expect.stringMatching(/^shardId-\d{20}-[0-9a-f]{8}$/),
        SequenceNumberRange: { StartingSequenceNumber: expect.stringMatching(/^\d{21}$/) },
      },
    ],
  });
});

test('a stream that was disabled, or whose table was deleted, has closed ones', async () => {
  const arn = await server.createStream('Closed');
  await server.put('Closed', 'a');
  const StreamSpecification = { StreamEnabled: false };
  await server.client.send(new UpdateTableCommand({ TableName: 'Closed', StreamSpecification }));
  const disabled = await describeStream(arn);
  expect(disabled.StreamStatus).toBe('DISABLED');
  const { StartingSequenceNumber, EndingSequenceNumber } = disabled.Shards![0]!.SequenceNumberRange!;
  expect(EndingSequenceNumber! > StartingSequenceNumber!).toBe(true);

  const other = await server.createStream('Deleted');
  await server.put('Deleted', 'a');
  await server.client.send(new DeleteTableCommand({ TableName: 'Deleted' }));
  const deleted = await describeStream(other);
  expect(deleted).toMatchObject({ StreamStatus: 'DISABLED', TableName: 'Deleted' });
  const { records, next } = await server.getRecords(await server.iterator(other));
  expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT']);
  expect(next).toBeUndefined();
  // Whoever begins at its end comes to that at once, too.
  const ending = { SequenceNumber: deleted.Shards![0]!.SequenceNumberRange!.EndingSequenceNumber! };
  for (const type of ['LATEST', 'AT_SEQUENCE_NUMBER'] as const) {
    const at = await server.iterator(other, type, type === 'LATEST' ? {} : ending);
    expect(await server.getRecords(at)).toEqual({ records: [], next: undefined });
  }
});

describe('with several shards', () => {
  test('they are described page by page, and have all records, an item always in the same', async () => {
    const arn = await sharded.createStream('Sharded');
    const all = await describeStream(arn, {}, sharded);
    const ids = all.Shards!.map(({ ShardId }) => ShardId!);
    expect(new Set(ids).size).toBe(4);
    const first = await describeStream(arn, { Limit: 3 }, sharded);
    expect(first.Shards).toEqual(all.Shards!.slice(0, 3));
    expect(first.LastEvaluatedShardId).toBe(ids[2]);
    const rest = await describeStream(arn, { ExclusiveStartShardId: ids[2] }, sharded);
    expect(rest.Shards).toEqual(all.Shards!.slice(3));
    expect(rest.LastEvaluatedShardId).toBeUndefined();
    const filter = { ShardFilter: { Type: 'CHILD_SHARDS', ShardId: ids[0] } } as const;
    expect((await describeStream(arn, filter, sharded)).Shards).toEqual([]);

    for (let i = 0; i < 40; i++) await sharded.put('Sharded', `k${i % 20}`, { v: `${i}` });
    const found = new Map<string, string[]>();
    for (const ShardId of ids) {
      const begin = await sharded.iterator(arn, 'TRIM_HORIZON', { ShardId });
      await expect
        .poll(async () => {
          const { records } = await sharded.getRecords(begin);
          found.set(
            ShardId,
            records.map(({ dynamodb }) => dynamodb!.Keys!.pk!.S!),
          );
          return [...found.values()].flat().length;
        })
        .toBeGreaterThanOrEqual(ShardId === ids.at(-1) ? 40 : 0);
    }
    const keys = [...found.values()];
    expect(keys.flat()).toHaveLength(40);
    expect(keys.filter((each) => each.length > 0).length).toBeGreaterThan(1);
    expect(keys.map((each) => new Set(each).size).reduce((sum, each) => sum + each, 0)).toBe(20);
  });
});

test('what is no stream is refused', async () => {
  const arn = await server.createStream('Refused');
  const none = arn.replace('Refused', 'None');
  await expect(describeStream(none)).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: `Requested resource not found: Stream: ${none} not found`,
  });
  await expect(describeStream('x'.repeat(40))).rejects.toMatchObject({
    name: 'ValidationException',
    message: 'Invalid StreamArn',
  });
  await expect(describeStream(arn, { Limit: 101 })).rejects.toMatchObject({
    message:
      "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100",
  });
  await expect(describeStream('x')).rejects.toMatchObject({
    message:
      "1 validation error detected: Value 'x' at 'streamArn' failed to satisfy constraint: Member must have length greater than or equal to 37",
  });
});
