const KIB = 1024;
const MIB = 1024 * KIB;

/** The limits of a transfer. Every wait, queue and buffer of this room is bounded by one of these. */
export const LIMITS = {
  /** Concurrent requests, unless the user says otherwise. More than this gains little on one machine. */
  defaultConcurrency: 32,
  maxConcurrency: 1_024,
  /** Parallel segments of a Scan: the default and the maximum. The service accepts a million. */
  defaultSegments: 4,
  maxSegments: 256,
  /**
   * A line of input. In JSON an item of 400 KB can take six times as much, if each character is an escape, and a line
   * of an incremental export has the item twice.
   */
  maxLineBytes: 8 * MIB,
  /** The writes of one BatchWriteItem, and the total size of their JSON: the service accepts 16 MB. */
  maxBatchItems: 25,
  maxBatchBytes: 15 * MIB,
  /** If the input is slow, how long a write waits for others to be batched with it. */
  lingerMs: 5,
  /**
   * Entries that wait until an earlier one is written. A higher limit bridges longer retries, but more is redone after
   * a kill.
   */
  maxEntriesPending: 4_096,
  /** Their total bytes. At least one entry is always accepted. */
  maxBytesPending: 16 * MIB,
  /** Time-out without a byte from the endpoint. */
  answerTimeoutMs: 30_000,
  /** A page of Scan is 1 MB as the service counts; its JSON can be several times that. */
  maxAnswerBytes: 64 * MIB,
  /** Attempts at one write or scan: about a minute and a half with the backoff below. */
  maxAttempts: 14,
  /** Attempts at the first request to an endpoint, so that an unreachable endpoint is reported soon. */
  maxFirstAttempts: 4,
  /**
   * Backoff before the second attempt. It doubles with each further attempt, up to the next limit, and is then
   * shortened at random (jitter).
   */
  firstPauseMs: 50,
  maxPauseMs: 20_000,
  /** Between two looks at a table that is being created, and for all of them together. */
  tablePollMs: 500,
  tableWaitMs: 10 * 60_000,
  /** How often progress is saved. After a kill, everything done since the last save is done again. */
  checkpointMs: 1_000,
  /** How long requests in progress may continue after SIGINT. */
  interruptGraceMs: 300,
  /** Bad lines that are reported one by one; further ones are only counted. */
  badLinesShown: 20,
  /** How much of an input's beginning identifies it. */
  headBytes: 64 * KIB,
  /** Data files of one import, and its tables. */
  maxFiles: 100_000,
  maxTables: 10_000,
  /** A manifest, a table definition or a progress file. */
  maxDocumentBytes: 64 * MIB,
  /** Columns of a CSV export, whose names are collected in memory. */
  maxColumns: 10_000,
  /** How much an export buffers before it writes. */
  outputChunkBytes: 256 * KIB,
} as const;
