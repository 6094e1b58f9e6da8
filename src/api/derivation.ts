import type { Condition } from './expression/ast.ts';
import type { IndexedTable } from './index-entry.ts';
import type { ItemImage } from './item.ts';
import type { ByteString } from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/**
 * What the storage nodes derive from the items of a table: the entries of its global indexes, the rows of its local ones, and
 * the changes that its stream shows. Plain data, which goes with the requests of tables that have any of these. There is one
 * for each version of a table's indexes and stream, and it never changes.
 */
export interface Derivation extends IndexedTable {
  /** The storage id of the table. */
  readonly table: ByteString;
  /** 1 or more. A table whose indexes or stream change has a higher one. */
  readonly version: number;
  /** The stream of the table, if it has one. */
  readonly stream?: DerivedStream | undefined;
}

/** A stream, as far as the storage nodes have to know it. */
export interface DerivedStream {
  /** Eight bytes, as of a table, and never used again: a stream that is enabled anew is another one. */
  readonly storageId: ByteString;
  /** Which images of an item a change shows. */
  readonly view: 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';
  /** Into how many slices of the ring the stream is cut: a divisor of Q, and 65,535 at most. */
  readonly shards: number;
}

/** A request of a table with indexes or a stream needs it: it is made once for each definition. */
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
    const stream = derivedStream(table);
    made = {
      table: storageId,
      version,
      key,
      indexes: indexes.filter(isAtNodes).map(atNodes),
      ...(stream && { stream }),
    };
    MADE.set(table, made);
  }
  return made;
}

/** The stream of a table whose changes the storage nodes keep. Undefined: none is enabled, or it is only described. */
export function derivedStream({ stream }: Pick<Table, 'stream'>): DerivedStream | undefined {
  if (stream?.viewType === undefined || stream.storageId === undefined) return undefined;
  return { storageId: stream.storageId, view: stream.viewType, shards: stream.shards ?? 1 };
}

/** Whether the storage nodes keep an index: a global one of a table in `dynamo` mode has no entries of its own. */
export function isAtNodes({ kind, storageId }: SecondaryIndex): boolean {
  return kind === 'local' || storageId !== undefined;
}

/**
 * Whether an index is read by what the storage nodes keep of it. Of tables in `dynamo` mode that are older than local rows, they
 * keep nothing.
 */
export function isReadStored({ derivation }: Pick<Table, 'derivation'>, index: SecondaryIndex): boolean {
  return derivation !== undefined && isAtNodes(index);
}

/** An index without what changes while its entries stay as they are. */
function atNodes({ name, kind, storageId, key, projection }: SecondaryIndex): SecondaryIndex {
  return { name, kind, storageId, key, projection };
}

/*
 * The newest derivation of a table is also an item of the system table, where nodes find it that nobody has told. It is
 * written right after the definition of the table and before requests use that, and rounds by the one before it must have ended before old items are derived
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

export function parseDerivation(image: ItemImage): Derivation {
  return JSON.parse(derivationText(image)) as Derivation;
}

function derivationText({ json }: ItemImage): string {
  const item = JSON.parse(Buffer.from(json).toString()) as { readonly [DERIVATION]: { readonly S: string } };
  return item[DERIVATION].S;
}

/** The condition that a derivation is still stored as it was read; undefined: that none is. */
export function isStillStored(image: ItemImage | undefined): Condition {
  const path = [DERIVATION];
  if (image === undefined) return { kind: 'not-exists', path };
  const value = { S: derivationText(image) };
  return { kind: 'compare', comparator: '=', left: { kind: 'path', path }, right: { kind: 'value', value } };
}
