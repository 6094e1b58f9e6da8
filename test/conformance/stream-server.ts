import { CreateTableCommand, type CreateTableCommandInput, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  type GetRecordsCommandInput,
  GetShardIteratorCommand,
  type ShardIteratorType,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import type { DynaringOptions } from '../../src/index.ts';
import { tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

export interface StreamServer extends TestServer {
  /** An unmodified client of the official SDK that does not retry. */
  readonly streams: DynamoDBStreamsClient;
  /** Makes a table with a stream of new and old images. @returns its ARN */
  createStream(TableName: string, changes?: Partial<CreateTableCommandInput>): Promise<string>;
  put(TableName: string, pk: string, more?: Record<string, string>): Promise<unknown>;
  shardIds(StreamArn: string): Promise<string[]>;
  /** @param ShardId default: the first */
  iterator(
    StreamArn: string,
    ShardIteratorType?: ShardIteratorType,
    more?: { readonly ShardId?: string; readonly SequenceNumber?: string },
  ): Promise<string>;
  getRecords(
    ShardIterator: string,
    more?: Partial<GetRecordsCommandInput>,
  ): Promise<{ records: StreamRecord[]; next: string | undefined }>;
}

export async function startStreamServer(options: DynaringOptions = {}): Promise<StreamServer> {
  const server = await startServer(options);
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const streams = new DynamoDBStreamsClient({
    endpoint: server.endpoint,
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
  });
  const shardIds = async (StreamArn: string) => {
    const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    return StreamDescription!.Shards!.map(({ ShardId }) => ShardId!);
  };
  return {
    ...server,
    streams,
    shardIds,
    async createStream(TableName, changes = {}) {
      const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
      const input = tableInput(TableName, { StreamSpecification, ...changes });
      const { TableDescription } = await server.client.send(new CreateTableCommand(input));
      return TableDescription!.LatestStreamArn!;
    },
    put(TableName, pk, more = {}) {
      const attributes = Object.entries({ pk, ...more }).map(([name, S]) => [name, { S }]);
      return server.client.send(new PutItemCommand({ TableName, Item: Object.fromEntries(attributes) }));
    },
    async iterator(StreamArn, type = 'TRIM_HORIZON', { ShardId, SequenceNumber } = {}) {
      const id = ShardId ?? (await shardIds(StreamArn))[0];
      const command = new GetShardIteratorCommand({
        StreamArn,
        ShardId: id,
        ShardIteratorType: type,
        ...(SequenceNumber !== undefined && { SequenceNumber }),
      });
      return (await streams.send(command)).ShardIterator!;
    },
    async getRecords(ShardIterator, more = {}) {
      const { Records, NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator, ...more }));
      return { records: Records!, next: NextShardIterator };
    },
    async stop() {
      streams.destroy();
      await server.stop();
    },
  };
}
