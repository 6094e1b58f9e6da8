export interface LmdbStoreOptions {
  /**
   * When a flush is done. `memory`: at once. `process`: when the system has the writes, so that they survive the process.
   * `disk`: when the disk has them.
   */
  readonly durability: 'memory' | 'process' | 'disk';
  /** Whose store it is, a text for people: a journal of another is refused. */
  readonly owner?: string;
  /** Takes what is left of a damaged journal, whatever is lost. */
  readonly acceptsLoss?: boolean;
  /** How long a write that nobody flushes may stay without the promise. Longer: fewer appends, more lost to a crash. */
  readonly lazyFlushMs?: number;
  /** How long a write may wait for its transaction. Longer: larger, cheaper transactions, more to read at a restart. */
  readonly settleAfterMs?: number;
  /** A batch of this many keys is committed without waiting. Larger: cheaper per key, longer transactions. */
  readonly batchEntries?: number;
  /** A batch of this many bytes is committed without waiting. Two batches of this size are what the store holds in memory. */
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
