import { DeleteTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { ListStreamsCommand } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StreamServer, startStreamServer } from './stream-server.ts';

let server: StreamServer;

beforeAll(async () => {
  server = await startStreamServer();
});
afterAll(() => server.stop());

const list = async (input: ConstructorParameters<typeof ListStreamsCommand>[0] = {}) => {
  const { $metadata: _, ...answer } = await server.streams.send(new ListStreamsCommand(input));
  return answer;
};

test('streams are listed with their table and label, those of deleted tables too', async () => {
  expect(await list()).toEqual({ Streams: [] });
  const arns: string[] = [];
  for (const name of ['aaa', 'bbb', 'ccc']) arns.push(await server.createStream(name));
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName: 'aaa' }));
  expect(Table!.LatestStreamArn).toBe(arns[0]);
  await server.client.send(new DeleteTableCommand({ TableName: 'bbb' }));
  const { Streams } = await list();
  expect(Streams).toEqual(
    ['aaa', 'bbb', 'ccc'].map((name, i) => ({
      StreamArn: arns[i],
      TableName: name,
      StreamLabel: arns[i]!.slice(arns[i]!.lastIndexOf('/') + 1),
    })),
  );
  expect(Streams![0]!.StreamLabel).toBe(Table!.LatestStreamLabel);
  expect((await list({ TableName: 'ccc' })).Streams).toHaveLength(1);

  const first = await list({ Limit: 2 });
  expect(first.LastEvaluatedStreamArn).toBe(arns[1]);
  expect(await list({ ExclusiveStartStreamArn: first.LastEvaluatedStreamArn })).toEqual({ Streams: [Streams![2]] });
});

test('names of no table, and ARNs of no stream, are refused', async () => {
  await expect(list({ TableName: 'none' })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'Requested resource not found: Table: none not found',
  });
  await expect(list({ TableName: 'a' })).rejects.toMatchObject({
    name: 'ValidationException',
    message:
      "1 validation error detected: Value 'a' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
  });
  await expect(list({ ExclusiveStartStreamArn: 'x'.repeat(40) })).rejects.toMatchObject({
    message: 'Invalid StreamArn',
  });
});
