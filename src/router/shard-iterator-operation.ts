import { ApiError } from '../api/errors.ts';
import type { RequestContext } from '../api/operations.ts';
import { type ShardIterator, shardIteratorText } from '../api/shard-iterator.ts';
import { isBefore, LOG_START, positionOfSequence, RETENTION_MS, type StreamPosition } from '../api/stream.ts';
import type { GetShardIteratorRequest } from '../api/stream-requests.ts';
import type { StreamShard } from '../dynamo/stream-client.ts';
import { clusterError } from './cluster-errors.ts';
import { endsOf, type StreamParts, StreamViews, shardOf } from './stream-view.ts';

/** GetShardIterator. */
export function createShardIteratorOperation(parts: StreamParts) {
  const { streams } = parts;
  const views = new StreamViews(parts);

  return {
    async getShardIterator(request: GetShardIteratorRequest, context: RequestContext, namespace: string) {
      const { StreamArn: arn, ShardId, ShardIteratorType: type, SequenceNumber } = request;
      const view = await views.get(namespace, arn, context.nowMs);
      const shard = shardOf(view, ShardId);
      const { storageId: stream, shards } = view;
      const place = { stream, shard, shards };
      const answerAt = (position: StreamPosition) => {
        const isTrimHorizon = type === 'TRIM_HORIZON';
        const rest = { position, isTrimHorizon, issuedAtMs: context.nowMs, repeated: 0 };
        const iterator: ShardIterator = { arn, stream, shard, ...rest };
        return { ShardIterator: shardIteratorText(iterator) };
      };
      if (type === 'TRIM_HORIZON') return answerAt(LOG_START);
      if (type === 'LATEST') return answerAt((await endsOf(streams, place)).next);
      const at = await positionAt(SequenceNumber, place, context, parts);
      return answerAt(type === 'AT_SEQUENCE_NUMBER' ? at : { ...at, offset: at.offset + 1 });
    },
  };
}

/** @throws ValidationException if no record has, or had, that number; TrimmedDataAccessException if it is kept no more */
async function positionAt(
  text: string | undefined,
  place: StreamShard,
  { nowMs, requestId, departure }: RequestContext,
  { streams, timeOf }: StreamParts,
): Promise<StreamPosition> {
  if (text === undefined) {
    throw ApiError.validation('SequenceNumber is required for AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER');
  }
  const position = positionOfSequence(text);
  if (position === undefined) throw invalidSequenceNumber(text);
  const outcome = await streams.readLog({ ...place, from: position, limit: 1, requestId, departure });
  if (outcome.kind === 'trimmed') throw ApiError.trimmedDataAccess();
  if (outcome.kind !== 'changes') throw clusterError(outcome);
  const [change] = outcome.changes;
  if (change === undefined) {
    const { next } = await endsOf(streams, place);
    if (isBefore(next, position)) throw invalidSequenceNumber(text);
  } else if (nowMs - timeOf(change.atMs) >= RETENTION_MS) {
    throw ApiError.trimmedDataAccess();
  }
  return position;
}

function invalidSequenceNumber(text: string): ApiError {
  return ApiError.validation(`Invalid SequenceNumber: ${text}`);
}
