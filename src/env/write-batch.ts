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

function sizeOf(key: StoreKey, written: Written): number {
  return ENTRY_BYTES + key.length + (written === REMOVED ? 0 : written.length);
}
