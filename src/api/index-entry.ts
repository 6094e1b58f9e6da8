import { type AttributeMap, equalValues, typeOf } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import { sizeOf } from './item.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from './item-limits.ts';
import {
  encodeKeyValue,
  type KeyAttribute,
  MAX_PARTITION_KEY_BYTES,
  MAX_SORT_KEY_BYTES,
  nameOfType,
} from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/** Of a table, what says where its items stand in its indexes. */
export type IndexedTable = Pick<Table, 'key' | 'indexes'>;

/**
 * What an index holds of an item: the keys of table and index and what it projects; undefined if the item lacks a key
 * attribute of the index, or had it with another type before the index was there (developer guide, "Taking advantage of
 * sparse indexes").
 * @param item normalised; undefined for no item
 */
export function indexEntry(
  table: IndexedTable,
  index: SecondaryIndex,
  item: AttributeMap | undefined,
): AttributeMap | undefined {
  if (item === undefined || !keysOf(index).every((attribute) => hasKey(item, attribute))) return undefined;
  if (index.projection.ProjectionType === 'ALL') return item;
  const kept = projectedNames(table, index);
  // Own properties whatever their names, `__proto__` too.
  return Object.fromEntries(Object.entries(item).filter(([name]) => kept.has(name)));
}

/** Whether two entries of one index, made by one item before and after a write, stand at the same place of it. */
export function haveSameIndexKey(index: SecondaryIndex, left: AttributeMap, right: AttributeMap): boolean {
  return keysOf(index).every(({ name }) => equalValues(left[name]!, right[name]!));
}

/**
 * Checks the attributes of an item that are keys of indexes. They may be missing (the item is then not in the index).
 * @param item normalised
 * @param origin who gave it its attributes, which the service words differently
 * @throws ApiError (ValidationException)
 */
export function checkIndexKeys(
  indexes: readonly SecondaryIndex[],
  item: AttributeMap,
  origin: 'request' | 'expression' = 'request',
): void {
  for (const index of indexes) {
    for (const attribute of index.key.partition) checkIndexKey(index, attribute, MAX_PARTITION_KEY_BYTES, item, origin);
    for (const attribute of index.key.sort) checkIndexKey(index, attribute, MAX_SORT_KEY_BYTES, item, origin);
  }
}

/**
 * Checks the limit for tables with local indexes: the item and its entries in all of them have 400 KB together
 * (developer guide, quotas, "Item size for tables with local secondary indexes").
 * @param item normalised
 * @param size of the item
 * @param tooLarge makes the error
 * @throws ApiError (ValidationException)
 */
export function checkCollectionEntry(
  table: IndexedTable,
  item: AttributeMap,
  size: number,
  tooLarge: () => ApiError = itemTooLarge,
): void {
  const locals = table.indexes.filter(({ kind }) => kind === 'local');
  // An entry is at most as large as its item.
  if (size * (1 + locals.length) <= MAX_ITEM_BYTES) return;
  let total = size;
  for (const index of locals) total += sizeOf(indexEntry(table, index, item) ?? {});
  if (total > MAX_ITEM_BYTES) throw tooLarge();
}

/** Recorded of PutItem and of expressions (ExtendDB pull requests 184 and 275). */
const EMPTY_KEY = {
  request: 'A value specified for a secondary index key',
  expression: 'The update expression attempted to update a secondary index key to a value that',
} as const;

function checkIndexKey(
  index: SecondaryIndex,
  attribute: KeyAttribute,
  maxBytes: number,
  item: AttributeMap,
  origin: 'request' | 'expression',
): void {
  const { name, type } = attribute;
  if (!Object.hasOwn(item, name)) return;
  const value = item[name]!;
  if (!(type in value)) {
    throw ApiError.validation(
      `One or more parameter values were invalid: Type mismatch for Index Key ${name} ` +
        `Expected: ${type} Actual: ${typeOf(value)} IndexName: ${index.name}`,
    );
  }
  const { length } = encodeKeyValue(attribute, value);
  if (length === 0) {
    throw ApiError.validation(
      `One or more parameter values are not valid. ${EMPTY_KEY[origin]} is not supported. ` +
        `The AttributeValue for a key attribute cannot contain an empty ${nameOfType(type)} value. ` +
        `IndexName: ${index.name}, IndexKey: ${name}`,
    );
  }
  if (length > maxBytes) {
    throw ApiError.validation(
      `One or more parameter values were invalid: Size limit exceeded for Index Key ${name} ` +
        `Actual Size: ${length} bytes Max Size: ${maxBytes} bytes IndexName: ${index.name}`,
    );
  }
}

/** Whether the entries of an index hold an attribute, if its items have it. */
export function projects(table: IndexedTable, index: SecondaryIndex, attribute: string): boolean {
  return index.projection.ProjectionType === 'ALL' || projectedNames(table, index).has(attribute);
}

/** The attributes that name an entry of an index: its keys and those of the table. */
export function entryKeys({ key }: IndexedTable, index: SecondaryIndex): readonly KeyAttribute[] {
  const keys = [...keysOf(index), key.partition, ...(key.sort ? [key.sort] : [])];
  return keys.filter(({ name }, at) => keys.findIndex((other) => other.name === name) === at);
}

function keysOf({ key }: SecondaryIndex): readonly KeyAttribute[] {
  return [...key.partition, ...key.sort];
}

function hasKey(item: AttributeMap, { name, type }: KeyAttribute): boolean {
  return Object.hasOwn(item, name) && type in item[name]!;
}

function projectedNames({ key }: IndexedTable, index: SecondaryIndex): ReadonlySet<string> {
  const names = new Set(keysOf(index).map(({ name }) => name));
  names.add(key.partition.name);
  if (key.sort) names.add(key.sort.name);
  for (const name of index.projection.NonKeyAttributes ?? []) names.add(name);
  return names;
}
