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
  const partition = partitionOf(key);
  const { epoch, members } = view.newestConfig(partition);
  const replicas = describeReplicas(
    key,
    members.map(({ node }) => ({ id: node, node: nodeOf(node) })),
  );
  return { partition, epoch, preferenceList: view.preferenceList(partition), replicas };
}

function describeReplicas(
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
