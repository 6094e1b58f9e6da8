import type { IndexedTable } from './index-entry.ts';
import type { ItemImage } from './item.ts';
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

/*
 * The newest derivation of a table is also an item of the system table, where nodes find it that nobody has told. It is
 * written before the definition of the table, and rounds by the one before it must have ended before old items are derived
 * from anew (docs/protocol.md section 14.4).
 */

/** The one attribute of that item: JSON text. */
const DERIVATION = 'derivation';

/** The partition key of that item, which has no sort key. */
export function derivationKey(table: ByteString): ByteString {
  return `${DERIVATION}:${table}`;
}

export function derivationImage(derivation: Derivation): ItemImage {
  const text = JSON.stringify(derivation);
  return {
    size: DERIVATION.length + Buffer.byteLength(text),
    json: Buffer.from(JSON.stringify({ [DERIVATION]: { S: text } })),
  };
}

export function parseDerivation({ json }: ItemImage): Derivation {
  const item = JSON.parse(Buffer.from(json).toString()) as { readonly [DERIVATION]: { readonly S: string } };
  return JSON.parse(item[DERIVATION].S) as Derivation;
}
