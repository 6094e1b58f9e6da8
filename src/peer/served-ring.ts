import type { DynamoClient, ItemKey, LagRule } from '../dynamo/client.ts';
import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import type { Location } from './locate.ts';
import type { RingDescription } from './ring-description.ts';
import type { RingExamination } from './ring-examination.ts';

/**
 * A ring as a router, its web server and administrators need it, wherever its nodes run: all of them in this process
 * (`host/local-ring.ts`), or one here and others elsewhere. A call throws or rejects with a RingError, one line for
 * people, if the ring cannot do that now or is closed.
 */
export interface ServedRing {
  /** The way in for requests. */
  readonly client: DynamoClient & TransactingClient & StreamClient;
  /** The nodes, who votes on which partition, and the moves under way, as this process knows them. */
  describe(): RingDescription;
  /** As `describe`, but each node is asked, for some seconds at most. */
  examine(): RingExamination | Promise<RingExamination>;
  /** Where an item lives, and what each home replica holds of it, as far as that can be asked. */
  locate(key: ItemKey): Location | Promise<Location>;
  /** The node whose disk this is; undefined if that is not known, or the disk is gone. */
  nodeOfDisk(diskId: number): NodeId | undefined;
  /** Lets replicas lag by these rules, in place of those before. What other rules held back is released. */
  setLags(rules: readonly LagRule[]): void;
  /** Compares the replicas, and brings those up to date that are behind. @returns sums over the nodes */
  repair(): Promise<RepairReport>;
  /** Reads everything that is stored, and restores from other replicas what is damaged. @returns sums over the nodes */
  scrub(): Promise<ScrubReport>;
  /**
   * Resolves when all replicas are alike and nothing is on its way to one.
   *
   * @param withinMs half a minute unless given; then it rejects with what is still behind
   */
  waitUntilConsistent(withinMs?: number): Promise<void>;
  /** Ends what runs here. No other call may follow. Rejects with what failed first. */
  close(): Promise<void>;
}
