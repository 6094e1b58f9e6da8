import type { IndexedTable } from './index-entry.ts';
import type { ByteString } from './primary-key.ts';
import type { Table } from './table-definition.ts';

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

/**
 * What is derived from the items of a table.
 * @returns undefined if nothing is, which costs its requests nothing
 */
export function derivationOf({ storageId, key, indexes, derivation: version }: Table): Derivation | undefined {
  return version === undefined ? undefined : { table: storageId, version, key, indexes };
}
