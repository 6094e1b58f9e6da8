import type { DelayDistribution } from '../api/delay-model.ts';
import type { Departure } from '../api/departure.ts';
import type { Derivation } from '../api/derivation.ts';
import type { ItemImage } from '../api/item.ts';
import type { Mutation, MutationOutcome } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { KeyOrder } from '../env/store.ts';

/** Names one register: an item of one table. */
export interface ItemKey {
  /** The storage id: eight bytes for one incarnation of a table, never used again after the table is deleted. */
  readonly table: ByteString;
  readonly partitionKey: ByteString;
  readonly sortKey: ByteString;
}

/**
 * `strict`: every write is a consensus round; reads may ask for the latest. `dynamo`: as in the 2007 paper, a write
 * goes to the first N healthy nodes and is answered after W, reads after R, and of two writes at a time the last wins.
 */
export type Consistency = 'strict' | 'dynamo';

/**
 * Holds the definitions of all other tables, on which every request rests: its replicas never lag on purpose, and no
 * limit of throughput is for it. No table of a client has this id, since a UUID is never zero.
 */
export const SYSTEM_TABLE: ByteString = '\0'.repeat(8);

/**
 * Which record a read returns. `latest`: linearizable in `strict` mode; the newest of max(R, N-W+1) replicas in
 * `dynamo` mode. `committed`: the newest committed record among R replicas, which may be stale. `laggard`: the
 * committed record of one replica that a `LagRule` may hold back.
 */
export type ReadFrom = 'latest' | 'committed' | 'laggard';

/**
 * Lets replicas lag behind: records in its scope are kept back from the last N - W home replicas of their partition,
 * and from fewer when some are down. Every answer that rests on a quorum stays as it is. Of several rules for one
 * record, the first counts. A rule is plain data, so it can be sent to a node in another process.
 */
export interface LagRule {
  /** A rule that comes again under the id of an earlier one replaces it; what the earlier one holds back stays so. */
  readonly id: string;
  /** Which records are kept back: those of any of these places. */
  readonly scope: readonly LagPlace[];
  readonly release: LagRelease;
}

export type LagPlace =
  | { readonly kind: 'table'; readonly table: ByteString }
  /**
   * All entries of a global index that are still to be sent: whichever replica is asked, the index is behind its table. Its
   * replicas may lag as those of a table do, by a place of the other kinds. `index` may be the id of a stream, too: its
   * changes come late into the log.
   */
  | { readonly kind: 'propagation'; readonly index: ByteString }
  /** All items of one partition key. */
  | { readonly kind: 'collection'; readonly table: ByteString; readonly partitionKey: ByteString }
  | { readonly kind: 'item'; readonly key: ItemKey };

/** When a record that is held back arrives after all, unless an order releases it earlier. */
export type LagRelease =
  | { readonly kind: 'never' }
  /** Each record by itself, after this delay. */
  | { readonly kind: 'after'; readonly delay: LagDelay }
  /** When so many newer versions of its item have come. */
  | { readonly kind: 'versions'; readonly count: number };

export type LagDelay =
  | { readonly kind: 'constant'; readonly delayMs: number }
  /**
   * A draw for each record. Every node draws a sequence of its own, which `seed` (a whole number) decides: the same
   * records in the same order are delayed by the same times.
   */
  | { readonly kind: 'drawn'; readonly distribution: DelayDistribution; readonly seed: number };

/** `ttl`: the sweep that deletes items which have expired. */
export type Writer = 'ttl';

export interface WriteOptions {
  readonly consistency: Consistency;
  /**
   * Whether the outcome must contain the item that was there before. In `dynamo` mode, a put or delete that neither
   * wants it nor has a condition reads nothing, and is possible as long as any node lives. An update always reads, and
   * is a consensus round.
   */
  readonly wantsOld: boolean;
  /** What is derived from the items of the table. Undefined: nothing. */
  readonly derivation?: Derivation | undefined;
  /** Who writes, if it is no client: what follows a change may have to tell it from a client's. */
  readonly by?: Writer | undefined;
  /** The client's request that this is done for, for its trace. */
  readonly requestId?: string | undefined;
}

/**
 * Why the cluster could not do what was asked: a value, not an exception. Only `router/cluster-errors.ts` translates
 * it.
 */
export type Failure =
  /** Too few replicas answered in time, and nothing was proposed: the operation did not happen. */
  | { readonly kind: 'unavailable'; readonly needed: number; readonly got: number }
  /** The operation may or may not have happened, now or later. */
  | { readonly kind: 'unknown' }
  /** The table was deleted, and nothing was done: its id means nothing any more. Perhaps another table has its name. */
  | { readonly kind: 'table-gone'; readonly table: ByteString }
  /** A bounded queue is full; nothing was tried. */
  | { readonly kind: 'overloaded' }
  /**
   * A global index, or the stream of the table, cannot keep up with the item: it would owe too much to it. `index` is the
   * storage id of either. The write did not happen.
   */
  | { readonly kind: 'index-behind'; readonly index: ByteString }
  /**
   * Replicas could not write, as on a full disk. As with `unknown`, the operation may have happened, or may happen yet.
   */
  | { readonly kind: 'storage-failed'; readonly message: string };

export type WriteOutcome = MutationOutcome | Failure;

export type ReadOutcome = { readonly kind: 'found'; readonly item: ItemImage } | { readonly kind: 'none' } | Failure;

export interface ReadRequest {
  readonly key: ItemKey;
  readonly from: ReadFrom;
  readonly consistency: Consistency;
  /** As in `WriteOptions`: a read of the latest may have to choose a record again. */
  readonly derivation?: Derivation | undefined;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
  /** Of who waits for the outcome. When it goes, the read ends soon, as `unavailable`. */
  readonly departure?: Departure | undefined;
}

/** One end of a range of sort keys. */
export interface SortKeyBound {
  /** No item need have it. */
  readonly sortKey: ByteString;
  /** Whether the range holds an item with just this sort key. */
  readonly isInclusive: boolean;
}

/** A part of one item collection. There are no items in it if its lower bound is above its upper one. */
export interface RangeRequest {
  /** Of a table; or of a global index, whose entries are read as items are. */
  readonly table: ByteString;
  readonly partitionKey: ByteString;
  /**
   * Read the items in the order of this local index, by its position among those of the table, and only those that are in
   * it. Bounds are then places in the index (`api/entry-place.ts`).
   */
  readonly localIndex?: number | undefined;
  /** Undefined: from the lowest sort key of the collection, whatever the order. */
  readonly lower?: SortKeyBound | undefined;
  /** Undefined: to the highest one. */
  readonly upper?: SortKeyBound | undefined;
  /** `forward`: by ascending sort key. */
  readonly order: KeyOrder;
  /** At most this many items, the first ones in this order. */
  readonly limit: number;
  readonly from: ReadFrom;
  readonly consistency: Consistency;
  /** As in `ReadRequest`. */
  readonly derivation?: Derivation | undefined;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
  /** As in `ReadRequest`. */
  readonly departure?: Departure | undefined;
}

/**
 * The items, and whether there are further ones in the range. There may be fewer than `limit` although there are more: an
 * answer ends with the item with which it is a megabyte (`NodeLimits.rangeBytes`). Then `more` may also be true although
 * nothing follows.
 */
export type RangeOutcome =
  | { readonly kind: 'items'; readonly items: readonly ItemImage[]; readonly more: boolean }
  | Failure;

/**
 * One of `total` disjoint slices that together are the whole table. Slices are equal parts of the ring, so all items of
 * one partition key are in one slice.
 */
export interface Segment {
  /** 0 to `total` - 1. */
  readonly index: number;
  /** 1 to 1,000,000. */
  readonly total: number;
}

/** One page of a walk through a table, which goes partition by partition. */
export interface ScanRequest {
  readonly table: ByteString;
  /** As in `RangeRequest`: within a partition, collection by collection, each in the order of the index. */
  readonly localIndex?: number | undefined;
  readonly start: ScanStart;
  /** Undefined: the whole table. */
  readonly segment?: Segment | undefined;
  /** At most this many items. */
  readonly limit: number;
  readonly from: ReadFrom;
  readonly consistency: Consistency;
  /** As in `ReadRequest`. */
  readonly derivation?: Derivation | undefined;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
  /** As in `ReadRequest`. */
  readonly departure?: Departure | undefined;
}

export type ScanStart =
  /** 0 to `partitions` - 1. */
  | { readonly kind: 'partition'; readonly partition: number }
  /** Behind this item, which need not exist, in its partition. In a local index `sortKey` is its place there. */
  | { readonly kind: 'after'; readonly partitionKey: ByteString; readonly sortKey: ByteString };

export type ScanOutcome =
  | {
      readonly kind: 'items';
      readonly items: readonly ItemImage[];
      /** The partition of these items. */
      readonly partition: number;
      /** Whether the partition has further items, as in `RangeOutcome`. */
      readonly more: boolean;
    }
  | Failure;

/** Items and their size in bytes, by the service's rules. */
export interface ItemCount {
  readonly items: number;
  readonly bytes: number;
}

export interface TableCount extends ItemCount {
  /**
   * The entries by the number of the local index. Shorter if there are none in the last ones. If indexes project
   * differently, the bytes of an item's entries are spread evenly over them.
   */
  readonly local: readonly ItemCount[];
}

/**
 * The way into the ring, and the only one. Each call finds the partition of the key and asks the first healthy node of
 * its preference list to coordinate.
 */
export interface DynamoClient {
  /** Q: into how many partitions the items of every table are cut. */
  readonly partitions: number;
  /**
   * Applies `mutation` to an item. `strict`: exactly once or not at all; linearizable with all writes of the key and
   * reads of the latest. `dynamo`: a write with a condition or `wantsOld` is atomic against other such writes only; of
   * any others the last one wins.
   */
  write(key: ItemKey, mutation: Mutation, options: WriteOptions): Promise<WriteOutcome>;
  /** The item, from the record that `from` names. */
  read(request: ReadRequest): Promise<ReadOutcome>;
  /** The items of one item collection by ascending or descending sort key. */
  range(request: RangeRequest): Promise<RangeOutcome>;
  /** The tables of which any node that answers holds records, including deleted ones, which no request can reach. */
  tables(): Promise<ReadonlySet<ByteString>>;
  /**
   * The items of a table in one partition: those of one partition key in the order of their sort keys, the partition
   * keys in an order of their own, which is always the same. Each item as a read of it would have been; no snapshot of
   * them all.
   */
  scan(request: ScanRequest): Promise<ScanOutcome>;
  /**
   * How many items tables have, as one replica of each partition has counted them. Some may be missing for a while: those
   * of partitions with no node that answers, and while a node still counts, after its start.
   * @param tables also the ids of global indexes, whose entries are counted as items
   * @returns for each table
   */
  countItems(tables: readonly ByteString[]): Promise<readonly TableCount[]>;
  /** The index of the segment that the items of a partition key are in. */
  segmentOf(key: Pick<ItemKey, 'table' | 'partitionKey'>, total: number): number;
  /**
   * Has all nodes use a derivation, which is newer than the one before. Resolves when no round by an older one is under way,
   * and none will begin.
   */
  useDerivation(derivation: Derivation): Promise<void>;
  /**
   * Of how many items of a table some entry may still be on its way: the most that one node knows of. A node that does not
   * answer counts as one that knows of one, until others have had the time to settle what it owed.
   * @param ageMs counts only what has been due for so long
   */
  due(table: ByteString, ageMs?: number): Promise<number>;
  /**
   * The size of an item collection of a table with local indexes, by the service's rules: of its items, and of all that is
   * projected into the indexes. As one replica has it.
   * @returns undefined if no replica answers
   */
  collectionBytes(key: Pick<ItemKey, 'table' | 'partitionKey'>): Promise<number | undefined>;
  /**
   * Ends all requests for tables whose definitions are gone, whoever may still have those definitions. Not needed where one
   * router serves all requests.
   * @returns true once no request by these ids can be acknowledged any more; false if too few nodes could be told
   */
  fenceTables(tables: readonly ByteString[]): Promise<boolean>;
  /** Erases the records of a table that no request can reach any more, on all nodes, in the background. */
  forgetTable(table: ByteString): Promise<void>;
}
