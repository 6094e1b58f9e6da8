import { TICKS_PER_MS } from '../dynamo/ballot.ts';
import type { MoveProgress } from '../dynamo/epochs/rebalancer.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeStatus } from '../dynamo/node-status.ts';
import type { NodeId, PreferenceList } from '../dynamo/ring.ts';
import type { StoreKey } from '../env/store.ts';

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
  /** Whether it cannot read what it has: until that is restored, it has no say about the item. */
  readonly isDamaged?: boolean;
  /** Records that rules of lag hold back from it. */
  readonly held?: number;
}

/** What the home replicas of a key hold of it. @param replicas `node` undefined: it does not run */
export function describeReplicas(
  key: StoreKey,
  replicas: readonly { readonly id: NodeId; readonly node: StorageNode | undefined }[],
): ReplicaDescription[] {
  const states = replicas.map(({ id, node }) => ({ id, state: node?.stateOf(key), held: node?.heldOf(key) ?? 0 }));
  const newestHlc = Math.max(0, ...states.map(({ state }) => state?.committed?.ballot.hlc ?? 0));
  return states.map(({ id, state, held }) => {
    if (state === undefined) return { node: id, isKnown: false };
    const { committed, accepted } = state;
    return {
      node: id,
      isKnown: true,
      committedAtMs: committed && committed.ballot.hlc / TICKS_PER_MS,
      isTombstone: committed !== undefined && committed.item === undefined,
      isUnsettled: accepted !== undefined,
      isBehind: (committed?.ballot.hlc ?? 0) < newestHlc,
      isDamaged: state.isDamaged === true,
      held,
    };
  });
}
