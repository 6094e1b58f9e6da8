import type { PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { LevelReport, Release } from './level.ts';
import type { NodeState } from './ring-description.ts';

/** A ring as its nodes say that it is, each of which was asked. */
export interface RingExamination {
  /** Those that hold something, and those that shall. */
  readonly nodes: readonly NodeReport[];
  /** The newest configs known, by partition. */
  readonly partitions: readonly PartitionConfig[];
  /** The partitions that shall have other members than they have. */
  readonly moves: readonly MoveReport[];
  /** Why it is not known what is wanted, a line; undefined if it is known. */
  readonly unknownGoal: string | undefined;
  /** Undefined where all nodes are of one process, or if it is not known. */
  readonly level: LevelReport | undefined;
  /** What else an operator should know, a line each. */
  readonly notes: readonly string[];
}

export interface NodeReport {
  readonly id: NodeId;
  /** `silent`: it is connected, and has not said in time what it does. */
  readonly state: NodeState | 'silent';
  /** Undefined: it has not said it, or its release cannot. */
  readonly votes: readonly number[] | undefined;
  readonly hints: number;
  readonly suspects: readonly NodeId[];
  /** What its process runs; undefined: that is not there, or all nodes are of one. */
  readonly release: Release | undefined;
}

export interface MoveReport {
  readonly partition: number;
  readonly to: readonly NodeId[];
  /** The node that moves it at the moment, and else why one could not, as far as that is known. */
  readonly by: NodeId | undefined;
  readonly problem: string | undefined;
}

/** No epoch: a node that has no vote on a partition, or whose vote is sealed for the next epoch. */
export const NO_VOTE = -1;

/** By partition the epoch in which a node votes, or `NO_VOTE`. */
export function votesOf(node: Pick<StorageNode, 'view' | 'votingConfig' | 'isSealed'>): readonly number[] {
  return node.view.configs.map(({ partition }) =>
    node.isSealed(partition) ? NO_VOTE : (node.votingConfig(partition)?.epoch ?? NO_VOTE),
  );
}
