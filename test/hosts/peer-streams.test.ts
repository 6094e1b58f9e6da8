import {
  CreateTableCommand,
  DeleteTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { expect, onTestFinished, test } from 'vitest';
import { readWholeStream } from '../parts/read-stream.ts';
import { tableInput } from '../parts/tables.ts';
import { foundCluster, type HostNode } from './host-cluster.ts';

const TableName = 'Log';
const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;

function streamsAt({ endpoint }: HostNode): DynamoDBStreamsClient {
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const streams = new DynamoDBStreamsClient({ endpoint, region: 'local', credentials });
  onTestFinished(() => streams.destroy());
  return streams;
}

const put = (client: DynamoDBClient, pk: string, v: string) =>
  client.send(new PutItemCommand({ TableName, Item: { pk: { S: pk }, v: { S: v } } }));

async function contents(client: DynamoDBClient): Promise<string[]> {
  const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items!.map(({ pk, v }) => `${pk!.S}=${v!.S}`).sort();
}

test('a stream that one process enables has what all of them write, and every process reads it', async () => {
  const { nodes, clients } = await foundCluster(['a', 'b', 'c']);
  const streams = nodes.map(streamsAt);
  await clients[0]!.send(new CreateTableCommand(tableInput(TableName)));
  // Each has the definition without a stream at hand.
  for (const [at, client] of clients.entries()) await put(client, `k${at}`, 'before');
  const { TableDescription } = await clients[0]!.send(new UpdateTableCommand({ TableName, StreamSpecification }));
  const StreamArn = TableDescription!.LatestStreamArn!;
  const statusAt = async (at: number) =>
    (await streams[at]!.send(new DescribeStreamCommand({ StreamArn }))).StreamDescription!.StreamStatus;
  for (const at of [0, 1, 2]) await expect.poll(() => statusAt(at)).toBe('ENABLED');

  const writing = clients.map(async (client, writer) => {
    for (let i = 0; i < 30; i++) await put(client, `k${(i + writer) % 10}`, `${writer}-${i}`);
  });
  await Promise.all(writing);
  const replay = async (at: number) => {
    const items = new Map<string, string>();
    for (const { dynamodb } of await readWholeStream(streams[at]!, TableName)) {
      const key = dynamodb!.Keys!.pk!.S!;
      const before = items.get(key);
      // The first change of an item that is older than the stream.
      if (before !== undefined) expect(dynamodb!.OldImage!.v!.S).toBe(before);
      items.set(key, dynamodb!.NewImage!.v!.S!);
    }
    return [...items].map(([key, v]) => `${key}=${v}`).sort();
  };
  const wanted = await contents(clients[0]!);
  for (const at of [0, 1, 2]) await expect.poll(() => replay(at)).toEqual(wanted);
  expect((await readWholeStream(streams[0]!, TableName)).length).toBe(90);

  await clients[1]!.send(new DeleteTableCommand({ TableName }));
  for (const at of [0, 1, 2]) {
    await expect.poll(() => statusAt(at)).toBe('DISABLED');
    expect(await readWholeStream(streams[at]!, TableName)).toHaveLength(90);
  }
});
