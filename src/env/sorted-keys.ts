import type { HalfOpenRange, StoreKey } from './store.ts';

/** How many added keys may wait to be sorted in. Each range read compares all of these. */
const UNSORTED_KEYS = 256;

/** With more of them, sorting all keys anew costs no more. It also bounds what keys that come and go leave here. */
const MOST_UNSORTED_KEYS = 8_192;

/**
 * Keys to which others are added, for reads of ranges between the additions: a range costs a binary search, and no look
 * at each key. May have keys twice, and keys that are gone.
 */
export class SortedKeys {
  #sorted: readonly StoreKey[];
  #unsorted: StoreKey[] = [];

  constructor(keys: Iterable<StoreKey>) {
    this.#sorted = [...keys].sort();
  }

  /** Whether it is time to make it anew. */
  get isOverfull(): boolean {
    return this.#unsorted.length > MOST_UNSORTED_KEYS;
  }

  add(key: StoreKey): void {
    this.#unsorted.push(key);
  }

  /** The keys of a range, in no order. @param isThere whether a key is not gone */
  between({ from, to }: HalfOpenRange, isThere: (key: StoreKey) => boolean): StoreKey[] {
    if (this.#unsorted.length > UNSORTED_KEYS) {
      this.#sorted = merged(this.#sorted, this.#unsorted.sort(), isThere);
      this.#unsorted = [];
    }
    const found: StoreKey[] = [];
    for (let at = placeOf(from, this.#sorted); at < this.#sorted.length; at++) {
      const key = this.#sorted[at]!;
      if (key >= to) break;
      if (isThere(key)) found.push(key);
    }
    for (const key of this.#unsorted) if (key >= from && key < to && isThere(key)) found.push(key);
    return found;
  }
}

/** The place of the first key that is not below `from`. */
function placeOf(from: StoreKey, sorted: readonly StoreKey[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both in one order, each key that is there once. */
function merged(
  left: readonly StoreKey[],
  right: readonly StoreKey[],
  isThere: (key: StoreKey) => boolean,
): readonly StoreKey[] {
  const all: StoreKey[] = [];
  let at = 0;
  const add = (key: StoreKey) => {
    if (key !== all.at(-1) && isThere(key)) all.push(key);
  };
  for (const key of right) {
    while (at < left.length && left[at]! <= key) add(left[at++]!);
    add(key);
  }
  while (at < left.length) add(left[at++]!);
  return all;
}
