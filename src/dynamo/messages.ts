import type { StoreKey } from '../env/store.ts';
import type { Ballot } from './ballot.ts';
import type { ItemRecord, ReplicaState } from './record.ts';
import type { NodeId } from './ring.ts';

/**
 * Who may vote on a partition's registers: members by node and disk, so that a wiped disk that comes back is not taken
 * for the one that promised (REPLICATION section 6, counterexample 9).
 */
export interface PartitionConfig {
  readonly partition: number;
  readonly epoch: number;
  readonly members: readonly { readonly node: NodeId; readonly diskId: number }[];
}

/** What a coordinator asks of a replica (REPLICATION section 2). The partition is the beginning of the key. */
export type Request =
  | { readonly kind: 'prepare'; readonly key: StoreKey; readonly ballot: Ballot; readonly epoch: number }
  | { readonly kind: 'accept'; readonly key: StoreKey; readonly record: ItemRecord; readonly epoch: number }
  | { readonly kind: 'learn'; readonly key: StoreKey; readonly record: ItemRecord }
  | { readonly kind: 'read'; readonly key: StoreKey; readonly epoch: number }
  | { readonly kind: 'read-committed'; readonly key: StoreKey }
  | {
      readonly kind: 'read-range';
      /** `from` inclusive, `to` exclusive, both within one partition. */
      readonly from: StoreKey;
      readonly to: StoreKey;
      readonly limit: number;
      /** Undefined: committed records only, whatever the epoch. */
      readonly epoch: number | undefined;
    };

export interface RangeEntry extends ReplicaState {
  readonly key: StoreKey;
}

/** What a replica answers. `from` lets the asker count a doubled answer once. */
export type Reply = { readonly from: NodeId } & (
  | ({ readonly kind: 'promise' } & ReplicaState)
  | ({ readonly kind: 'state' } & ReplicaState)
  | { readonly kind: 'accepted' }
  /** `counts`: the replica is a member of the partition, so its copy counts towards W. */
  | { readonly kind: 'learned'; readonly counts: boolean }
  | {
      readonly kind: 'range';
      readonly entries: readonly RangeEntry[];
      /** Whether the replica has further entries behind the last one. */
      readonly more: boolean;
    }
  /** `effective`: the lowest ballot that would not have been refused is just above it. */
  | { readonly kind: 'rejected'; readonly effective: Ballot }
  | { readonly kind: 'wrong-epoch'; readonly config: PartitionConfig | undefined }
  /** The ballot is too far ahead of the replica's clock (section 2, clock guard). */
  | { readonly kind: 'rejected-drift' }
  | { readonly kind: 'storage-failed'; readonly message: string }
);
