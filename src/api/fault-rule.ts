import type { AttributeMap } from './attribute-value.ts';
import type { OperationName } from './operations.ts';

/** Delays of production systems, by the names that PBS gives them (Bailis et al., VLDB 2012, table 3). */
export type DelayModelName = 'LNKD-SSD' | 'LNKD-DISK' | 'YMMR';

/** Which requests a rule is for, and how often it fires. What is left out does not restrict. */
export interface FaultScope {
  readonly table?: string;
  readonly operation?: OperationName;
  /** The item's key, or the partition key alone: in DynamoDB's JSON, `{"id": {"S": "a"}}`. */
  readonly key?: AttributeMap;
  readonly namespace?: string;
  /** 0 to 1. Of the requests that match otherwise, drawn with `seed`. Default: each. */
  readonly probability?: number;
  /** A whole number. The same seed and the same requests in the same order give the same draws. Default: a random one. */
  readonly seed?: number;
  /** How often it fires at most; then it is gone. */
  readonly times?: number;
  /** How long it lives, in ms. */
  readonly forMs?: number;
}

/** How far the replicas that a staleness rule lets lag are behind. */
export type Lag =
  | { readonly lagMs: number }
  /** So many versions of each item. */
  | { readonly versions: number }
  /** Each record arrives after a delay drawn from the model's W leg. */
  | { readonly model: DelayModelName }
  /** Nothing arrives: the oldest value that eventual consistency permits. */
  | { readonly worst: true };

/** Before the operation is carried out, or after it took effect. */
export type FaultTime = 'before' | 'after';

/** The errors that a rule may answer with. */
export type FaultError =
  | 'ConditionalCheckFailedException'
  | 'InternalServerError'
  | 'ProvisionedThroughputExceededException'
  | 'RequestLimitExceeded'
  | 'ServiceUnavailable'
  | 'ThrottlingException'
  | 'TransactionConflictException';

export type FaultEffect =
  /** Eventually consistent reads ask a replica that lags. */
  | ({ readonly kind: 'staleness' } & Lag)
  | { readonly kind: 'error'; readonly error: FaultError; readonly when: FaultTime }
  | { readonly kind: 'drop-connection'; readonly when: FaultTime }
  /** Before the operation is carried out. */
  | ({ readonly kind: 'latency' } & ({ readonly ms: number } | { readonly model: DelayModelName }));

export type FaultRule = FaultScope & FaultEffect;

/** A rule that is in force. */
export interface ActiveFault {
  readonly id: string;
  /** As it was given, with the seed that is drawn with. */
  readonly rule: FaultRule;
  readonly fired: number;
}

/** A rule, or another request of an administrator, that makes no sense. `message` is one line that names the field. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  /** The field that is wrong, if it is one. */
  readonly field: string | undefined;
  /** 400, or 404 for what is not there, or 409 for what cannot be now. */
  readonly status: 400 | 404 | 409;

  constructor(message: string, field?: string, status: 400 | 404 | 409 = 400) {
    super(message);
    this.field = field;
    this.status = status;
  }
}
