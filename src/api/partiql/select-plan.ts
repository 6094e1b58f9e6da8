import { joinedPartitionKey } from '../entry-place.ts';
import { ApiError } from '../errors.ts';
import type { Condition, Path, Projection } from '../expression/ast.ts';
import type { KeyTerm } from '../expression/key-condition.ts';
import { projects } from '../index-entry.ts';
import { boundsInIndex, keyRangeOf, type RangeBounds } from '../key-range.ts';

import type { ByteString } from '../primary-key.ts';
import type { IndexKeySchema, SecondaryIndex, Table } from '../table-definition.ts';
import { allOf, conjunctsOf, type NamedItem, namedItem } from './key-conditions.ts';
import { type Branch, branchesOf, filteredNames } from './select-branches.ts';
import type { OrderTerm, SelectSyntax } from './statement-syntax.ts';

/** What a SELECT reads. */
export type SelectPlan =
  | ({ readonly kind: 'item' } & NamedItem)
  | { readonly kind: 'ranges'; readonly ranges: readonly RangeToRead[]; readonly isForward: boolean }
  | { readonly kind: 'scan'; readonly condition: Condition | undefined };

/** A range of one partition that is read by a Query. */
export interface RangeToRead {
  readonly terms: readonly KeyTerm[];
  readonly filter: Condition | undefined;
}

/**
 * How a SELECT is carried out: an item by its key, ranges of partitions, or a Scan.
 *
 * The service's words for indexes and for ORDER BY were recorded by dynoxide (issue 179) and floci (2026-09-02 and
 * 2026-09-17, eu-west-1 and eu-west-2).
 * @throws ApiError (ValidationException)
 */
export function planSelect(
  table: Table,
  { source, order, where }: SelectSyntax,
  condition: Condition | undefined,
): SelectPlan {
  const index = source.index === undefined ? undefined : indexOf(table, source.index);
  const key = index?.key ?? keyOfTable(table);
  if (order.length > 0) checkOrder(key, order, where !== undefined);
  const branches = branchesOf(key, conjunctsOf(condition));
  if (branches === undefined) {
    if (order.length === 0) return { kind: 'scan', condition };
    throw ApiError.validation(
      'Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.',
    );
  }
  if (index !== undefined) checkFilters(table, index, branches);
  const named = index === undefined ? namedItem(table.key, condition) : undefined;
  if (named !== undefined && branches.length === 1) return { kind: 'item', ...named };
  return rangesOf(key, branches, order);
}

/** @throws ApiError (ValidationException) if the table does not have it */
export function indexOf({ indexes }: Table, name: string): SecondaryIndex {
  const index = indexes.find((each) => each.name === name);
  if (index === undefined) throw ApiError.validation('The table does not have the specified index');
  return index;
}

function keyOfTable({ key: { partition, sort } }: Table): IndexKeySchema {
  return { partition: [partition], sort: sort === undefined ? [] : [sort] };
}

function checkOrder(key: IndexKeySchema, order: readonly OrderTerm[], hasWhere: boolean): void {
  if (!hasWhere) {
    throw ApiError.validation('Must have WHERE clause in the statement when using ORDER BY clause.');
  }
  const names = [...key.partition, ...key.sort].map(({ name }) => name);
  const stranger = order.find(({ attribute }) => !names.includes(attribute));
  if (stranger === undefined) return;
  throw ApiError.validation(`Attribute ${stranger.attribute} in ORDER BY clause must be part of the primary key`);
}

/** A read by key of an index that does not have all attributes needs those that filters look at. */
function checkFilters(table: Table, index: SecondaryIndex, branches: readonly Branch[]): void {
  const missing = filteredNames(branches).filter((name) => !projects(table, index, name));
  if (missing.length === 0) return;
  throw ApiError.validation(
    `One or more parameter values were invalid: Secondary index ${index.name} does not project one or more filter ` +
      `attributes: [${missing.join(', ')}]`,
  );
}

interface PlacedBranch extends Branch {
  readonly partition: ByteString;
  readonly bounds: RangeBounds;
}

function rangesOf(key: IndexKeySchema, branches: readonly Branch[], order: readonly OrderTerm[]): SelectPlan {
  const placed = branches.map((branch): PlacedBranch => {
    const range = keyRangeOf(key, branch.terms);
    return { ...branch, partition: joinedPartitionKey(range.partition), bounds: boundsInIndex(range) };
  });
  const partitions = new Set(placed.map(({ partition }) => partition));
  const hash = key.partition[0]!.name;
  const ofHash = order.find(({ attribute }) => attribute === hash);
  if (order.length > 0 && partitions.size > 1 && ofHash === undefined) {
    throw ApiError.validation(
      'Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.',
    );
  }
  const isForward = isSortForward(key, order);
  const isAscending = ofHash?.isDescending !== true;
  placed.sort((one, other) =>
    one.partition === other.partition
      ? compareTexts(lowerOf(one), lowerOf(other)) * (isForward ? 1 : -1)
      : compareTexts(one.partition, other.partition) * (isAscending ? 1 : -1),
  );
  checkDisjoint(placed, isForward);
  return {
    kind: 'ranges',
    isForward,
    ranges: placed.map(({ terms, filters }) => ({ terms, filter: allOf(filters) })),
  };
}

/** Without a term of its own in ORDER BY, the sort key is in descending order (recorded by floci). */
function isSortForward({ sort }: IndexKeySchema, order: readonly OrderTerm[]): boolean {
  if (order.length === 0) return true;
  const term = order.find(({ attribute }) => sort.some(({ name }) => name === attribute));
  return term !== undefined && !term.isDescending;
}

function lowerOf({ bounds: { lower } }: PlacedBranch): ByteString {
  return lower === undefined ? '' : lower.sortKey;
}

function compareTexts(one: ByteString, other: ByteString): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function checkDisjoint(placed: readonly PlacedBranch[], isForward: boolean): void {
  for (let at = 1; at < placed.length; at++) {
    const [one, other] = isForward ? [placed[at - 1]!, placed[at]!] : [placed[at]!, placed[at - 1]!];
    if (one.partition === other.partition && overlap(one.bounds, other.bounds)) {
      throw ApiError.validation('Overlapping conditions with range keys are not supported in where clause');
    }
  }
}

/** @param one the range that begins first */
function overlap({ upper }: RangeBounds, { lower }: RangeBounds): boolean {
  if (upper === undefined || lower === undefined || lower.sortKey < upper.sortKey) return true;
  return lower.sortKey === upper.sortKey && lower.isInclusive && upper.isInclusive;
}

/** The attributes that have to be read for the answered columns. */
export function columnsToRead(columns: readonly Path[] | undefined): Projection | undefined {
  return columns && [...new Set(columns.map(([name]) => name as string))].map((name) => [name]);
}
