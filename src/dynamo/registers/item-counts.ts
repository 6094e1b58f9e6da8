import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { DAMAGED, isCutShort, type Store, type StoreKey } from '../../env/store.ts';
import type { ItemCount, TableCount } from '../client.ts';
import { KEYS_END, partitionOf, partitionPrefix, tableOf } from '../keyspace.ts';
import { decodeRecord, type ItemRecord } from '../record.ts';

/** Records read in one go while all are counted, and their bytes. */
const COUNTED_AT_ONCE = { limit: 256, bytesLimit: 256 * 1024 } as const;
/** Between two such steps, unless somebody waits: a node reads at most 50 MB in a second, about a tenth of a core. */
const STEP_PAUSE_MS = 5;
/** After a count that something has disturbed, before the next one. */
const AGAIN_AFTER_MS = 10_000;

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
    if (this.#counts !== undefined) apply(this.#counts, key, before, after);
    if (this.#counting !== undefined && key <= this.#counting.through) apply(this.#counting.counts, key, before, after);
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
      if (value !== DAMAGED) apply(counting.counts, key, undefined, decodeRecord(value));
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
}

function apply(counts: Counts, key: StoreKey, before: ItemRecord | undefined, after: ItemRecord | undefined): void {
  if (before?.item === undefined && after?.item === undefined) return;
  const place = partitionPrefix(partitionOf(key)) + tableOf(key);
  const count = counts.get(place) ?? { items: 0, bytes: 0, local: undefined };
  addRecord(count, before, -1);
  addRecord(count, after, 1);
  if (count.items <= 0) counts.delete(place);
  else counts.set(place, count);
}

function addRecord(count: PartCount, record: ItemRecord | undefined, items: 1 | -1): void {
  if (record?.item === undefined) return;
  const each = { items, bytes: items * record.item.size };
  add(count, each);
  if (!record.hasLocals) return;
  const { local, localBytes } = record.derived!;
  const isIn = local.filter((place) => place !== undefined).length;
  // The record has the size of its entries together; the average is exact if the indexes project alike, or there is one.
  const entry = { items, bytes: (items * localBytes) / isIn };
  for (const [index, place] of local.entries()) {
    if (place === undefined) continue;
    count.local ??= [];
    add(at(count.local, index), entry);
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
