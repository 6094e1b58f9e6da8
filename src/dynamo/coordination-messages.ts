import type { Derivation } from '../api/derivation.ts';
import type { ItemImage } from '../api/item.ts';
import type { Mutation, TransactionMutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { HalfOpenRange, KeyOrder, StoreKey } from '../env/store.ts';
import type { Consistency, Failure, RangeOutcome, ReadFrom, ReadOutcome, TableCount, Writer } from './client.ts';
import type { Carried, WriteAnswer } from './registers/handed-back.ts';
import type { EndOutcome, LogEndsOutcome, LogOutcome, TrimOutcome } from './stream-client.ts';

/*
 * What a client of the ring asks of the node that coordinates: plain data, so that it can be sent to another process.
 * Each request has one answer, or none if the node is lost. `requestId` names the client's request in traces; it is
 * undefined when nobody traces.
 */

/** Applies a mutation to one item, once or not at all. */
export interface CoordinateWrite {
  readonly kind: 'coordinate-write';
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  /** In full, since the store key holds a hash of it. */
  readonly partitionKey: ByteString;
  readonly mutation: Mutation | TransactionMutation;
  readonly consistency: Consistency;
  /** As in `WriteOptions`. */
  readonly wantsOld: boolean;
  /** As in `WriteOptions`. */
  readonly derivation: Derivation | undefined;
  /** As in `WriteOptions`. */
  readonly by: Writer | undefined;
  /** What another coordinator has handed back of the same write. */
  readonly carried: Carried | undefined;
  /**
   * How long the node may take, in whole ms from when it gets the request: what other nodes have left of the life of the
   * operation. Undefined: all of it. A time of day would rest on clocks that agree.
   */
  readonly budgetMs?: number | undefined;
}

/** Reads one item. A `laggard` that is no home replica of the key asks others, as for `committed`. */
export interface CoordinateRead {
  readonly kind: 'coordinate-read';
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  readonly from: ReadFrom;
  readonly consistency: Consistency;
  /** As in `ReadRequest`. */
  readonly derivation: Derivation | undefined;
  /** As in `CoordinateWrite`. */
  readonly budgetMs?: number | undefined;
}

/** Reads the latest of one item of a table in `strict` mode as a transaction needs it: with its version. */
export interface CoordinateLook {
  readonly kind: 'coordinate-look';
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  /** As in `ReadRequest`. */
  readonly derivation: Derivation | undefined;
  /** As in `CoordinateWrite`. */
  readonly budgetMs?: number | undefined;
}

/** Reads the items of a range, in key order or against it: part of an item collection, or a page of a scan. */
export interface CoordinateRange {
  readonly kind: 'coordinate-range';
  readonly requestId: string | undefined;
  /** Within one partition. Of rows of a local index if `localIndex` names one. */
  readonly range: HalfOpenRange;
  /** As in `RangeRequest`. */
  readonly localIndex: number | undefined;
  readonly order: KeyOrder;
  /** At most this many items, the first ones in this order. */
  readonly limit: number;
  /** As in `CoordinateRead`. */
  readonly from: ReadFrom;
  readonly consistency: Consistency;
  /** As in `ReadRequest`. */
  readonly derivation: Derivation | undefined;
  /** As in `CoordinateWrite`. */
  readonly budgetMs?: number | undefined;
}

/** Has this node use a derivation from now on, and answer when no round of its own by an older one is under way. */
export interface UseDerivation {
  readonly kind: 'use-derivation';
  readonly derivation: Derivation;
}

/** Asks how many items of a table this node knows of some entry of which may still be on its way, for `ageMs` or longer. */
export interface DueOf {
  readonly kind: 'due-of';
  readonly table: ByteString;
  readonly ageMs: number;
}

/** Asks for the size of an item collection of a table with local indexes, as the replica of this node has it. */
export interface CollectionSizeOf {
  readonly kind: 'collection-size';
  readonly requestId: string | undefined;
  /** What the keys of its items begin with. */
  readonly key: StoreKey;
  /** As in `CoordinateWrite`. */
  readonly budgetMs?: number | undefined;
}

/** Asks for the tables of which this node holds records in a partition. */
export interface TablesIn {
  readonly kind: 'tables-in';
  readonly partition: number;
}

/** Asks how many items this node's replicas of some partitions have of some tables. */
export interface CountItems {
  readonly kind: 'count-items';
  readonly tables: readonly ByteString[];
  readonly partitions: readonly number[];
}

/**
 * Has this node refuse whatever is asked of it about these tables, whose definitions are gone, from now on and after a
 * restart (docs/protocol.md section 9.6).
 */
export interface FenceTables {
  readonly kind: 'fence-tables';
  readonly tables: readonly ByteString[];
}

/** Has this node erase its records of a table that no request can reach any more, in the background. */
export interface ForgetTable {
  readonly kind: 'forget-table';
  readonly table: ByteString;
}

/** What all requests for the log of a shard of a stream have (docs/protocol.md section 18). */
interface OfLog {
  readonly requestId: string | undefined;
  /** Of a cell of the log (`log/log-keys.ts`). */
  readonly key: StoreKey;
  /** As in `CoordinateWrite`. */
  readonly budgetMs?: number | undefined;
}

/** Reads the log from a change in the cell of the key on. */
export interface ReadLog extends OfLog {
  readonly kind: 'read-log';
  readonly offset: number;
  readonly limit: number;
}

/** Asks where the log begins and ends. */
export interface LogEndsOf extends OfLog {
  readonly kind: 'log-ends';
}

/** Writes the last cell of the log. */
export interface EndLog extends OfLog {
  readonly kind: 'end-log';
}

/** Trims the cells that were written before a time, in ms since 1970. */
export interface TrimLog extends OfLog {
  readonly kind: 'trim-log';
  readonly beforeMs: number;
}

/** Answered when this node has written to the log what it had to write when it was asked, or has given it up. */
export interface DrainLog {
  readonly kind: 'drain-log';
  /** As in `ReadLog`. */
  readonly key: StoreKey;
}

type PassableLogRequest = ReadLog | LogEndsOf | EndLog | TrimLog;

export type LogRequest = PassableLogRequest | DrainLog;

/** A request for one operation, which any node of the ring may coordinate. */
export type PassableRequest =
  | CoordinateWrite
  | CoordinateRead
  | CoordinateLook
  | CoordinateRange
  | CollectionSizeOf
  | PassableLogRequest;

export type CoordinationRequest =
  | PassableRequest
  | DrainLog
  | UseDerivation
  | DueOf
  | TablesIn
  | CountItems
  | FenceTables
  | ForgetTable;

export type LookAnswer =
  | {
      readonly kind: 'looked';
      readonly item: ItemImage | undefined;
      /** Another one as soon as the item may be another; it never comes again. */
      readonly version: string;
      /** Whether a transaction holds the item that is not decided. */
      readonly isHeld: boolean;
    }
  | Failure;

export type SizeAnswer = { readonly kind: 'size'; readonly bytes: number } | Failure;

export type TablesAnswer = { readonly kind: 'tables'; readonly tables: readonly ByteString[] } | Failure;

export type UseAnswer = { readonly kind: 'used' } | Failure;

export type DueAnswer = { readonly kind: 'due'; readonly items: number } | Failure;

/** For each table that was asked for. */
export type CountAnswer = { readonly kind: 'counts'; readonly counts: readonly TableCount[] } | Failure;

/** An epoch of a partition in which a node votes. */
export interface VoteIn {
  readonly partition: number;
  readonly epoch: number;
}

/** `votes`: where the node has a vote, and was not sealed when the fences were on its disk. */
export type FenceAnswer = { readonly kind: 'fenced'; readonly votes: readonly VoteIn[] } | Failure;

export type DrainAnswer = { readonly kind: 'drained' } | Failure;

export type ForgetAnswer = { readonly kind: 'forgetting' } | Failure;

interface CoordinationAnswers {
  readonly 'coordinate-write': WriteAnswer;
  readonly 'coordinate-read': ReadOutcome;
  readonly 'coordinate-look': LookAnswer;
  readonly 'coordinate-range': RangeOutcome;
  readonly 'collection-size': SizeAnswer;
  readonly 'use-derivation': UseAnswer;
  readonly 'due-of': DueAnswer;
  readonly 'tables-in': TablesAnswer;
  readonly 'count-items': CountAnswer;
  readonly 'fence-tables': FenceAnswer;
  readonly 'forget-table': ForgetAnswer;
  readonly 'read-log': LogOutcome;
  readonly 'log-ends': LogEndsOutcome;
  readonly 'end-log': EndOutcome;
  readonly 'trim-log': TrimOutcome;
  readonly 'drain-log': DrainAnswer;
}

/** What a node answers to a request of type `R`. */
export type AnswerTo<R extends CoordinationRequest> = CoordinationAnswers[R['kind']];
