import { hash } from 'node:crypto';
import type { ByteString } from '../api/primary-key.ts';
import { type HalfOpenRange, keyAfter, type StoreKey } from '../env/store.ts';
import type { ItemKey, SortKeyBound } from './client.ts';

/**
 * The layout of a store key: partition (2 bytes) | table (8) | hash of the partition key (16) | sort key. Partition
 * first, so that scanning, moving or hashing a partition is one range; then the table, so that forgetting a table is
 * one range per partition; then the collection, whose items are in the order of their sort keys.
 */
const HASH_BYTES = 16;

/** Above every key: a key begins with its partition's number, and no ring has 65,536 partitions. */
export const KEYS_END: StoreKey = '\xff\xff';

/** The prefix of all items with this partition key: their place on the ring does not depend on the sort key. */
export function collectionPrefix(table: ByteString, partitionKey: ByteString, partitions: number): StoreKey {
  const digest = digestOf(partitionKey);
  return partitionPrefix(partitionOfHash(digest, partitions)) + table + digest;
}

export function storeKeyOf(key: ItemKey, partitions: number): StoreKey {
  return collectionPrefix(key.table, key.partitionKey, partitions) + key.sortKey;
}

/**
 * The keys of a collection between two bounds.
 * @param prefix the `collectionPrefix`
 * @param lower undefined: from the first key of the collection
 * @param upper undefined: to the last one
 */
export function sortKeyRange(
  prefix: StoreKey,
  lower: SortKeyBound | undefined,
  upper: SortKeyBound | undefined,
): HalfOpenRange {
  const from = lower === undefined ? prefix : prefix + lower.sortKey;
  const to = upper === undefined ? prefixEnd(prefix) : prefix + upper.sortKey;
  return {
    from: lower?.isInclusive === false ? keyAfter(from) : from,
    to: upper?.isInclusive === true ? keyAfter(to) : to,
  };
}

/** Digests of short partition keys that were asked for lately: some hundred KB. */
const DIGESTS_KEPT = 2_048;
const LONGEST_KEPT = 64;
const digests = new Map<ByteString, ByteString>();

/**
 * SHA-256, not a faster mix: partition keys are chosen by clients, and two keys with one hash would share a register.
 */
function digestOf(partitionKey: ByteString): ByteString {
  const known = digests.get(partitionKey);
  if (known !== undefined) return known;
  const digest = hash('sha256', partitionKey, 'binary').slice(0, HASH_BYTES);
  if (partitionKey.length > LONGEST_KEPT) return digest;
  // Dropping the oldest would cost each key that comes only once as much as this saves.
  if (digests.size >= DIGESTS_KEPT) digests.clear();
  digests.set(partitionKey, digest);
  return digest;
}

/** The partition that a store key begins with. */
export function partitionOf(key: StoreKey): number {
  return key.charCodeAt(0) * 256 + key.charCodeAt(1);
}

/** The table that a store key belongs to. */
export function tableOf(key: StoreKey): ByteString {
  return key.slice(2, 10);
}

/** The collection that a store key belongs to: what `collectionPrefix` gives for its partition key. */
export function collectionOf(key: StoreKey): StoreKey {
  return key.slice(0, DIGEST_AT + HASH_BYTES);
}

/** What follows the collection in a store key: the sort key of the item, or the place of the entry. */
export function sortKeyOf(key: StoreKey): ByteString {
  return key.slice(DIGEST_AT + HASH_BYTES);
}

/*
 * The log of a stream is cut into shards, each of which is a slice of the ring. Its registers are in the first partition of the
 * slice: partition (2 bytes) | storage id of the stream (8) | where the partition begins on the ring (4) | `LOG` | what follows
 * in `log/log-keys.ts`. No item is there: nobody finds a partition key with such a hash.
 */
const LOG = 'dynaring-log';

/** What the keys of one shard's registers begin with. @param partition of the shard's log */
export function logPrefix(stream: ByteString, partition: number, partitions: number): StoreKey {
  return partitionPrefix(partition) + stream + positionBytes(sliceStart(partition, partitions)) + LOG;
}

/** Whether a key is of a register of a log. */
export function isLogKey(key: StoreKey): boolean {
  return key.startsWith(LOG, DIGEST_AT + HASH_BYTES - LOG.length);
}

/** The partition that has the log of the shard that a partition belongs to. @param shards a divisor of `partitions` */
export function partitionOfLog(partition: number, shards: number, partitions: number): number {
  const each = partitions / shards;
  return Math.floor(partition / each) * each;
}

/*
 * The key of a row in the store `lsi`: partition (2 bytes) | table (8) | number of the local index among those of its table
 * (1) | hash of the partition key (16) | place in the index (`api/entry-place.ts`). So the rows of an index in a partition
 * are one range, those of an item collection in it are one as well, and the rows of a table or of a partition are where its
 * records are.
 */
const INDEX_AT = 10;
const ROW_PLACE_AT = INDEX_AT + 1 + HASH_BYTES;

/** The row of an item in a local index of its table. @param place of the item in the index */
export function localRowKey(key: StoreKey, index: number, place: ByteString): StoreKey {
  return localRows(collectionOf(key), index) + place;
}

/**
 * The rows in one local index of what has this prefix among the items: a collection, a table in a partition, or a slice of
 * one.
 */
export function localRows(prefix: StoreKey, index: number): StoreKey {
  return prefix.slice(0, INDEX_AT) + String.fromCharCode(index) + prefix.slice(INDEX_AT);
}

/** The rows in one local index of a range of items of one table. */
export function rowsOfItems({ from, to }: HalfOpenRange, index: number): HalfOpenRange {
  const table = from.slice(0, INDEX_AT);
  const end = to.startsWith(table) ? localRows(to, index) : prefixEnd(localRows(table, index));
  return { from: localRows(from, index), to: end };
}

/**
 * In place of the number of an index: the row that has the size of an item collection, if its table has local indexes. No
 * table has so many of them.
 */
const SIZE = 0xff;

/** The row that has the size of an item collection. @param key of the collection, or of an item in it */
export function collectionSizeRow(key: StoreKey): StoreKey {
  return localRows(collectionOf(key), SIZE);
}

export function isSizeRow(row: StoreKey): boolean {
  return indexOfRow(row) === SIZE;
}

/** The number of the local index that a row belongs to. */
export function indexOfRow(row: StoreKey): number {
  return row.charCodeAt(INDEX_AT);
}

/** The item that a row names. @param sortKey the value of the row */
export function itemOfRow(row: StoreKey, sortKey: ByteString): StoreKey {
  return collectionOfRow(row) + sortKey;
}

/** The place in its index that a row has. */
export function placeOfRow(row: StoreKey): ByteString {
  return row.slice(ROW_PLACE_AT);
}

/**
 * The items whose rows a range of rows of one index may hold: the collections that it touches, whole.
 * @param from,to as in `HalfOpenRange`
 */
export function collectionsOfRows({ from, to }: HalfOpenRange): HalfOpenRange {
  const first = collectionOfRow(from);
  if (to.slice(0, INDEX_AT + 1) !== from.slice(0, INDEX_AT + 1)) {
    return { from: first, to: prefixEnd(from.slice(0, INDEX_AT)) };
  }
  const last = collectionOfRow(to);
  return { from: first, to: to.length > ROW_PLACE_AT ? prefixEnd(last) : last };
}

function collectionOfRow(row: StoreKey): StoreKey {
  return row.slice(0, INDEX_AT) + row.slice(INDEX_AT + 1, ROW_PLACE_AT);
}

/** The range of a table's records in one partition: `from` inclusive, `to` exclusive. */
export function tableRange(partition: number, table: ByteString): { from: StoreKey; to: StoreKey } {
  const from = partitionPrefix(partition) + table;
  return { from, to: prefixEnd(from) };
}

/** All records of a partition: `from` inclusive, `to` exclusive. */
export function partitionRange(partition: number): { from: StoreKey; to: StoreKey } {
  const from = partitionPrefix(partition);
  return { from, to: prefixEnd(from) };
}

/** The least key above every key that begins with `prefix`. */
export function prefixEnd(prefix: StoreKey): StoreKey {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) throw new RangeError('a prefix of nothing but 0xff has no end');
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

/** The first bytes of all store keys of a partition. */
export function partitionPrefix(partition: number): string {
  return String.fromCharCode(partition >> 8, partition & 0xff);
}

/** The end of the positions on the ring: a position is the first four bytes of the hash. */
const RING_END = 0x100000000;
const DIGEST_AT = 10;

/** Q equal slices of the hash space (the Dynamo paper, section 6.2, strategy 3). */
function partitionOfHash(digest: string, partitions: number): number {
  return Math.floor((positionIn(digest, 0) * partitions) / RING_END);
}

/**
 * The slice of its partition that a key belongs to, of `leaves` equal ones. Exact as long as there are at most 2^21
 * slices on the ring.
 */
export function leafOf(key: StoreKey, partitions: number, leaves: number): number {
  return sliceAt(positionIn(key, DIGEST_AT), partitions * leaves) - partitionOf(key) * leaves;
}

/** One of `leaves` equal slices of a partition. */
interface Leaf {
  readonly partition: number;
  /** How many partitions the ring has. */
  readonly partitions: number;
  readonly leaf: number;
  readonly leaves: number;
}

/** The records of one table in one slice of a partition: `from` inclusive, `to` exclusive. */
export function leafRange(
  table: ByteString,
  { partition, partitions, leaf, leaves }: Leaf,
): { from: StoreKey; to: StoreKey } {
  return sliceRange(partition, table, partition * leaves + leaf, partitions * leaves);
}

/** The slice of the ring, of `slices` equal ones, that the items of a partition key are in. */
export function sliceOf(partitionKey: ByteString, slices: number): number {
  return sliceAt(positionIn(digestOf(partitionKey), 0), slices);
}

/**
 * The records of one table that are in a partition and also in one slice of the ring, of `slices` equal ones: `from`
 * inclusive, `to` exclusive. The range may be empty.
 */
export function sliceRange(
  partition: number,
  table: ByteString,
  slice: number,
  slices: number,
): { from: StoreKey; to: StoreKey } {
  const prefix = partitionPrefix(partition) + table;
  const edge = (at: number) => {
    const position = sliceStart(at, slices);
    return position >= RING_END ? prefixEnd(prefix) : prefix + positionBytes(position);
  };
  return { from: edge(slice), to: edge(slice + 1) };
}

/** Whether a partition and a slice of the ring overlap. */
export function haveOverlap(partition: number, partitions: number, slice: number, slices: number): boolean {
  return partition * slices < (slice + 1) * partitions && slice * partitions < (partition + 1) * slices;
}

function sliceAt(position: number, slices: number): number {
  return Math.floor((position * slices) / RING_END);
}

/** The lowest position of a slice; slices are counted from the beginning of the ring. */
function sliceStart(slice: number, slices: number): number {
  let position = Math.ceil((slice * RING_END) / slices);
  // The quotient is rounded; whether a position belongs to a slice is not.
  while (position > 0 && sliceAt(position - 1, slices) >= slice) position--;
  while (sliceAt(position, slices) < slice) position++;
  return position;
}

function positionIn(bytes: ByteString, at: number): number {
  return (
    bytes.charCodeAt(at) * 0x1000000 +
    bytes.charCodeAt(at + 1) * 0x10000 +
    bytes.charCodeAt(at + 2) * 0x100 +
    bytes.charCodeAt(at + 3)
  );
}

function positionBytes(position: number): ByteString {
  return String.fromCharCode(
    (position >>> 24) & 0xff,
    (position >>> 16) & 0xff,
    (position >>> 8) & 0xff,
    position & 0xff,
  );
}
