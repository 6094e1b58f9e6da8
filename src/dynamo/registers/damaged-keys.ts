import type { HalfOpenRange, Store, StoreKey } from '../../env/store.ts';
import { partitionOf } from '../keyspace.ts';
import { writeState } from '../state-rows.ts';

/** In `meta`, before the key: its committed record was damaged, and was written over before the newest was restored. */
export const MARK: StoreKey = 'damaged/';
const MARKS_END: StoreKey = 'damaged0';
/** Marks read at a time. */
const PAGE = 1_024;

/** Damaged keys kept by name; of the rest only their existence is kept. */
const DAMAGED_KEPT = 100_000;

/** Far more than are adopted while one answer waits for its flush. */
const ADOPTIONS_KEPT = 10_000;

const NONE: readonly StoreKey[] = [];

/** One record that was adopted in place of damaged ones. Compared by identity: each adoption is another one. */
export interface Adoption {
  /** How often the key could not be read by then. */
  readonly readings: number;
}

/**
 * The damaged keys of one replica. A key is _damaged_ from when one of its records cannot be read until the newest
 * record was restored from other replicas (`KeyRestore`). A learn may write over the damaged record in between, with an
 * older one; the key is then marked as damaged, durably.
 */
export class DamagedKeys {
  readonly #store: Store;
  readonly #marked = new Set<StoreKey>();
  /** All that were found, with the marked ones. */
  readonly #known = new Set<StoreKey>();
  #hasMore = false;
  /** How often a record of the key was read and was not what had been written. */
  readonly #readings = new Map<StoreKey, number>();
  /**
   * The last adoption of each key since the start, oldest first, for as long as an answer on its way may depend on it.
   */
  readonly #adoptions = new Map<StoreKey, Adoption>();

  constructor(store: Store) {
    this.#store = store;
    this.reload();
  }

  /** Reads the marks again, as after writes were lost. */
  reload(): void {
    this.#marked.clear();
    for (let last = MARK; ; ) {
      const page = this.#store.range('meta', { after: last, to: MARKS_END, limit: PAGE });
      for (const { key } of page) {
        this.#marked.add(key.slice(MARK.length));
        this.#known.add(key.slice(MARK.length));
      }
      if (page.length < PAGE) return;
      last = page.at(-1)!.key;
    }
  }

  get known(): ReadonlySet<StoreKey> {
    return this.#known;
  }

  /** Whether a key of the partition may be damaged. */
  hasAnyIn(partition: number): boolean {
    if (this.#hasMore) return true;
    for (const key of this.#known) if (partitionOf(key) === partition) return true;
    return false;
  }

  isMarked(key: StoreKey): boolean {
    return this.#marked.has(key);
  }

  /** The marked keys of a range, in no order. As a rule there is none anywhere, which costs nothing. */
  markedIn({ from, to }: HalfOpenRange): readonly StoreKey[] {
    if (this.#marked.size === 0) return NONE;
    return [...this.#marked].filter((key) => key >= from && key < to);
  }

  /** The committed record of a damaged key is about to be written over or removed. */
  mark(key: StoreKey): void {
    if (this.#marked.has(key)) return;
    this.#marked.add(key);
    writeState(this.#store, MARK + key, true);
  }

  add(key: StoreKey): void {
    if (this.#known.size < DAMAGED_KEPT) this.#known.add(key);
    else if (!this.#known.has(key)) this.#hasMore = true;
  }

  /** The key is whole again, or nothing of it is kept. */
  release(key: StoreKey): void {
    this.#known.delete(key);
    this.#readings.delete(key);
    if (this.#marked.delete(key)) this.#store.remove('meta', MARK + key);
  }

  /** A record of the key was read, and could not be. */
  noteUnreadable(key: StoreKey): void {
    this.#readings.set(key, this.readingsOf(key) + 1);
  }

  /**
   * How often a record of the key could not be read so far. A larger number than before means that it has rotted since.
   */
  readingsOf(key: StoreKey): number {
    return this.#readings.get(key) ?? 0;
  }

  noteAdopted(key: StoreKey): void {
    this.#adoptions.delete(key);
    this.#adoptions.set(key, { readings: this.readingsOf(key) });
    if (this.#adoptions.size <= ADOPTIONS_KEPT) return;
    const [oldest] = this.#adoptions.keys();
    this.#adoptions.delete(oldest!);
  }

  adoptionOf(key: StoreKey): Adoption | undefined {
    return this.#adoptions.get(key);
  }
}
