import type { IndexedTable } from './index-entry.ts';
import type { ByteString } from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/**
 * What the storage nodes derive from the items of a table: the entries of its global indexes and the rows of its local
 * ones. Plain data, which goes with the requests of tables that have indexes. There is one for each version of a table's
 * indexes, and it never changes.
 */
export interface Derivation extends IndexedTable {
  /** The storage id of the table. */
  readonly table: ByteString;
  /** 1 or more. A table whose indexes change has a higher one. */
  readonly version: number;
}

/** A request of a table with indexes needs it: it is made once for each definition. */
const MADE = new WeakMap<Table, Derivation>();

/**
 * What is derived from the items of a table.
 * @returns undefined if nothing is, which costs its requests nothing
 */
export function derivationOf(table: Table): Derivation | undefined {
  const { storageId, key, indexes, derivation: version } = table;
  if (version === undefined) return undefined;
  let made = MADE.get(table);
  if (made === undefined) {
    made = { table: storageId, version, key, indexes: indexes.filter(isAtNodes).map(atNodes) };
    MADE.set(table, made);
  }
  return made;
}

/** Whether the storage nodes keep an index: a global one of a table in `dynamo` mode has no entries of its own. */
export function isAtNodes({ kind, storageId }: SecondaryIndex): boolean {
  return kind === 'local' || storageId !== undefined;
}

/** An index without what changes while its entries stay as they are. */
function atNodes({ name, kind, storageId, key, projection }: SecondaryIndex): SecondaryIndex {
  return { name, kind, storageId, key, projection };
}
