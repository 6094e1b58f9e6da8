import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import type { PurgeReport } from '../dynamo/healing/tombstones.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { LinkFault } from '../env/transport.ts';
import type { GoalSettings } from '../peer/goal.ts';
import type { RingDescription } from '../peer/ring-description.ts';

/**
 * The storage nodes of a server, and what can happen to them: nodes stop, pause, lose their disk, come and go; links
 * break. The ring goes on as docs/replication.md says, and heals. Nodes are called `node-1`, `node-2` and so on.
 *
 * Every call throws or rejects with a RingError, one line for people, if the ring cannot do that now, has no such node,
 * or is closed.
 */
export interface Ring {
  /** The nodes, who votes on which partition, and the moves under way, as they are now. */
  describe(): RingDescription;

  /**
   * Stops a node in order: it answers what it was asked, and its disk keeps what it has. It is missing until `start`.
   */
  stop(id: NodeId): Promise<void>;
  /** Starts a node that was stopped, on the disk it has. What it missed reaches it as hints and by repair. */
  start(id: NodeId): Promise<void>;
  /** The node neither sends nor receives from now on, as if its process were stopped by a signal. */
  pause(id: NodeId): void;
  /** Ends a pause; messages that waited for the node are delivered. */
  resume(id: NodeId): void;
  /**
   * A node loses its disk: all it held, its votes included. It goes on with an empty one, and the others bring it back
   * partition by partition; `settled` waits for that. Rejects if too few copies would be left to do so.
   */
  wipe(id: NodeId): Promise<void>;

  /** Sets what is wrong with the way from one node to another, in place of what was. The way back is another link. */
  setLink(from: NodeId, to: NodeId, fault: LinkFault): void;
  /** Ends what is wrong with the way from one node to another. */
  healLink(from: NodeId, to: NodeId): void;
  /** Ends what is wrong with all links. */
  healLinks(): void;

  /**
   * Adds a node with an empty disk, and moves its share of the partitions to it. Resolves with its id once it runs; the
   * moves go on, and `settled` waits for them. If it cannot start, there is no such node.
   */
  addNode(): Promise<NodeId>;
  /**
   * Takes a node out of the ring for ever: its partitions move to the others, then it ends. Resolves when it has ended;
   * rejects at once if fewer nodes than N would be left.
   */
  removeNode(id: NodeId): Promise<void>;
  /** Resolves when every partition has the members that it should have, and the nodes that were removed have ended. */
  settled(): Promise<void>;

  /**
   * Compares the replicas of all nodes that are up, by Merkle trees, and brings those up to date that are behind, also
   * where a fault rule holds records back. The rules stay, for what is written afterwards.
   */
  repair(): Promise<RepairReport>;
  /**
   * Resolves when all replicas are alike: a comparison of all of them found nothing, no node keeps a hint or a record
   * whose outcome it does not know, and no partition is to be moved. Repairs as often as it takes. Records written
   * meanwhile have to become alike too.
   *
   * @param withinMs half a minute unless given; then it rejects with what is still behind
   */
  waitUntilConsistent(withinMs?: number): Promise<void>;
  /** Removes tombstones that are old enough and that every home replica has. */
  purgeTombstones(): Promise<PurgeReport>;
  /** Reads everything that the nodes have stored, and restores from other replicas what is damaged. */
  scrub(): Promise<ScrubReport>;
}

/** What an administrator may do to single nodes and links. */
export interface NodeControl extends Pick<Ring, 'stop' | 'start' | 'wipe' | 'addNode' | 'removeNode'> {
  /** As in `Ring`. Where the node has a process of its own, this is done when that has done it. */
  pause(id: NodeId): void | Promise<void>;
  resume(id: NodeId): void | Promise<void>;
  setLink(from: NodeId, to: NodeId, fault: LinkFault): void | Promise<void>;
  healLink(from: NodeId, to: NodeId): void | Promise<void>;
  /** Gives a node whose disk is lost the empty disk of a process that waits under its name. Where nodes have processes. */
  replaceNode?(id: NodeId): Promise<void>;
  /** Has a partition held by these nodes. Where nodes have processes. @returns the names of those that held it before */
  movePartition?(partition: number, to: readonly NodeId[]): Promise<readonly string[]>;
  /** Raises the level as far as all processes can go. Where nodes have processes. */
  finalize?(): Promise<{ readonly before: number; readonly level: number; readonly because: string }>;
  /** The settings that processes share. Where nodes have processes. @param change what is to be changed first, if anything */
  settings?(change: GoalSettings): Promise<GoalSettings>;
}
