import type { StoreKey, StoreName } from './store.ts';

/** What is written to a key: its value, or REMOVED. */
export type Written = Uint8Array | typeof REMOVED;

export const REMOVED = null;

/** What a key's entry in the maps is reckoned to take, on top of its bytes. */
const ENTRY_BYTES = 100;

/**
 * Writes that LMDB does not show yet: the newest of each key. They are written in one transaction or not at all.
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

  /** The batch leaves the key alone. */
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

/** What batches say of the keys in a range, in order; of two that know a key the later one counts. */
export function writtenBetween(
  batches: readonly WriteBatch[],
  name: StoreName,
  from: StoreKey,
  to: StoreKey,
): readonly Change[] {
  const found = new Map<StoreKey, Written>();
  for (const { tables } of batches) {
    for (const [key, value] of tables[name]) if (key >= from && key < to) found.set(key, value);
  }
  return [...found].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** At most `limit` entries below `to`, of those that are settled and what was written over them. Both are in order. */
export function rangeOver(
  settled: Iterable<{ readonly key: StoreKey; readonly value: Uint8Array }>,
  written: readonly Change[],
  to: StoreKey,
  limit: number,
): { key: StoreKey; value: Uint8Array }[] {
  const found: { key: StoreKey; value: Uint8Array }[] = [];
  let next = 0;
  /** Adds what was written below `end`; false when the limit is reached. */
  const addWritten = (end: StoreKey): boolean => {
    for (; next < written.length && written[next]!.key < end; next++) {
      const { key, value } = written[next]!;
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
  addWritten(to);
  return found;
}

function sizeOf(key: StoreKey, written: Written): number {
  return ENTRY_BYTES + key.length + (written === REMOVED ? 0 : written.length);
}
