import type { ByteString } from '../api/primary-key.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import type { StoredSize, TableSizes } from '../api/table-sizes.ts';
import type { DynamoClient, TableCount } from '../dynamo/client.ts';
import { COUNTS_KEPT } from './router-limits.ts';

/** How much is stored of tables, as the nodes have counted it less than a second ago. */
export class TableCounts {
  readonly #client: Pick<DynamoClient, 'countItems'>;
  /** By the storage ids of table and indexes, oldest first. */
  readonly #known = new Map<string, { readonly atMs: number; readonly counts: Promise<readonly TableCount[]> }>();

  constructor(client: Pick<DynamoClient, 'countItems'>) {
    this.#client = client;
  }

  /** @param nowMs when the request came */
  async of(table: Table, nowMs: number): Promise<TableSizes> {
    const global = table.indexes.filter(({ storageId }) => storageId !== undefined);
    const local = table.indexes.filter(({ kind }) => kind === 'local');
    const [ofTable, ...ofGlobal] = await this.#count(
      [table.storageId, ...global.map(({ storageId }) => storageId!)],
      nowMs,
    );
    return {
      table: ofTable!,
      ofIndex(index: SecondaryIndex): StoredSize | undefined {
        if (index.kind === 'global') return ofGlobal[global.indexOf(index)];
        return table.derivation === undefined ? undefined : (ofTable!.local[local.indexOf(index)] ?? NOTHING);
      },
    };
  }

  #count(ids: readonly ByteString[], nowMs: number): Promise<readonly TableCount[]> {
    const name = ids.join('');
    const known = this.#known.get(name);
    if (known !== undefined && Math.abs(nowMs - known.atMs) < COUNTS_KEPT.ms) return known.counts;
    const counts = this.#client.countItems(ids);
    this.#known.delete(name);
    this.#known.set(name, { atMs: nowMs, counts });
    if (this.#known.size > COUNTS_KEPT.tables) this.#known.delete(this.#known.keys().next().value!);
    return counts;
  }
}

const NOTHING: StoredSize = { items: 0, bytes: 0 };
