import type { KeyOrder, StoreKey } from '../env/store.ts';
import type { Ballot } from './ballot.ts';
import type { ItemRecord, ReplicaState } from './record.ts';
import type { NodeId } from './ring.ts';

/** A node and the contents of its disk: a wiped disk that comes back is another member. */
export interface Member {
  readonly node: NodeId;
  readonly diskId: number;
}

/**
 * Who may vote on a partition's registers: members by node and disk, so that a wiped disk that comes back is not taken
 * for the one that promised (docs/protocol.md counterexample 9). First the one that coordinates by preference.
 */
export interface PartitionConfig {
  readonly partition: number;
  readonly epoch: number;
  readonly members: readonly Member[];
  /** Which attempt to change the epoch was decided: names the staged records that are the beginning of this epoch. */
  readonly attempt: number;
}

/** The client's request that a message is sent for. Traces follow it; what a replica answers does not depend on it. */
export interface ForRequest {
  /** Undefined when nobody traces, and for what a node does by itself. */
  readonly requestId?: string | undefined;
}

/** What a coordinator asks of a replica (docs/protocol.md section 2). The partition is the beginning of the key. */
export type RegisterRequest = (ForRequest & RegisterCall) | AdoptRequest;

type RegisterCall =
  | { readonly kind: 'prepare'; readonly key: StoreKey; readonly ballot: Ballot; readonly epoch: number }
  | { readonly kind: 'accept'; readonly key: StoreKey; readonly record: ItemRecord; readonly epoch: number }
  | {
      readonly kind: 'learn';
      readonly key: StoreKey;
      readonly record: ItemRecord;
      /** Whether the answer waits for the disk: in `dynamo` mode nobody has accepted the record before. */
      readonly isFlushed?: boolean;
      /** Whether the write, or a change of epoch, waits for this copy: then no rule holds it back. */
      readonly isNeeded?: boolean;
    }
  | { readonly kind: 'read'; readonly key: StoreKey; readonly epoch: number }
  | { readonly kind: 'read-committed'; readonly key: StoreKey }
  | {
      readonly kind: 'read-range';
      /** `from` inclusive, `to` exclusive, both within one partition, whatever the order. */
      readonly from: StoreKey;
      readonly to: StoreKey;
      /** Which end of the range the page begins at. */
      readonly order: KeyOrder;
      readonly limit: number;
      /** Undefined: committed records only, whatever the epoch. */
      readonly epoch: number | undefined;
    };

/** To itself, of a key that is damaged here: to accept what others hold and have promised `ballot` for; perhaps nothing. */
interface AdoptRequest {
  readonly kind: 'adopt';
  readonly key: StoreKey;
  readonly ballot: Ballot;
  readonly record: ItemRecord | undefined;
  readonly epoch: number;
}

/**
 * To a substitute: keep a committed record for a home replica that is down (the Dynamo paper, section 4.6). Answered once
 * the disk has it: it may be the only copy.
 */
export type HintRequest = ForRequest & {
  readonly kind: 'hint';
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly home: NodeId;
};

/**
 * Between two replicas that compare what they have committed of a partition (the Dynamo paper, section 4.7). Only a member
 * of `epoch` answers: one that missed an epoch may hold what was deleted and purged meanwhile.
 */
export type MerkleRequest = {
  readonly epoch: number;
} /** The hashes of nodes of the receiver's tree, all of one level; level 0 is the root. */ & (
  | {
      readonly kind: 'merkle-hashes';
      readonly partition: number;
      readonly level: number;
      readonly indexes: readonly number[];
    }
  /** The keys of leaves, in their order in the store: at most `limit`, after `after`. */
  | {
      readonly kind: 'merkle-keys';
      readonly partition: number;
      readonly leaf: number;
      readonly after: StoreKey | undefined;
      readonly limit: number;
    }
  /** Keys of one partition, at least one. */
  | { readonly kind: 'fetch'; readonly keys: readonly StoreKey[] }
);

/** Both steps of a purge go to all members of the current epoch (docs/protocol.md section 9.1). */
export type PurgeRequest =
  /** Learn the tombstone, flush, and say whether nothing else of the key is here. */
  | { readonly kind: 'confirm-tombstone'; readonly key: StoreKey; readonly record: ItemRecord; readonly epoch: number }
  | { readonly kind: 'purge'; readonly key: StoreKey; readonly ballot: Ballot; readonly epoch: number };

/** The steps of an epoch change (docs/protocol.md section 8.2). */
export type EpochRequest =
  /** To a newcomer: copy what `sources`, members of `epoch`, have committed, before anything pauses. Answered when done. */
  | { readonly kind: 'copy'; readonly partition: number; readonly epoch: number; readonly sources: readonly NodeId[] }
  /** To an old member: from now on no prepare, accept or read in this epoch. */
  | { readonly kind: 'seal'; readonly partition: number; readonly epoch: number }
  /** To a sealed member: its accepted records that are newer than its committed ones, in key order. */
  | {
      readonly kind: 'sealed-records';
      readonly partition: number;
      readonly epoch: number;
      readonly after: StoreKey | undefined;
      readonly limit: number;
    }
  /** To a member of `next`: gather, durably, all that the sealed `sources` have. Answered when done. */
  | { readonly kind: 'stage'; readonly next: PartitionConfig; readonly sources: readonly NodeId[] }
  /** The config was decided. To anybody; those it names begin to vote in it. */
  | { readonly kind: 'activate'; readonly config: PartitionConfig };

/** A round of gossip: the sender's epochs by partition; the answer has the configs that are newer, and those wanted. */
export type GossipRequest = { readonly kind: 'gossip'; readonly epochs: readonly number[] };

export type Request =
  | RegisterRequest
  | HintRequest
  | MerkleRequest
  | PurgeRequest
  | EpochRequest
  | GossipRequest
  | { readonly kind: 'ping' };

export interface RangeEntry extends ReplicaState {
  readonly key: StoreKey;
}

/** A record in a comparison of replicas, without its value. */
export interface KeyDigest {
  readonly key: StoreKey;
  /** `NO_BALLOT` of one that cannot be read. */
  readonly ballot: Ballot;
  /** SHA-256 of the encoded record, its first 16 bytes as latin1. */
  readonly digest: string;
}

/** The epoch in which a replica is a member of a partition, and whether it waits there for the next one. */
export interface VoteState {
  readonly epoch: number;
  readonly isSealed: boolean;
}

/** What a replica answers. `from` lets the asker count a doubled answer once. */
export type Reply = { readonly from: NodeId } & (
  | ({ readonly kind: 'promise' } & ReplicaState)
  | ({ readonly kind: 'state' } & ReplicaState)
  | { readonly kind: 'accepted' }
  /**
   * `vote`: what the replica had in the partition from when it took the record until it answered; undefined if that was
   * nothing, or changed meanwhile. `isHeld`: a rule of lag holds the record back; it is in memory at best, and `vote`
   * undefined.
   */
  | { readonly kind: 'learned'; readonly vote: VoteState | undefined; readonly isHeld?: boolean }
  | {
      readonly kind: 'range';
      readonly entries: readonly RangeEntry[];
      /** Whether the replica has further entries behind the last one. */
      readonly more: boolean;
    }
  /** `effective`: the lowest ballot that would not have been refused is just above it. */
  | { readonly kind: 'rejected'; readonly effective: Ballot }
  /** Also while sealed; then the epoch is the one that was asked for. */
  | { readonly kind: 'wrong-epoch'; readonly config: PartitionConfig | undefined }
  /** The ballot is too far ahead of the replica's clock (docs/protocol.md section 2.1). */
  | { readonly kind: 'rejected-drift' }
  | { readonly kind: 'storage-failed'; readonly message: string }
  /** A record that bears on the answer cannot be read; it is being restored. With what can be read of the key. */
  | ({ readonly kind: 'damaged' } & ReplicaState)
  | { readonly kind: 'hinted' }
  /** No room for more hints. */
  | { readonly kind: 'hint-refused' }
  /** One hash for each index asked for, in that order, 16 bytes each. */
  | { readonly kind: 'merkle-hashes'; readonly hashes: Uint8Array }
  | { readonly kind: 'merkle-keys'; readonly entries: readonly KeyDigest[]; readonly more: boolean }
  /** For each key asked for, in that order, its committed record if there is one. */
  | { readonly kind: 'records'; readonly records: readonly (ItemRecord | undefined)[] }
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'unconfirmed' }
  | { readonly kind: 'purged' }
  | { readonly kind: 'copied' }
  | { readonly kind: 'sealed' }
  | {
      readonly kind: 'sealed-records';
      readonly entries: readonly { readonly key: StoreKey; readonly record: ItemRecord }[];
      /** What `after` is in the request for the next page; undefined if this was the last. */
      readonly next: StoreKey | undefined;
    }
  | { readonly kind: 'staged' }
  /** A copy or a stage that came to nothing; it may be asked for again. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'activated' }
  | { readonly kind: 'gossip'; readonly newer: readonly PartitionConfig[]; readonly wanted: readonly number[] }
  | { readonly kind: 'pong' }
);

/** Whether a replica that was told of a record is one of the W copies that a write waits for: a member, sealed or not. */
export function isCopy(reply: Reply): boolean {
  return reply.kind === 'learned' && reply.vote !== undefined;
}

/**
 * Whether a replica that was told of a record, and answered when its disk had that, is in an epoch from this one on and was
 * not sealed by then: so the next epoch begins with what it has, if it is among those that are sealed for that. What comes
 * to a sealed one may be too late for that, and is lost if it leaves. A majority of such answers, all of one epoch, is kept
 * whatever comes; one of them is enough to give up a copy of one's own.
 */
export function isKeptSince(epoch: number, reply: Reply): boolean {
  return reply.kind === 'learned' && reply.vote !== undefined && reply.vote.epoch >= epoch && !reply.vote.isSealed;
}
