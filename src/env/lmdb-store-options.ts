export interface LmdbStoreOptions {
  /**
   * When a flush counts as done. `memory`: at once. `process`: when the system has the writes, so they survive the
   * process. `disk`: when the disk has them.
   */
  readonly durability: 'memory' | 'process' | 'disk';
  /** The owner of the store, a text for people. The journal of another owner is refused. */
  readonly owner?: string;
  /** Opens a store with a damaged journal all the same, with the entries that can still be read; the rest is lost. */
  readonly acceptsLoss?: boolean;
  /** How long a write that nobody flushes may wait for its append. Longer: fewer appends, more lost to a crash. */
  readonly lazyFlushMs?: number;
  /** How long a write may wait for its transaction. Longer: larger, cheaper transactions, more to read at a restart. */
  readonly settleAfterMs?: number;
  /** A batch of this many keys is committed without waiting. Larger: cheaper per key, longer transactions. */
  readonly batchEntries?: number;
  /** A batch of this many bytes is committed without waiting. The store holds up to two such batches in memory. */
  readonly batchBytes?: number;
}

export const LMDB_STORE_DEFAULTS: Omit<Required<LmdbStoreOptions>, 'durability'> = {
  owner: 'a store',
  acceptsLoss: false,
  lazyFlushMs: 50,
  settleAfterMs: 1_000,
  batchEntries: 8_192,
  batchBytes: 4 * 1024 * 1024,
};
