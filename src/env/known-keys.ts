import type { StoreKey } from './store.ts';

/** Some 100 bytes each. */
const MOST_KEYS = 100_000;

/**
 * The keys of a table that is nearly always empty, as long as they are not too many: then LMDB is asked, until the table is
 * opened again.
 */
export class KnownKeys {
  readonly #most: number;
  /** Undefined: they are too many. */
  #keys: Set<StoreKey> | undefined = new Set();

  /** @param most how many keys are known at most */
  constructor(most = MOST_KEYS) {
    this.#most = most;
  }

  /** Whether the table surely lacks the key. */
  isWithout(key: StoreKey): boolean {
    return this.#keys?.has(key) === false;
  }

  add(key: StoreKey): void {
    this.#keys?.add(key);
    if (this.#keys !== undefined && this.#keys.size > this.#most) this.#keys = undefined;
  }

  remove(key: StoreKey): void {
    this.#keys?.delete(key);
  }
}
