/**
 * One byte per UTF-16 unit (`latin1`), so that keys compare with `<` as their bytes do.
 * 1 to 1,978 units long: LMDB's limit at its default page size.
 */
export type StoreKey = string;

/**
 * `items`: committed records, the Dynamo store. `paxos`: accepted records in flight. `hints`: committed records kept for
 * other nodes. `meta`: the node's own state.
 */
export type StoreName = 'items' | 'paxos' | 'hints' | 'meta';

export const STORE_NAMES: readonly StoreName[] = ['items', 'paxos', 'hints', 'meta'];

/**
 * Read in place of a value whose bytes are not those that were written. Whoever takes it for the value finds nothing to
 * decode in it.
 */
export const DAMAGED: Uint8Array = new Uint8Array(0);

/**
 * The ordered key-value store of one node. Reads see every earlier `put` and `remove` of this process at once, durable
 * or not. Writes become durable in the order they were made: when one survives a crash, so do all before it.
 *
 * Implementations: `LmdbStore` and `MemoryStore`; `test/suites/store.ts` holds both to this text.
 */
export interface Store {
  /**
   * The stored bytes, undefined, or DAMAGED. The caller may keep and must not change them.
   */
  get(name: StoreName, key: StoreKey): Uint8Array | undefined;
  /** The store keeps `value` without a copy; the caller must not change it afterwards. */
  put(name: StoreName, key: StoreKey, value: Uint8Array): void;
  remove(name: StoreName, key: StoreKey): void;
  /**
   * The entries with `from <= key < to` in byte order, at most `limit`, as they are now; values may be DAMAGED.
   */
  range(name: StoreName, from: StoreKey, to: StoreKey, limit: number): { key: StoreKey; value: Uint8Array }[];
  /**
   * Calls `done` once when everything written before this call is as durable as the store was opened for; never within
   * the call unless nothing has to be waited for. With an error, none of it may be relied on.
   */
  flush(done: (error?: Error) => void): void;
  /**
   * Called after writes that reads had already shown had to be given up, because the disk refused them. Reads show what
   * the disk holds again; whoever built on the lost writes must act as after a crash.
   */
  onLost: (() => void) | undefined;
  /**
   * Nothing that the store says may be relied on any more: of a row that cannot be done without, the value is DAMAGED.
   * Whoever owns the store is told.
   * @returns what the caller throws, which ends what it was doing
   */
  giveUp(reason: string): Error;
  /** Flushes and releases everything. No other call may follow. */
  close(): Promise<void>;
}
