import { indexEntry } from '../api/index-entry.ts';
import { isWithin, type QueryPlan } from '../api/query-rules.ts';
import { placeInOrder } from '../api/stored-order.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import { FirstEntries, placed } from './index-order.ts';
import type { Found, PageSource, WalkReader } from './page-source.ts';

/**
 * A range of an index that is not stored by itself: each page takes a walk through all items that may have an entry in
 * it.
 */
export class IndexRange implements PageSource {
  readonly #reader: WalkReader;
  readonly #table: Table;
  readonly #index: SecondaryIndex;
  readonly #plan: QueryPlan;
  #first: FirstEntries | undefined;

  /** @param reader walks through the items */
  constructor(reader: WalkReader, table: Table, index: SecondaryIndex, plan: QueryPlan) {
    this.#reader = reader;
    this.#table = table;
    this.#index = index;
    this.#plan = plan;
  }

  get isOver(): boolean {
    return this.#first?.isCut === false;
  }

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | undefined | 'cut'> {
    if (this.#first !== undefined) return this.#first.isCut ? 'cut' : undefined;
    const first = new FirstEntries(bytesLeft, itemsLeft, this.#plan.order);
    this.#first = first;
    for (let items = await this.#reader.read(); items !== undefined; items = await this.#reader.read()) {
      for (const item of items) {
        await this.#reader.parses(item);
        const entry = indexEntry(this.#table, this.#index, item.attributes);
        if (entry === undefined) continue;
        const { partitionKey, sortKey } = placeInOrder(this.#table, this.#index, entry);
        if (partitionKey !== this.#plan.partitionKey || !isWithin(this.#plan, sortKey)) continue;
        first.add(placed(this.#plan, item, entry, sortKey));
      }
    }
    const found = first.sorted();
    return found.length === 0 ? undefined : found;
  }
}
