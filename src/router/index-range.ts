import { entryPartitionKey } from '../api/entry-place.ts';
import { indexEntry } from '../api/index-entry.ts';
import { isWithin, placeInOrder, type QueryPlan } from '../api/query-rules.ts';
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

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | 'end' | 'cut'> {
    if (this.#first !== undefined) return this.#first.isCut ? 'cut' : 'end';
    const first = new FirstEntries(bytesLeft, itemsLeft, this.#plan.order);
    this.#first = first;
    for (let items = await this.#reader.read(); items !== undefined; items = await this.#reader.read()) {
      for (const item of items) {
        const entry = indexEntry(this.#table, this.#index, item.attributes);
        if (entry === undefined || entryPartitionKey(this.#index, entry) !== this.#plan.partitionKey) continue;
        const place = placeInOrder(this.#table, this.#index, entry);
        if (isWithin(this.#plan, place)) first.add(placed(this.#plan, item, entry, place));
      }
    }
    const found = first.sorted();
    return found.length === 0 ? 'end' : found;
  }
}
