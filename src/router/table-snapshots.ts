import type { Snapshot, TableSnapshot } from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { AdminError } from '../api/fault-rule.ts';
import { storageIdsOf } from '../api/index-storage.ts';
import { type NewStreams, withRestoredStream } from '../api/stream-storage.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { inParallel } from './in-parallel.ts';
import { checkNamespace } from './namespace.ts';
import { ofTable } from './of-table.ts';
import type { RouterLimits } from './router-limits.ts';
import { type RestorableTable, restorableItem, restorableTables } from './snapshot-check.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import type { TableCatalog } from './table-catalog.ts';
import { scanPartition } from './table-scan.ts';

export interface SnapshotParts {
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  readonly keeper: StreamKeeper;
  readonly newStreams: NewStreams;
  /** The clock of the API, in ms since 1970. */
  readonly nowMs: () => number;
  readonly limits: RouterLimits;
}

/** Takes and restores snapshots of tables: the half of `TableAdmin` that reads and writes items. */
export class TableSnapshots {
  readonly #parts: SnapshotParts;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  async take(namespace: string | undefined): Promise<Snapshot> {
    if (namespace !== undefined) checkNamespace(namespace);
    const { client, catalog, limits } = this.#parts;
    const taken: TableSnapshot[] = [];
    const budget = { bytesLeft: limits.maxSnapshotBytes };
    for await (const tables of catalog.pages(namespace)) {
      const present = tables.filter(({ transition }) => transition?.status !== 'DELETING');
      const found = present.map((table) => ({ table, partitions: [] as AttributeMap[][] }));
      const parts = eachPartition(found, client.partitions);
      await inParallel(parts, limits.adminParallelism, async ({ table, partitions, partition }) => {
        partitions[partition] = await this.#readPartition(table, partition, budget);
      });
      for (const { table, partitions } of found) taken.push(toSnapshot(table, partitions.flat()));
    }
    return { format: 1, ...(namespace === undefined ? {} : { namespace }), tables: taken };
  }

  async restore(snapshot: Snapshot): Promise<void> {
    const { catalog, newStreams } = this.#parts;
    const restored = restorableTables(snapshot, newStreams.newId);
    const storageIds = restored.flatMap(({ table }) => storageIdsOf(table));
    await catalog.whileComing(storageIds, async () => {
      await this.#storeItems(restored);
      await this.#define(restored, snapshot.namespace);
    });
  }

  async #storeItems(restored: readonly RestorableTable[]): Promise<void> {
    const { client, catalog, limits } = this.#parts;
    try {
      await inParallel(restored, limits.adminParallelism, ({ table }) => catalog.announce(table));
      await inParallel(itemsOf(restored), limits.adminParallelism, ({ table, item, place }) =>
        this.#storeItem(table, item, place),
      );
    } catch (error) {
      for (const storageId of restored.flatMap(({ table }) => storageIdsOf(table))) await client.forgetTable(storageId);
      throw error;
    }
  }

  /** Puts the restored tables in the place of all tables of the namespace, or of all. */
  async #define(restored: readonly RestorableTable[], namespace: string | undefined): Promise<void> {
    const { catalog, keeper, limits } = this.#parts;
    const kept = new Set(restored.map(({ table }) => `${table.namespace}/${table.name}`));
    for await (const tables of catalog.pages(namespace)) {
      const others = tables.filter((table) => !kept.has(`${table.namespace}/${table.name}`));
      await inParallel(others, limits.adminParallelism, (table) =>
        catalog.remove(table.namespace, table.name, () => {}),
      );
    }
    const tables = restored.map((each) => this.#withStream(each));
    await inParallel(tables, limits.adminParallelism, (table) => catalog.put(table));
    await keeper.forgetAll(namespace, new Set(tables.flatMap(({ stream }) => stream?.storageId ?? [])));
  }

  /** A stream begins after the items of its table were put there: it has no records of them. */
  #withStream({ table, stream }: RestorableTable): Table {
    const { newStreams, nowMs } = this.#parts;
    if (stream === undefined) return table;
    const startedAtMs = stream.viewType === undefined ? stream.startedAtMs : Math.max(nowMs(), stream.startedAtMs + 1);
    return withRestoredStream(table, { ...stream, startedAtMs }, newStreams);
  }

  async #readPartition(table: Table, partition: number, budget: { bytesLeft: number }): Promise<AttributeMap[]> {
    const { client, limits } = this.#parts;
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

  async #storeItem(table: Table, item: unknown, place: string): Promise<void> {
    const { partitionKey, sortKey, image } = restorableItem(table, item, place);
    const outcome = await this.#parts.client.write(
      { table: table.storageId, partitionKey, sortKey },
      { kind: 'put', item: image },
      { ...ofTable(table), wantsOld: false },
    );
    // The write has no condition, so it cannot fail by one.
    if (outcome.kind !== 'applied' && outcome.kind !== 'condition-failed') throw clusterError(outcome, table);
  }
}

function* eachPartition<T>(tables: readonly T[], partitions: number): Generator<T & { readonly partition: number }> {
  for (const table of tables) {
    for (let partition = 0; partition < partitions; partition++) yield { ...table, partition };
  }
}

function* itemsOf(tables: readonly RestorableTable[]) {
  for (const { table, items, place } of tables) {
    for (const [at, item] of items.entries()) yield { table, item, place: `${place}.items[${at}]` };
  }
}

/** Leaves out the storage id, since a restored table gets a new one, and changes that are seen to be under way. */
function toSnapshot(
  { namespace, storageId: _, transition: __, expiryChange: ___, ...definition }: Table,
  items: readonly AttributeMap[],
): TableSnapshot {
  return { namespace, definition, items };
}
