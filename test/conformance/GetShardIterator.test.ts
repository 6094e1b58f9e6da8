import { GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
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

const keysFrom = async (iterator: string) =>
  (await server.getRecords(iterator)).records.map(({ dynamodb }) => dynamodb!.Keys!.pk!.S);

test('each type begins where it says', async () => {
  for (const pk of ['a', 'b', 'c']) await server.put(TableName, pk);
  const begin = await server.iterator(arn);
  await expect.poll(() => keysFrom(begin)).toEqual(['a', 'b', 'c']);
  const { records } = await server.getRecords(begin);
  const { SequenceNumber } = records[1]!.dynamodb!;
  expect(await keysFrom(await server.iterator(arn, 'AT_SEQUENCE_NUMBER', { SequenceNumber }))).toEqual(['b', 'c']);
  expect(await keysFrom(await server.iterator(arn, 'AFTER_SEQUENCE_NUMBER', { SequenceNumber }))).toEqual(['c']);
});

test('LATEST is behind all that was answered before', async () => {
  for (let i = 0; i < 20; i++) await server.put(TableName, `before-${i}`);
  const latest = await server.iterator(arn, 'LATEST');
  await server.put(TableName, 'after');
  await expect.poll(() => keysFrom(latest)).toEqual(['after']);
});

test('an iterator may be used again', async () => {
  await server.put(TableName, 'a');
  const begin = await server.iterator(arn);
  await expect.poll(() => keysFrom(begin)).toEqual(['a']);
  expect(await keysFrom(begin)).toEqual(['a']);
});

test('bad requests are refused', async () => {
  const [ShardId] = await server.shardIds(arn);
  const ask = (more: object) =>
    server.streams.send(
      new GetShardIteratorCommand({ StreamArn: arn, ShardId, ShardIteratorType: 'LATEST', ...more } as never),
    );
  await expect(ask({ ShardIteratorType: 'NEWEST' })).rejects.toMatchObject({
    name: 'ValidationException',
    message:
      "1 validation error detected: Value 'NEWEST' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
  });
  await expect(ask({ ShardId: `${ShardId!.slice(0, -1)}9` })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'Requested resource not found: Shard does not exist',
  });
  for (const SequenceNumber of ['9'.repeat(21), '9'.repeat(40), '000000001000000000000']) {
    await expect(ask({ ShardIteratorType: 'AT_SEQUENCE_NUMBER', SequenceNumber })).rejects.toMatchObject({
      name: 'ValidationException',
      message: `Invalid SequenceNumber: ${SequenceNumber}`,
    });
  }
  await expect(ask({ StreamArn: arn.replace(TableName, 'Nothing') })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});
