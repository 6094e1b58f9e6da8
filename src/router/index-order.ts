import type { AttributeMap } from '../api/attribute-value.ts';
import { grouped } from '../api/entry-place.ts';
import { indexEntry } from '../api/index-entry.ts';
import { sizeOf } from '../api/item.ts';
import { isWhole, type PagePlan } from '../api/page-rules.ts';
import { MAX_PAGE_BYTES, pageBytes } from '../api/page-size.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { ScanPlan } from '../api/scan-rules.ts';
import { placeInOrder } from '../api/stored-order.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import type { DynamoClient, RangeRequest } from '../dynamo/client.ts';
import type { Found, PageSource, WalkReader } from './page-source.ts';
import { StoredItem } from './stored-item.ts';

/** A scan of an index. */
export interface IndexScan {
  readonly table: Table;
  readonly index: SecondaryIndex;
  readonly plan: ScanPlan;
  /** It begins behind the entry that this key names. Undefined: at the beginning. */
  readonly startKey: AttributeMap | undefined;
}

/** An entry with its sort position in the index. */
export interface Placed extends Found {
  readonly place: ByteString;
}

/**
 * Of many entries, the first ones by place, as many as a page may have. However many are added, it keeps at most twice
 * a page in memory.
 */
export class FirstEntries {
  readonly #bytes: number;
  readonly #items: number;
  readonly #order: RangeRequest['order'];
  #kept: Placed[] = [];
  #keptBytes = 0;
  /** The last place that the page can still have: entries behind it are dropped. */
  #bound: ByteString | undefined;
  /** Whether entries were dropped. */
  isCut = false;

  constructor(bytesLeft: number, itemsLeft: number, order: RangeRequest['order'] = 'forward') {
    this.#bytes = bytesLeft;
    this.#items = itemsLeft;
    this.#order = order;
  }

  add(entry: Placed): void {
    if (this.#bound !== undefined && this.#compare(entry.place, this.#bound) > 0) {
      this.isCut = true;
      return;
    }
    this.#kept.push(entry);
    this.#keptBytes += countedBytes(entry);
    const isTwice = this.#kept.length > 2 * Math.max(this.#items, 32) || this.#keptBytes > 2 * MAX_PAGE_BYTES;
    if (isTwice) this.#cut();
  }

  /** The entries of the page, in order. */
  sorted(): readonly Placed[] {
    this.#cut();
    return this.#kept;
  }

  #cut(): void {
    this.#kept.sort((one, other) => this.#compare(one.place, other.place));
    let bytes = 0;
    for (const [at, entry] of this.#kept.entries()) {
      bytes += countedBytes(entry);
      // The entry that exceeds the page's bytes still belongs to it.
      if (bytes <= this.#bytes && at + 1 < this.#items) continue;
      if (at + 1 < this.#kept.length) this.isCut = true;
      this.#kept.length = at + 1;
      this.#bound = entry.place;
      break;
    }
    this.#keptBytes = bytes;
  }

  #compare(one: ByteString, other: ByteString): number {
    if (one === other) return 0;
    return one < other === (this.#order === 'forward') ? -1 : 1;
  }
}

function countedBytes({ bytes, stored }: Found): number {
  // An item that is kept with its entry takes memory, whether or not the page counts it.
  return Math.max(pageBytes(bytes), stored?.image.size ?? 0);
}

/** An entry as `FirstEntries` keeps it. */
export function placed(plan: PagePlan, item: StoredItem, entry: AttributeMap, place: ByteString): Placed {
  const bytes = sizeOf(entry);
  // A new object without the parsed item, which takes several times the memory.
  if (isWhole(plan)) return { place, stored: new StoredItem(item.image), entry: undefined, bytes };
  return { place, stored: undefined, entry, bytes };
}

/** How far a walk may go to give a page in the order of its index. */
export interface WalkBounds {
  readonly items: number;
  readonly bytes: number;
}

/**
 * Tells whether a walk has to end because it exceeds its bounds. The first time, `goesOnBeyond` decides whether it
 * does.
 */
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

/** Into how many parts the ring is cut to sort the partitions of a global index. */
const POSITIONS = 1_000_000;
/** So many digits write each of them. */
const POSITION_DIGITS = 6;

/**
 * The entries of a global index: partition by partition, in the order of their hashes as in a table, and within each by
 * sort key. The index is not stored, so each page takes a walk through the whole table.
 */
class GlobalOrder implements PageSource {
  readonly #client: DynamoClient;
  readonly #reader: WalkReader;
  readonly #scan: IndexScan;
  readonly #guard: WalkGuard;
  #first: FirstEntries | undefined;

  /** @param reader begins at the start of the table */
  constructor(client: DynamoClient, reader: WalkReader, scan: IndexScan, guard: WalkGuard) {
    this.#client = client;
    this.#reader = reader;
    this.#scan = scan;
    this.#guard = guard;
  }

  get isOver(): boolean {
    return this.#first?.isCut === false;
  }

  async next(bytesLeft: number, itemsLeft: number): Promise<readonly Found[] | undefined | 'cut' | 'beyond'> {
    if (this.#first !== undefined) return this.#first.isCut ? 'cut' : undefined;
    const { table, index, startKey } = this.#scan;
    const start = startKey && this.#placeOf(startKey);
    this.#first = new FirstEntries(bytesLeft, itemsLeft);
    for (let items = await this.#reader.read(); items !== undefined; items = await this.#reader.read()) {
      if (this.#guard.isBeyond(this.#reader)) return 'beyond';
      for (const item of items) {
        await this.#reader.parses(item);
        const entry = indexEntry(table, index, item.attributes);
        if (entry === undefined) continue;
        const place = this.#placeOf(entry);
        if (start !== undefined && place <= start) continue;
        this.#first.add(placed(this.#scan.plan, item, entry, place));
      }
    }
    const found = this.#first.sorted();
    return found.length === 0 ? undefined : found;
  }

  #placeOf(entry: AttributeMap): ByteString {
    const { table, index } = this.#scan;
    const { partitionKey, sortKey } = placeInOrder(table, index, entry);
    const position = this.#client.segmentOf({ table: table.storageId, partitionKey }, POSITIONS);
    return String(position).padStart(POSITION_DIGITS, '0') + grouped(partitionKey) + sortKey;
  }
}

export interface GlobalOrderParts {
  readonly client: DynamoClient;
  /** Begins at the start of the table. */
  readonly reader: WalkReader;
  readonly scan: IndexScan;
  /** For the walk of one page through the whole table. */
  readonly bounds: WalkBounds;
  /** Asked once, when the walk exceeds `bounds`: whether it goes on. */
  readonly goesOnBeyond: () => boolean;
}

/** The entries of a global index in the order of the index. */
export function globalOrder({ client, reader, scan, bounds, goesOnBeyond }: GlobalOrderParts): PageSource {
  return new GlobalOrder(client, reader, scan, new WalkGuard(bounds, goesOnBeyond));
}
