import type { Snapshot, TableSnapshot } from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { AdminError } from '../api/fault-rule.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ItemKey } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { inParallel } from './in-parallel.ts';
import { checkNamespace } from './namespace.ts';
import type { RouterLimits } from './router-limits.ts';
import { type RestorableTable, restorableItem, restorableTables } from './snapshot-check.ts';
import type { TableCatalog } from './table-catalog.ts';
import { scanPartition } from './table-scan.ts';

/** The actions of an administrator on whole tables. Errors are `AdminError`, or `ApiError` if the cluster fails. */
export interface TableAdmin {
  /** Deletes the tables of one namespace, or of all, even if they are protected against deletion. */
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

/** Definitions per page of a list. */
const LIST_PAGE = 100;

/** @param newId gives a new random UUID */
export function createTableAdmin(
  client: DynamoClient,
  catalog: TableCatalog,
  newId: () => string,
  limits: RouterLimits,
): TableAdmin {
  const atOnce = limits.adminParallelism;

  async function* pages(namespace: string | undefined): AsyncGenerator<readonly Table[]> {
    if (namespace !== undefined) checkNamespace(namespace);
    let after: Table | undefined;
    for (let more = true; more; ) {
      const page = await catalog.list(namespace, after, LIST_PAGE);
      yield page.tables;
      after = page.tables.at(-1);
      more = page.more && after !== undefined;
    }
  }

  const remove = ({ namespace, name }: Table) => catalog.remove(namespace, name, () => {});

  return {
    async reset(namespace) {
      for await (const tables of pages(namespace)) await inParallel(tables, atOnce, remove);
    },

    async snapshot(namespace) {
      const taken: TableSnapshot[] = [];
      const budget = { bytesLeft: limits.maxSnapshotBytes };
      for await (const tables of pages(namespace)) {
        const present = tables.filter(({ transition }) => transition?.status !== 'DELETING');
        const found = present.map((table) => ({ table, partitions: [] as AttributeMap[][] }));
        await inParallel(partitionsOf(found), atOnce, async ({ table, partitions, partition }) => {
          partitions[partition] = await readPartition(table, partition, budget);
        });
        for (const { table, partitions } of found) taken.push(toSnapshot(table, partitions.flat()));
      }
      return { format: 1, ...(namespace === undefined ? {} : { namespace }), tables: taken };
    },

    async restore(snapshot) {
      const restored = restorableTables(snapshot, newId);
      const storageIds = restored.map(({ table }) => table.storageId);
      await catalog.whileComing(storageIds, async () => {
        try {
          await inParallel(itemsOf(restored), atOnce, ({ table, item, place }) => restoreItem(table, item, place));
        } catch (error) {
          for (const storageId of storageIds) await client.forgetTable(storageId);
          throw error;
        }
        const kept = new Set(restored.map(({ table }) => `${table.namespace}/${table.name}`));
        for await (const tables of pages(snapshot.namespace)) {
          const others = tables.filter(({ namespace, name }) => !kept.has(`${namespace}/${name}`));
          await inParallel(others, atOnce, remove);
        }
        await inParallel(restored, atOnce, ({ table }) => catalog.put(table));
      });
    },

    async drop(tableName, namespace) {
      await catalog.remove(checkNamespace(namespace), tableName, () => {});
    },

    itemKey: async (tableName, key, namespace) => catalog.itemKey(checkNamespace(namespace), tableName, key),
  };

  function* partitionsOf<T>(tables: readonly T[]): Generator<T & { readonly partition: number }> {
    for (const table of tables) {
      for (let partition = 0; partition < client.partitions; partition++) yield { ...table, partition };
    }
  }

  async function readPartition(table: Table, partition: number, budget: { bytesLeft: number }) {
    const items: AttributeMap[] = [];
    for await (const page of scanPartition(client, table, partition, limits.scanPageItems)) {
      for (const { item, image } of page) {
        items.push(item);
        budget.bytesLeft -= image.size;
      }
      if (budget.bytesLeft < 0) {
        throw new AdminError(
          `the tables hold more than the ${limits.maxSnapshotBytes} bytes of a snapshot`,
          undefined,
          409,
        );
      }
    }
    return items;
  }

  async function restoreItem(table: Table, item: unknown, place: string): Promise<void> {
    const { partitionKey, sortKey, image } = restorableItem(table, item, place);
    const outcome = await client.write(
      { table: table.storageId, partitionKey, sortKey },
      { kind: 'put', item: image },
      { consistency: table.consistency ?? 'strict', wantsOld: false },
    );
    // The write has no condition, so it cannot fail by one.
    if (outcome.kind !== 'applied' && outcome.kind !== 'condition-failed') throw clusterError(outcome);
  }
}

function* itemsOf(tables: readonly RestorableTable[]) {
  for (const { table, items, place } of tables) {
    for (const [at, item] of items.entries()) yield { table, item, place: `${place}.items[${at}]` };
  }
}

/** Leaves out the storage id, since a restored table gets a new one. */
function toSnapshot(
  { namespace, storageId: _, transition: __, ...definition }: Table,
  items: readonly AttributeMap[],
): TableSnapshot {
  return { namespace, definition, items };
}
