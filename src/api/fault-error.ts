import { ApiError } from './errors.ts';
import type { FaultError } from './fault-rule.ts';
import { OPERATION_TRAITS } from './operation-traits.ts';
import type { OperationName } from './operations.ts';
import { type Access, ON_DEMAND_EXCEEDED, PROVISIONED_TABLE_EXCEEDED, throttlingReason } from './throttling.ts';

/** API reference, errors of PutItem and similar operations. */
const ACCOUNT_EXCEEDED =
  'Throughput exceeds the current throughput limit for your account. Please contact AWS Support at ' +
  'https://aws.amazon.com/support request a limit increase';
/** Developer guide, "Error handling with DynamoDB", for operations on tables. */
const TOO_MANY_REQUESTS = 'Rate of requests exceeds the allowed throughput.';

/** API reference of DynamoDB Streams, errors of GetRecords. */
const TOO_MANY_READERS = 'Too many operations for a given subscriber.';

/** Whether the service can answer this operation with this error (API reference, the errors of each operation). */
export function faultErrorFits(error: FaultError, operation: OperationName): boolean {
  const { access, keyMember } = OPERATION_TRAITS[operation];
  switch (error) {
    case 'ConditionalCheckFailedException':
    case 'TransactionConflictException':
      // Not a batch: its writes have no conditions.
      return access === 'write' && keyMember !== undefined;
    case 'ProvisionedThroughputExceededException':
    case 'RequestLimitExceeded':
      return access !== undefined;
    case 'ExpiredIteratorException':
    case 'LimitExceededException':
      return operation === 'GetRecords';
    case 'TrimmedDataAccessException':
      return operation === 'GetRecords' || operation === 'GetShardIterator';
    case 'InternalServerError':
    case 'ServiceUnavailable':
    case 'ThrottlingException':
      return true;
  }
}

/**
 * Whether the service can refuse an operation because a transaction holds its item (developer guide, "Transaction conflict
 * handling in DynamoDB"): a write of one item, or a transaction.
 */
export function canConflict(operation: OperationName): boolean {
  const { access, keyMember, hasActions } = OPERATION_TRAITS[operation];
  return hasActions === true || (access === 'write' && keyMember !== undefined);
}

/**
 * The error of a fault rule, in the service's words.
 * @param operation an operation that the error fits
 * @param arn the ARN of the request's table; not used for operations that name none
 */
export function faultError(error: FaultError, operation: OperationName, arn: string): ApiError {
  const { access } = OPERATION_TRAITS[operation];
  switch (error) {
    case 'ConditionalCheckFailedException':
      return ApiError.conditionalCheckFailed();
    case 'ExpiredIteratorException':
      return ApiError.expiredIterator();
    case 'LimitExceededException':
      return ApiError.limitExceeded(TOO_MANY_READERS);
    case 'TrimmedDataAccessException':
      return ApiError.trimmedDataAccess();
    case 'InternalServerError':
      return ApiError.internalServerError('Internal server error');
    case 'ProvisionedThroughputExceededException':
      return ApiError.provisionedThroughputExceeded(PROVISIONED_TABLE_EXCEEDED, [
        throttlingReason(arn, access as Access, 'ProvisionedThroughputExceeded'),
      ]);
    case 'RequestLimitExceeded':
      return ApiError.requestLimitExceeded(ACCOUNT_EXCEEDED, [
        throttlingReason(arn, access as Access, 'AccountLimitExceeded'),
      ]);
    case 'ServiceUnavailable':
      return ApiError.serviceUnavailable();
    case 'ThrottlingException':
      if (access === undefined) return ApiError.throttling(TOO_MANY_REQUESTS, []);
      return ApiError.throttling(ON_DEMAND_EXCEEDED, [throttlingReason(arn, access, 'KeyRangeThroughputExceeded')]);
    case 'TransactionConflictException':
      return ApiError.transactionConflict();
  }
}
