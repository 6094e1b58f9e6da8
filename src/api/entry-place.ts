import { hash } from 'node:crypto';
import type { AttributeMap } from './attribute-value.ts';
import { type ByteString, type EncodedKey, encodeKeyValue, type KeyAttribute } from './primary-key.ts';
import type { SecondaryIndex } from './table-definition.ts';

/*
 * Where the entries of an index are kept. An entry of a global index is a record in the collection that its partition key
 * names, as an item is. Its sort key, and that of a row of a local index, is
 *
 *   grouped(each sort key of the index) | grouped(the first 64 bytes of the item's key) | hash of the item's key (16 bytes)
 *
 * So entries are in the order of the index, those with one sort key in the order of their items, and two entries never
 * have the same place. Of the item's key, a local index needs only the sort key.
 */
const TIE_BYTES = 64;
const HASH_BYTES = 16;

const GROUP_BYTES = 8;
/** Ends a group that another one follows; the last group ends with the number of its bytes. */
const MORE = '\x09';

/**
 * Encodes bytes so that concatenated encodings compare as the lists of their values do: a value sorts before those that
 * begin with it, whatever follows. Groups of eight bytes, filled with zeros, each with one byte that tells how it goes on.
 */
export function grouped(bytes: ByteString): ByteString {
  let encoded = '';
  let at = 0;
  for (; bytes.length - at > GROUP_BYTES; at += GROUP_BYTES) encoded += bytes.slice(at, at + GROUP_BYTES) + MORE;
  const rest = bytes.slice(at);
  return encoded + rest.padEnd(GROUP_BYTES, '\0') + String.fromCharCode(rest.length);
}

/**
 * The partition key of an entry, of one or several attributes, as the storage nodes have it.
 * @param attributes an item, an entry or a key: any map with the attributes
 */
export function entryPartitionKey({ key }: Pick<SecondaryIndex, 'key'>, attributes: AttributeMap): ByteString {
  return joinedPartitionKey(key.partition.map((attribute) => encodeKeyValue(attribute, attributes[attribute.name]!)));
}

/** As `entryPartitionKey`. @param values the encoded attributes, in the order of the key schema */
export function joinedPartitionKey(values: readonly ByteString[]): ByteString {
  return values.map((value, at) => (at === values.length - 1 ? value : lengthOf(value) + value)).join('');
}

/**
 * The sort key of an entry of a global index, as the storage nodes have it.
 * @param attributes any map with the sort keys of the index
 * @param item the key of the item that the entry is made of
 */
export function entrySortKey(
  { key }: Pick<SecondaryIndex, 'key'>,
  attributes: AttributeMap,
  { partitionKey, sortKey }: EncodedKey,
): ByteString {
  const place = `${lengthOf(partitionKey)}${partitionKey}${sortKey}`;
  return sortPlace(key.sort, attributes) + tie(`${partitionKey}\0\0${sortKey}`, place);
}

/**
 * The sort key of an entry in a local index, as the storage nodes have it.
 * @param attributes any map with the sort key of the index
 * @param item the key of the item that the entry is made of
 */
export function localSortKey(
  { key }: Pick<SecondaryIndex, 'key'>,
  attributes: AttributeMap,
  { sortKey }: EncodedKey,
): ByteString {
  return sortPlace(key.sort, attributes) + tie(sortKey, sortKey);
}

function sortPlace(sort: readonly KeyAttribute[], attributes: AttributeMap): ByteString {
  let place = '';
  for (const attribute of sort) place += grouped(encodeKeyValue(attribute, attributes[attribute.name]!));
  return place;
}

function tie(order: ByteString, identity: ByteString): ByteString {
  return (
    grouped(order.slice(0, TIE_BYTES)) + hash('sha256', Buffer.from(identity, 'latin1'), 'binary').slice(0, HASH_BYTES)
  );
}

/** Two bytes. No key value has more than 2,048 bytes. */
function lengthOf(value: ByteString): ByteString {
  return String.fromCharCode(value.length >> 8, value.length & 0xff);
}
