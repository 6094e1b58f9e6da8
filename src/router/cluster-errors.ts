import { ApiError } from '../api/errors.ts';
import type { Failure } from '../dynamo/client.ts';

/**
 * The one translation of what the cluster could not do. SDKs retry both: 503 says that nothing happened, 500 that it may
 * have (developer guide, "Error handling with DynamoDB").
 */
export function clusterError(failure: Failure): ApiError {
  switch (failure.kind) {
    case 'unavailable':
    case 'overloaded':
      return ApiError.serviceUnavailable();
    case 'unknown':
    case 'storage-failed':
      return ApiError.internalServerError('Internal server error');
  }
}
