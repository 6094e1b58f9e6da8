import type { AttributeMap } from './attribute-value.ts';
import { entryKeys, type IndexedTable } from './index-entry.ts';
import { type ByteString, encodeKeyValue, type KeyAttribute } from './primary-key.ts';
import type { SecondaryIndex } from './table-definition.ts';

/** The partition key of an entry: equal for entries of one partition of the index, whatever the number of its attributes. */
export function partitionInIndex(index: SecondaryIndex, entry: AttributeMap): ByteString {
  return joined(index.key.partition, entry);
}

/**
 * Where an entry stands in its partition of the index: by its sort key, and by the key of its item where that is the same.
 * Such texts compare with `<` as the service orders the entries.
 * @param entry or a start key: whatever has the attributes that name an entry
 */
export function placeInPartition(table: IndexedTable, index: SecondaryIndex, entry: AttributeMap): ByteString {
  const others = entryKeys(table, index).filter(({ name }) => !index.key.partition.some((key) => key.name === name));
  return joined(others, entry);
}

/** Each value ends with two zero bytes, which stand in none of them, so that a value comes before those it begins. */
function joined(attributes: readonly KeyAttribute[], entry: AttributeMap): ByteString {
  let place = '';
  for (const attribute of attributes) {
    const bytes = encodeKeyValue(attribute, entry[attribute.name]!);
    place += bytes.includes('\0') ? `${bytes.replaceAll('\0', '\0\x01')}\0\0` : `${bytes}\0\0`;
  }
  return place;
}
