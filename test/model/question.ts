import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import { sizeOf } from '../../src/api/item.ts';
import type { ReturnConsumedCapacity, Select } from '../../src/api/operations.ts';
import { compareBySort, type Entry, type ModelTable, type Target } from './model-table.ts';
import { attributeOf, beginsWith, compareScalars, type KeyPart, pick, sum } from './values.ts';

export type Comparison = '=' | '<' | '<=' | '>' | '>=' | 'BETWEEN' | 'begins_with';

/** A condition on one attribute. */
export interface Test {
  readonly name: string;
  readonly op: Comparison | 'exists' | 'absent';
  readonly values: readonly AttributeValue[];
}

export type Filter =
  | { readonly kind: 'test'; readonly test: Test }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Filter[] };

/** What a Query asks, in no notation. */
export interface Question {
  readonly target: Target;
  /** One value for each partition key attribute. */
  readonly partition: AttributeMap;
  /** Conditions on sort key attributes, from the left; all but the last are equalities. */
  readonly sort: readonly Test[];
  readonly isForward: boolean | undefined;
  readonly limit: number | undefined;
  readonly filter: Filter | undefined;
  /** The attributes that are asked for. */
  readonly names: readonly string[] | undefined;
  readonly select: Select | undefined;
  readonly isConsistent: boolean | undefined;
  readonly level: ReturnConsumedCapacity | undefined;
}

export interface Page {
  readonly Items?: readonly AttributeMap[];
  readonly Count: number;
  readonly ScannedCount: number;
  readonly LastEvaluatedKey?: AttributeMap;
  readonly ConsumedCapacity?: unknown;
}

export function passes({ name, op, values }: Test, item: AttributeMap): boolean {
  const value = attributeOf(item, name);
  if (op === 'exists') return value !== undefined;
  if (op === 'absent') return value === undefined;
  const [first, second] = values;
  if (value === undefined || Object.keys(value)[0] !== Object.keys(first!)[0]) return false;
  if (op === 'begins_with') return beginsWith(value, first!);
  const order = compareScalars(value, first!);
  switch (op) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case 'BETWEEN':
      return order >= 0 && compareScalars(value, second!) <= 0;
  }
}

function isLetThrough(filter: Filter, item: AttributeMap): boolean {
  switch (filter.kind) {
    case 'test':
      return passes(filter.test, item);
    case 'not':
      return !isLetThrough(filter.of, item);
    case 'and':
      return filter.of.every((each) => isLetThrough(each, item));
    case 'or':
      return filter.of.some((each) => isLetThrough(each, item));
  }
}

/** API reference, Query: "the total dataset size reaches 1 MB". `src/api/page-size.ts` has the source of the rest. */
const PAGE_BYTES = 1024 * 1024;
const overheadOf = (size: number) => 2 + 18 * (1 + Math.floor((1 + size) / 3072));

/** Whether the entries of a local index have to be completed from the table. */
function isFetching(table: ModelTable, { target, select, names }: Question): boolean {
  const projected = table.projectedNames(target);
  if (target.index?.kind !== 'local' || projected === undefined) return false;
  return select === 'ALL_ATTRIBUTES' || (names ?? []).some((name) => !projected.includes(name));
}

/** The partition and the range of a question, in the order of the target. */
export function inRange(table: ModelTable, { target, partition, sort }: Question): readonly Entry[] {
  const tests = Object.entries(partition).map(([name, value]): Test => ({ name, op: '=', values: [value] }));
  return table
    .entries(target)
    .filter(({ item }) => [...tests, ...sort].every((test) => passes(test, item)))
    .sort((a, b) => compareBySort(target.sort, a.item, b.item));
}

/**
 * The place at the very end of a range of a table, which its condition names. Nothing can be behind it: the service
 * refuses it as a start key, and so cannot answer it as one (the sources are in `src/api/query-rules.ts`).
 */
function endOf({ target, sort: [test], isForward = true }: Question): AttributeValue | undefined {
  if (target.index !== undefined || test === undefined) return undefined;
  if (test.op === 'BETWEEN') return test.values[isForward ? 1 : 0];
  return test.op === '=' || test.op === (isForward ? '<=' : '>=') ? test.values[0] : undefined;
}

/** Whether an item of a table, or a start key, is at the very end of a range. */
export function isAtEnd(question: Question, item: AttributeMap): boolean {
  const end = endOf(question);
  const value = attributeOf(item, question.target.sort[0]?.name ?? '');
  return end !== undefined && value !== undefined && compareScalars(value, end) === 0;
}

/**
 * The page of a question.
 * @param rest what is in the range behind the start key, in the order of the answer
 */
export function pageOf(table: ModelTable, question: Question, rest: readonly Entry[]): Page {
  const { target, limit = Number.POSITIVE_INFINITY, filter, select } = question;
  const fetches = isFetching(table, question);
  const found: AttributeMap[] = [];
  const fetched: number[] = [];
  let [scanned, bytes, extra] = [0, 0, 0];
  let last: Entry | undefined;
  for (const { item, projected } of rest) {
    const size = sizeOf(projected);
    scanned += 1;
    bytes += size;
    extra += overheadOf(size);
    if (fetches) fetched.push(sizeOf(item));
    if (filter === undefined || isLetThrough(filter, fetches ? item : projected)) {
      found.push(question.names === undefined ? (fetches ? item : projected) : pick(item, question.names));
    }
    const isFull = bytes + extra + sum(fetched) > PAGE_BYTES;
    if (isFull) bytes += extra;
    if (isFull || scanned === limit) {
      last = { item, projected };
      break;
    }
  }
  const place = last && !isAtEnd(question, last.item) && pick(last.item, table.placeNames(target));
  return {
    ...(select !== 'COUNT' && { Items: found }),
    Count: found.length,
    ScannedCount: scanned,
    ...(place && { LastEvaluatedKey: place }),
    ...consumed(question, bytes, fetched),
  };
}

/** Developer guide, "Capacity unit consumption": a unit for each 4 KB, half of one if the read is not consistent. */
function consumed({ target, level, isConsistent }: Question, bytes: number, fetched: readonly number[]): Partial<Page> {
  if (level === undefined || level === 'NONE') return {};
  const units = (size: number) => Math.max(1, Math.ceil(size / 4096)) * (isConsistent === true ? 1 : 0.5);
  const ofTarget = units(bytes);
  const { index } = target;
  const ofTable = index === undefined ? ofTarget : sum(fetched.map(units));
  const CapacityUnits = index === undefined ? ofTarget : ofTarget + ofTable;
  const total = { TableName: TABLE, CapacityUnits };
  if (level === 'TOTAL') return { ConsumedCapacity: total };
  const Table = { CapacityUnits: ofTable };
  if (index === undefined) return { ConsumedCapacity: { ...total, Table } };
  const member = index.kind === 'local' ? 'LocalSecondaryIndexes' : 'GlobalSecondaryIndexes';
  return { ConsumedCapacity: { ...total, Table, [member]: { [index.name]: { CapacityUnits: ofTarget } } } };
}

/** The name of every table that is asked. */
export const TABLE = 'Model';

/** A KeyPart's possible conditions: numbers have no prefixes. */
export function comparisonsOf({ type }: KeyPart): readonly Comparison[] {
  const ordered = ['=', '<', '<=', '>', '>=', 'BETWEEN'] as const;
  return type === 'N' ? ordered : [...ordered, 'begins_with'];
}
