import type { Departure } from '../api/departure.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import { placeInOrder, type StoredOrder, storedOrder } from '../api/stored-order.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import type { DynamoClient, ReadFrom, ScanStart, Segment } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofStored } from './of-table.ts';
import type { Walk } from './page-source.ts';
import { StoredItem } from './stored-item.ts';

export interface WalkOptions {
  /** One that the nodes keep. Undefined: the table is read. */
  readonly index?: SecondaryIndex | undefined;
  readonly segment: Segment | undefined;
  /** The walk begins behind this place, where no item need be. Undefined: at the start. */
  readonly after: EncodedKey | undefined;
  readonly from: ReadFrom;
  /** Of who waits for the items. */
  readonly departure?: Departure | undefined;
}

/**
 * Reads the items of a table or the entries of an index, or of a segment of it, partition by partition. Its place is
 * given by the last one alone, so another walk can go on from there, even after the ring has changed.
 */
export class TableWalk implements Walk {
  readonly #client: DynamoClient;
  readonly #table: Table;
  readonly #options: WalkOptions;
  readonly #stored: StoredOrder;
  /** Undefined at the end. */
  #next: ScanStart | undefined;

  constructor(client: DynamoClient, table: Table, options: WalkOptions) {
    this.#client = client;
    this.#table = table;
    this.#options = options;
    this.#stored = storedOrder(table, options.index);
    this.#next = options.after ? { kind: 'after', ...options.after } : { kind: 'partition', partition: 0 };
  }

  get isOver(): boolean {
    return this.#next === undefined;
  }

  async read(limit: number): Promise<readonly StoredItem[] | undefined> {
    const { index, segment, from, departure } = this.#options;
    while (this.#next !== undefined) {
      const { table, localIndex, consistency, derivation } = ofStored(this.#table, this.#stored);
      const outcome = await this.#client.scan({
        table,
        localIndex,
        start: this.#next,
        segment,
        limit,
        from,
        consistency,
        derivation,
        departure,
      });
      if (outcome.kind !== 'items') throw clusterError(outcome);
      const items = outcome.items.map((image) => new StoredItem(image));
      const last = items.at(-1);
      if (outcome.more && last !== undefined) {
        this.#next = { kind: 'after', ...placeInOrder(this.#table, index, last.attributes) };
      } else {
        const partition = outcome.partition + 1;
        this.#next = partition < this.#client.partitions ? { kind: 'partition', partition } : undefined;
      }
      if (items.length > 0) return items;
    }
    return undefined;
  }
}
