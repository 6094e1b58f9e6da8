import type { AttributeMap } from '../api/attribute-value.ts';
import { indexEntry } from '../api/index-entry.ts';
import { partitionInIndex, placeInPartition } from '../api/index-place.ts';
import { sizeOf } from '../api/item.ts';
import { MAX_PAGE_BYTES, pageBytes } from '../api/page-size.ts';
import type { ByteString, EncodedKey } from '../api/primary-key.ts';
import { isWhole, type ScanPlan } from '../api/scan-rules.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { Found, PageSource, WalkReader } from './page-source.ts';
import { StoredItem } from './table-walk.ts';

/** An index that is read, with where that begins. */
export interface IndexScan {
  readonly table: Table;
  readonly index: SecondaryIndex;
  readonly plan: ScanPlan;
  /** The names of the entry behind which it begins. Undefined: at the beginning. */
  readonly startKey: AttributeMap | undefined;
}

/** An entry with its place, by which it is sorted. */
interface Placed extends Found {
  readonly place: ByteString;
}

/**
 * The first entries of many by their places, as many as a page may have: whatever the number of entries, no more than twice a
 * page is kept.
 */
class FirstEntries {
  readonly #bytes: number;
  readonly #items: number;
  #kept: Placed[] = [];
  #keptBytes = 0;
  /** Where the page ends, as far as is known: what is behind it is not looked at any more. */
  #bound: ByteString | undefined;
  /** Whether there are more than are kept. */
  isCut = false;

  constructor(bytesLeft: number, itemsLeft: number) {
    this.#bytes = bytesLeft;
    this.#items = itemsLeft;
  }

  add(entry: Placed): void {
    if (this.#bound !== undefined && entry.place > this.#bound) {
      this.isCut = true;
      return;
    }
    this.#kept.push(entry);
    this.#keptBytes += countedBytes(entry);
    const isTwice = this.#kept.length > 2 * Math.max(this.#items, 32) || this.#keptBytes > 2 * MAX_PAGE_BYTES;
    if (isTwice) this.#cut();
  }

  /** In order. */
  sorted(): readonly Placed[] {
    this.#cut();
    return this.#kept;
  }

  #cut(): void {
    this.#kept.sort((one, other) => (one.place < other.place ? -1 : 1));
    let bytes = 0;
    for (const [at, entry] of this.#kept.entries()) {
      bytes += countedBytes(entry);
      // The entry that goes beyond the page's bytes is still in it.
      if (bytes <= this.#bytes && at + 1 < this.#items) continue;
      if (at + 1 < this.#kept.length) this.isCut = true;
      this.#kept.length = at + 1;
      this.#bound = entry.place;
      break;
    }
    this.#keptBytes = bytes;
  }
}

function countedBytes({ bytes, stored }: Found): number {
  // An item that is kept beside its entry takes memory, whether the page counts it or not.
  return Math.max(pageBytes(bytes), stored?.image.size ?? 0);
}

function placed(scan: IndexScan, item: StoredItem, entry: AttributeMap, place: ByteString): Placed {
  const bytes = sizeOf(entry);
  // Not the parsed item, which takes several times the memory.
  if (isWhole(scan.plan)) return { place, stored: new StoredItem(item.image), entry: undefined, bytes };
  return { place, stored: undefined, entry, bytes };
}

/** What may be walked through so that a page comes in the order of its index. */
export interface WalkBounds {
  readonly items: number;
  readonly bytes: number;
}

/** Whether a walk is longer than it may be, which is asked of `goesOnBeyond` the first time that it is. */
class WalkGuard {
  readonly #bounds: WalkBounds;
  readonly #goesOnBeyond: () => boolean;
  #goesOn: boolean | undefined;

  constructor(bounds: WalkBounds, goesOnBeyond: () => boolean) {
    this.#bounds = bounds;
    this.#goesOnBeyond = goesOnBeyond;
  }

  isBeyond(walked: WalkBounds): boolean {
    if (walked.items <= this.#bounds.items && walked.bytes <= this.#bounds.bytes) return false;
    this.#goesOn ??= this.#goesOnBeyond();
    return !this.#goesOn;
  }
}

/**
 * The entries of a local index: item collection by item collection in the order of the table, and each of them by the sort key
 * of the index. A collection is read as a whole for each page that has entries of it, since the table has it in another order.
 */
class LocalOrder implements PageSource {
  readonly #reader: WalkReader;
  readonly #scan: IndexScan;
  readonly #guard: WalkGuard;
  #batch: readonly StoredItem[] = [];
  #at = 0;
  #isCut = false;

  /** @param reader begins with the collection that the start key is in */
  constructor(reader: WalkReader, scan: IndexScan, guard: WalkGuard) {
    this.#reader = reader;
    this.#scan = scan;
    this.#guard = guard;
  }

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | 'end' | 'cut' | 'beyond'> {
    while (!this.#isCut) {
      const first = new FirstEntries(bytesLeft, itemsLeft);
      const read = await this.#readCollection(first);
      if (read !== 'collection') return read;
      const found = first.sorted();
      this.#isCut = first.isCut;
      if (found.length > 0) return found;
    }
    return 'cut';
  }

  async #readCollection(first: FirstEntries): Promise<'collection' | 'end' | 'beyond'> {
    const { table, index, startKey } = this.#scan;
    const { name, type } = table.key.partition;
    const keyOf = (item: AttributeMap) => (item[name] as Record<string, string>)[type];
    let key: string | undefined;
    let start: ByteString | undefined;
    let items = 0;
    let bytes = 0;
    for (let item = await this.#peek(); item !== undefined; item = await this.#peek()) {
      const itemKey = keyOf(item.attributes);
      if (key === undefined) {
        key = itemKey;
        if (startKey !== undefined && keyOf(startKey) === key) start = placeInPartition(table, index, startKey);
      } else if (itemKey !== key) {
        return 'collection';
      }
      this.#at++;
      items++;
      bytes += item.image.size;
      if (this.#guard.isBeyond({ items, bytes })) return 'beyond';
      const entry = indexEntry(table, index, item.attributes);
      if (entry === undefined) continue;
      const place = placeInPartition(table, index, entry);
      if (start !== undefined && place <= start) continue;
      first.add(placed(this.#scan, item, entry, place));
    }
    return key === undefined ? 'end' : 'collection';
  }

  async #peek(): Promise<StoredItem | undefined> {
    if (this.#at === this.#batch.length) {
      this.#batch = (await this.#reader.read()) ?? [];
      this.#at = 0;
    }
    return this.#batch[this.#at];
  }
}

/** Digits that any position in `POSITIONS` has. */
const POSITIONS = 1_000_000;
const POSITION_DIGITS = 6;

/**
 * The entries of a global index: partitions together, in an order of their own as those of a table are, and each by the sort
 * key. Without an index that is stored, a page takes a walk through the whole table.
 */
class GlobalOrder implements PageSource {
  readonly #client: DynamoClient;
  readonly #reader: WalkReader;
  readonly #scan: IndexScan;
  readonly #guard: WalkGuard;
  #first: FirstEntries | undefined;

  /** @param reader begins at the beginning */
  constructor(client: DynamoClient, reader: WalkReader, scan: IndexScan, guard: WalkGuard) {
    this.#client = client;
    this.#reader = reader;
    this.#scan = scan;
    this.#guard = guard;
  }

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | 'end' | 'cut' | 'beyond'> {
    if (this.#first !== undefined) return this.#first.isCut ? 'cut' : 'end';
    const { table, index, startKey } = this.#scan;
    const start = startKey && this.#placeOf(startKey);
    this.#first = new FirstEntries(bytesLeft, itemsLeft);
    for (let items = await this.#reader.read(); items !== undefined; items = await this.#reader.read()) {
      if (this.#guard.isBeyond(this.#reader)) return 'beyond';
      for (const item of items) {
        const entry = indexEntry(table, index, item.attributes);
        if (entry === undefined) continue;
        const place = this.#placeOf(entry);
        if (start !== undefined && place <= start) continue;
        this.#first.add(placed(this.#scan, item, entry, place));
      }
    }
    const found = this.#first.sorted();
    return found.length === 0 ? 'end' : found;
  }

  #placeOf(entry: AttributeMap): ByteString {
    const { table, index } = this.#scan;
    const partition = partitionInIndex(index, entry);
    const position = this.#client.segmentOf({ table: table.storageId, partitionKey: partition }, POSITIONS);
    return String(position).padStart(POSITION_DIGITS, '0') + partition + placeInPartition(table, index, entry);
  }
}

/**
 * The entries of an index in its order.
 * @param readerFrom walks through the table, behind a key or from the beginning
 * @param bounds of the walk that a page takes: through the table for a global index, through each item collection for a local
 * @param goesOnBeyond asked once the walk is longer than that
 */
export function indexOrder(
  client: DynamoClient,
  readerFrom: (after: EncodedKey | undefined) => WalkReader,
  scan: IndexScan,
  bounds: WalkBounds,
  goesOnBeyond: () => boolean,
): PageSource {
  const guard = new WalkGuard(bounds, goesOnBeyond);
  if (scan.index.kind === 'global') return new GlobalOrder(client, readerFrom(undefined), scan, guard);
  const { after } = scan.plan;
  return new LocalOrder(readerFrom(after && { ...after, sortKey: '' }), scan, guard);
}
