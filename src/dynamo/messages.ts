import type { ByteString } from '../api/primary-key.ts';
import type { KeyOrder, StoreKey } from '../env/store.ts';
import type { Ballot } from './ballot.ts';
import type { Settled } from './derived/settled.ts';
import type { ItemRecord, ReplicaState } from './record.ts';
import type { NodeId } from './ring.ts';

/** A node with its disk: the same node with a disk that was wiped is another member. */
export interface Member {
  readonly node: NodeId;
  readonly diskId: number;
}

/**
 * Which members vote on a partition's registers, by node and disk: a wiped disk that comes back must not be taken for
 * the disk that has promised (docs/protocol.md counterexample 9). The first member is the preferred coordinator.
 */
export interface PartitionConfig {
  readonly partition: number;
  readonly epoch: number;
  readonly members: readonly Member[];
  /** The attempt to change the epoch that was decided. The records staged under it are the beginning of this epoch. */
  readonly attempt: number;
}

/**
 * What the config register of one epoch of a partition holds (docs/protocol.md section 8.6). At first it is the attempt
 * by which that epoch was decided, and nothing is decided.
 */
export interface ConfigValue {
  /** The last attempt to change the epoch that was begun. */
  readonly begun: number;
  /** The config of the next epoch, once there is one. */
  readonly decided?: PartitionConfig | undefined;
}

/** What a member has accepted in the config register of its epoch. Nobody may act on it: a majority has to have it. */
export interface AcceptedConfig {
  readonly ballot: Ballot;
  readonly value: ConfigValue;
}

/** Names the client's request that a message is sent for, for traces. No answer depends on it. */
export interface ForRequest {
  /** Undefined when nobody traces, and in messages that a node sends by itself. */
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
      /** Whether the answer waits for the disk: in `dynamo` mode no replica has accepted the record before. */
      readonly isFlushed?: boolean;
      /** Whether the write, or a change of epoch, waits for this copy: then no rule of lag holds it back. */
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
      /** The page also ends with the entry with which the records have so many bytes. */
      readonly bytesLimit: number;
      /** Undefined: committed records only, whatever the epoch. */
      readonly epoch: number | undefined;
    }
  /** As `read-range`, of the rows of a local index: `from` and `to` are keys of rows (`keyspace.ts`). */
  | {
      readonly kind: 'read-local-range';
      readonly from: StoreKey;
      readonly to: StoreKey;
      readonly order: KeyOrder;
      readonly limit: number;
      readonly bytesLimit: number;
      /** Undefined: committed records only, whatever the epoch. */
      readonly epoch: number | undefined;
    };

/**
 * To itself, about a key that is damaged here: take the record that the other replicas hold and have promised
 * `ballot` for. They may hold none. If the record has another ballot than this one, it is committed: it is learned
 * as it is.
 */
interface AdoptRequest {
  readonly kind: 'adopt';
  readonly key: StoreKey;
  readonly ballot: Ballot;
  readonly record: ItemRecord | undefined;
  readonly epoch: number;
}

/**
 * To a substitute: keep a committed record for a home replica that is down (the Dynamo paper, section 4.6). It answers
 * when its disk has the record, which may be the only copy.
 */
export type HintRequest = ForRequest & {
  readonly kind: 'hint';
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly home: NodeId;
};

/**
 * Between two replicas that compare their committed records of a partition (the Dynamo paper, section 4.7). Only a
 * member of `epoch` answers: a replica that missed an epoch may hold records that were deleted and purged meanwhile.
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

/**
 * To the home replicas of an item: its entries are in their places, as far as they were due up to this ballot
 * (docs/protocol.md section 14.3). Nothing rests on it: without it work is done twice.
 */
export type MarkRequest = ForRequest &
  (
    | { readonly kind: 'mark-settled'; readonly key: StoreKey; readonly due: Ballot }
    /** Its changes up to this ballot are in the log of the stream (docs/protocol.md section 18.2). */
    | { readonly kind: 'mark-logged'; readonly key: StoreKey; readonly logged: Ballot }
  );

/** The steps of an epoch change (docs/protocol.md section 8.2). */
export type EpochRequest =
  /**
   * To a new member: copy the committed records of `sources`, members of `epoch`, before writes pause. Answered when
   * done.
   */
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
  /** To a member of `next`: gather, durably, all records of the sealed `sources`. Answered when done. */
  | { readonly kind: 'stage'; readonly next: PartitionConfig; readonly sources: readonly NodeId[] }
  /** To any node: the config was decided. The members that it names begin to vote in it. */
  | { readonly kind: 'activate'; readonly config: PartitionConfig };

/**
 * The two phases of a round in the config register of one epoch of a partition, to its members (docs/protocol.md
 * section 8.6). The `hlc` of these ballots is a counter, no time.
 */
export type ConfigRequest =
  | { readonly kind: 'config-prepare'; readonly partition: number; readonly epoch: number; readonly ballot: Ballot }
  | {
      readonly kind: 'config-accept';
      readonly partition: number;
      readonly epoch: number;
      readonly ballot: Ballot;
      readonly value: ConfigValue;
    };

/**
 * A round of gossip: the sender's epochs by partition. The answer has the configs that the sender lacks, and the
 * partitions of which the receiver wants a newer config.
 */
export type GossipRequest = { readonly kind: 'gossip'; readonly epochs: readonly number[] };

export type Request =
  | RegisterRequest
  | HintRequest
  | MerkleRequest
  | PurgeRequest
  | MarkRequest
  | EpochRequest
  | ConfigRequest
  | GossipRequest
  | { readonly kind: 'ping' };

export interface RangeEntry extends ReplicaState {
  readonly key: StoreKey;
}

/** A record in a comparison of replicas, without its value. */
export interface KeyDigest {
  readonly key: StoreKey;
  /** `NO_BALLOT` if the record cannot be read. */
  readonly ballot: Ballot;
  /** SHA-256 of the encoded record, its first 16 bytes as latin1. */
  readonly digest: string;
}

/** The epoch in which a replica is a member of a partition, and whether it is sealed there until the next one. */
export interface VoteState {
  readonly epoch: number;
  readonly isSealed: boolean;
}

/** The answer of a replica. `from` lets the coordinator count an answer once that comes twice. */
export type Reply = {
  readonly from: NodeId;
} /** `settled`: up to where the replica knows the item to be settled; undefined if nothing is derived from it. */ & (
  | ({ readonly kind: 'promise'; readonly settled?: Settled | undefined } & ReplicaState)
  | ({ readonly kind: 'state'; readonly settled?: Settled | undefined } & ReplicaState)
  | { readonly kind: 'accepted' }
  /**
   * `vote`: the replica's vote in the partition, from when it took the record until it answered; undefined if it had
   * none, or if that changed meanwhile. `isHeld`: a rule of lag holds the record back. Then it is in memory at best,
   * and `vote` is undefined.
   */
  | { readonly kind: 'learned'; readonly vote: VoteState | undefined; readonly isHeld?: boolean }
  | {
      readonly kind: 'range';
      readonly entries: readonly RangeEntry[];
      /** Whether the replica has further entries behind the last one. */
      readonly more: boolean;
    }
  | {
      readonly kind: 'local-range';
      /** In the order that was asked for, by their rows: what is committed of each item. */
      readonly entries: readonly RangeEntry[];
      /** Items of these collections whose newest record is not settled here, wherever it is in the index. */
      readonly unsettled: readonly StoreKey[];
      /** The last row that the page covers, if there are more behind it. */
      readonly end: StoreKey | undefined;
    }
  /** `effective`: the lowest ballot that would not have been refused is just above it. */
  | { readonly kind: 'rejected'; readonly effective: Ballot }
  /**
   * The replica does not vote in the epoch asked for, or is sealed in it. `config`: in which it votes, or the one for
   * which it has given up its vote.
   */
  | { readonly kind: 'wrong-epoch'; readonly config: PartitionConfig | undefined }
  /** The table of what was asked for was deleted (docs/protocol.md section 9.6). */
  | { readonly kind: 'table-gone'; readonly table: ByteString }
  /** The ballot is too far ahead of the replica's clock (docs/protocol.md section 2.1). */
  | { readonly kind: 'rejected-drift' }
  | { readonly kind: 'storage-failed'; readonly message: string }
  /**
   * A record that the answer depends on cannot be read, and is being restored. With those of the key that can be read.
   */
  | ({ readonly kind: 'damaged' } & ReplicaState)
  | { readonly kind: 'hinted' }
  /** No room for more hints. */
  | { readonly kind: 'hint-refused' }
  /** One hash for each index asked for, in that order, 16 bytes each. */
  | { readonly kind: 'merkle-hashes'; readonly hashes: Uint8Array }
  | { readonly kind: 'merkle-keys'; readonly entries: readonly KeyDigest[]; readonly more: boolean }
  /**
   * For each key asked for, in that order, its committed record if there is one. Perhaps only for the first keys, at
   * least one of them: then the sender asks for the others again.
   */
  | {
      readonly kind: 'records';
      readonly records: readonly (ItemRecord | undefined)[];
      /** For each of them, as in a promise: whoever takes it need not put its entries in place again. */
      readonly settled: readonly (Settled | undefined)[];
    }
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'unconfirmed' }
  | { readonly kind: 'purged' }
  | { readonly kind: 'marked' }
  | { readonly kind: 'copied' }
  | { readonly kind: 'sealed' }
  | {
      readonly kind: 'sealed-records';
      readonly entries: readonly { readonly key: StoreKey; readonly record: ItemRecord }[];
      /** What `after` is in the request for the next page; undefined if this was the last. */
      readonly next: StoreKey | undefined;
      /** With the first page, the ids of the tables that are fenced at the member. */
      readonly fenced: readonly ByteString[];
    }
  | { readonly kind: 'staged' }
  /** A copy or a stage that has failed; it may be tried again. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'activated' }
  /** `accepted`: what it has accepted in this register so far, under lower ballots. */
  | { readonly kind: 'config-promise'; readonly accepted: AcceptedConfig | undefined }
  | { readonly kind: 'config-accepted' }
  | { readonly kind: 'gossip'; readonly newer: readonly PartitionConfig[]; readonly wanted: readonly number[] }
  | { readonly kind: 'pong' }
);

/**
 * Whether the answer to a `learn` counts as one of the W copies that a write waits for: it is a member's, sealed or
 * not.
 */
export function isCopy(reply: Reply): boolean {
  return reply.kind === 'learned' && reply.vote !== undefined;
}

/**
 * Whether the answer to a `learn`, given when the disk had the record, is of a member of this or a later epoch that was
 * not sealed by then. The next epoch begins with the records of such a member, if it is among those that are sealed for
 * it. A record that reaches a sealed member may be too late for that, and is lost if the member leaves. A majority of
 * such answers in one epoch means that the record is kept, whatever comes. One is enough to drop a copy of one's own.
 */
export function isKeptSince(epoch: number, reply: Reply): boolean {
  return reply.kind === 'learned' && reply.vote !== undefined && reply.vote.epoch >= epoch && !reply.vote.isSealed;
}

/** Whether an answer to `fetch` has records of some of the keys: of the first ones, as far as one message goes. */
export function answersSome({ records }: { readonly records: readonly unknown[] }, keys: readonly StoreKey[]): boolean {
  return records.length > 0 && records.length <= keys.length;
}
