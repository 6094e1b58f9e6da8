import { type AttributeMap, equalValues } from './attribute-value.ts';
import { haveSameIndexKey, indexEntry } from './index-entry.ts';
import { sizeOf } from './item.ts';
import type { ReturnConsumedCapacity } from './operations.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/** Developer guide, "Capacity unit consumption": what one unit pays for. */
const READ_UNIT_BYTES = 4 * 1024;
const WRITE_UNIT_BYTES = 1024;

/** The part of the API's `Capacity` that the service fills in outside transactions. */
export interface Capacity {
  readonly CapacityUnits: number;
}

/** The API's `ConsumedCapacity`. Indexes that nothing was consumed from are left out, and so are maps without any. */
export interface ConsumedCapacity {
  readonly TableName: string;
  /** Of the table and all indexes together. */
  readonly CapacityUnits: number;
  readonly Table?: Capacity;
  readonly LocalSecondaryIndexes?: Readonly<Record<string, Capacity>>;
  readonly GlobalSecondaryIndexes?: Readonly<Record<string, Capacity>>;
}

/** An item before or after a write, with its size by the service's rules. */
export interface SizedItem {
  readonly size: number;
  readonly item: AttributeMap;
}

/** What a write consumes, in units. */
export interface WriteUnits {
  readonly table: number;
  /** Of those indexes that it changes. */
  readonly indexes: readonly { readonly index: SecondaryIndex; readonly units: number }[];
}

/** What the page of a Scan or Query consumes, in units. */
export interface PageUnits {
  readonly table: number;
  /** 0 if no index was read. */
  readonly index: number;
}

/**
 * What a GetItem consumed: a unit for each 4 KB of the whole item, whatever is projected, half of it if the read was
 * eventually consistent; at least one such unit, so also when there is no item.
 *
 * @param tableName as the request named the table, an ARN too: the answer says the same
 * @param size bytes of the item found, 0 for none
 */
export function readCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  size: number,
  consistent: boolean,
): ConsumedCapacity {
  const CapacityUnits = readUnits(size, consistent);
  if (level === 'TOTAL') return { TableName: tableName, CapacityUnits };
  return { TableName: tableName, CapacityUnits, Table: { CapacityUnits } };
}

/**
 * What a write of one item consumed: a unit for each 1 KB of the larger of the item before and after, and the same for
 * what changed in each index (`indexUnits`).
 *
 * @param tableName as the request named the table
 */
export function writeCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  table: Table,
  before: SizedItem | undefined,
  after: SizedItem | undefined,
): ConsumedCapacity {
  return unitsCapacity(level, tableName, writeUnits(table, before, after));
}

/**
 * The same of units that are known, such as those of several writes together.
 *
 * @param tableName as the request named the table
 */
export function unitsCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  { table: tableUnits, indexes: ofIndexes }: WriteUnits,
): ConsumedCapacity {
  const CapacityUnits = ofIndexes.reduce((sum, consumed) => sum + consumed.units, tableUnits);
  if (level === 'TOTAL') return { TableName: tableName, CapacityUnits };
  return {
    TableName: tableName,
    CapacityUnits,
    Table: { CapacityUnits: tableUnits },
    ...perIndex('LocalSecondaryIndexes', 'local', ofIndexes),
    ...perIndex('GlobalSecondaryIndexes', 'global', ofIndexes),
  };
}

/**
 * What a Scan or Query consumed: a unit for each 4 KB of all that it looked at together, whatever of it was answered, half
 * of it if it read eventually consistently.
 *
 * @param tableName as the request named the table
 * @param index what was read, if it was not the table
 */
export function pageCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  { table, index: indexUnits }: PageUnits,
  index: SecondaryIndex | undefined,
): ConsumedCapacity {
  const CapacityUnits = table + indexUnits;
  if (level === 'TOTAL') return { TableName: tableName, CapacityUnits };
  const Table = { CapacityUnits: table };
  if (index === undefined) return { TableName: tableName, CapacityUnits, Table };
  const member = index.kind === 'local' ? 'LocalSecondaryIndexes' : 'GlobalSecondaryIndexes';
  return {
    TableName: tableName,
    CapacityUnits,
    Table,
    ...perIndex(member, index.kind, [{ index, units: indexUnits }]),
  };
}

/** @param size bytes of the item found, 0 for none */
export function readUnits(size: number, consistent: boolean): number {
  return units(size, READ_UNIT_BYTES) * (consistent ? 1 : 0.5);
}

export function writeUnits(table: Table, before: SizedItem | undefined, after: SizedItem | undefined): WriteUnits {
  const change: Change = { before, after, isSame: undefined };
  return {
    table: units(Math.max(before?.size ?? 0, after?.size ?? 0), WRITE_UNIT_BYTES),
    indexes: table.indexes
      .map((index) => ({ index, units: indexUnits(table, index, change) }))
      .filter((consumed) => consumed.units > 0),
  };
}

/** What several writes to one table consume together. */
export function sumOfWriteUnits(writes: readonly WriteUnits[]): WriteUnits {
  const indexes = new Map<SecondaryIndex, number>();
  for (const { index, units } of writes.flatMap((write) => write.indexes))
    indexes.set(index, (indexes.get(index) ?? 0) + units);
  return {
    table: writes.reduce((sum, write) => sum + write.table, 0),
    indexes: [...indexes].map(([index, units]) => ({ index, units })),
  };
}

export function wantsCapacity(level: ReturnConsumedCapacity | undefined): level is 'TOTAL' | 'INDEXES' {
  return level === 'TOTAL' || level === 'INDEXES';
}

/** What a write makes of an item. Tables have up to 25 indexes, most of which hold whole items: those are looked through once. */
interface Change {
  readonly before: SizedItem | undefined;
  readonly after: SizedItem | undefined;
  /** Whether the item stays as it was, once that is known. */
  isSame: boolean | undefined;
}

/**
 * An index is charged for the change of what it holds: one write to add, change or remove an entry, two if its key
 * changed, none if it is as it was (developer guide, "Provisioned throughput considerations for global secondary
 * indexes"; measured by a user of the service, dynoxide issue 176).
 */
function indexUnits(table: Table, index: SecondaryIndex, change: Change): number {
  const { before, after } = change;
  const old = indexEntry(table, index, before?.item);
  const next = indexEntry(table, index, after?.item);
  const oldSize = entrySize(old, before);
  const nextSize = entrySize(next, after);
  if (old === undefined || next === undefined) {
    return old === undefined && next === undefined ? 0 : units(oldSize + nextSize, WRITE_UNIT_BYTES);
  }
  if (isUnchanged(old, next, change)) return 0;
  if (haveSameIndexKey(index, old, next)) return units(Math.max(oldSize, nextSize), WRITE_UNIT_BYTES);
  return units(oldSize, WRITE_UNIT_BYTES) + units(nextSize, WRITE_UNIT_BYTES);
}

function entrySize(entry: AttributeMap | undefined, of: SizedItem | undefined): number {
  if (entry === undefined) return 0;
  return entry === of?.item ? of.size : sizeOf(entry);
}

function isUnchanged(old: AttributeMap, next: AttributeMap, change: Change): boolean {
  const areWhole = old === change.before?.item && next === change.after?.item;
  if (!areWhole) return equalValues({ M: old }, { M: next });
  change.isSame ??= equalValues({ M: old }, { M: next });
  return change.isSame;
}

function perIndex(
  member: 'LocalSecondaryIndexes' | 'GlobalSecondaryIndexes',
  kind: SecondaryIndex['kind'],
  consumed: readonly { index: SecondaryIndex; units: number }[],
): Partial<ConsumedCapacity> {
  const entries = consumed
    .filter(({ index }) => index.kind === kind)
    .map(({ index, units }) => [index.name, { CapacityUnits: units }] as const);
  return entries.length === 0 ? {} : { [member]: Object.fromEntries(entries) };
}

function units(bytes: number, unitBytes: number): number {
  return Math.max(1, Math.ceil(bytes / unitBytes));
}
