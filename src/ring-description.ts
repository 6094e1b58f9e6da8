import type { MoveProgress } from './dynamo/membership.ts';
import type { PartitionConfig } from './dynamo/messages.ts';
import type { NodeStatus } from './dynamo/node-status.ts';
import type { NodeId, PreferenceList } from './dynamo/ring.ts';

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
