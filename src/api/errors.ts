/** The namespaces of the service's error types: `__type` is `namespace#Name`. */
const DYNAMODB = 'com.amazonaws.dynamodb.v20120810';
const CORAL_SERVICE = 'com.amazon.coral.service';
const CORAL_VALIDATE = 'com.amazon.coral.validate';
const CORAL_AVAILABILITY = 'com.amazon.coral.availability';

/**
 * An error that the client caused or must handle, as the service would answer it. There is one factory per exception.
 * Any other thrown error is a bug of ours. `body` has the members other than `__type` and `message`, such as `Item`.
 */
export class ApiError extends Error {
  override readonly name: string;
  readonly type: string;
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  /** @param more `status`: 400 by default; `body`: nothing by default */
  private constructor(
    namespace: string,
    name: string,
    message: string,
    { status = 400, body = {} }: { readonly status?: number; readonly body?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.name = name;
    this.type = `${namespace}#${name}`;
    this.status = status;
    this.body = body;
  }

  /** A parameter that breaks a constraint or a rule between parameters. */
  static validation(message: string): ApiError {
    return new ApiError(CORAL_VALIDATE, 'ValidationException', message);
  }

  /** A body that is not JSON, or a member of the wrong JSON type. */
  static serialization(message: string | undefined): ApiError {
    return new ApiError(CORAL_SERVICE, 'SerializationException', message ?? '');
  }

  static unknownOperation(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'UnknownOperationException', message);
  }

  /** Credentials that the service does not know. */
  static unrecognizedClient(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'UnrecognizedClientException', message);
  }

  static resourceNotFound(message: string): ApiError {
    return new ApiError(DYNAMODB, 'ResourceNotFoundException', message);
  }

  static resourceInUse(message: string): ApiError {
    return new ApiError(DYNAMODB, 'ResourceInUseException', message);
  }

  /** The text: developer guide, "Error handling with DynamoDB". */
  static itemCollectionSizeLimitExceeded(): ApiError {
    return new ApiError(DYNAMODB, 'ItemCollectionSizeLimitExceededException', 'Collection size exceeded.');
  }

  /** Of a shard iterator that is too old. The text: API reference of DynamoDB Streams, errors of GetRecords. */
  static expiredIterator(): ApiError {
    return new ApiError(DYNAMODB, 'ExpiredIteratorException', 'The provided iterator exceeds the maximum age allowed.');
  }

  /** Of stream records that are kept no more. The text as a client has recorded it (ironSource/node-dynamodb-stream issue 13). */
  static trimmedDataAccess(): ApiError {
    const message = 'The data you are trying to access has been trimmed';
    return new ApiError(DYNAMODB, 'TrimmedDataAccessException', message);
  }

  static limitExceeded(message: string): ApiError {
    return new ApiError(DYNAMODB, 'LimitExceededException', message);
  }

  /** @param item the current item (an AttributeMap or RawJson), if `ReturnValuesOnConditionCheckFailure` asks for it */
  static conditionalCheckFailed(item?: unknown): ApiError {
    const body = item === undefined ? {} : { Item: item };
    return new ApiError(DYNAMODB, 'ConditionalCheckFailedException', 'The conditional request failed', { body });
  }

  /** An INSERT of an item that is there already: recorded by many users (`Duplicate primary key exists in table`). */
  static duplicateItem(): ApiError {
    return new ApiError(DYNAMODB, 'DuplicateItemException', 'Duplicate primary key exists in table');
  }

  /** Of a provisioned table or index. @param reasons the API's `ThrottlingReason`s */
  static provisionedThroughputExceeded(message: string, reasons: readonly object[]): ApiError {
    const body = { ThrottlingReasons: reasons };
    return new ApiError(DYNAMODB, 'ProvisionedThroughputExceededException', message, { body });
  }

  /** Throttling by a limit of the account. */
  static requestLimitExceeded(message: string, reasons: readonly object[]): ApiError {
    return new ApiError(DYNAMODB, 'RequestLimitExceeded', message, { body: { ThrottlingReasons: reasons } });
  }

  /**
   * Throttling of a table or index in on-demand mode, or of operations on tables; the latter gives no reasons. The
   * member is spelled as in the SDKs' model.
   */
  static throttling(message: string, reasons: readonly object[]): ApiError {
    const body = reasons.length === 0 ? {} : { throttlingReasons: reasons };
    return new ApiError(CORAL_AVAILABILITY, 'ThrottlingException', message, { body });
  }

  /** A write of an item that is part of a transaction. */
  static transactionConflict(): ApiError {
    return new ApiError(DYNAMODB, 'TransactionConflictException', 'Transaction is ongoing for the item');
  }

  /**
   * All of a transaction was refused.
   * @param message names the codes of the reasons
   * @param reasons the API's `CancellationReason`s, one for each action, in their order
   */
  static transactionCanceled(message: string, reasons: readonly object[]): ApiError {
    return new ApiError(DYNAMODB, 'TransactionCanceledException', message, { body: { CancellationReasons: reasons } });
  }

  /** The SDKs send the transaction again, by the same token. The text is recorded (aws-sdk-java-v2, issue 2518). */
  static transactionInProgress(): ApiError {
    const message = 'Transaction from previous request is still in progress';
    return new ApiError(DYNAMODB, 'TransactionInProgressException', message);
  }

  /** A token was used before, for another transaction. The text: API reference, the error's description. */
  static idempotentParameterMismatch(): ApiError {
    const message =
      'DynamoDB rejected the request because you retried a request with a different payload but with an idempotent ' +
      'token that was already used.';
    return new ApiError(DYNAMODB, 'IdempotentParameterMismatchException', message);
  }

  /** 500: the write may or may not have happened (docs/protocol.md section 3.2, unknown). The SDKs retry it. */
  static internalServerError(message: string): ApiError {
    return new ApiError(DYNAMODB, 'InternalServerError', message, { status: 500 });
  }

  /**
   * 503: the request did not happen, whatever the reason. The SDKs retry it, with growing pauses. The text is the
   * service's (developer guide, "Error handling with DynamoDB").
   */
  static serviceUnavailable(): ApiError {
    const message = 'DynamoDB is currently unavailable. (This should be a temporary state.)';
    return new ApiError(CORAL_SERVICE, 'ServiceUnavailableException', message, { status: 503 });
  }

  static accessDenied(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'AccessDeniedException', message);
  }
}
