import { TICKS_PER_MS } from '../dynamo/ballot.ts';
import { partitionOf } from '../dynamo/keyspace.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId, PreferenceList } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { StoreKey } from '../env/store.ts';

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
  /** False: the node does not run, and nothing is known of its replica. */
  readonly isKnown: boolean;
  /** The time of the committed record's ballot, in ms since 1970; undefined if there is none. */
  readonly committedAtMs?: number | undefined;
  readonly isTombstone?: boolean;
  /** Whether a newer record was accepted and is not known to be committed. */
  readonly isUnsettled?: boolean;
  /** Whether another home replica has a newer committed record. */
  readonly isBehind?: boolean;
  /** Whether the replica cannot read its record. Until that is restored, it does not vote on the item. */
  readonly isDamaged?: boolean;
  /** Records that rules of lag hold back from it. */
  readonly held?: number;
}

/**
 * Finds the home replicas of a key, and what they hold of it now.
 *
 * @param nodeOf a node that can be looked into; undefined if it does not run
 */
export function locate(key: StoreKey, view: RingView, nodeOf: (id: NodeId) => StorageNode | undefined): Location {
  const { members } = view.newestConfig(partitionOf(key));
  return locationOf(
    key,
    view,
    members.map(({ node }) => replicaOf(key, node, nodeOf(node))),
  );
}

/** @param replicas what each home replica has said, in the order of the members */
export function locationOf(key: StoreKey, view: RingView, replicas: readonly ReplicaDescription[]): Location {
  const partition = partitionOf(key);
  const { epoch } = view.newestConfig(partition);
  const newestMs = Math.max(0, ...replicas.map(({ committedAtMs = 0 }) => committedAtMs));
  const compared = replicas.map((replica) =>
    replica.isKnown ? { ...replica, isBehind: (replica.committedAtMs ?? 0) < newestMs } : replica,
  );
  return { partition, epoch, preferenceList: view.preferenceList(partition), replicas: compared };
}

/** What a replica holds of a key, without regard to the others. @param node undefined if it does not run */
export function replicaOf(key: StoreKey, id: NodeId, node: StorageNode | undefined): ReplicaDescription {
  if (node === undefined) return { node: id, isKnown: false };
  const { committed, accepted, isDamaged } = node.stateOf(key);
  return {
    node: id,
    isKnown: true,
    committedAtMs: committed && committed.ballot.hlc / TICKS_PER_MS,
    isTombstone: committed !== undefined && committed.item === undefined,
    isUnsettled: accepted !== undefined,
    isDamaged: isDamaged === true,
    held: node.heldOf(key),
  };
}
