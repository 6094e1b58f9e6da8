import { type AttributeMap, typeOf } from './attribute-value.ts';
import { grouped } from './entry-place.ts';
import { ApiError } from './errors.ts';
import type { KeyOperator, KeyTerm } from './expression/key-condition.ts';
import {
  type ByteString,
  encodeKeyValue,
  hashKeyTooLong,
  type KeyAttribute,
  MAX_PARTITION_KEY_BYTES,
  MAX_SORT_KEY_BYTES,
  nameOfType,
  rangeKeysTooLong,
} from './primary-key.ts';
import type { IndexKeySchema } from './table-definition.ts';

/** The items that key conditions ask for, by encoded values of the key. */
export interface KeyRange {
  /** One value for each partition key attribute. */
  readonly partition: readonly ByteString[];
  /** The values that the first sort key attributes must have. */
  readonly prefix: readonly ByteString[];
  /** The condition on the next sort key attribute, which is no equality. */
  readonly last: { readonly operator: KeyOperator; readonly values: readonly ByteString[] } | undefined;
}

/** One end of a range of sort keys, or of places in an index: of `ByteString`s that compare as the items are ordered. */
export interface RangeBound {
  readonly sortKey: ByteString;
  readonly isInclusive: boolean;
}

export interface RangeBounds {
  readonly lower: RangeBound | undefined;
  readonly upper: RangeBound | undefined;
}

/**
 * Checks that conditions fit a key: equality for each partition key attribute; sort key attributes from left to right,
 * with equality for all but the last of them (developer guide, "Multi-attribute keys").
 *
 * Recorded texts: a missing element (aws-sdk-js-v3 issue 2079, where the condition is on another attribute), the type
 * (floci issue 2467), the operator (dynamorm issue 105), an empty value (moto issue 7062).
 * @throws ApiError (ValidationException)
 */
export function keyRangeOf(key: IndexKeySchema, terms: readonly KeyTerm[]): KeyRange {
  const termOf = (attribute: KeyAttribute) => terms.find(({ name }) => name === attribute.name);
  checkNames(key, terms);
  for (const attribute of [...key.partition, ...key.sort]) checkTypes(attribute, termOf(attribute));
  if (key.partition.some((attribute) => termOf(attribute)!.operator !== '=')) throw notSupported();
  const partition = key.partition.map((attribute) => encodedValues(attribute, termOf(attribute)!)[0]!);
  const prefix: ByteString[] = [];
  let last: KeyRange['last'];
  for (const attribute of key.sort) {
    const term = termOf(attribute);
    if (term === undefined) break;
    // Behind a range, the values of the next attribute are in no order.
    if (last !== undefined) throw notSupported();
    const values = encodedValues(attribute, term);
    if (term.operator === '=') prefix.push(values[0]!);
    else last = { operator: term.operator, values };
  }
  for (const value of last?.values ?? ['']) checkSizes(partition, [...prefix, value]);
  return { partition, prefix, last };
}

/** The range in a table, whose sort key is its only one. */
export function boundsInTable({ prefix: [value], last }: KeyRange): RangeBounds {
  if (value !== undefined) return { lower: inclusive(value), upper: inclusive(value) };
  if (last === undefined) return { lower: undefined, upper: undefined };
  const [first, second] = last.values as [ByteString, ByteString?];
  switch (last.operator) {
    case '<':
      return { lower: undefined, upper: exclusive(first) };
    case '<=':
      return { lower: undefined, upper: inclusive(first) };
    case '>':
      return { lower: exclusive(first), upper: undefined };
    case '>=':
      return { lower: inclusive(first), upper: undefined };
    case 'BETWEEN':
      return { lower: inclusive(first), upper: inclusive(second!) };
    default: {
      const end = endOfPrefix(first);
      return { lower: inclusive(first), upper: end === undefined ? undefined : exclusive(end) };
    }
  }
}

/** The range of places in an index (`entry-place.ts`), in which several entries may have one sort key. */
export function boundsInIndex({ prefix, last }: KeyRange): RangeBounds {
  const start = prefix.map(grouped).join('');
  const from = start === '' ? undefined : inclusive(start);
  const to = start === '' ? undefined : exclusive(behind(start));
  if (last === undefined) return { lower: from, upper: to };
  const [first, second = first] = last.values.map((value) => start + grouped(value));
  switch (last.operator) {
    case '<':
      return { lower: from, upper: exclusive(first!) };
    case '<=':
      return { lower: from, upper: exclusive(behind(first!)) };
    case '>':
      return { lower: inclusive(behind(first!)), upper: to };
    case '>=':
      return { lower: inclusive(first!), upper: to };
    case 'BETWEEN':
      return { lower: inclusive(first!), upper: exclusive(behind(second!)) };
    default: {
      const end = endOfPrefix(last.values[0]!);
      return { lower: inclusive(first!), upper: end === undefined ? to : exclusive(start + grouped(end)) };
    }
  }
}

/** Whether the partition key attributes of a start key have the values that are asked for. */
export function isInPartition({ partition }: IndexKeySchema, range: KeyRange, startKey: AttributeMap): boolean {
  return partition.every(
    (attribute, at) => encodeKeyValue(attribute, startKey[attribute.name]!) === range.partition[at],
  );
}

/** Whether the sort key attributes of a start key meet the conditions. */
export function meetsSortConditions({ sort }: IndexKeySchema, range: KeyRange, startKey: AttributeMap): boolean {
  const values = sort.map((attribute) => encodeKeyValue(attribute, startKey[attribute.name]!));
  if (!range.prefix.every((value, at) => value === values[at])) return false;
  if (range.last === undefined) return true;
  const value = values[range.prefix.length]!;
  const [first, second] = range.last.values as [ByteString, ByteString?];
  switch (range.last.operator) {
    case '<':
      return value < first;
    case '<=':
      return value <= first;
    case '>':
      return value > first;
    case '>=':
      return value >= first;
    case 'BETWEEN':
      return value >= first && value <= second!;
    default:
      return value.startsWith(first);
  }
}

function checkNames({ partition, sort }: IndexKeySchema, terms: readonly KeyTerm[]): void {
  const parts = partition.length + sort.length;
  if (terms.length > 2 && parts <= 2) throw ApiError.validation('Conditions can be of length 1 or 2 only');
  const isAsked = ({ name }: KeyAttribute) => terms.some((term) => term.name === name);
  for (const attribute of partition) if (!isAsked(attribute)) throw missed(attribute);
  const asked = sort.filter(isAsked);
  const hasForeign = terms.length > partition.length + asked.length;
  const firstMissed = sort.find((attribute) => !isAsked(attribute));
  const hasGap =
    firstMissed !== undefined && asked.some((attribute) => sort.indexOf(attribute) > sort.indexOf(firstMissed));
  if (firstMissed !== undefined && (hasForeign || hasGap)) throw missed(firstMissed);
  if (hasForeign) throw notSupported();
}

function missed({ name }: KeyAttribute): ApiError {
  return ApiError.validation(`Query condition missed key schema element: ${name}`);
}

function notSupported(): ApiError {
  return ApiError.validation('Query key condition not supported');
}

function checkTypes({ type }: KeyAttribute, term: KeyTerm | undefined): void {
  if (term === undefined || term.values.every((value) => typeOf(value) === type)) return;
  throw ApiError.validation(
    'One or more parameter values were invalid: Condition parameter type does not match schema type',
  );
}

function encodedValues(attribute: KeyAttribute, { values }: KeyTerm): ByteString[] {
  return values.map((value) => {
    const encoded = encodeKeyValue(attribute, value);
    if (encoded !== '') return encoded;
    throw ApiError.validation(
      'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ' +
        `${nameOfType(attribute.type)} value. Key: ${attribute.name}`,
    );
  });
}

function checkSizes(partition: readonly ByteString[], sort: readonly ByteString[]): void {
  if (sizeOf(partition) > MAX_PARTITION_KEY_BYTES) {
    throw hashKeyTooLong();
  }
  if (sizeOf(sort) > MAX_SORT_KEY_BYTES) {
    throw rangeKeysTooLong();
  }
}

function sizeOf(values: readonly ByteString[]): number {
  return values.reduce((sum, value) => sum + value.length, 0);
}

function inclusive(sortKey: ByteString): RangeBound {
  return { sortKey, isInclusive: true };
}

function exclusive(sortKey: ByteString): RangeBound {
  return { sortKey, isInclusive: false };
}

/** The least place above all that begin with grouped values. These end with a byte that is at most nine. */
function behind(place: ByteString): ByteString {
  const end = place.length - 1;
  return place.slice(0, end) + String.fromCharCode(place.charCodeAt(end) + 1);
}

/** The least value above all that begin with `prefix`. Undefined: there is none. */
function endOfPrefix(prefix: ByteString): ByteString | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) return undefined;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}
