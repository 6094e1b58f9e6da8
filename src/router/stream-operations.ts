import { tableNameOf } from '../api/arn.ts';
import type { RequestContext } from '../api/operations.ts';
import { LOG_START, namedStream, sequenceNumberOf, shardIdOf, streamArn, streamLabel } from '../api/stream.ts';
import type { DescribeStreamRequest, ListStreamsRequest } from '../api/stream-requests.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import { isOver, listStreamRows } from './stream-rows.ts';
import { checkLimit, endsOf, type StreamParts, type StreamView, StreamViews, shardOf } from './stream-view.ts';
import { ADMINISTRATOR } from './table-catalog.ts';
import { tableNotFound } from './table-operations.ts';

/** The largest page of ListStreams and DescribeStream, and the default (API reference). */
const PAGE = 100;

/** ListStreams and DescribeStream. */
export function createStreamOperations({ client, streams, catalog }: StreamParts) {
  const views = new StreamViews({ client, catalog });

  return {
    async listStreams(request: ListStreamsRequest, { nowMs }: RequestContext, namespace: string) {
      const { TableName, Limit: limit = PAGE, ExclusiveStartStreamArn: start } = request;
      checkLimit(limit, PAGE);
      const table = TableName === undefined ? undefined : tableNameOf(TableName);
      const after = start === undefined ? undefined : { namespace, ...namedStream(start) };
      const { rows, more } = await listStreamRows(client, { namespace, table, after, limit });
      if (table !== undefined && rows.length === 0 && after === undefined) {
        if ((await catalog.present(namespace, table, ADMINISTRATOR)) === undefined) throw tableNotFound(table);
      }
      const last = rows.at(-1);
      return {
        Streams: rows
          .filter((row) => !isOver(row, nowMs))
          .map((row) => ({
            StreamArn: streamArn(row.tableArn, row),
            TableName: row.table,
            StreamLabel: streamLabel(row),
          })),
        LastEvaluatedStreamArn: more && last !== undefined ? streamArn(last.tableArn, last) : undefined,
      };
    },

    async describeStream(request: DescribeStreamRequest, { nowMs }: RequestContext, namespace: string) {
      const { StreamArn, Limit: limit = PAGE, ExclusiveStartShardId: after, ShardFilter: filter } = request;
      checkLimit(limit, PAGE);
      const view = await views.get(namespace, StreamArn, nowMs);
      const first = after === undefined ? 0 : shardOf(view, after) + 1;
      // No shard is ever split here, so none has children.
      const isOfChildren = filter?.Type === 'CHILD_SHARDS';
      if (isOfChildren && filter.ShardId !== undefined) shardOf(view, filter.ShardId);
      const end = isOfChildren ? first : Math.min(view.shards, first + limit);
      const shards = [];
      for (let shard = first; shard < end; shard++) {
        shards.push({
          ShardId: shardIdOf(view, shard),
          SequenceNumberRange: {
            StartingSequenceNumber: sequenceNumberOf(LOG_START),
            EndingSequenceNumber: await endingSequenceNumber(streams, view, shard),
          },
        });
      }
      return {
        StreamDescription: {
          StreamArn: streamArn(view.tableArn, view),
          StreamLabel: streamLabel(view),
          StreamStatus: view.status,
          StreamViewType: view.viewType,
          CreationRequestDateTime: view.startedAtMs / 1000,
          TableName: view.table,
          KeySchema: view.keySchema,
          Shards: shards,
          LastEvaluatedShardId: end < view.shards && !isOfChildren ? shardIdOf(view, end - 1) : undefined,
        },
      };
    },
  };
}

/** Only a shard that takes no more records has one. */
async function endingSequenceNumber(
  streams: StreamClient,
  { status, storageId, shards }: StreamView,
  shard: number,
): Promise<string | undefined> {
  if (status !== 'DISABLED') return undefined;
  const { next, isEnded } = await endsOf(streams, { stream: storageId, shard, shards });
  return isEnded ? sequenceNumberOf(next) : undefined;
}
