import type { Departure } from '../api/departure.ts';
import type { RangeBounds } from '../api/key-range.ts';
import { type QueryPlan, restOf } from '../api/query-rules.ts';
import { placeInOrder, type StoredOrder, storedOrder } from '../api/stored-order.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ReadFrom } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofStored } from './of-table.ts';
import type { Walk } from './page-source.ts';
import { StoredItem } from './stored-item.ts';

/** By whom a page is read, and for whom. */
export interface Reading {
  readonly from: ReadFrom;
  /** Of who waits for the page. */
  readonly departure: Departure | undefined;
}

/** Reads what a Query asks for, of a table or of an index that is stored, one read of the cluster after another. */
export class RangeWalk implements Walk {
  readonly #client: DynamoClient;
  readonly #table: Table;
  readonly #plan: QueryPlan;
  readonly #reading: Reading;
  readonly #stored: StoredOrder;
  /** Undefined at the end. */
  #rest: RangeBounds | undefined;

  /** @param plan its index, if it has one, is kept by the nodes */
  constructor(client: DynamoClient, table: Table, plan: QueryPlan, reading: Reading) {
    this.#client = client;
    this.#table = table;
    this.#plan = plan;
    this.#reading = reading;
    this.#stored = storedOrder(table, plan.index);
    this.#rest = plan;
  }

  get isOver(): boolean {
    return this.#rest === undefined;
  }

  async read(limit: number): Promise<readonly StoredItem[] | undefined> {
    if (this.#rest === undefined) return undefined;
    const { partitionKey, order, index } = this.#plan;
    const { lower, upper } = this.#rest;
    const { table, localIndex, consistency, derivation } = ofStored(this.#table, this.#stored);
    const outcome = await this.#client.range({
      table,
      localIndex,
      partitionKey,
      lower,
      upper,
      order,
      limit,
      from: this.#reading.from,
      consistency,
      derivation,
      departure: this.#reading.departure,
    });
    if (outcome.kind !== 'items') throw clusterError(outcome);
    const items = outcome.items.map((image) => new StoredItem(image));
    const last = items.at(-1);
    this.#rest =
      outcome.more && last !== undefined
        ? restOf(this.#rest, order, placeInOrder(this.#table, index, last.attributes).sortKey)
        : undefined;
    return last === undefined ? undefined : items;
  }
}
