import { arnOfIterator } from './shard-iterator.ts';
import { streamNameOf } from './stream.ts';

/** The table that a request of DynamoDB Streams names, by its name or by a stream of it. The request need not have passed its schema. */
export function tablesOfStream(request: object): readonly string[] {
  const { TableName, StreamArn, ShardIterator } = request as Readonly<Record<string, unknown>>;
  if (typeof TableName === 'string') return [TableName];
  const arn = typeof ShardIterator === 'string' ? arnOfIterator(ShardIterator) : StreamArn;
  const stream = typeof arn === 'string' ? streamNameOf(arn) : undefined;
  return stream === undefined ? [] : [stream.table];
}
