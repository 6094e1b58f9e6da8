import type { Snapshot, TableSnapshot } from '../api/admin.ts';
import { isAttributeMap } from '../api/attribute-shape.ts';
import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import { withNewStorage } from '../api/index-storage.ts';
import { type ItemImage, toImage } from '../api/item.ts';
import { type EncodedKey, keyOfItem } from '../api/primary-key.ts';
import { storageIdOf, type Table } from '../api/table-definition.ts';
import { describeTable } from '../api/table-description.ts';
import { checkNamespace } from './namespace.ts';

/** A table of a snapshot that can be restored. */
export interface RestorableTable {
  /** Has a new storage id. */
  readonly table: Table;
  readonly items: readonly AttributeMap[];
  /** The stream that the table had, which it gets anew when its items are there. */
  readonly stream: Table['stream'];
  /** Its place in the snapshot, for errors: `tables[0]`. */
  readonly place: string;
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/;

/**
 * Checks a snapshot, except for its items.
 * @param newId gives a new random UUID
 * @throws AdminError that names the wrong part
 */
export function restorableTables(snapshot: Snapshot, newId: () => string): readonly RestorableTable[] {
  if (typeof snapshot !== 'object' || snapshot === null)
    throw new AdminError('a snapshot is a JSON object', 'snapshot');
  const { format, namespace, tables } = snapshot;
  if (format !== 1) throw new AdminError(`format must be 1, not ${JSON.stringify(format)}`, 'format');
  if (namespace !== undefined) checkNamespace(namespace);
  if (!Array.isArray(tables)) throw new AdminError('tables must be an array', 'tables');
  const seen = new Set<string>();
  return tables.map((each: TableSnapshot, at): RestorableTable => {
    const place = `tables[${at}]`;
    const { stream, ...table } = tableOf(each, place, newId);
    const restorable = { table, stream, items: each.items, place };
    if (namespace !== undefined && each.namespace !== namespace) {
      throw new AdminError(`${place}.namespace is not that of the snapshot`, `${place}.namespace`);
    }
    const label = `${each.namespace}/${restorable.table.name}`;
    if (seen.has(label)) throw new AdminError(`${place} is there twice`, place);
    seen.add(label);
    return restorable;
  });
}

/**
 * The key and image of an item of a snapshot. The snapshot is not changed.
 * @param place names the item in errors
 * @throws AdminError for an item that PutItem would refuse
 */
export function restorableItem(
  table: Table,
  given: unknown,
  place: string,
): EncodedKey & { readonly image: ItemImage } {
  if (!isAttributeMap(given)) throw new AdminError(`${place} is no item in DynamoDB's JSON`, place);
  const item = JSON.parse(JSON.stringify(given)) as AttributeMap;
  try {
    normaliseMap(item);
    return { ...keyOfItem(table.key, item), image: toImage(item) };
  } catch (error) {
    throw error instanceof ApiError ? new AdminError(`${place}: ${error.message}`, place) : error;
  }
}

function tableOf({ namespace, definition, items }: Partial<TableSnapshot>, place: string, newId: () => string): Table {
  if (typeof namespace !== 'string') throw new AdminError(`${place}.namespace must be a text`, `${place}.namespace`);
  checkNamespace(namespace);
  if (!Array.isArray(items)) throw new AdminError(`${place}.items must be an array`, `${place}.items`);
  const { transition: _, expiryChange: __, ...settled } = (definition ?? {}) as Table;
  const table: Table = { ...settled, namespace, storageId: storageIdOf(newId()) };
  if (!isTable(table)) throw new AdminError(`${place}.definition is none of a snapshot`, `${place}.definition`);
  return withNewStorage(table, newId);
}

/** Whether a definition has all members that are needed to serve and to describe the table. */
function isTable({ name, key, ...rest }: Table): boolean {
  if (!TABLE_NAME.test(name)) return false;
  if (rest.consistency !== undefined && rest.consistency !== 'strict' && rest.consistency !== 'dynamo') return false;
  if (rest.expiryAttribute !== undefined && typeof rest.expiryAttribute !== 'string') return false;
  try {
    describeTable({ name, key, ...rest }, 0);
    return isKeyAttribute(key.partition) && (key.sort === undefined || isKeyAttribute(key.sort));
  } catch (error) {
    // Thrown where it reads a member of a missing value.
    if (error instanceof TypeError || error instanceof RangeError) return false;
    throw error;
  }
}

function isKeyAttribute({ name, type }: Table['key']['partition']): boolean {
  return typeof name === 'string' && (type === 'S' || type === 'N' || type === 'B');
}
