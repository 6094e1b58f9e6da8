import type { AttributeMap } from '../api/attribute-value.ts';
import { indexEntry } from '../api/index-entry.ts';
import { sizeOf } from '../api/item.ts';
import type { ScanPlan } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';
import { FIRST_SCAN_ITEMS, MOST_SCAN_ITEMS } from './router-limits.ts';
import type { StoredItem, TableWalk } from './table-walk.ts';

/** What a page looks at: an item of the table, or an entry of an index. */
export interface Found {
  /** Undefined of an entry from which all that may be asked for is answered. */
  readonly stored: StoredItem | undefined;
  /** Undefined of an item, and of an entry that is to be made of `stored` again, which takes less memory meanwhile. */
  readonly entry: AttributeMap | undefined;
  /** Size of the item or the entry by the service's rules. */
  readonly bytes: number;
}

/** Where a page comes from, in the order of what is read. */
export interface PageSource {
  /**
   * @param bytesLeft and `itemsLeft`: what still fits in the page; more than that may be found
   * @returns at least one of what comes next; `end`: there is nothing more; `cut`: there is more, but not for this
   *   page; `beyond`: so much would have to be walked through that the page is to be read from another source
   */
  next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | 'end' | 'cut' | 'beyond'>;
}

/** Gives up the event loop until others have had their turn. */
export type Pause = () => Promise<void>;

/** How much is read from a walk between two pauses: some milliseconds' work, with what is done with it. */
const ITEMS_AT_ONCE = 256;
const BYTES_AT_ONCE = 256 * 1024;

/** Items of a walk, about so many at a time as are asked for in bytes, if the next ones are like the ones before. */
export class WalkReader {
  readonly #walk: TableWalk;
  readonly #pause: Pause;
  #itemsAtPause = 0;
  #bytesAtPause = 0;
  items = 0;
  bytes = 0;

  constructor(walk: TableWalk, pause: Pause) {
    this.#walk = walk;
    this.#pause = pause;
  }

  /** @returns at least one item; undefined: there are no more */
  async read(bytesLeft = BYTES_AT_ONCE, itemsLeft = MOST_SCAN_ITEMS): Promise<readonly StoredItem[] | undefined> {
    if (this.items - this.#itemsAtPause >= ITEMS_AT_ONCE || this.bytes - this.#bytesAtPause >= BYTES_AT_ONCE) {
      this.#itemsAtPause = this.items;
      this.#bytesAtPause = this.bytes;
      await this.#pause();
    }
    const items = await this.#walk.read(Math.min(itemsLeft, this.#itemsWithin(bytesLeft)));
    for (const { image } of items ?? []) {
      this.items++;
      this.bytes += image.size;
    }
    return items;
  }

  #itemsWithin(bytes: number): number {
    if (this.items === 0) return FIRST_SCAN_ITEMS;
    return Math.min(MOST_SCAN_ITEMS, Math.floor(Math.max(0, bytes) / (this.bytes / this.items)) + 1);
  }
}

/** The items of a table, or the entries that an index has of them, in the order of the table. */
export class TableOrder implements PageSource {
  readonly #reader: WalkReader;
  readonly #table: Table;
  readonly #index: ScanPlan['index'];

  constructor(reader: WalkReader, table: Table, index: ScanPlan['index']) {
    this.#reader = reader;
    this.#table = table;
    this.#index = index;
  }

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | 'end'> {
    const index = this.#index;
    if (index === undefined) return (await this.#reader.read(bytesLeft, itemsLeft)) ?? 'end';
    while (true) {
      const items = await this.#reader.read(bytesLeft);
      if (items === undefined) return 'end';
      const found = items.flatMap((stored): Found | [] => {
        const entry = indexEntry(this.#table, index, stored.attributes);
        return entry === undefined ? [] : { stored, entry, bytes: sizeOf(entry) };
      });
      if (found.length > 0) return found;
    }
  }
}
