import type { PartitionConfig } from './messages.ts';
import type { NodeId } from './ring.ts';
import type { Rules } from './rules.ts';

/** The bounds of one node. Times in milliseconds. */
export interface NodeLimits {
  /** How long a coordinator tries before it gives up. Longer hides longer faults; clients time out themselves. */
  readonly opLifeMs: number;
  /** How long one phase waits for a quorum before it is tried again. Above the slowest healthy round trip. */
  readonly phaseTimeoutMs: number;
  /** The random pause before a retry is up to this. Too short and two coordinators duel; too long and they idle. */
  readonly maxBackoffMs: number;
  /** Lineage entries older than this are dropped, and an operation older than this is given up; at least opLifeMs. */
  readonly lineageWindowMs: number;
  /** How far above a promised ballot the durable ceiling is set: one flushed write per node in this time. */
  readonly ceilingAheadMs: number;
  /** Ballots further ahead of this node's clock are refused. */
  readonly maxDriftMs: number;
  /** Promises kept one by one; beyond it the oldest are merged into the floor. */
  readonly promisesKept: number;
  /** Keys whose records a replica keeps decoded. Above the writes under way; each may hold two items of 400 KB. */
  readonly statesKept: number;
  /** Writes of one key that may wait behind the one running. */
  readonly keyQueueLength: number;
  /** Writes that may wait on all keys together. */
  readonly queuedWrites: number;
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
  keyQueueLength: 1_000,
  queuedWrites: 10_000,
};

export interface NodeSettings {
  readonly id: NodeId;
  /** 48 bits; issued with the disk and kept with it. */
  readonly diskId: number;
  /** W: committed copies before a write is answered. */
  readonly writeQuorum: number;
  /** R: replicas asked by an eventually consistent read. */
  readonly readQuorum: number;
  /** Which home replicas those are: the first of the preference list, or random ones. */
  readonly readFrom: 'first' | 'random';
  /** The partitions' configs of epoch 0. Written once, at the first start of the cluster; later starts read their own. */
  readonly bootstrap: readonly PartitionConfig[] | undefined;
  readonly limits: NodeLimits;
  readonly rules: Rules;
}
