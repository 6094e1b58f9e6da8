import { type AttributeMap, equalValues, typeOf } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import { sizeOf, valueSize } from './item.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from './item-limits.ts';
import {
  hashKeyTooLong,
  type KeyAttribute,
  keyValueBytes,
  MAX_PARTITION_KEY_BYTES,
  MAX_SORT_KEY_BYTES,
  nameOfType,
  rangeKeysTooLong,
} from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';

/** The part of a table that decides the places of its items in its indexes. */
export type IndexedTable = Pick<Table, 'key' | 'indexes'>;

/**
 * The entry of an item in an index: the keys of table and index, and the projected attributes.
 * @param item normalised; undefined for no item
 * @returns undefined if the index has no entry: the item lacks a key attribute of the index (developer guide, "Taking
 *   advantage of sparse indexes"), or has a value in it, older than the index, of another type, empty or too long, or
 *   values that are too long together
 */
export function indexEntry(
  table: IndexedTable,
  index: SecondaryIndex,
  item: AttributeMap | undefined,
): AttributeMap | undefined {
  if (item === undefined) return undefined;
  for (const attribute of index.key.partition) {
    if (!hasKey(item, attribute, MAX_PARTITION_KEY_BYTES)) return undefined;
  }
  for (const attribute of index.key.sort) if (!hasKey(item, attribute, MAX_SORT_KEY_BYTES)) return undefined;
  if (aggregateFault(index, item) !== undefined) return undefined;
  if (index.projection.ProjectionType === 'ALL') return item;
  const kept = projectedNames(table, index);
  // `fromEntries` makes own properties of all names, `__proto__` included.
  return Object.fromEntries(Object.entries(item).filter(([name]) => kept.has(name)));
}

/** Whether two entries of one index, for one item before and after a write, have the same index key. */
export function haveSameIndexKey(index: SecondaryIndex, left: AttributeMap, right: AttributeMap): boolean {
  return keysOf(index).every(({ name }) => equalValues(left[name]!, right[name]!));
}

/** Where the attributes of an item come from: the service's error texts differ by it. */
export type ItemOrigin = 'request' | 'expression' | 'legacy';

/**
 * Checks the attributes of an item that are keys of indexes. They may be missing (the item is then not in the index).
 * @param item normalised
 * @throws ApiError (ValidationException)
 */
export function checkIndexKeys(
  indexes: readonly SecondaryIndex[],
  item: AttributeMap,
  origin: ItemOrigin = 'request',
): void {
  if (indexes.every((index) => indexKeyFault(index, item, origin) === undefined)) return;
  // The service reports the first index by name (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1, of wrong
  // types).
  for (const index of [...indexes].sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const fault = indexKeyFault(index, item, origin);
    if (fault !== undefined) throw fault;
  }
}

function indexKeyFault(index: SecondaryIndex, item: AttributeMap, origin: ItemOrigin): ApiError | undefined {
  for (const attribute of index.key.partition) {
    const fault = keyAttributeFault(index, { attribute, maxBytes: MAX_PARTITION_KEY_BYTES }, item, origin);
    if (fault !== undefined) return fault;
  }
  for (const attribute of index.key.sort) {
    const fault = keyAttributeFault(index, { attribute, maxBytes: MAX_SORT_KEY_BYTES }, item, origin);
    if (fault !== undefined) return fault;
  }
  return aggregateFault(index, item);
}

/**
 * The limits hold for all attributes of a part together. (A key of the storage nodes has no room for more.) No recording
 * of the service's texts was found; these are those of a table's key, the second of which speaks of such attributes.
 */
function aggregateFault({ key }: SecondaryIndex, item: AttributeMap): ApiError | undefined {
  if (bytesOf(key.partition, item) > MAX_PARTITION_KEY_BYTES) return hashKeyTooLong();
  if (bytesOf(key.sort, item) > MAX_SORT_KEY_BYTES) return rangeKeysTooLong();
  return undefined;
}

/** @returns the bytes of several attributes together; 0 if one is not there, or for a single one */
function bytesOf(attributes: readonly KeyAttribute[], item: AttributeMap): number {
  if (attributes.length < 2) return 0;
  let bytes = 0;
  for (const { name } of attributes) {
    if (!Object.hasOwn(item, name)) return 0;
    bytes += valueSize(item[name]!);
  }
  return bytes;
}

/**
 * Checks the limit for tables with local indexes: the item and its entries in all of them have 400 KB together
 * (developer guide, quotas, "Item size for tables with local secondary indexes").
 * @param item normalised
 * @param size the size of the item
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
  for (const index of locals) {
    const entry = indexEntry(table, index, item) ?? {};
    total += entry === item ? size : sizeOf(entry);
  }
  if (total > MAX_ITEM_BYTES) throw tooLarge();
}

/** Recorded for PutItem and for expressions (ExtendDB pull requests 184 and 275). */
const EMPTY_KEY: Readonly<Record<ItemOrigin, string>> = {
  request: 'A value specified for a secondary index key',
  legacy: 'A value specified for a secondary index key',
  expression: 'The update expression attempted to update a secondary index key to a value that',
};

function keyAttributeFault(
  index: SecondaryIndex,
  { attribute, maxBytes }: { readonly attribute: KeyAttribute; readonly maxBytes: number },
  item: AttributeMap,
  origin: ItemOrigin,
): ApiError | undefined {
  const { name, type } = attribute;
  if (!Object.hasOwn(item, name)) return undefined;
  const value = item[name]!;
  if (!(type in value)) {
    return ApiError.validation(
      `One or more parameter values were invalid: Type mismatch for Index Key ${name} ` +
        `Expected: ${type} Actual: ${typeOf(value)} IndexName: ${index.name}`,
    );
  }
  const length = keyValueBytes(attribute, value);
  if (length === 0) {
    // UpdateItem does not name the index (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
    const where = origin === 'request' ? ` IndexName: ${index.name}, IndexKey: ${name}` : '';
    return ApiError.validation(
      `One or more parameter values are not valid. ${EMPTY_KEY[origin]} is not supported. ` +
        `The AttributeValue for a key attribute cannot contain an empty ${nameOfType(type)} value.${where}`,
    );
  }
  if (length > maxBytes) {
    return ApiError.validation(
      `One or more parameter values were invalid: Size limit exceeded for Index Key ${name} ` +
        `Actual Size: ${length} bytes Max Size: ${maxBytes} bytes IndexName: ${index.name}`,
    );
  }
  return undefined;
}

/** Whether the entries of an index hold an attribute that their items have. */
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

function hasKey(item: AttributeMap, attribute: KeyAttribute, maxBytes: number): boolean {
  const value = Object.hasOwn(item, attribute.name) ? item[attribute.name]! : undefined;
  if (value === undefined || !(attribute.type in value)) return false;
  const bytes = keyValueBytes(attribute, value);
  return bytes > 0 && bytes <= maxBytes;
}

/** The attributes that an index with another projection than `ALL` has of an item; of one with that, those of its keys. */
export function projectedNames({ key }: IndexedTable, index: SecondaryIndex): ReadonlySet<string> {
  const names = new Set(keysOf(index).map(({ name }) => name));
  names.add(key.partition.name);
  if (key.sort) names.add(key.sort.name);
  for (const name of index.projection.NonKeyAttributes ?? []) names.add(name);
  return names;
}
