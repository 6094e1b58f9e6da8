import { ApiError } from '../api/errors.ts';
import type { MutationOutcome } from '../api/mutation.ts';
import type { Failure } from '../dynamo/client.ts';

/**
 * The only translation of cluster failures into the service's errors (developer guide, "Error handling with DynamoDB").
 * SDKs retry them: 503 means that the operation did not happen, 500 that it may have. A write that the item refused is
 * the client's own mistake.
 */
export function clusterError(failure: Failure | Extract<MutationOutcome, { kind: 'refused' }>): ApiError {
  switch (failure.kind) {
    case 'refused':
      return ApiError.validation(failure.message);
    case 'index-behind':
      return ApiError.serviceUnavailable();
    case 'unavailable':
    case 'overloaded':
      return ApiError.serviceUnavailable();
    case 'unknown':
    case 'storage-failed':
      return ApiError.internalServerError('Internal server error');
  }
}
