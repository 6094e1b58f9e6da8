import { SortedKeys } from './sorted-keys.ts';
import {
  compareKeys,
  type Entry,
  type HalfOpenRange,
  type KeyOrder,
  type KeyRange,
  type RangeQuery,
  type StoreKey,
  type StoreName,
} from './store.ts';

/** The new value of a key, or REMOVED. */
export type Written = Uint8Array | typeof REMOVED;

export const REMOVED = null;

/** The estimated memory of a map entry, on top of its key and value. */
const ENTRY_BYTES = 100;

/**
 * Writes that LMDB does not show yet: the newest one of each key. LMDB commits a batch in one transaction, or none of
 * it.
 */
export class WriteBatch {
  readonly tables: Readonly<Record<StoreName, Map<StoreKey, Written>>> = {
    items: new Map(),
    paxos: new Map(),
    hints: new Map(),
    meta: new Map(),
    lsi: new Map(),
    outbox: new Map(),
  };
  #byteCount = 0;
  /** The keys of those tables of which ranges are read. */
  readonly #sortedKeys: Partial<Record<StoreName, SortedKeys>> = {};

  get byteCount(): number {
    return this.#byteCount;
  }

  get entryCount(): number {
    const { items, paxos, hints, meta, lsi, outbox } = this.tables;
    return items.size + paxos.size + hints.size + meta.size + lsi.size + outbox.size;
  }

  set(name: StoreName, key: StoreKey, written: Written): void {
    const table = this.tables[name];
    const before = table.get(key);
    this.#byteCount += sizeOf(key, written) - (before === undefined ? 0 : sizeOf(key, before));
    table.set(key, written);
    if (before === undefined) this.#sortedKeys[name]?.add(key);
  }

  /** The keys of a range that the batch writes, in no order. */
  keysBetween(name: StoreName, range: HalfOpenRange): readonly StoreKey[] {
    const table = this.tables[name];
    if (table.size === 0) return [];
    let keys = this.#sortedKeys[name];
    if (keys === undefined || keys.isOverfull) {
      keys = new SortedKeys(table.keys());
      this.#sortedKeys[name] = keys;
    }
    return keys.between(range, (key) => table.has(key));
  }

  /** Drops what the batch holds of a key, which then stays as it is in LMDB. */
  forget(name: StoreName, key: StoreKey): void {
    const table = this.tables[name];
    const before = table.get(key);
    if (before === undefined) return;
    this.#byteCount -= sizeOf(key, before);
    table.delete(key);
  }
}

/** Gets the entries of a range one by one. @returns whether it wants the next one */
export type Visit = (key: StoreKey, value: Uint8Array) => boolean;

export interface Change {
  readonly key: StoreKey;
  readonly value: Written;
}

const NOTHING: readonly Change[] = [];

/** The changes of batches to the keys in a range, in order. If two batches hold a key, the later one counts. */
export function writtenBetween(
  batches: readonly WriteBatch[],
  name: StoreName,
  range: HalfOpenRange,
  order: KeyOrder,
): readonly Change[] {
  let found: Map<StoreKey, Written> | undefined;
  for (const batch of batches) {
    for (const key of batch.keysBetween(name, range)) {
      found ??= new Map();
      found.set(key, batch.tables[name].get(key)!);
    }
  }
  if (found === undefined) return NOTHING;
  return [...found].map(([key, value]) => ({ key, value })).sort((a, b) => compareKeys(a.key, b.key, order));
}

/**
 * The first entries of a range, as many as the query wants: the settled ones with the written changes laid over them.
 * Both come in the order of the query, and no more of what is settled is read than needed.
 */
export function rangeOver(
  settled: (visit: Visit) => void,
  written: readonly Change[],
  { order, limit, bytesLimit = Number.POSITIVE_INFINITY }: Omit<RangeQuery, keyof KeyRange>,
): Entry[] {
  const isBackward = order === 'backward';
  const found: Entry[] = [];
  let bytes = 0;
  let next = 0;
  /** @returns whether a limit is reached with this entry */
  const isLast = (key: StoreKey, value: Uint8Array): boolean => {
    found.push({ key, value });
    bytes += value.length;
    return found.length === limit || bytes >= bytesLimit;
  };
  /** Adds the changes of keys that come before `end`, all if it is undefined; false when a limit is reached. */
  const addWritten = (end: StoreKey | undefined): boolean => {
    while (next < written.length) {
      const { key, value } = written[next]!;
      if (end !== undefined && (isBackward ? key <= end : key >= end)) return true;
      next++;
      if (value !== REMOVED && isLast(key, value)) return false;
    }
    return true;
  };
  let isFull = false;
  settled((key, value) => {
    isFull = !addWritten(key) || (written[next]?.key !== key && isLast(key, value));
    return !isFull;
  });
  if (!isFull) addWritten(undefined);
  return found;
}

function sizeOf(key: StoreKey, written: Written): number {
  return ENTRY_BYTES + key.length + (written === REMOVED ? 0 : written.length);
}
