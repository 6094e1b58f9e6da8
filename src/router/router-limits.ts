/** Limits on memory and parallelism of one router. */
export interface RouterLimits {
  /**
   * Table definitions in the cache, some KB each. A request to any other table costs one more read and write of the
   * cluster.
   */
  readonly maxCachedTables: number;
  /**
   * How many requests to the cluster one reset, snapshot or restore makes at a time. More are faster, up to a point,
   * and slow down other requests more.
   */
  readonly adminParallelism: number;
  /** Items per page when a whole table is read. Each may have 400 KB. More are faster and take more memory. */
  readonly scanPageItems: number;
  /** Bytes of all items of a snapshot, by the service's rules. In memory they take several times as much. */
  readonly maxSnapshotBytes: number;
}

export const DEFAULT_ROUTER_LIMITS: RouterLimits = {
  // As many tables as the service allows for an account in a region.
  maxCachedTables: 10_000,
  adminParallelism: 32,
  scanPageItems: 100,
  maxSnapshotBytes: 256 * 1024 * 1024,
};

/** What looks for items that have expired, and deletes them. */
export const EXPIRY = {
  /**
   * Items of one table whose expiry is kept in memory: those that expire next. When the last of them has expired, the
   * table is read again. Fewer: tables are read more often. Each second all that are kept may be looked at.
   */
  itemsPerTable: 10_000,
  /** The same for all tables together, in bytes: an item takes 200 and its key. */
  bytes: 32 * 1024 * 1024,
  /** How much of a table is read in a second, unless an administrator waits for it: a few per cent of a core. */
  bytesPerS: 4 * 1024 * 1024,
  itemsPerS: 5_000,
  /** How many items are deleted at a time. */
  parallelism: 16,
  /** After which an item that could not be deleted, or a table that could not be read, is tried again. */
  retryMs: 5_000,
  /** How often tables are read for what other routers have written, where there are several. Longer: items stay longer. */
  othersMs: 5 * 60_000,
} as const;

/** For how long a count of the items of a table is answered again, and of how many tables that is known. */
export const COUNTS_KEPT = { ms: 1_000, tables: 1_000 } as const;

/** Every request is compared with each rule. */
export const MAX_FAULT_RULES = 1_000;

/** Tables whose consumption is counted. Beyond that, the table that was used longest ago is forgotten. */
export const MAX_THROTTLED_TABLES = 10_000;

/**
 * Partition keys whose consumption is counted, for reads and writes separately: up to 2 KB each. A key that is used
 * again after so many others may consume the units of one second too much.
 */
export const MAX_THROTTLED_PARTITION_KEYS = 10_000;

/**
 * Items that a Scan or a Query requests from the cluster at a time. An answer of the cluster ends with a megabyte
 * (`NodeLimits.rangeBytes`), however many it could have.
 */
export const MOST_SCAN_ITEMS = 256;

/**
 * How large a walk for a page in the order of an index may be: through a table, or a segment of it, for a global index,
 * and through an item collection for a local one. A walk of this size takes some tenths of a second for each page, and
 * a larger one takes longer in proportion.
 */
export const ORDERED_WALK = { items: 10_000, bytes: 8 * 1024 * 1024 } as const;

/** How many items of one batch are read or written at a time. */
export const BATCH_PARALLELISM = 25;

/**
 * Items that all requests for many items together read at a time. Each may have 400 KB, and ten times that in JSON.
 */
export const READS_AT_ONCE = 1_000;

/** Reads that begin, and bytes that are read, before other requests have their turn: a few milliseconds. */
export const READS_PER_TURN = 100;
export const READ_BYTES_PER_TURN = 2 * 1024 * 1024;

/** Turns of the event loop for other requests in between. More slow down many large reads, and speed up the others. */
export const TURNS_OF_OTHERS = 4;

/** Bytes that such requests may hold together (four full answers). Above it, only the first request goes on. */
export const READ_BYTES_HELD = 64 * 1024 * 1024;

/** An answer with at least so many bytes is encoded in a turn of its own: 16 MB take 20 ms. */
export const LARGE_READ_BYTES = 256 * 1024;

/** How entries are made of the items of a table that are older than its indexes. Times in ms. */
export const INDEX_BUILDS = {
  /** Tables at a time; the others wait. More share the same throughput. */
  tablesAtOnce: 4,
  /** Partitions of a table at a time, each with one request to the ring. More are faster, and slow down others more. */
  partitionsAtOnce: 16,
  /** Items that a request to the ring takes: some tenths of a second at most. */
  itemsAtOnce: 64,
  /** Pages that are done before it is kept how far it is. A process that ends sooner does them again. */
  pagesPerSave: 16,
  /**
   * For how long UpdateTable waits with its answer: a small table has all entries before anybody asks. SDKs wait at least
   * several seconds for an answer.
   */
  answerWaitMs: 1_000,
  /** For how long a read of an index waits for entries of items that an earlier version of Dynaring has written. */
  renewalWaitMs: 10_000,
  /** Pauses before what has failed is tried again: at first, and at most. */
  firstPauseMs: 50,
  longestPauseMs: 2_000,
  /** Pauses between two looks whether the last entries have arrived: at first, and at most. */
  firstDuePollMs: 5,
  longestDuePollMs: 250,
} as const;
