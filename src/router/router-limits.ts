/** What one router keeps in memory, and does at a time. */
export interface RouterLimits {
  /**
   * Definitions of tables at hand, some KB each. A request to any other table costs one more read and write of the
   * cluster.
   */
  readonly maxCachedTables: number;
  /**
   * Requests to the cluster at a time of one reset, snapshot or restore. More are faster, up to a point, and slow
   * others down more.
   */
  readonly adminParallelism: number;
  /** Items of one page when a table is read as a whole; each may have 400 KB. More are faster and take more memory. */
  readonly scanPageItems: number;
  /** The items of a snapshot together, as the service counts them. In memory they are several times that. */
  readonly maxSnapshotBytes: number;
}

export const DEFAULT_ROUTER_LIMITS: RouterLimits = {
  // The service lets an account have 10,000 tables in a region at most.
  maxCachedTables: 10_000,
  adminParallelism: 32,
  scanPageItems: 100,
  maxSnapshotBytes: 256 * 1024 * 1024,
};

/** A request is compared with each of them. */
export const MAX_FAULT_RULES = 1_000;

/** Tables whose consumption is counted; the one that was used longest ago begins anew. */
export const MAX_THROTTLED_TABLES = 10_000;

/**
 * Partition keys whose consumption is counted, reads and writes apart: up to 2 KB each. A key that is used again after
 * so many others may consume a second's worth too much.
 */
export const MAX_THROTTLED_PARTITION_KEYS = 10_000;

/** Items that a Scan asks the cluster for at first, and at most, at a time; each may have 400 KB. */
export const FIRST_SCAN_ITEMS = 8;
export const MOST_SCAN_ITEMS = 256;

/**
 * What is walked through for a page of an index, so that it comes in the order of the index: a table, or a segment of
 * it, if the index is global, an item collection if it is local. It takes some tenths of a second; more are more of
 * that, for each page.
 */
export const ORDERED_WALK = { items: 10_000, bytes: 8 * 1024 * 1024 } as const;

/** Items of one batch that are read or written at a time. */
export const BATCH_PARALLELISM = 25;

/**
 * Items that requests for many of them read at a time, all together; each may have 400 KB, in JSON ten times as much.
 */
export const READS_AT_ONCE = 1_000;

/** Of those, what is begun before others have their turn; and the bytes that are read, a few milliseconds. */
export const READS_PER_TURN = 100;
export const READ_BYTES_PER_TURN = 2 * 1024 * 1024;

/** Turns of the event loop that others have between. More: many large reads take longer, and others less. */
export const TURNS_OF_OTHERS = 4;

/** Bytes that such requests may hold before only the first of them goes on: four whole answers. */
export const READ_BYTES_HELD = 64 * 1024 * 1024;

/** What is answered with so much is answered in a turn of its own: 16 MB take 20 ms. */
export const LARGE_READ_BYTES = 256 * 1024;
