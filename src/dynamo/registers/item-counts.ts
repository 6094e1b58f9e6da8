import type { Derivation } from '../../api/derivation.ts';
import type { ItemImage } from '../../api/item.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { DAMAGED, isCutShort, type Store, type StoreKey } from '../../env/store.ts';
import type { ItemCount, TableCount } from '../client.ts';
import { localSizesOf } from '../derived/places.ts';
import { KEYS_END, partitionOf, partitionPrefix, tableOf } from '../keyspace.ts';
import { decodeRecord, type ItemRecord } from '../record.ts';

/** Records read in one go while all are counted, and their bytes. */
const COUNTED_AT_ONCE = { limit: 256, bytesLimit: 256 * 1024 } as const;
/** Between two such steps, unless somebody waits: a node reads at most 50 MB in a second, about a tenth of a core. */
const STEP_PAUSE_MS = 5;
/** After a count that something has disturbed, before the next one. */
const AGAIN_AFTER_MS = 10_000;
/** Tables with several local indexes whose definitions are remembered; of others the sizes are estimated. Some KB each. */
const DEFINITIONS_KEPT = 1_000;

interface Count {
  items: number;
  bytes: number;
}

/** Of one table in one partition. */
interface PartCount extends Count {
  /** By the number of the local index, as far as any item is in one. Undefined: none is. */
  local: Count[] | undefined;
}

/** By partition and table, as store keys begin with them. Tables without items are left out. */
type Counts = Map<StoreKey, PartCount>;

/** A count of all records under way. What lies up to `through` is in it. */
interface Counting {
  readonly counts: Counts;
  through: StoreKey;
  isDisturbed: boolean;
}

/**
 * How many items a replica holds of each table, and their size by the service's rules. Nothing is counted before
 * somebody asks; then all records are read once, in small steps, and from then on each change of a committed record is
 * followed. A restart begins anew.
 */
export class ItemCounts {
  readonly #store: Store;
  readonly #clock: Clock;
  /** The last complete count, with what has changed since. */
  #counts: Counts | undefined;
  #counting: Counting | undefined;
  #timer: Timer | undefined;
  /** What to call when the first count is complete, with the timers of those who do not wait so long. */
  readonly #waiting = new Map<() => void, Timer>();
  /** By table, what its local indexes are made by, which never changes. The one that was learned longest ago is forgotten. */
  readonly #definitions = new Map<ByteString, Derivation>();
  /** Tables of which sizes of entries were estimated, since their definitions were not known. */
  readonly #estimated = new Set<ByteString>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Has everything counted, if that was not done yet; of a large store, that can take minutes. Calls `done` when it is
   * complete, or after `patienceMs`: then `of` says what was counted so far.
   */
  begin(patienceMs: number, done: () => void): void {
    if (this.#counts !== undefined) return done();
    const timer = this.#clock.after(patienceMs, () => {
      this.#waiting.delete(done);
      done();
    });
    this.#waiting.set(done, timer);
    if (this.#counting === undefined) this.#count();
  }

  /**
   * Whether the sizes of a table's local indexes are estimates. A record has the size of its entries together: of an item in
   * several indexes that project differently, it takes their definitions to say which has how much.
   */
  isEstimated(table: ByteString): boolean {
    return this.#estimated.has(table);
  }

  /** What a table's local indexes are made by. If sizes were estimated without it, all is counted again. */
  define(derivation: Derivation): void {
    const { table } = derivation;
    if (this.#definitions.has(table)) return;
    this.#definitions.set(table, derivation);
    if (this.#definitions.size > DEFINITIONS_KEPT) {
      const [oldest] = this.#definitions.keys();
      this.#definitions.delete(oldest!);
    }
    if (!this.#estimated.delete(table)) return;
    this.#clock.cancel(this.#timer);
    this.#counts = undefined;
    this.#count();
  }

  /** What these partitions hold of a table. */
  of(table: ByteString, partitions: readonly number[]): TableCount {
    const counts = this.#counts ?? this.#counting?.counts;
    const sum = { items: 0, bytes: 0, local: [] as Count[] };
    for (const partition of partitions) {
      const count = counts?.get(partitionPrefix(partition) + table);
      if (count === undefined) continue;
      add(sum, count);
      for (const [index, each] of (count.local ?? []).entries()) add(at(sum.local, index), each);
    }
    for (const each of sum.local) each.bytes = Math.max(0, Math.round(each.bytes));
    return sum;
  }

  /** The committed record of a key has changed. On the path of every write. */
  changed(key: StoreKey, before: ItemRecord | undefined, after: ItemRecord | undefined): void {
    if (this.#counts === undefined && this.#counting === undefined) return;
    if (this.#counts !== undefined) this.#apply(this.#counts, key, before, after);
    const { counts, through } = this.#counting ?? {};
    if (counts !== undefined && key <= through!) this.#apply(counts, key, before, after);
  }

  /** Records have changed in a way that cannot be followed: all are counted again, after a while. */
  disturb(): void {
    if (this.#counting !== undefined) this.#counting.isDisturbed = true;
    else if (this.#counts !== undefined) this.#timer ??= this.#clock.after(AGAIN_AFTER_MS, () => this.#count());
  }

  /** The store is about to be closed. */
  stop(): void {
    for (const timer of [this.#timer, ...this.#waiting.values()]) this.#clock.cancel(timer);
    this.#waiting.clear();
    this.#counting = undefined;
    this.#counts = undefined;
    this.#estimated.clear();
  }

  #count(): void {
    const counting: Counting = { counts: new Map(), through: '', isDisturbed: false };
    this.#counting = counting;
    this.#step(counting);
  }

  #step(counting: Counting): void {
    this.#timer = undefined;
    if (this.#counting !== counting) return;
    const page = this.#store.range('items', { after: counting.through, to: KEYS_END, ...COUNTED_AT_ONCE });
    for (const { key, value } of page) {
      if (value !== DAMAGED) this.#apply(counting.counts, key, undefined, decodeRecord(value));
    }
    counting.through = page.at(-1)?.key ?? counting.through;
    if (isCutShort(page, COUNTED_AT_ONCE)) {
      this.#timer = this.#clock.after(this.#waiting.size > 0 ? 0 : STEP_PAUSE_MS, () => this.#step(counting));
      return;
    }
    this.#counts = counting.counts;
    this.#counting = undefined;
    if (counting.isDisturbed) this.disturb();
    for (const [done, timer] of this.#waiting) {
      this.#clock.cancel(timer);
      this.#waiting.delete(done);
      done();
    }
  }

  #apply(counts: Counts, key: StoreKey, before: ItemRecord | undefined, after: ItemRecord | undefined): void {
    if (before?.item === undefined && after?.item === undefined) return;
    const table = tableOf(key);
    const place = partitionPrefix(partitionOf(key)) + table;
    const count = counts.get(place) ?? { items: 0, bytes: 0, local: undefined };
    this.#addRecord(count, table, before, -1);
    this.#addRecord(count, table, after, 1);
    if (count.items <= 0) counts.delete(place);
    else counts.set(place, count);
  }

  #addRecord(count: PartCount, table: ByteString, record: ItemRecord | undefined, items: 1 | -1): void {
    if (record?.item === undefined) return;
    add(count, { items, bytes: items * record.item.size });
    if (!record.hasLocals) return;
    const { local, localBytes } = record.derived!;
    const isIn = local.filter((place) => place !== undefined).length;
    const sizes = isIn > 1 ? this.#sizesOf(record.item, table) : undefined;
    for (const [index, place] of local.entries()) {
      if (place === undefined) continue;
      count.local ??= [];
      add(at(count.local, index), { items, bytes: items * (sizes?.[index] ?? localBytes / isIn) });
    }
  }

  /** @returns undefined if it takes a definition that is not known */
  #sizesOf(item: ItemImage, table: ByteString): readonly number[] | undefined {
    const definition = this.#definitions.get(table);
    if (definition === undefined) this.#estimated.add(table);
    return definition && localSizesOf(item, definition);
  }
}

function add(count: Count, { items, bytes }: ItemCount): void {
  count.items += items;
  count.bytes += bytes;
}

function at(counts: Count[], index: number): Count {
  while (counts.length <= index) counts.push({ items: 0, bytes: 0 });
  return counts[index]!;
}
