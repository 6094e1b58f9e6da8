import type { MoveProgress } from '../dynamo/epochs/rebalancer.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import type { NodeStatus } from '../dynamo/node-status.ts';
import type { NodeId } from '../dynamo/ring.ts';

export type NodeState = 'up' | 'paused' | 'stopped';

export interface NodeDescription {
  readonly id: NodeId;
  readonly state: NodeState;
  /** What the node says of itself; undefined while it is stopped. */
  readonly status: NodeStatus | undefined;
}

export interface RingDescription {
  readonly nodes: readonly NodeDescription[];
  /** The decided configs, by partition: which nodes vote on it, and in which epoch. */
  readonly partitions: readonly PartitionConfig[];
  /** How far the moves have come that follow a change of the nodes. */
  readonly moves: MoveProgress;
}
