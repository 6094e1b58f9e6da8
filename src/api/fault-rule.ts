import type { AttributeMap } from './attribute-value.ts';
import type { OperationName } from './operations.ts';

/** Delays of production systems, by their names in the PBS paper (Bailis et al., VLDB 2012, table 3). */
export type DelayModelName = 'LNKD-SSD' | 'LNKD-DISK' | 'YMMR';

/** Which requests a rule is for, and how often it fires. A field that is left out does not restrict it. */
export interface FaultScope {
  readonly table?: string;
  readonly operation?: OperationName;
  /** Only reads of the index of this name, by Query or Scan. */
  readonly index?: string;
  /** The item's key, or the partition key alone: in DynamoDB's JSON, `{"id": {"S": "a"}}`. */
  readonly key?: AttributeMap;
  readonly namespace?: string;
  /** With which probability a request that matches fires the rule, 0 to 1, drawn with `seed`. Default: 1. */
  readonly probability?: number;
  /**
   * A whole number. The same seed and the same requests in the same order give the same draws. Default: a random one.
   */
  readonly seed?: number;
  /** How often the rule fires at most; then it is removed. */
  readonly times?: number;
  /** After so many ms the rule is removed. */
  readonly forMs?: number;
}

/** How stale the lagging replicas of a staleness rule are. */
export type Lag =
  | { readonly lagMs: number }
  /** So many versions of each item. */
  | { readonly versions: number }
  /** Each record arrives after a delay drawn from the model's W leg. */
  | { readonly model: DelayModelName }
  /** Nothing arrives: reads see the oldest value that eventual consistency permits. */
  | { readonly worst: true };

/** How long an item is still there after it has expired, by the clock of the API. */
export type Linger =
  | { readonly lingerMs: number }
  /** For each item a time from 0 to this, which depends on the item and the rule's seed alone. */
  | { readonly withinMs: number };

/** Before the operation is carried out, or after it took effect. */
export type FaultTime = 'before' | 'after';

/** The errors that a rule may answer with. */
export type FaultError =
  | 'ConditionalCheckFailedException'
  | 'ExpiredIteratorException'
  | 'InternalServerError'
  | 'LimitExceededException'
  | 'ProvisionedThroughputExceededException'
  | 'RequestLimitExceeded'
  | 'ServiceUnavailable'
  | 'ThrottlingException'
  | 'TransactionConflictException'
  | 'TrimmedDataAccessException';

export type FaultEffect =
  /**
   * Eventually consistent reads ask a replica that lags. `whole`: the entries of the index lag on all replicas, so that every
   * read of it sees what it had before, as while the service is late to update it. `stream`: records come late into the stream of
   * the table.
   */
  | ({ readonly kind: 'staleness'; readonly whole?: true; readonly stream?: true } & Lag)
  /**
   * A consumer of a stream gets records twice, as after a crash before it has noted how far it is: the answer after one with
   * records begins with the last of them. `records`: how many at most; default: all. No record comes a third time.
   */
  | { readonly kind: 'redelivery'; readonly records?: number }
  | { readonly kind: 'error'; readonly error: FaultError; readonly when: FaultTime }
  | { readonly kind: 'drop-connection'; readonly when: FaultTime }
  /**
   * The write or the transaction meets another transaction that holds its item. A transaction is cancelled; the reasons are at
   * the actions on items that the rule is for. Before anything is written.
   */
  | { readonly kind: 'conflict' }
  /** Before the operation is carried out. */
  | ({ readonly kind: 'latency' } & ({ readonly ms: number } | { readonly model: DelayModelName }))
  /** Items that have expired are deleted later. It is for tables, not for requests. */
  | ({ readonly kind: 'expiry' } & Linger);

export type FaultRule = FaultScope & FaultEffect;

/** A rule that is in force. */
export interface ActiveFault {
  readonly id: string;
  /** The rule as it was given, with the seed that it draws with. */
  readonly rule: FaultRule;
  readonly fired: number;
}

/** The error for a fault rule, or another request of an administrator, that makes no sense. `message` is one line. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  /** The wrong field, if it is a field that is wrong. */
  readonly field: string | undefined;
  /** 400; 404 if there is no such thing; 409 if it is not possible in the present state. */
  readonly status: 400 | 404 | 409;

  constructor(message: string, field?: string, status: 400 | 404 | 409 = 400) {
    super(message);
    this.field = field;
    this.status = status;
  }
}
