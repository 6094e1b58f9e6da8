import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import { prefixEnd } from '../keyspace.ts';
import { writeState } from '../state-rows.ts';

/** The prefix of the rows in `meta`; the id of a table follows. */
export const FENCED: StoreKey = 'fenced/';

/** Far longer than any client of the ring goes by a definition that it has read. */
const KEPT_MS = 24 * 60 * 60_000;
/** A client reads a definition anew after minutes: a fence that is older than this may go if there are too many. */
const NEEDED_MS = 60 * 60_000;
/** 8 bytes each, all of them in one message when an epoch changes. */
const FENCES_KEPT = 50_000;

/**
 * The tables that were deleted lately (docs/protocol.md section 9.6): this replica answers no request about an item of such
 * a table. A row of `meta` says so for each, with the time at which it was fenced here, in ms since 1970.
 */
export class Fences {
  readonly #store: Store;
  readonly #clock: Clock;
  /** When each was fenced, the oldest first. */
  readonly #sinceMs = new Map<ByteString, number>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    const rows: { readonly table: ByteString; readonly sinceMs: number }[] = [];
    const [from, to] = [FENCED, prefixEnd(FENCED)];
    for (const { key, value } of store.range('meta', { from, to, limit: Number.POSITIVE_INFINITY })) {
      // That the row exists is enough.
      const sinceMs = value === DAMAGED ? clock.now() : Number(Buffer.from(value).toString());
      rows.push({ table: key.slice(FENCED.length), sinceMs });
    }
    for (const { table, sinceMs } of rows.sort((a, b) => a.sinceMs - b.sinceMs)) this.#sinceMs.set(table, sinceMs);
  }

  /** Whether there is none: the way of every request comes by here. */
  get isEmpty(): boolean {
    return this.#sinceMs.size === 0;
  }

  has(table: ByteString): boolean {
    return this.#sinceMs.has(table);
  }

  /** The ids of all fenced tables. */
  all(): readonly ByteString[] {
    return [...this.#sinceMs.keys()];
  }

  /**
   * Fences tables from now on. The caller flushes.
   * @returns false if there is no room for them: then some of them may not be fenced
   */
  add(tables: readonly ByteString[]): boolean {
    const nowMs = this.#clock.now();
    for (const table of tables) {
      const sinceMs = this.#sinceMs.get(table) ?? nowMs;
      if (!this.#sinceMs.has(table) && !this.#makeRoom(nowMs)) return false;
      this.#sinceMs.set(table, sinceMs);
      // Also if it is known: the row may not be on the disk yet, or be lost with writes that the disk has refused.
      writeState(this.#store, FENCED + table, sinceMs);
    }
    return true;
  }

  /** Calls `done` when what was fenced is on the disk. */
  flush(done: (error?: Error) => void): void {
    this.#store.flush(done);
  }

  #makeRoom(nowMs: number): boolean {
    for (const [table, sinceMs] of this.#sinceMs) {
      const isFull = this.#sinceMs.size >= FENCES_KEPT;
      if (nowMs - sinceMs < (isFull ? NEEDED_MS : KEPT_MS)) return !isFull;
      this.#sinceMs.delete(table);
      this.#store.remove('meta', FENCED + table);
    }
    return true;
  }
}
