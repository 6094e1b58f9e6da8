import { type AttributeMap, equalValues } from './attribute-value.ts';
import { haveSameIndexKey, indexEntry } from './index-entry.ts';
import { sizeOf } from './item.ts';
import type { ReturnConsumedCapacity } from './operations.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/** Developer guide, "Capacity unit consumption": the bytes that one unit pays for. */
const READ_UNIT_BYTES = 4 * 1024;
const WRITE_UNIT_BYTES = 1024;

/** The API's `Capacity`. The service fills in the last two in transactions only (dynoxide, pull request 123). */
export interface Capacity {
  readonly CapacityUnits: number;
  readonly ReadCapacityUnits?: number;
  readonly WriteCapacityUnits?: number;
}

/** The API's `ConsumedCapacity`, without the indexes that consumed nothing and without empty maps. */
export interface ConsumedCapacity extends Capacity {
  readonly TableName: string;
  /** The sum of the table and all indexes. */
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
  /** The indexes that the write changes. */
  readonly indexes: readonly { readonly index: SecondaryIndex; readonly units: number }[];
}

/** What the page of a Scan or Query consumes, in units. */
export interface PageUnits {
  readonly table: number;
  /** 0 if no index was read. */
  readonly index: number;
}

export type ReadConsistency = 'strong' | 'eventual';

/** The consistency that a request wants: eventual by default. */
export function readConsistencyOf({ ConsistentRead }: { readonly ConsistentRead?: boolean }): ReadConsistency {
  return ConsistentRead === true ? 'strong' : 'eventual';
}

/**
 * What a GetItem consumed: one unit for each 4 KB of the whole item, whatever is projected. An eventually consistent
 * read consumes half. A read that finds no item consumes as much as one of the smallest item.
 *
 * @param tableName the name or ARN by which the request named the table: the answer repeats it
 * @param size bytes of the item found, 0 for none
 */
export function readCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  size: number,
  consistency: ReadConsistency,
): ConsumedCapacity {
  const CapacityUnits = readUnits(size, consistency);
  if (level === 'TOTAL') return { TableName: tableName, CapacityUnits };
  return { TableName: tableName, CapacityUnits, Table: { CapacityUnits } };
}

/**
 * What one or more writes to a table consumed.
 *
 * @param tableName the name or ARN by which the request named the table
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
 * What a Scan or Query consumed.
 *
 * @param tableName the name or ARN by which the request named the table
 * @param index the index that was read; undefined: the table was
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

/**
 * One unit for each 4 KB, at least one; half of that if the read is eventually consistent.
 * @param size bytes of the item found (0 for none), or of everything that a page looked at
 */
export function readUnits(size: number, consistency: ReadConsistency): number {
  return units(size, READ_UNIT_BYTES) * (consistency === 'strong' ? 1 : 0.5);
}

/**
 * What a write of one item consumes: one unit for each 1 KB of the larger of the item before and after, and further
 * ones for the change of each index (`indexUnits`).
 */
export function writeUnits(table: Table, before: SizedItem | undefined, after: SizedItem | undefined): WriteUnits {
  const change: Change = { before, after, isSame: undefined };
  return {
    table: tableWriteUnits(Math.max(before?.size ?? 0, after?.size ?? 0)),
    indexes: table.indexes
      .map((index) => ({ index, units: indexUnits(table, index, change) }))
      .filter((consumed) => consumed.units > 0),
  };
}

/** What a write consumes of the table alone. @param size bytes of the larger of the item before and after; 0 for none */
export function tableWriteUnits(size: number): number {
  return units(size, WRITE_UNIT_BYTES);
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

/** What several requests to one table consumed together. */
export function sumOfCapacities(each: readonly ConsumedCapacity[]): ConsumedCapacity | undefined {
  const [first, ...more] = each;
  if (first === undefined || more.length === 0) return first;
  return more.reduce(
    (left, right) => ({
      TableName: left.TableName,
      CapacityUnits: left.CapacityUnits + right.CapacityUnits,
      ...joined('Table', left.Table && right.Table && sumOf(left.Table, right.Table)),
      ...joined('LocalSecondaryIndexes', sumByName(left.LocalSecondaryIndexes, right.LocalSecondaryIndexes)),
      ...joined('GlobalSecondaryIndexes', sumByName(left.GlobalSecondaryIndexes, right.GlobalSecondaryIndexes)),
    }),
    first,
  );
}

function joined<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: Value });
}

type ByName = Readonly<Record<string, Capacity>> | undefined;

function sumByName(left: ByName, right: ByName): ByName {
  if (left === undefined || right === undefined) return left ?? right;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  const nothing: Capacity = { CapacityUnits: 0 };
  return Object.fromEntries([...names].map((name) => [name, sumOf(left[name] ?? nothing, right[name] ?? nothing)]));
}

function sumOf(left: Capacity, right: Capacity): Capacity {
  return { CapacityUnits: left.CapacityUnits + right.CapacityUnits };
}

export function wantsCapacity(level: ReturnConsumedCapacity | undefined): level is 'TOTAL' | 'INDEXES' {
  return level === 'TOTAL' || level === 'INDEXES';
}

/**
 * A write, as the indexes of its table see it. Up to 25 indexes may project the whole item: it is compared once for
 * all.
 */
interface Change {
  readonly before: SizedItem | undefined;
  readonly after: SizedItem | undefined;
  /** Whether the item stays the same. Undefined: it has not been compared yet. */
  isSame: boolean | undefined;
}

/**
 * An index is charged for the change of its entry: one write to add, change or remove it, two writes if its key
 * changes, none if it stays the same (developer guide, "Provisioned throughput considerations for global secondary
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
