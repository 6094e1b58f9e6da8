const KIB = 1024;
const MIB = 1024 * KIB;

/** The bounds of a transfer. Every wait, queue and buffer of this room ends at one of these. */
export const LIMITS = {
  /** Requests under way at a time, unless the user says otherwise. More than this gains little on one machine. */
  defaultConcurrency: 32,
  maxConcurrency: 1_024,
  /** Parallel parts of a Scan, unless the user says otherwise, and at most. The service takes a million. */
  defaultSegments: 4,
  maxSegments: 256,
  /**
   * A line of input. An item of 400 KB can take six times as much in JSON, where each character is an escape, and a line of
   * an incremental export has an item twice.
   */
  maxLineBytes: 8 * MIB,
  /** Writes of one request, as BatchWriteItem has it, and their JSON together: the service takes 16 MB. */
  maxBatchItems: 25,
  maxBatchBytes: 15 * MIB,
  /** How long a write waits for others to go with it, if the input is slow. */
  lingerMs: 5,
  /** Entries that wait for one before them to be written. More bridges longer retries, and is redone after a kill. */
  maxEntriesPending: 4_096,
  /** Their bytes together. At least one entry is always taken. */
  maxBytesPending: 16 * MIB,
  /** Without a byte from the endpoint. */
  answerTimeoutMs: 30_000,
  /** A page of Scan is 1 MB as the service counts; its JSON can be several times that. */
  maxAnswerBytes: 64 * MIB,
  /** Attempts of one request at writes and scans: with the pauses below about a minute and a half. */
  maxAttempts: 14,
  /** Attempts of the first request to an endpoint, so that one that is not there is told soon. */
  maxFirstAttempts: 4,
  /** The pause before the second attempt; each further one is twice as long, up to the next, and then shortened by chance. */
  firstPauseMs: 50,
  maxPauseMs: 20_000,
  /** Between two looks at a table that is being made, and all of them together. */
  tablePollMs: 500,
  tableWaitMs: 10 * 60_000,
  /** How often progress is written down: what was done since then is done again after a kill. */
  checkpointMs: 1_000,
  /** How long requests under way may go on after SIGINT. */
  interruptGraceMs: 300,
  /** Bad lines that are reported one by one; the rest are only counted. */
  badLinesShown: 20,
  /** Of the beginning of an input, to see whether it is the same one. */
  headBytes: 64 * KIB,
  /** Data files of one import, and tables of one. */
  maxFiles: 100_000,
  maxTables: 10_000,
  /** A manifest, a table definition or a progress file. */
  maxDocumentBytes: 64 * MIB,
  /** Names of columns of a CSV export, which are gathered in memory. */
  maxColumns: 10_000,
  /** What an export gathers before it writes. */
  outputChunkBytes: 256 * KIB,
} as const;
