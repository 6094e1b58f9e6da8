import { TICKS_PER_MS } from './dynamo/ballot.ts';
import type { MoveProgress } from './dynamo/membership.ts';
import type { PartitionConfig } from './dynamo/messages.ts';
import type { NodeStatus, StorageNode } from './dynamo/node.ts';
import type { NodeId, PreferenceList } from './dynamo/ring.ts';
import type { StoreKey } from './env/store.ts';

export type NodeState = 'up' | 'paused' | 'stopped';

export interface NodeDescription {
  readonly id: NodeId;
  readonly state: NodeState;
  /** Of nodes that run: what they say of themselves. */
  readonly status: NodeStatus | undefined;
}

export interface RingDescription {
  readonly nodes: readonly NodeDescription[];
  /** The decided configs, by partition. */
  readonly partitions: readonly PartitionConfig[];
  /** Of the moves that follow a change of the nodes. */
  readonly moves: MoveProgress;
}

/** Where an item lives and what each of its home replicas holds of it. */
export interface Location {
  readonly partition: number;
  readonly epoch: number;
  /** Home replicas first, then the substitutes in their order. */
  readonly preferenceList: PreferenceList;
  readonly replicas: readonly ReplicaDescription[];
}

export interface ReplicaDescription {
  readonly node: NodeId;
  /** False: the node does not run, and nothing is known. */
  readonly isKnown: boolean;
  /** The time of the committed record's ballot, in ms since 1970; undefined if there is none. */
  readonly committedAtMs?: number | undefined;
  readonly isTombstone?: boolean;
  /** Whether a newer record was accepted and is not known to be committed. */
  readonly isUnsettled?: boolean;
  /** Whether another home replica has a newer committed record. */
  readonly isBehind?: boolean;
  /** Records that rules of lag hold back from it. */
  readonly held?: number;
}

/** What the home replicas of a key hold of it. @param running the node, if it runs */
export function describeReplicas(
  homes: readonly NodeId[],
  key: StoreKey,
  running: (node: NodeId) => StorageNode | undefined,
): ReplicaDescription[] {
  const states = homes.map((node) => ({ node, state: running(node)?.stateOf(key) }));
  const newestHlc = Math.max(0, ...states.map(({ state }) => state?.committed?.ballot.hlc ?? 0));
  return states.map(({ node, state }): ReplicaDescription => {
    if (state === undefined) return { node, isKnown: false };
    const { committed, accepted } = state;
    return {
      node,
      isKnown: true,
      committedAtMs: committed && committed.ballot.hlc / TICKS_PER_MS,
      isTombstone: committed !== undefined && committed.item === undefined,
      isUnsettled: accepted !== undefined,
      isBehind: (committed?.ballot.hlc ?? 0) < newestHlc,
      held: running(node)?.heldOf(key) ?? 0,
    };
  });
}
