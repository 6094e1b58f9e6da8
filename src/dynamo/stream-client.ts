import type { Departure } from '../api/departure.ts';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Failure, Writer } from './client.ts';
import type { ChangeEvent } from './derived/changes.ts';

/**
 * Where a change is in the log of its shard. `offset` counts the changes within a cell: 2^20 are more than it can hold. So a
 * sequence number of the service is `cell` * 2^20 + `offset`.
 */
export interface LogPosition {
  readonly cell: number;
  readonly offset: number;
}

/** One change of an item, as its stream shows it. */
export interface LoggedChange {
  readonly position: LogPosition;
  /** When it was written, by the clock of its coordinator: in ms since 1970. */
  readonly atMs: number;
  readonly event: ChangeEvent;
  /** Who wrote it, if it was no client. */
  readonly by: Writer | undefined;
  /** The key attributes alone. */
  readonly key: ItemImage;
  /** The item before and after, as far as the view of the stream shows them. */
  readonly old: ItemImage | undefined;
  readonly next: ItemImage | undefined;
}

/** One shard of a stream. */
export interface StreamShard {
  /** The storage id of the stream. */
  readonly stream: ByteString;
  /** 0 to `shards` - 1. */
  readonly shard: number;
  /** How many shards the stream has, as in its derivation. */
  readonly shards: number;
}

export interface LogReadRequest extends StreamShard {
  readonly from: LogPosition;
  /** At most so many changes, 1 at least. */
  readonly limit: number;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
  /** As in `ReadRequest`. */
  readonly departure?: Departure | undefined;
}

export type LogOutcome =
  /** The changes from there on, in their order: a megabyte of them, or one more. None: there is nothing further yet. */
  | {
      readonly kind: 'changes';
      readonly changes: readonly LoggedChange[];
      /** Where to go on. */
      readonly next: LogPosition;
      /** Whether the log ends here: nothing will follow. */
      readonly isEnded: boolean;
    }
  /** What was asked for is not kept any more. `lowest`: the first that is. */
  | { readonly kind: 'trimmed'; readonly lowest: LogPosition }
  | Failure;

export type LogEndsOutcome =
  | {
      readonly kind: 'log-ends';
      /** The first change that is kept. */
      readonly lowest: LogPosition;
      /** Behind the last one. */
      readonly next: LogPosition;
      readonly isEnded: boolean;
    }
  | Failure;

/** `isDone`: nothing was left to do. */
export type TrimOutcome =
  | { readonly kind: 'cells-trimmed'; readonly cells: number; readonly isDone: boolean }
  | Failure;

export type EndOutcome = { readonly kind: 'log-ended' } | Failure;

/** The logs of streams (docs/protocol.md section 18): what has changed in a table, each change once, those of an item in order. */
export interface StreamClient {
  readLog(request: LogReadRequest): Promise<LogOutcome>;
  /**
   * Where the log of a shard begins and ends. `next` is behind every change that was answered before, unless its coordinator is
   * gone or cannot write to the log: it is waited for at most a second.
   */
  logEnds(shard: StreamShard): Promise<LogEndsOutcome>;
  /**
   * Writes the end to the log of each shard. To be called when the derivation without the stream is in force everywhere
   * (`DynamoClient.useDerivation`) and nothing is due of the table (`DynamoClient.due`): later changes get lost.
   */
  endStream(stream: Pick<StreamShard, 'stream' | 'shards'>): Promise<EndOutcome>;
  /**
   * Forgets changes of before a time, by the clocks of coordinators, in whole cells; the newest cell stays. Some may be left,
   * so call it again.
   */
  trimLog(shard: StreamShard & { readonly beforeMs: number }): Promise<TrimOutcome>;
  /** Erases a stream that nobody may ask for any more, on all nodes, in the background. */
  forgetStream(stream: ByteString): Promise<void>;
}
