import type { Ballot } from './ballot.ts';
import type { Checks } from './invariants.ts';
import type { PartitionConfig } from './messages.ts';
import type { NodeId } from './ring.ts';
import type { Rules } from './rules.ts';

/** The bounds of one node. Times in milliseconds. */
export interface NodeLimits {
  /** How long a coordinator tries before it gives up. Longer hides longer faults; clients time out themselves. */
  readonly opLifeMs: number;
  /** How long one phase waits for a quorum before it is tried again. Above the slowest healthy round trip. */
  readonly phaseTimeoutMs: number;
  /** The longest random pause before a retry. Shorter: two coordinators duel. Longer: they idle. */
  readonly maxBackoffMs: number;
  /** Lineage entries older than this are dropped, and an operation older than this is given up; at least opLifeMs. */
  readonly lineageWindowMs: number;
  /**
   * How far above a promised ballot the durable ceiling is set: one flushed write per node in this time. After a crash
   * a conditional write in `dynamo` mode may have to wait for this long. Above the time of that write on a slow disk
   * plus a phase: else the next ballot is above the ceiling again.
   */
  readonly ceilingAheadMs: number;
  /** Ballots further ahead of this node's clock are refused. */
  readonly maxDriftMs: number;
  /** Promises kept one by one; beyond it the oldest are merged into the floor. */
  readonly promisesKept: number;
  /** Keys whose records a replica keeps decoded. Above the writes under way; each may hold two items of 400 KB. */
  readonly statesKept: number;
  /**
   * By how many entries a page that a range read asks of a replica is longer than the items still wanted: tombstones
   * take room in it too. Fewer: more round trips where much was deleted. More: longer answers where nothing was.
   */
  readonly rangeSpareEntries: number;
  /**
   * Entries of one page that a replica is asked for. More: the page takes longer to read in one go, and nothing else is
   * done meanwhile. Fewer: more round trips.
   */
  readonly rangeEntries: number;
  /**
   * Bytes of the records of such a page, and of the items that a range read answers: either ends with the record that
   * reaches this. More: longer pieces of work, more memory for each read. Fewer: more round trips.
   */
  readonly rangeBytes: number;
  /**
   * Items that are not settled which a replica names in one answer to a read of a local index; with more of them in the
   * collections that are read it refuses. Each is read by itself, so more take longer.
   */
  readonly unsettledNamed: number;
  /** Bytes of the accepted records of those items, all of which are read in one go; with so many it refuses, too. */
  readonly unsettledBytes: number;
  /**
   * The size of an item collection of a table with local indexes, by the service's rules: beyond it, writes that make it
   * larger are refused. The service's limit is 10 GB.
   */
  readonly collectionBytes: number;
  /** Writes of one key that may wait behind the one running. */
  readonly keyQueueLength: number;
  /** Writes that may wait on all keys together. */
  readonly queuedWrites: number;
  /** Answered writes whose record is kept in memory until replicas acknowledge it late, before it becomes a hint. */
  readonly pendingHintsKept: number;
  /** A node that leaves a message unanswered for this long is suspected. Above the slowest healthy answer. */
  readonly suspectAfterMs: number;
  /**
   * A node that leaves a request unanswered for this long is not asked now, and its reads are asked of others, if nothing
   * at all is heard of its process meanwhile. At most `suspectAfterMs`, which is without that evidence.
   */
  readonly quietAfterMs: number;
  /** How often suspected and silent nodes are probed. */
  readonly probeIntervalMs: number;
  /** How often a node exchanges its configs with another one, drawn at random. */
  readonly gossipIntervalMs: number;
  /** Hints: records kept for other nodes that are down. Beyond it, further ones are left to Merkle repair. */
  readonly hintsKept: number;
  /** The bytes of those records. */
  readonly hintBytesKept: number;
  /**
   * The longest time that a message may be on its way, or its answer be waited for. Tombstones are purged this long
   * after all members have confirmed them.
   */
  readonly messageLifeMs: number;
  /** Hints older than this are dropped: above opLifeMs and the life of a message, below tombstoneGraceMs. */
  readonly hintLifeMs: number;
  /** How often hints are offered to their homes. */
  readonly hintIntervalMs: number;
  /** Records sent at a time when replicas repair each other, and keys compared at a time. */
  readonly repairBatch: number;
  /**
   * Bytes of records in one answer to a member that repairs, copies or stages: it ends with the record that reaches this.
   * More: longer messages, behind which others wait.
   */
  readonly repairBytes: number;
  /** Partitions that are compared at a time when repair is asked for; in the background it is one. */
  readonly repairsAtOnce: number;
  /** Partitions that a node copies at a time, to become a member of them; further ones are refused. */
  readonly copiesAtOnce: number;
  /** The pause between two such batches. Longer: less load, slower repair. */
  readonly repairPauseMs: number;
  /** The time-out of one step of a comparison, in which the other side may have to build its tree. */
  readonly repairTimeoutMs: number;
  /**
   * The levels of a Merkle tree below its root; each node has four children, so 5 levels make 1,024 leaves a partition.
   */
  readonly merkleDepth: number;
  /**
   * How long a tombstone stays before it may be purged. Above hintLifeMs: an older record must not arrive after the
   * purge.
   */
  readonly tombstoneGraceMs: number;
  /** How often a node looks for tombstones that may be purged. */
  readonly purgeIntervalMs: number;
  /** Records that rules of lag may hold back from a replica; beyond it, the oldest are released. */
  readonly lagRecordsKept: number;
  /** The bytes of those records. */
  readonly lagBytesKept: number;
  /** How often a node looks for accepted records whose outcome it never learned. */
  readonly finishIntervalMs: number;
  /**
   * For how long a node relies on what it has read of a table's derivation, in rounds that no client has asked for. A change
   * of indexes waits it out.
   */
  readonly derivationFreshMs: number;
  /** Places that one item may owe one index. More: larger records. Fewer: writes are refused sooner while homes are down. */
  readonly owedKept: number;
  /** Changes of one item that may wait for the log of its stream. More: larger records. Fewer: writes are refused sooner. */
  readonly changesKept: number;
  /** Bytes of the images of those changes, if there are several. */
  readonly changeBytesKept: number;
  /** A cell of a log has at most so many changes. More: fewer rounds. Fewer: shorter messages. */
  readonly cellChanges: number;
  /**
   * How long a node goes by what it has read of the end of a log. Longer: whoever seldom writes to a log takes more rounds to
   * catch up. Below tombstoneGraceMs: a cell that was trimmed and purged looks as if it had never been written.
   */
  readonly logHeadMs: number;
  /** Of changes that are as old it is known which of them a log has; for older ones it is read again. */
  readonly logCoveredMs: number;
  /** Items that a coordinator settles at a time; what is beyond it is left to the outbox. */
  readonly settlesAtOnce: number;
  /** Items of which a node remembers that they are settled. Fewer: more work is done twice. */
  readonly marksKept: number;
  /**
   * The longest time that the answer of a write waits for the entries of its item, so that a query after it finds them. The
   * write is done by then, whatever comes of them.
   */
  readonly entryWaitMs: number;
  /** How old a row of the outbox is when the first member that is up settles its item: its coordinator may be gone. */
  readonly outboxAgeMs: number;
  /** How much older it is when the other members do so. */
  readonly outboxLaterMs: number;
  /** For so long a repetition of a transaction with a token answers what the first one came to. The service's is ten minutes. */
  readonly tokenKeptMs: number;
}

export const DEFAULT_NODE_LIMITS: NodeLimits = {
  opLifeMs: 5_000,
  phaseTimeoutMs: 500,
  maxBackoffMs: 20,
  lineageWindowMs: 60_000,
  ceilingAheadMs: 2_000,
  maxDriftMs: 60_000,
  promisesKept: 100_000,
  statesKept: 200,
  rangeSpareEntries: 16,
  rangeEntries: 500,
  rangeBytes: 1024 * 1024,
  unsettledNamed: 1_000,
  unsettledBytes: 16 * 1024 * 1024,
  collectionBytes: 10 * 1024 ** 3,
  keyQueueLength: 1_000,
  queuedWrites: 10_000,
  pendingHintsKept: 1_000,
  suspectAfterMs: 1_000,
  quietAfterMs: 1_000,
  probeIntervalMs: 500,
  gossipIntervalMs: 1_000,
  hintsKept: 100_000,
  hintBytesKept: 64 * 1024 * 1024,
  // A link may be slow by a minute.
  messageLifeMs: 65_000,
  hintLifeMs: 30 * 60_000,
  hintIntervalMs: 250,
  repairBatch: 64,
  repairBytes: 1024 * 1024,
  repairsAtOnce: 16,
  copiesAtOnce: 2,
  repairPauseMs: 1,
  repairTimeoutMs: 10_000,
  merkleDepth: 5,
  tombstoneGraceMs: 60 * 60_000,
  purgeIntervalMs: 10 * 60_000,
  lagRecordsKept: 10_000,
  lagBytesKept: 64 * 1024 * 1024,
  finishIntervalMs: 1_000,
  derivationFreshMs: 1_000,
  owedKept: 16,
  changesKept: 8,
  changeBytesKept: 2 * 1024 * 1024,
  cellChanges: 256,
  logHeadMs: 60_000,
  logCoveredMs: 10_000,
  settlesAtOnce: 1_000,
  marksKept: 10_000,
  entryWaitMs: 100,
  outboxAgeMs: 1_000,
  outboxLaterMs: 3_000,
  tokenKeptMs: 10 * 60_000,
};

/** A hint that a coordinator keeps. */
export interface KeptHint {
  /** The request whose record it is, if it is traced. */
  readonly requestId: string | undefined;
  readonly home: NodeId;
  readonly ballot: Ballot;
}

export interface NodeSettings {
  readonly id: NodeId;
  /** 48 bits; issued with the disk and kept with it. */
  readonly diskId: number;
  /** W: committed copies before a write is answered. */
  readonly writeQuorum: number;
  /** R: replicas asked by an eventually consistent read. */
  readonly readQuorum: number;
  /**
   * Which home replicas an eventually consistent read asks: this node and those behind it, or random ones. `nearest` is
   * to a node as `first`: the client of the ring then asks the node of its own process.
   */
  readonly readFrom: 'first' | 'nearest' | 'random';
  /** Whether a read repairs stale replicas that it finds. */
  readonly readRepair: boolean;
  /** In this time a node compares each of its partitions once with each other replica. 0: only on demand. */
  readonly antiEntropyIntervalMs: number;
  /** The pause between two scrubs of the whole store. 0, or undefined: only on demand. */
  readonly scrubIntervalMs?: number;
  /** The ring as it is known at the start: a config for each partition. Gossip brings what is newer. */
  readonly ring: readonly PartitionConfig[];
  /**
   * Whether this is the first start of the cluster: the node then takes the votes that `ring` gives it. Later starts
   * read the votes from the disk; a node without one, whose disk was lost, waits for an epoch change.
   */
  readonly isBootstrap: boolean;
  readonly limits: NodeLimits;
  readonly rules: Rules;
  /** Which assertions of invariants are on. Default: `cheap`. */
  readonly checks?: Checks;
  /**
   * Called for each hint that the node, as a coordinator, begins to keep for a home replica which did not take a
   * record.
   */
  readonly onHint?: ((hint: KeptHint) => void) | undefined;
}
