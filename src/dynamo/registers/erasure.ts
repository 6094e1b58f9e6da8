import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { HalfOpenRange, Store, StoreKey } from '../../env/store.ts';
import { partitionRange, tableRange } from '../keyspace.ts';

/** Records erased at a time when a table or a partition is given up. Each may be an item of 400 KB. */
export const ERASE_BATCH = 32;
const ERASE_PAUSE_MS = 1;

interface ErasureParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Q */
  readonly partitions: number;
  /**
   * Called when a record of the key was removed from the store, or is no longer there. `committed`: its bytes, if it was
   * committed. Removes its row of the outbox.
   */
  readonly erased: (key: StoreKey, committed: Uint8Array | undefined) => void;
  /** Removes rows of local indexes that belong to no record: what a crash or damage has left. */
  readonly removeStrayRows: (range: HalfOpenRange, done: () => void) => void;
}

/** Erases a replica's records of tables and partitions that are given up, in small steps. */
export class Erasure {
  readonly #parts: ErasureParts;
  #isStopped = false;

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /** The store is about to be closed. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Erases the records of a table that no request can reach any more, one partition after the other.
   *
   * Hazard: a write that is under way when the table is deleted may leave its record behind, where no request reaches
   * it.
   */
  table(table: ByteString): void {
    const ranges = Array.from({ length: this.#parts.partitions }, (_, partition) => tableRange(partition, table));
    // Stops at a disk that refuses, instead of retrying for ever.
    const next = (error?: Error) => {
      const range = ranges.pop();
      if (range !== undefined && error === undefined) this.#range(range.from, range.to, () => true, next);
    };
    next();
  }

  /**
   * Erases all records of a partition in which this node has no vote. Calls `done` at the end, or when the disk refuses
   * a step.
   * @param isWanted asked before each step; once it is false, the rest stays and `done` is not called
   */
  partition(partition: number, isWanted: () => boolean, done: (error?: Error) => void): void {
    const { from, to } = partitionRange(partition);
    this.#range(from, to, isWanted, done);
  }

  #range(from: StoreKey, to: StoreKey, isWanted: () => boolean, done: (error?: Error) => void): void {
    const { store, clock, erased, removeStrayRows } = this.#parts;
    if (this.#isStopped || !isWanted()) return;
    let hasMore = false;
    for (const name of ['items', 'paxos', 'outbox'] as const) {
      const found = store.range(name, { from, to, limit: ERASE_BATCH });
      hasMore ||= found.length === ERASE_BATCH;
      for (const { key, value } of found) {
        // A row of the outbox goes with what is erased of its key.
        if (name !== 'outbox') store.remove(name, key);
        erased(key, name === 'items' ? value : undefined);
      }
    }
    // The disk sets the pace.
    store.flush((error) => {
      if (error !== undefined) return done(error);
      clock.after(ERASE_PAUSE_MS, () => {
        if (hasMore) this.#range(from, to, isWanted, done);
        else if (!this.#isStopped) removeStrayRows({ from, to }, () => done());
      });
    });
  }
}
