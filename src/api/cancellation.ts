import { ApiError } from './errors.ts';

/** The API's `CancellationReason`. An action that is not to blame has its code alone. */
export interface CancellationReason {
  readonly Code: string;
  /** The item that failed its condition, if the action asks for it: an AttributeMap or RawJson. */
  readonly Item?: unknown;
  readonly Message?: string;
}

/** Recorded so, although the API reference has a `Message` of null too (erlcloud, pull request 607). */
const NO_REASON: CancellationReason = { Code: 'None' };

/** API reference, TransactionCanceledException: the codes of reasons, by the error that a single request would get. */
const CODES: Readonly<Record<string, string>> = {
  ConditionalCheckFailedException: 'ConditionalCheckFailed',
  DuplicateItemException: 'DuplicateItem',
  ItemCollectionSizeLimitExceededException: 'ItemCollectionSizeLimitExceeded',
  ProvisionedThroughputExceededException: 'ProvisionedThroughputExceeded',
  ThrottlingException: 'ThrottlingError',
  TransactionConflictException: 'TransactionConflict',
  ValidationException: 'ValidationError',
};

/** Whether an error of a single request can be the reason for which a transaction is cancelled. */
export function isReason(error: ApiError): boolean {
  return Object.hasOwn(CODES, error.name);
}

/**
 * The error of a cancelled transaction.
 * @param faults of the actions, in their order; undefined for one that is not to blame. Each `isReason`
 */
export function transactionCanceled(faults: readonly (ApiError | undefined)[]): ApiError {
  const reasons = faults.map((fault) => (fault === undefined ? NO_REASON : reasonOf(fault)));
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return ApiError.transactionCanceled(
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    reasons,
  );
}

function reasonOf({ name, message, body }: ApiError): CancellationReason {
  const reason = { Code: CODES[name]!, Message: message };
  return body.Item === undefined ? reason : { ...reason, Item: body.Item };
}
