import { type EncodedKey, keyOfItem } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ReadFrom, ScanStart, Segment } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofTable } from './of-table.ts';
import type { Walk } from './page-source.ts';
import { StoredItem } from './stored-item.ts';

export interface WalkOptions {
  readonly segment: Segment | undefined;
  /** The walk begins behind this item, which need not exist. Undefined: at the start of the table. */
  readonly after: EncodedKey | undefined;
  readonly from: ReadFrom;
}

/**
 * Reads the items of a table, or of a segment of it, partition by partition. Its place is given by the last item alone,
 * so another walk can go on from there, even after the ring has changed.
 */
export class TableWalk implements Walk {
  readonly #client: DynamoClient;
  readonly #table: Table;
  readonly #options: WalkOptions;
  /** Undefined at the end. */
  #next: ScanStart | undefined;

  constructor(client: DynamoClient, table: Table, options: WalkOptions) {
    this.#client = client;
    this.#table = table;
    this.#options = options;
    this.#next = options.after ? { kind: 'after', ...options.after } : { kind: 'partition', partition: 0 };
  }

  async read(limit: number): Promise<readonly StoredItem[] | undefined> {
    const { segment, from } = this.#options;
    while (this.#next !== undefined) {
      const outcome = await this.#client.scan({
        table: this.#table.storageId,
        start: this.#next,
        segment,
        limit,
        from,
        ...ofTable(this.#table),
      });
      if (outcome.kind !== 'items') throw clusterError(outcome);
      const items = outcome.items.map((image) => new StoredItem(image));
      const last = items.at(-1);
      if (outcome.more && last !== undefined) {
        this.#next = { kind: 'after', ...keyOfItem(this.#table.key, last.attributes) };
      } else {
        const partition = outcome.partition + 1;
        this.#next = partition < this.#client.partitions ? { kind: 'partition', partition } : undefined;
      }
      if (items.length > 0) return items;
    }
    return undefined;
  }
}
