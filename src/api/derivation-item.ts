import type { Derivation } from './derivation.ts';
import type { Condition } from './expression/ast.ts';
import type { ItemImage } from './item.ts';
import type { ByteString, EncodedKey } from './primary-key.ts';

/*
 * A derivation is kept as an item of the system table, one for each version of a table's indexes, before a definition
 * names it. It is written once, so any node may keep what it has read. A node reads it that finds a record of a version
 * that it has not been told of.
 */

const PREFIX = 'derivations\0';
/** The one attribute of the item: the JSON text of the `Derivation`. */
const DERIVATION = 'derivation';
const VERSION_BYTES = 4;

/** The place of a derivation in the system table. Those of one table are one collection, in the order of versions. */
export function derivationPlace({ table, version }: Pick<Derivation, 'table' | 'version'>): EncodedKey {
  const sortKey = Buffer.alloc(VERSION_BYTES);
  sortKey.writeUInt32BE(version);
  return { partitionKey: derivationsOf(table), sortKey: sortKey.toString('latin1') };
}

/** The partition key of all derivations of a table. */
export function derivationsOf(table: ByteString): ByteString {
  return PREFIX + table;
}

export function derivationImage(derivation: Derivation): ItemImage {
  const text = JSON.stringify(derivation);
  const json = Buffer.from(JSON.stringify({ [DERIVATION]: { S: text } }));
  return { json, size: DERIVATION.length + Buffer.byteLength(text) };
}

export function derivationIn(image: ItemImage): Derivation {
  const item = JSON.parse(Buffer.from(image.json).toString()) as { [DERIVATION]: { S: string } };
  return JSON.parse(item[DERIVATION].S) as Derivation;
}

/** The condition that there is none of that version yet. */
export const NEVER_WRITTEN: Condition = { kind: 'not-exists', path: [DERIVATION] };
