import { ApiError } from '../api/errors.ts';
import type { MutationOutcome } from '../api/mutation.ts';
import type { Failure } from '../dynamo/client.ts';

/**
 * The one translation of what the cluster could not do. SDKs retry its failures: 503 says that nothing happened, 500
 * that it may have. A write that the item refused is the client's own fault (developer guide, "Error handling with
 * DynamoDB").
 */
export function clusterError(failure: Failure | Extract<MutationOutcome, { kind: 'refused' }>): ApiError {
  switch (failure.kind) {
    case 'refused':
      return ApiError.validation(failure.message);
    case 'unavailable':
    case 'overloaded':
      return ApiError.serviceUnavailable();
    case 'unknown':
    case 'storage-failed':
      return ApiError.internalServerError('Internal server error');
  }
}
