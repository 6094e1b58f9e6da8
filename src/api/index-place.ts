import type { AttributeMap } from './attribute-value.ts';
import { entryKeys, type IndexedTable } from './index-entry.ts';
import { type ByteString, encodeKeyValue, type KeyAttribute } from './primary-key.ts';
import type { SecondaryIndex } from './table-definition.ts';

/**
 * The partition key of an entry, of one or several attributes, as one text: equal for entries of one index partition.
 */
export function partitionInIndex(index: SecondaryIndex, entry: AttributeMap): ByteString {
  return joined(index.key.partition, entry);
}

/**
 * The place of an entry in its index partition: by its sort key, and for equal sort keys by the key of its item. Places
 * compare with `<` in the service's order of entries.
 * @param entry an entry or a start key: any map with the attributes that name an entry
 */
export function placeInPartition(table: IndexedTable, index: SecondaryIndex, entry: AttributeMap): ByteString {
  const others = entryKeys(table, index).filter(({ name }) => !index.key.partition.some((key) => key.name === name));
  return joined(others, entry);
}

/**
 * Each value is ended by two zero bytes, which no value contains, so a value sorts before longer ones that begin with
 * it.
 */
function joined(attributes: readonly KeyAttribute[], entry: AttributeMap): ByteString {
  let place = '';
  for (const attribute of attributes) {
    const bytes = encodeKeyValue(attribute, entry[attribute.name]!);
    place += bytes.includes('\0') ? `${bytes.replaceAll('\0', '\0\x01')}\0\0` : `${bytes}\0\0`;
  }
  return place;
}
