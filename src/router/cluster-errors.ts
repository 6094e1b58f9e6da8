import { ApiError } from '../api/errors.ts';
import type { MutationOutcome } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { throttled } from '../api/throttling.ts';
import type { Failure } from '../dynamo/client.ts';

/**
 * The only translation of cluster failures into the service's errors (developer guide, "Error handling with DynamoDB").
 * SDKs retry them: 503 means that the operation did not happen, 500 that it may have. A write that the item refused is
 * the client's own mistake.
 *
 * An index that cannot keep up with an item holds back its writes, as the service's does (developer guide, "Understanding
 * global secondary index (GSI) write throttling and back pressure"): a hot key of the index, in the words of its reasons. Its stream does
 * so in the words for a hot key of the table: the service has none for that.
 *
 * @param table of a write
 */
export function clusterError(
  failure: Failure | Extract<MutationOutcome, { kind: 'refused' | 'collection-full' | 'conflict' }>,
  table?: Table,
): ApiError {
  switch (failure.kind) {
    case 'refused':
      return ApiError.validation(failure.message);
    case 'collection-full':
      return ApiError.itemCollectionSizeLimitExceeded();
    case 'conflict':
      return ApiError.transactionConflict();
    case 'index-behind': {
      const behind = table?.indexes.find(({ storageId }) => storageId === failure.index);
      const isStream = table?.stream?.storageId === failure.index;
      if (table === undefined || (behind === undefined && !isStream)) return ApiError.serviceUnavailable();
      return throttled(table, behind?.name, 'write', 'KeyRangeThroughputExceeded');
    }
    case 'table-gone': {
      const error = ApiError.serviceUnavailable();
      GONE.set(error, failure.table);
      return error;
    }
    case 'unavailable':
    case 'overloaded':
      return ApiError.serviceUnavailable();
    case 'unknown':
    case 'storage-failed':
      return ApiError.internalServerError('Internal server error');
  }
}

/** By error, the id of the table that was deleted under the request. */
const GONE = new WeakMap<ApiError, ByteString>();

/**
 * The id by which a request failed because its table was deleted, by a router that had not heard of that. Nothing was done:
 * the request may be tried again with the present definition. @returns undefined for any other error
 */
export function goneTable(error: unknown): ByteString | undefined {
  return error instanceof ApiError ? GONE.get(error) : undefined;
}
