import type { RepairReport } from './healing/anti-entropy.ts';
import type { DamageFigures } from './healing/key-restore.ts';
import type { NodeId } from './ring.ts';

/** What a node says of itself. */
export interface NodeStatus {
  readonly id: NodeId;
  readonly diskId: number;
  /** The partitions in which it votes, and those of them that wait for their next epoch. */
  readonly partitions: readonly number[];
  readonly sealed: readonly number[];
  /** Writes that this node coordinates now. */
  readonly writesUnderWay: number;
  /** Records kept for other nodes. */
  readonly hints: number;
  readonly hintBytes: number;
  /** Records that rules of lag hold back from its replicas. */
  readonly held: number;
  /** The nodes it takes for down. */
  readonly suspects: readonly NodeId[];
  /** Since it was started: the epochs of partitions in which it has begun to vote. */
  readonly epochsBegun: number;
  /** What it has repaired, as the one that led the comparison. */
  readonly repaired: Omit<RepairReport, 'ms'>;
  readonly tombstonesPurged: number;
  /** Stored records that could not be read. */
  readonly damage: DamageFigures;
  /** Hints that could not be read. */
  readonly damagedHints: number;
  /** Values that scrubs have read since the start, and those of them that have come to their end. */
  readonly scrubbed: { readonly records: number; readonly scrubs: number };
}
