import { type AttributeMap, normaliseMap } from './attribute-value.ts';
import { joinedPartitionKey } from './entry-place.ts';
import { ApiError } from './errors.ts';
import { checkKeyOperands, type KeyTerm, resolveKeyCondition } from './expression/key-condition.ts';
import { checkFilterPaths, checkKeyPaths } from './expression/key-paths.ts';
import { resolveKeyConditions } from './expression/legacy-key-conditions.ts';
import { expressionError } from './expression/lexer.ts';
import { checkAllUsed, readPlaceholders } from './expression/placeholders.ts';
import { conditionSyntax } from './expression/resolve.ts';
import { type Filtering, type FilterRules, filteringOf, resolveLegacyFilter } from './expression/resolve-filter.ts';
import {
  boundsInIndex,
  boundsInTable,
  isInPartition,
  type KeyRange,
  keyRangeOf,
  meetsSortConditions,
  type RangeBound,
  type RangeBounds,
} from './key-range.ts';
import type { QueryRequest } from './operations.ts';
import { checkSelect, checkStartInIndex, hasExactly, type PagePlan, placeKeys, planRead } from './page-rules.ts';
import { type ByteString, keyOfKey } from './primary-key.ts';
import { checkAlone } from './refusal.ts';
import { placeInOrder } from './stored-order.ts';
import type { IndexKeySchema, SecondaryIndex, Table } from './table-definition.ts';
import { VALUE_TEXTS } from './value-texts.ts';

/** A Query that has passed all checks that need no table. */
export interface CheckedQuery extends Filtering {
  readonly terms: readonly KeyTerm[];
  /** Its filter may be about attributes of the key: a statement has one WHERE clause for both. */
  readonly mayFilterKeys?: true;
}

/** How a Query is to be carried out. */
export interface QueryPlan extends PagePlan, RangeBounds {
  /** The collection that is read, of the table or of the index, as the storage nodes have it. */
  readonly partitionKey: ByteString;
  readonly order: 'forward' | 'backward';
  /**
   * The sort key that an item at the end of the range has. There is none behind it, so a page that ends with it is the
   * last one. Undefined: the range has no such end.
   */
  readonly end: ByteString | undefined;
}

const RULES: FilterRules = {
  legacyFilter: 'QueryFilter',
  together: {
    expressions: ['ProjectionExpression', 'FilterExpression', 'KeyConditionExpression'],
    others: ['AttributesToGet', 'QueryFilter', 'ConditionalOperator', 'KeyConditions'],
    users: ['FilterExpression', 'KeyConditionExpression'],
    namesUsers: true,
  },
  texts: VALUE_TEXTS.default,
};

/**
 * Checks a request by itself, in the service's order as far as it is known. Normalises its values in place.
 * @throws ApiError (ValidationException)
 */
export function checkQuery(request: QueryRequest): CheckedQuery {
  const checked = checkAlone('Query', request, checkParameters);
  if (request.KeyConditionExpression != null) checkKeyOperands(checked.terms);
  return checked;
}

/**
 * How a checked request is carried out on its table.
 * @throws ApiError (ValidationException)
 */
export function planQuery(table: Table, request: QueryRequest, checked: CheckedQuery): QueryPlan {
  const { terms, filter, projection } = checked;
  const read = planRead(table, request, projection);
  const { index } = read;
  const key = index?.key ?? keyOfTable(table);
  const range = keyRangeOf(key, terms);
  if (filter !== undefined && checked.mayFilterKeys !== true) {
    checkFilterPaths(key, filter, request.FilterExpression == null ? 'QueryFilter' : 'Filter Expression');
  }
  checkKeyPaths(table, { condition: filter, projection });
  const order = request.ScanIndexForward === false ? 'backward' : 'forward';
  const bounds = index === undefined ? boundsInTable(range) : boundsInIndex(range);
  const end = index === undefined ? endOf(range, bounds, order) : undefined;
  const startKey = request.ExclusiveStartKey;
  const rest = startKey == null ? bounds : restOf(bounds, order, startOf(table, index, { range, end }, startKey));
  // Member by member: V8 copies objects that come in many shapes by spreading slowly, at each request anew.
  return {
    filter,
    projection,
    index,
    isCount: read.isCount,
    isFetching: read.isFetching,
    partitionKey: joinedPartitionKey(range.partition),
    order,
    end,
    lower: rest.lower,
    upper: rest.upper,
  };
}

/** The part of a range behind a place, in the order of the read. */
export function restOf({ lower, upper }: RangeBounds, order: QueryPlan['order'], place: ByteString): RangeBounds {
  const start: RangeBound = { sortKey: place, isInclusive: false };
  return order === 'forward' ? { lower: start, upper } : { lower, upper: start };
}

/** Whether a place is in a range. */
export function isWithin({ lower, upper }: RangeBounds, place: ByteString): boolean {
  if (lower !== undefined && (lower.isInclusive ? place < lower.sortKey : place <= lower.sortKey)) return false;
  return upper === undefined || (upper.isInclusive ? place <= upper.sortKey : place < upper.sortKey);
}

function checkParameters(request: QueryRequest): CheckedQuery {
  const { KeyConditionExpression: text, KeyConditions: conditions, ExclusiveStartKey: startKey } = request;
  // Before the rules between parameters (ExtendDB pull request 190, compared with the service).
  if (text === '') throw expressionError('KeyConditionExpression', 'The expression can not be empty;');
  const legacy = resolveLegacyFilter(request, RULES);
  if (startKey != null) normaliseMap(startKey, RULES.texts);
  checkSelect(request);
  if (text == null && conditions == null) {
    throw ApiError.validation(
      'Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.',
    );
  }
  if (conditions != null) return checkedQuery(legacy, resolveKeyConditions(conditions));
  const placeholders = readPlaceholders(request, RULES.texts);
  const filtering = filteringOf(request, placeholders);
  const terms = resolveKeyCondition(conditionSyntax('KeyConditionExpression', text!), placeholders);
  checkAllUsed(placeholders);
  return checkedQuery(filtering, terms);
}

function checkedQuery({ filter, projection }: Filtering, terms: readonly KeyTerm[]): CheckedQuery {
  return { filter, projection, terms };
}

function keyOfTable({ key: { partition, sort } }: Table): IndexKeySchema {
  return { partition: [partition], sort: sort === undefined ? [] : [sort] };
}

/** The inclusive end of a range, in the order of the read. */
function endOf({ last }: KeyRange, { lower, upper }: RangeBounds, order: QueryPlan['order']): ByteString | undefined {
  const end = order === 'forward' ? upper : lower;
  // A prefix is the lower bound of its range, but no value that the condition names.
  return end?.isInclusive === true && last?.operator !== 'begins_with' ? end.sortKey : undefined;
}

/**
 * The place that a start key names. The service also refuses one at the very end of the range in a table, behind which
 * there can be nothing (aws-sdk-ruby issue 2456; N. Kiriu, "The provided starting key does not match the range key
 * predicate", for `>=` and a backward Query). The text for a key of another form is recorded in ExtendDB pull request 86
 * for each kind of Query.
 */
function startOf(
  table: Table,
  index: SecondaryIndex | undefined,
  { range, end }: { readonly range: KeyRange; readonly end: ByteString | undefined },
  startKey: AttributeMap,
): ByteString {
  if (!hasExactly(startKey, placeKeys(table, index))) {
    throw ApiError.validation('The provided starting key is invalid');
  }
  keyOfKey(table.key, Object.fromEntries(placeKeys(table, undefined).map(({ name }) => [name, startKey[name]!])));
  if (index !== undefined) checkStartInIndex(index.key, startKey);
  const key = index?.key ?? keyOfTable(table);
  const place = placeInOrder(table, index, startKey).sortKey;
  if (!meetsSortConditions(key, range, startKey) || place === end) {
    throw ApiError.validation('The provided starting key does not match the range key predicate');
  }
  if (!isInPartition(key, range, startKey)) {
    throw ApiError.validation('The provided starting key is outside query boundaries based on provided conditions');
  }
  return place;
}
