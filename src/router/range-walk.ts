import type { RangeBounds } from '../api/key-range.ts';
import type { ByteString } from '../api/primary-key.ts';
import { type QueryPlan, restOf } from '../api/query-rules.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ReadFrom } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofTable } from './of-table.ts';
import type { Walk } from './page-source.ts';
import { StoredItem } from './stored-item.ts';

/** A range of one collection, and how it is read. */
export interface WalkedRange extends RangeBounds {
  readonly table: Table;
  readonly partitionKey: ByteString;
  readonly order: QueryPlan['order'];
  readonly from: ReadFrom;
  /** The place of an item in the order of the range. */
  readonly placeOf: (item: StoredItem) => ByteString;
}

/** Reads the items of a range, one read of the cluster after another. */
export class RangeWalk implements Walk {
  readonly #client: DynamoClient;
  readonly #range: WalkedRange;
  /** Undefined at the end. */
  #rest: RangeBounds | undefined;

  constructor(client: DynamoClient, range: WalkedRange) {
    this.#client = client;
    this.#range = range;
    this.#rest = range;
  }

  async read(limit: number): Promise<readonly StoredItem[] | undefined> {
    if (this.#rest === undefined) return undefined;
    const { table, partitionKey, order, from, placeOf } = this.#range;
    const { lower, upper } = this.#rest;
    const outcome = await this.#client.range({
      table: table.storageId,
      partitionKey,
      lower,
      upper,
      order,
      limit,
      from,
      ...ofTable(table),
    });
    if (outcome.kind !== 'items') throw clusterError(outcome);
    const items = outcome.items.map((image) => new StoredItem(image));
    const last = items.at(-1);
    this.#rest = outcome.more && last !== undefined ? restOf(this.#rest, order, placeOf(last)) : undefined;
    return last === undefined ? undefined : items;
  }
}
