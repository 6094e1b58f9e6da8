import type { RepairReport } from './healing/anti-entropy.ts';
import type { DamageFigures } from './healing/key-restore.ts';
import type { NodeId } from './ring.ts';

/** A node's report on itself. */
export interface NodeStatus {
  readonly id: NodeId;
  readonly diskId: number;
  /** The partitions in which it votes, and those among them that are sealed for their next epoch. */
  readonly partitions: readonly number[];
  readonly sealed: readonly number[];
  /** Writes that this node coordinates now. */
  readonly writesUnderWay: number;
  /** Records kept for other nodes. */
  readonly hints: number;
  readonly hintBytes: number;
  /** Records that rules of lag hold back from its replicas. */
  readonly held: number;
  /** Items of this replica whose entries in global indexes are not known to be in place. */
  readonly owed: number;
  /** Items whose entries this node is putting in place as a coordinator. */
  readonly settling: number;
  /** Entries that were put in place, or removed, since the start. */
  readonly entriesConfirmed: number;
  /** Items whose entries rules of lag hold back before they are sent. */
  readonly propagationHeld: number;
  /** The nodes that it suspects to be down. */
  readonly suspects: readonly NodeId[];
  /** How many epochs of partitions it has begun to vote in since its start. */
  readonly epochsBegun: number;
  /** What it has repaired in the comparisons that it led. */
  readonly repaired: Omit<RepairReport, 'ms'>;
  readonly tombstonesPurged: number;
  /** Stored records that could not be read. */
  readonly damage: DamageFigures;
  /** Hints that could not be read. */
  readonly damagedHints: number;
  /** Values that scrubs have read since the start, and scrubs that are complete. */
  readonly scrubbed: { readonly records: number; readonly scrubs: number };
}
