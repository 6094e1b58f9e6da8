import { randomUUID } from 'node:crypto';
import type { Member } from '../dynamo/messages.ts';
import { assignPartitions, type NodeId } from '../dynamo/ring.ts';
import type { ClusterRecord } from '../env/cluster-file.ts';
import { newDiskId } from '../env/disk-id.ts';
import type { LocalRingSettings } from './local-ring-settings.ts';

/** A new cluster: its nodes, and their partitions in epoch 0. */
export function foundCluster({
  nodes,
  partitions,
  replication,
}: Pick<LocalRingSettings, 'nodes' | 'partitions' | 'replication'>): ClusterRecord {
  const members = Array.from({ length: nodes }, (_, i): Member => ({ node: nodeId(i + 1), diskId: newDiskId() }));
  const byNode = new Map(members.map((member) => [member.node, member]));
  const assignment = assignPartitions(partitions, [...byNode.keys()], replication);
  return {
    clusterId: randomUUID(),
    partitions,
    replication,
    firstNodes: nodes,
    lastNode: nodes,
    lastAttempt: 0,
    nodes: members,
    configs: assignment.map((list, partition) => ({
      partition,
      epoch: 0,
      members: list.map((node) => byNode.get(node)!),
      attempt: 0,
    })),
  };
}

/** The name of the node of this number, which is also its folder's. */
export function nodeId(number: number): NodeId {
  return `node-${number}`;
}

/** The number of a node whose name `nodeId` made. */
export function numberOf(id: NodeId): number {
  return Number(id.slice(nodeId(0).length - 1));
}
