/** The namespaces that the service's error types live in; `__type` is `namespace#Name`. */
const DYNAMODB = 'com.amazonaws.dynamodb.v20120810';
const CORAL_SERVICE = 'com.amazon.coral.service';
const CORAL_VALIDATE = 'com.amazon.coral.validate';
const CORAL_AVAILABILITY = 'com.amazon.coral.availability';

/**
 * An error that the client caused or must handle, as the service would answer it. One factory per exception; anything
 * else thrown is a bug of ours. `body` holds the members beside `__type` and `message` (for example `Item`).
 */
export class ApiError extends Error {
  override readonly name: string;
  readonly type: string;
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  private constructor(
    namespace: string,
    name: string,
    message: string,
    status = 400,
    body: Readonly<Record<string, unknown>> = {},
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

  static missingAuthenticationToken(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'MissingAuthenticationTokenException', message);
  }

  static incompleteSignature(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'IncompleteSignatureException', message);
  }

  /** Credentials that cannot be placed. */
  static unrecognizedClient(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'UnrecognizedClientException', message);
  }

  static resourceNotFound(message: string): ApiError {
    return new ApiError(DYNAMODB, 'ResourceNotFoundException', message);
  }

  static resourceInUse(message: string): ApiError {
    return new ApiError(DYNAMODB, 'ResourceInUseException', message);
  }

  static limitExceeded(message: string): ApiError {
    return new ApiError(DYNAMODB, 'LimitExceededException', message);
  }

  /** @param item the current item, where `ReturnValuesOnConditionCheckFailure` asks for it (an AttributeMap or RawJson) */
  static conditionalCheckFailed(item?: unknown): ApiError {
    return new ApiError(
      DYNAMODB,
      'ConditionalCheckFailedException',
      'The conditional request failed',
      400,
      item === undefined ? {} : { Item: item },
    );
  }

  /** Of a provisioned table or index. @param reasons the API's `ThrottlingReason`s */
  static provisionedThroughputExceeded(message: string, reasons: readonly object[]): ApiError {
    const body = { ThrottlingReasons: reasons };
    return new ApiError(DYNAMODB, 'ProvisionedThroughputExceededException', message, 400, body);
  }

  /** Of the account. */
  static requestLimitExceeded(message: string, reasons: readonly object[]): ApiError {
    return new ApiError(DYNAMODB, 'RequestLimitExceeded', message, 400, { ThrottlingReasons: reasons });
  }

  /** Of a table or index on demand, or of operations on tables, which have no reasons. The SDKs' model spells them so. */
  static throttling(message: string, reasons: readonly object[]): ApiError {
    const body = reasons.length === 0 ? {} : { throttlingReasons: reasons };
    return new ApiError(CORAL_AVAILABILITY, 'ThrottlingException', message, 400, body);
  }

  /** A write of an item that a transaction has hold of. */
  static transactionConflict(): ApiError {
    return new ApiError(DYNAMODB, 'TransactionConflictException', 'Transaction is ongoing for the item');
  }

  /** 500: the write may or may not have happened (docs/protocol.md section 3.2, unknown). The SDKs retry it. */
  static internalServerError(message: string): ApiError {
    return new ApiError(DYNAMODB, 'InternalServerError', message, 500);
  }

  /**
   * 503: the request did not happen, whatever the reason. The SDKs retry it, with growing pauses. The text is the service's
   * (developer guide, "Error handling with DynamoDB").
   */
  static serviceUnavailable(): ApiError {
    const message = 'DynamoDB is currently unavailable. (This should be a temporary state.)';
    return new ApiError(CORAL_SERVICE, 'ServiceUnavailableException', message, 503);
  }

  static accessDenied(message: string): ApiError {
    return new ApiError(CORAL_SERVICE, 'AccessDeniedException', message);
  }
}
