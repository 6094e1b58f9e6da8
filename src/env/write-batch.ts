import { compareKeys, type Entry, type HalfOpenRange, type KeyOrder, type StoreKey, type StoreName } from './store.ts';

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
  };
  #byteCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  get entryCount(): number {
    const { items, paxos, hints, meta } = this.tables;
    return items.size + paxos.size + hints.size + meta.size;
  }

  set(name: StoreName, key: StoreKey, written: Written): void {
    const table = this.tables[name];
    const before = table.get(key);
    this.#byteCount += sizeOf(key, written) - (before === undefined ? 0 : sizeOf(key, before));
    table.set(key, written);
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

export interface Change {
  readonly key: StoreKey;
  readonly value: Written;
}

/** The changes of batches to the keys in a range, in order. If two batches hold a key, the later one counts. */
export function writtenBetween(
  batches: readonly WriteBatch[],
  name: StoreName,
  { from, to }: HalfOpenRange,
  order: KeyOrder,
): readonly Change[] {
  const found = new Map<StoreKey, Written>();
  for (const { tables } of batches) {
    for (const [key, value] of tables[name]) if (key >= from && key < to) found.set(key, value);
  }
  return [...found].map(([key, value]) => ({ key, value })).sort((a, b) => compareKeys(a.key, b.key, order));
}

/**
 * The first `limit` entries of a range: the settled ones with the written changes laid over them. Both come in `order`,
 * and no more of `settled` is read than needed.
 */
export function rangeOver(
  settled: Iterable<Entry>,
  written: readonly Change[],
  order: KeyOrder,
  limit: number,
): Entry[] {
  const isBackward = order === 'backward';
  const found: Entry[] = [];
  let next = 0;
  /** Adds the changes of keys that come before `end`, all if it is undefined; false when the limit is reached. */
  const addWritten = (end: StoreKey | undefined): boolean => {
    for (; next < written.length; next++) {
      const { key, value } = written[next]!;
      if (end !== undefined && (isBackward ? key <= end : key >= end)) return true;
      if (value !== REMOVED) found.push({ key, value });
      if (found.length === limit) return false;
    }
    return true;
  };
  for (const { key, value } of settled) {
    if (!addWritten(key)) return found;
    if (written[next]?.key === key) continue;
    found.push({ key, value });
    if (found.length === limit) return found;
  }
  addWritten(undefined);
  return found;
}

function sizeOf(key: StoreKey, written: Written): number {
  return ENTRY_BYTES + key.length + (written === REMOVED ? 0 : written.length);
}
