import { isAtNodes } from './derivation.ts';
import type { ByteString } from './primary-key.ts';
import { type IndexBuild, type SecondaryIndex, storageIdOf, type Table } from './table-definition.ts';

/** Makes a random UUID. */
type NewId = () => string;

/**
 * A table whose items are not written yet, with places for the entries of its indexes: ids that were never used, and the
 * first version of what is derived from its items.
 * @param table any ids that it has, as in a snapshot, are those of another table
 */
export function withNewStorage({ derivation: _, ...table }: Table, newId: NewId): Table {
  const indexes = table.indexes.map(({ building: _, ...index }) => withStorage(table, index, newId));
  return indexes.some(isAtNodes) ? { ...table, indexes, derivation: 1 } : { ...table, indexes };
}

/**
 * An index with a place for its entries.
 *
 * A global index of a table in `dynamo` mode gets none. A blind put there does not know the item that it replaces, so
 * nobody would know which entry has to go: its index is read through the table.
 */
function withStorage(
  { consistency = 'strict' }: Pick<Table, 'consistency'>,
  { storageId: _, ...index }: SecondaryIndex,
  newId: NewId,
): SecondaryIndex {
  const hasEntries = index.kind === 'global' && consistency === 'strict';
  return hasEntries ? { ...index, storageId: storageIdOf(newId()) } : index;
}

/**
 * A table whose indexes a request has changed: with places for the entries of the new ones and, if the nodes are to derive
 * something else than before, a higher version of that.
 */
export function withChangedStorage(table: Table, before: Table, newId: NewId): Table {
  const known = new Set(before.indexes.map(({ name }) => name));
  const added = (index: SecondaryIndex) => asBuilding(withStorage(table, index, newId), 'allocating');
  const indexes = table.indexes.map((index) => (known.has(index.name) ? index : added(index)));
  const next = { ...table, indexes };
  const isSame = placesOf(next).join() === placesOf(before).join();
  return isSame ? next : { ...next, derivation: (before.derivation ?? 0) + 1 };
}

/** The ids of indexes that `before` had and the table has no longer. */
export function leftStorageIds(table: Table, before: Table): readonly ByteString[] {
  const kept = new Set(storageIdsOf(table));
  return storageIdsOf(before).filter((storageId) => !kept.has(storageId));
}

/** All ids that a table has at the storage nodes: its own, and one for each index with entries of its own. */
export function storageIdsOf({ storageId, indexes }: Pick<Table, 'storageId' | 'indexes'>): readonly ByteString[] {
  return [storageId, ...indexes.flatMap((index) => index.storageId ?? [])];
}

/** Whether a table has indexes of which the nodes keep nothing yet: a version of Dynaring made it that kept no entries. */
export function isOlderThanEntries({ consistency = 'strict', indexes, derivation }: Table): boolean {
  // The local indexes of such a table in `dynamo` mode are read through the table for ever: to write an item anew there
  // could undo a write that comes at the same time.
  return consistency === 'strict' && derivation === undefined && indexes.length > 0;
}

/** Such a table with places for entries, which are to be made. */
export function renewed(table: Table, newId: NewId): Table {
  const next = withNewStorage(table, newId);
  return { ...next, indexes: next.indexes.map((index) => asBuilding(index, 'renewing')) };
}

/** The table when what is missing in its indexes is being made: `filling` where it was `allocating`. */
export function asFilling(table: Table): Table {
  const indexes = table.indexes.map((index) =>
    index.building === 'allocating' ? asBuilding(index, 'filling') : index,
  );
  return { ...table, indexes };
}

/** The table when its indexes have all their entries. */
export function asBuilt(table: Table): Table {
  return { ...table, indexes: table.indexes.map(({ building: _, ...index }) => index) };
}

/** The indexes that have not all their entries. */
export function buildingOf({ indexes }: Pick<Table, 'indexes'>): readonly SecondaryIndex[] {
  return indexes.filter(({ building }) => building !== undefined);
}

/** An index of which the nodes keep nothing has no entries to be made. */
function asBuilding(index: SecondaryIndex, building: IndexBuild): SecondaryIndex {
  return isAtNodes(index) ? { ...index, building } : index;
}

function placesOf({ indexes }: Table): readonly string[] {
  return indexes.filter(isAtNodes).map(({ kind, name, storageId }) => `${kind} ${name} ${storageId}`);
}
