import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';

/** All records of a table's newest stream up to now, shard by shard, from the beginning, as a consumer reads them. */
export async function readWholeStream(client: DynamoDBStreamsClient, TableName: string): Promise<StreamRecord[]> {
  const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName }));
  const StreamArn = Streams.at(-1)!.StreamArn!;
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
  const records: StreamRecord[] = [];
  for (const { ShardId } of StreamDescription!.Shards!) {
    const begun = await client.send(
      new GetShardIteratorCommand({ StreamArn, ShardId: ShardId!, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    let iterator = begun.ShardIterator;
    while (iterator !== undefined) {
      const { Records = [], NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
      if (Records.length === 0) break;
      records.push(...Records);
      iterator = NextShardIterator;
    }
  }
  return records;
}
