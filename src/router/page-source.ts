import type { AttributeMap } from '../api/attribute-value.ts';
import { indexEntry } from '../api/index-entry.ts';
import { sizeOf } from '../api/item.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import { MOST_SCAN_ITEMS } from './router-limits.ts';
import type { StoredItem } from './stored-item.ts';

/** An item of the table, or an entry of an index, that a page looks at. */
export interface Found {
  /** Undefined for an entry that has all attributes that the request may want. */
  readonly stored: StoredItem | undefined;
  /** Undefined for an item, and for an entry that is to be made again from `stored`, which saves memory meanwhile. */
  readonly entry: AttributeMap | undefined;
  /** The size of the item or the entry by the service's rules. */
  readonly bytes: number;
}

/** Gives the items or entries of a page in their order. */
export interface PageSource {
  /**
   * @param bytesLeft how many bytes, and `itemsLeft` how many items, still fit in the page; more may be returned
   * @returns at least one of the next ones; undefined: there are no more; `cut`: there are more, but not for this page;
   *   `beyond`: the walk would be too long, so the page is to be read from another source
   */
  next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | undefined | 'cut' | 'beyond'>;
  /** Whether it is known that there are no more. */
  readonly isOver: boolean;
}

/** Gives up the event loop until others have had their turn. */
export type Pause = () => Promise<void>;

/** Items in their order, from a table or a part of it. */
export interface Walk {
  /**
   * @returns at least one and at most `limit` further items; undefined if there are none
   * @throws ApiError if the cluster fails
   */
  read(limit: number): Promise<readonly StoredItem[] | undefined>;
  /** Whether it is known that there are none, which spares the question. */
  readonly isOver: boolean;
}

/** How much is read from a walk between two pauses: some milliseconds of work, including its processing. */
const ITEMS_AT_ONCE = 256;
const BYTES_AT_ONCE = 256 * 1024;
/** How much JSON of items is parsed between two pauses. */
export const PARSED_AT_ONCE_BYTES = 64 * 1024;

/** Reads the items of a walk by bytes: how many items at a time is estimated from the average size so far. */
export class WalkReader {
  readonly #walk: Walk;
  readonly #pause: Pause;
  #itemsAtPause = 0;
  #bytesAtPause = 0;
  #parsedBytes = 0;
  items = 0;
  bytes = 0;

  constructor(walk: Walk, pause: Pause) {
    this.#walk = walk;
    this.#pause = pause;
  }

  get isOver(): boolean {
    return this.#walk.isOver;
  }

  /** @returns at least one item; undefined if there are no more */
  async read(bytesLeft = BYTES_AT_ONCE, itemsLeft = MOST_SCAN_ITEMS): Promise<readonly StoredItem[] | undefined> {
    if (this.items - this.#itemsAtPause >= ITEMS_AT_ONCE || this.bytes - this.#bytesAtPause >= BYTES_AT_ONCE) {
      this.#itemsAtPause = this.items;
      this.#bytesAtPause = this.bytes;
      await this.#pause();
    }
    const items = await this.#walk.read(Math.min(itemsLeft, this.#itemsWithin(bytesLeft)));
    if (items === undefined) return undefined;
    this.items += items.length;
    for (const { image } of items) this.bytes += image.size;
    return items;
  }

  /** To be called before an item is parsed. @returns a pause, if it is time for one */
  parses({ image }: StoredItem): Promise<void> | undefined {
    this.#parsedBytes += image.json.length;
    if (this.#parsedBytes < PARSED_AT_ONCE_BYTES) return undefined;
    this.#parsedBytes = 0;
    return this.#pause();
  }

  #itemsWithin(bytes: number): number {
    if (this.items === 0) return MOST_SCAN_ITEMS;
    return Math.min(MOST_SCAN_ITEMS, Math.floor(Math.max(0, bytes) / (this.bytes / this.items)) + 1);
  }
}

export interface OrderOptions {
  readonly table: Table;
  /** The index whose entries are made of the items that are read. Undefined: what is read is what the page looks at. */
  readonly entriesOf: SecondaryIndex | undefined;
  /** Whether many of the items may have no entry. */
  readonly isSparse: boolean;
}

/** The items of a walk, or the entries that an index has of them, in the order of the walk. */
export class WalkOrder implements PageSource {
  readonly #reader: WalkReader;
  readonly #options: OrderOptions;

  constructor(reader: WalkReader, options: OrderOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#reader.isOver;
  }

  next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | undefined> {
    const { entriesOf } = this.#options;
    return entriesOf === undefined
      ? this.#reader.read(bytesLeft, itemsLeft)
      : this.#nextEntries(entriesOf, bytesLeft, itemsLeft);
  }

  async #nextEntries(
    index: SecondaryIndex,
    bytesLeft: number,
    itemsLeft: number,
  ): Promise<readonly Found[] | undefined> {
    const { table, isSparse } = this.#options;
    while (true) {
      const items = await this.#reader.read(Math.min(bytesLeft, BYTES_AT_ONCE), isSparse ? undefined : itemsLeft);
      if (items === undefined) return undefined;
      const found: Found[] = [];
      for (const stored of items) {
        // An item may have far more bytes than its entry, and each is parsed.
        await this.#reader.parses(stored);
        const entry = indexEntry(table, index, stored.attributes);
        if (entry !== undefined) found.push({ stored, entry, bytes: sizeOf(entry) });
      }
      if (found.length > 0) return found;
    }
  }
}
