/**
 * One byte per UTF-16 unit (`latin1`), so that keys compare with `<` as their bytes do.
 * 1 to 1,978 units long: LMDB's limit at its default page size.
 */
export type StoreKey = string;

/**
 * `items`: committed records, the Dynamo store. `paxos`: accepted records in flight. `hints`: committed records kept
 * for other nodes. `meta`: the node's own state. `lsi`: the rows of local secondary indexes, made of `items`. `outbox`:
 * the items whose entries in global indexes are not known to be in place.
 */
export type StoreName = 'items' | 'paxos' | 'hints' | 'meta' | 'lsi' | 'outbox';

export const STORE_NAMES: readonly StoreName[] = ['items', 'paxos', 'hints', 'meta', 'lsi', 'outbox'];

/**
 * What a read returns instead of a value whose bytes are no longer those that were written. It is empty, so nobody who
 * takes it for the value finds anything to decode.
 */
export const DAMAGED: Uint8Array = new Uint8Array(0);

export interface Entry {
  readonly key: StoreKey;
  readonly value: Uint8Array;
}

/** From the lowest key up, or from the highest key down. */
export type KeyOrder = 'forward' | 'backward';

/** The keys with `from <= key < to`. */
export interface HalfOpenRange {
  readonly from: StoreKey;
  readonly to: StoreKey;
}

/**
 * The keys between two bounds. `from` and `after` are the lower bound, `to` and `through` the upper one, whichever way
 * the range is read. A bound need not be a key of the store, and may be longer than any.
 */
export type KeyRange = LowerBound & UpperBound;

type LowerBound =
  /** Inclusive. */
  | { readonly from: StoreKey; readonly after?: undefined }
  /** Exclusive. */
  | { readonly after: StoreKey; readonly from?: undefined };

type UpperBound =
  /** Exclusive. */
  | { readonly to: StoreKey; readonly through?: undefined }
  /** Inclusive. */
  | { readonly through: StoreKey; readonly to?: undefined };

/**
 * The entries that one call of `Store.range` returns: the first `limit` of the range in this order. Default: forward.
 */
export type RangeQuery = KeyRange & {
  readonly limit: number;
  readonly order?: KeyOrder;
  /** The last entry is the one with which the values have this many bytes. Undefined: however large they are. */
  readonly bytesLimit?: number | undefined;
};

/** Whether a range may have more entries than those that `Store.range` returned for it. */
export function isCutShort(
  entries: readonly Entry[],
  { limit, bytesLimit }: Omit<RangeQuery, keyof KeyRange>,
): boolean {
  if (entries.length >= limit) return true;
  return bytesLimit !== undefined && entries.length > 0 && bytesOf(entries) >= bytesLimit;
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { value } of entries) bytes += value.length;
  return bytes;
}

/** The least key above `key`: no key lies between the two. */
export function keyAfter(key: StoreKey): StoreKey {
  return `${key}\x00`;
}

/** For sorting: negative if `one` comes first in this order. */
export function compareKeys(one: StoreKey, other: StoreKey, order: KeyOrder): number {
  if (one === other) return 0;
  return one < other === (order === 'forward') ? -1 : 1;
}

/** The same keys as a range of the one form that implementations, and messages between nodes, have to deal with. */
export function halfOpen(range: KeyRange): HalfOpenRange {
  return {
    from: range.from === undefined ? keyAfter(range.after) : range.from,
    to: range.to === undefined ? keyAfter(range.through) : range.to,
  };
}

/**
 * The ordered key-value store of one node. Reads see every earlier `put` and `remove` of this process at once, durable
 * or not. Writes become durable in the order in which they were made: when a write survives a crash, all earlier ones
 * do.
 *
 * Implementations: `LmdbStore` and `MemoryStore`; `test/suites/store.ts` holds both to this text.
 */
export interface Store {
  /**
   * The stored bytes, undefined, or DAMAGED. The caller may keep the bytes and must not change them.
   */
  get(name: StoreName, key: StoreKey): Uint8Array | undefined;
  /** The store keeps `value` without a copy; the caller must not change it afterwards. */
  put(name: StoreName, key: StoreKey, value: Uint8Array): void;
  remove(name: StoreName, key: StoreKey): void;
  /**
   * Entries as they are now, in the order that is asked for. Only what is returned is read. Values may be DAMAGED, and
   * belong to the store as those of `get` do.
   */
  range(name: StoreName, query: RangeQuery): Entry[];
  /**
   * Calls `done` once when everything written before this call is as durable as the store was opened for. Never within
   * the call, unless there is nothing to wait for. After an error, none of those writes may be relied on.
   */
  flush(done: (error?: Error) => void): void;
  /**
   * Called after the store has dropped writes that reads had already shown, because the disk refused them. Reads then
   * show what the disk holds; whoever built on the lost writes must act as after a crash.
   */
  onLost: (() => void) | undefined;
  /**
   * The caller has found that a row it cannot do without is DAMAGED. Nothing that this store says may be relied on any
   * more, and the owner of the store is told.
   * @returns the error that the caller throws to end what it was doing
   */
  giveUp(reason: string): Error;
  /** Flushes and releases everything. No other call may follow. */
  close(): Promise<void>;
}
