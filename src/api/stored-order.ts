import type { AttributeMap } from './attribute-value.ts';
import { entryPartitionKey, entrySortKey, localSortKey } from './entry-place.ts';
import { type ByteString, type EncodedKey, keyOfItem } from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/** How a table, or an index of it, is read at the storage nodes. */
export interface StoredOrder {
  /** The storage id of what is read: items or entries. */
  readonly storageId: ByteString;
  /** Items come in the order of this local index of the table, by its position among them. */
  readonly localIndex: number | undefined;
  /** Whether entries of a global index are read: as they are stored, they are all that the index has of its items. */
  readonly areEntries: boolean;
}

/** @param index one that the nodes keep; undefined: the table is read */
export function storedOrder(table: Table, index: SecondaryIndex | undefined): StoredOrder {
  if (index?.kind === 'local') {
    const localIndex = table.indexes.filter(({ kind }) => kind === 'local').indexOf(index);
    return { storageId: table.storageId, localIndex, areEntries: false };
  }
  const areEntries = index !== undefined;
  return { storageId: areEntries ? index.storageId! : table.storageId, localIndex: undefined, areEntries };
}

/**
 * The place of an item in the order of its table or of an index.
 * @param index undefined: the order of the table
 * @param attributes the item, its entry, or the key of one of them
 */
export function placeInOrder(table: Table, index: SecondaryIndex | undefined, attributes: AttributeMap): EncodedKey {
  const itemKey = keyOfItem(table.key, attributes);
  if (index === undefined) return itemKey;
  if (index.kind === 'local') {
    return { partitionKey: itemKey.partitionKey, sortKey: localSortKey(index, attributes, itemKey) };
  }
  return {
    partitionKey: entryPartitionKey(index, attributes),
    sortKey: entrySortKey(index, attributes, itemKey),
  };
}
