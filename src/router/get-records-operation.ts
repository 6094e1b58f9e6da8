import { regionOf } from '../api/arn.ts';
import { ApiError } from '../api/errors.ts';
import type { RequestContext } from '../api/operations.ts';
import {
  checkNotExpired,
  invalidIterator,
  readShardIterator,
  type ShardIterator,
  shardIteratorText,
} from '../api/shard-iterator.ts';
import { RETENTION_MS } from '../api/stream.ts';
import { streamRecord } from '../api/stream-record.ts';
import type { GetRecordsRequest } from '../api/stream-requests.ts';
import type { LoggedChange, LogOutcome, LogReadRequest, StreamClient } from '../dynamo/stream-client.ts';
import { clusterError } from './cluster-errors.ts';
import { checkLimit, type StreamParts, StreamViews } from './stream-view.ts';

/** API reference: the upper limit, and the default. An answer also ends with a megabyte (`NodeLimits.rangeBytes`). */
const MOST_RECORDS = 1_000;
/** A log may be trimmed between two looks at it, but not again and again. */
const LOOKS = 3;

type Changes = Extract<LogOutcome, { kind: 'changes' }>;

/** GetRecords. Nothing is kept for a reader: where it goes on is in its iterator. */
export function createGetRecordsOperation({ client, streams, catalog, timeOf }: StreamParts) {
  const views = new StreamViews({ client, catalog });

  return {
    async getRecords(request: GetRecordsRequest, context: RequestContext, namespace: string) {
      const { nowMs, requestId, departure } = context;
      const limit = request.Limit ?? MOST_RECORDS;
      checkLimit(limit, MOST_RECORDS);
      const iterator = readShardIterator(request.ShardIterator);
      checkNotExpired(iterator, nowMs);
      const view = await views.get(namespace, iterator.arn, nowMs);
      const { storageId: stream, shards } = view;
      if (iterator.stream !== stream) throw invalidIterator();
      const { shard } = iterator;
      // As clients have recorded it (formkiq/formkiq-core issue 524).
      if (shard >= shards) throw ApiError.resourceNotFound('Invalid ShardId in ShardIterator');

      const from = iterator.position;
      const found = await changesFrom(streams, { stream, shard, shards, from, limit, requestId, departure }, iterator);
      const times = found.changes.map(({ atMs }) => timeOf(atMs));
      const old = countOld(times, nowMs);
      if (old > 0 && !iterator.isTrimHorizon) throw ApiError.trimmedDataAccess();
      const changes = found.changes.slice(old);
      const origin = { stream, shard, viewType: view.viewType, region: regionOf(view.tableArn) };
      return {
        Records: changes.map((change, at) => streamRecord(change, origin, times[old + at]!)),
        NextShardIterator: await nextIterator(iterator, changes, found, context),
      };
    },
  };
}

/** @throws ApiError */
async function changesFrom(
  streams: StreamClient,
  request: LogReadRequest,
  { isTrimHorizon }: ShardIterator,
): Promise<Changes> {
  let { from } = request;
  for (let look = 0; look < LOOKS; look++) {
    const outcome = await streams.readLog({ ...request, from });
    if (outcome.kind === 'changes') return outcome;
    if (outcome.kind !== 'trimmed') throw clusterError(outcome);
    if (!isTrimHorizon) throw ApiError.trimmedDataAccess();
    from = outcome.lowest;
  }
  throw clusterError({ kind: 'overloaded' });
}

/** How many changes at the beginning cannot be read any more: the log is trimmed later than that. */
function countOld(times: readonly number[], nowMs: number): number {
  const fresh = times.findIndex((timeMs) => nowMs - timeMs < RETENTION_MS);
  return fresh < 0 ? times.length : fresh;
}

/**
 * Where the reader goes on: behind what it got or, if a fault rule wants that, before some of it once more. What was repeated is
 * not repeated again, so that every reader comes to the end.
 * @returns undefined at the end of a log that is ended
 */
async function nextIterator(
  iterator: ShardIterator,
  changes: readonly LoggedChange[],
  { next, isEnded }: Changes,
  context: RequestContext,
): Promise<string | undefined> {
  const fresh = Math.max(0, changes.length - iterator.repeated);
  const wanted = fresh === 0 ? 0 : ((await context.recordsAgain?.()) ?? 0);
  const repeated = Math.min(wanted, fresh);
  if (isEnded && repeated === 0) return undefined;
  return shardIteratorText({
    ...iterator,
    position: repeated === 0 ? next : changes[changes.length - repeated]!.position,
    isTrimHorizon: iterator.isTrimHorizon && changes.length === 0,
    issuedAtMs: context.nowMs,
    repeated: repeated > 0 ? repeated : Math.max(0, iterator.repeated - changes.length),
  });
}
