import type { Snapshot } from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import type { Table } from '../api/table-definition.ts';
import type { ItemKey } from '../dynamo/client.ts';
import { inParallel } from './in-parallel.ts';
import { checkNamespace } from './namespace.ts';
import { type SnapshotParts, TableSnapshots } from './table-snapshots.ts';

/** The actions of an administrator on whole tables. Errors are `AdminError`, or `ApiError` if the cluster fails. */
export interface TableAdmin {
  /** Deletes the tables of one namespace, or of all, even if they are protected against deletion; and all their streams. */
  reset(namespace?: string): Promise<void>;
  /**
   * The tables of one namespace, or of all, with their items. Each item is as a strongly consistent read during the
   * call would return it. The items together show one moment only if there are no writes meanwhile.
   */
  snapshot(namespace?: string): Promise<Snapshot>;
  /**
   * Brings back the tables of a snapshot. They replace all present tables of its namespace, or of all namespaces. No
   * table is replaced before all items are stored; if that fails, everything stays as it was. Indexes, consistency and
   * ids come back as they were.
   */
  restore(snapshot: Snapshot): Promise<void>;
  /** Deletes one table, even if it is protected against deletion. Does nothing if there is none. */
  drop(tableName: string, namespace: string): Promise<void>;
  /**
   * The register of an item.
   * @throws ApiError as GetItem would
   */
  itemKey(tableName: string, key: AttributeMap, namespace: string): Promise<ItemKey>;
}

export function createTableAdmin(parts: SnapshotParts): TableAdmin {
  const { catalog, keeper, limits } = parts;
  const snapshots = new TableSnapshots(parts);
  const remove = ({ namespace, name }: Table) => catalog.remove(namespace, name, () => {});
  return {
    async reset(namespace) {
      if (namespace !== undefined) checkNamespace(namespace);
      for await (const tables of catalog.pages(namespace)) await inParallel(tables, limits.adminParallelism, remove);
      await keeper.forgetAll(namespace, new Set());
    },
    snapshot: (namespace) => snapshots.take(namespace),
    restore: (snapshot) => snapshots.restore(snapshot),
    async drop(tableName, namespace) {
      await catalog.remove(checkNamespace(namespace), tableName, () => {});
    },
    itemKey: async (tableName, key, namespace) => catalog.itemKey(checkNamespace(namespace), tableName, key),
  };
}
