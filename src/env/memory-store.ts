import {
  DAMAGED,
  type Entry,
  type HalfOpenRange,
  halfOpen,
  type RangeQuery,
  type Store,
  type StoreKey,
  type StoreName,
} from './store.ts';

export interface MemoryStoreOptions {
  /**
   * Stands for the time that a disk takes. It is called once per flush and calls `complete` when the flush shall be
   * done, now or later. A later flush may complete first, and then covers the earlier one. Default: at once.
   */
  readonly flushAfter?: (complete: () => void) => void;
}

/**
 * A store that forgets everything at the end of the process. For simulations, `crash` undoes the writes that no
 * completed flush covers. Creating a store allocates next to nothing.
 */
export class MemoryStore implements Store {
  onLost: (() => void) | undefined = undefined;
  readonly #flushAfter: ((complete: () => void) => void) | undefined;
  readonly #tables: Record<StoreName, Table | undefined> = {
    items: undefined,
    paxos: undefined,
    hints: undefined,
    meta: undefined,
    lsi: undefined,
    outbox: undefined,
  };
  /** How to undo the writes that are not durable, oldest first. */
  readonly #undo: Undo[] = [];
  /** How many writes since the store was created are durable. It is also the number of the write `#undo[0]`. */
  #durableCount = 0;
  /** The flushes under way, oldest first. */
  #flushes: { readonly done: (error?: Error) => void }[] = [];

  constructor(options: MemoryStoreOptions = {}) {
    this.#flushAfter = options.flushAfter;
  }

  get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    return this.#tables[name]?.get(key);
  }

  put(name: StoreName, key: StoreKey, value: Uint8Array): void {
    this.#tables[name] ??= new Table();
    const table = this.#tables[name];
    this.#undo.push({ table, key, before: table.set(key, value) });
  }

  remove(name: StoreName, key: StoreKey): void {
    const table = this.#tables[name];
    const before = table?.delete(key);
    if (table !== undefined && before !== undefined) this.#undo.push({ table, key, before });
  }

  range(name: StoreName, query: RangeQuery): Entry[] {
    const table = this.#tables[name];
    if (table === undefined) return [];
    return query.order === 'backward' ? table.backward(halfOpen(query), query) : table.forward(halfOpen(query), query);
  }

  flush(done: (error?: Error) => void): void {
    const target = this.#durableCount + this.#undo.length;
    if (this.#flushAfter === undefined || this.#undo.length === 0) {
      this.#becomeDurable(target);
      done();
      return;
    }
    const flush = { done };
    this.#flushes.push(flush);
    this.#flushAfter(() => {
      const at = this.#flushes.indexOf(flush);
      if (at < 0) return;
      this.#flushes.splice(at, 1);
      this.#becomeDurable(target);
      done();
    });
  }

  close(): Promise<void> {
    this.#becomeDurable(this.#durableCount + this.#undo.length);
    return Promise.resolve();
  }

  giveUp(reason: string): Error {
    return new Error(reason);
  }

  /** For simulations: damages the value of a key, if there is one. */
  damage(name: StoreName, key: StoreKey): void {
    const table = this.#tables[name];
    if (table?.get(key) !== undefined) table.set(key, DAMAGED);
  }

  /** For simulations: what the value of a key would be after a crash that undoes all it may. */
  durable(name: StoreName, key: StoreKey): Uint8Array | undefined {
    const table = this.#tables[name];
    const undo = this.#undo.find((write) => write.table === table && write.key === key);
    return undo === undefined ? table?.get(key) : undo.before;
  }

  /** How many writes a crash now would undo. */
  get volatileWriteCount(): number {
    return this.#undo.length;
  }

  /**
   * The process dies and the store is opened again: writes that are not durable are undone, and the callbacks of
   * flushes under way are never called. Since a real store also writes without a flush, the oldest `survivorCount` of
   * the volatile writes survive.
   */
  crash(survivorCount = 0): void {
    this.#flushes = [];
    this.#becomeDurable(this.#durableCount + Math.min(survivorCount, this.#undo.length));
    this.#undoVolatile();
  }

  /**
   * The disk refuses the writes that are not durable: they are undone, `onLost` is called, and the flushes under way
   * get `error`.
   */
  fail(error: Error): void {
    const flushes = this.#flushes;
    this.#flushes = [];
    const hasLost = this.#undo.length > 0;
    this.#undoVolatile();
    if (hasLost) this.onLost?.();
    for (const { done } of flushes) done(error);
  }

  #undoVolatile(): void {
    for (const { table, key, before } of this.#undo.reverse()) {
      if (before === undefined) table.delete(key);
      else table.set(key, before);
    }
    this.#undo.length = 0;
  }

  #becomeDurable(target: number): void {
    const count = target - this.#durableCount;
    if (count <= 0) return;
    if (count === this.#undo.length) this.#undo.length = 0;
    else this.#undo.splice(0, count);
    this.#durableCount = target;
  }
}

interface Undo {
  readonly table: Table;
  readonly key: StoreKey;
  readonly before: Uint8Array | undefined;
}

type Bounds = Pick<RangeQuery, 'limit' | 'bytesLimit'>;

/** A sorted map on two arrays. At the sizes of a simulation nothing is faster, and 100,000 entries are still quick. */
class Table {
  readonly #keys: StoreKey[] = [];
  readonly #values: Uint8Array[] = [];

  get(key: StoreKey): Uint8Array | undefined {
    const at = this.#seek(key);
    return this.#keys[at] === key ? this.#values[at] : undefined;
  }

  /** Returns the value that was there before. */
  set(key: StoreKey, value: Uint8Array): Uint8Array | undefined {
    const at = this.#seek(key);
    if (this.#keys[at] === key) {
      const before = this.#values[at];
      this.#values[at] = value;
      return before;
    }
    this.#keys.splice(at, 0, key);
    this.#values.splice(at, 0, value);
    return undefined;
  }

  /** Returns the value that was there. */
  delete(key: StoreKey): Uint8Array | undefined {
    const at = this.#seek(key);
    if (this.#keys[at] !== key) return undefined;
    this.#keys.splice(at, 1);
    return this.#values.splice(at, 1)[0];
  }

  forward({ from, to }: HalfOpenRange, { limit, bytesLimit = Number.POSITIVE_INFINITY }: Bounds): Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (let at = this.#seek(from); at < this.#keys.length && found.length < limit; at++) {
      const key = this.#keys[at]!;
      if (key >= to) break;
      found.push({ key, value: this.#values[at]! });
      bytes += this.#values[at]!.length;
      if (bytes >= bytesLimit) break;
    }
    return found;
  }

  backward({ from, to }: HalfOpenRange, { limit, bytesLimit = Number.POSITIVE_INFINITY }: Bounds): Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (let at = this.#seek(to) - 1; at >= 0 && found.length < limit; at--) {
      const key = this.#keys[at]!;
      if (key < from) break;
      found.push({ key, value: this.#values[at]! });
      bytes += this.#values[at]!.length;
      if (bytes >= bytesLimit) break;
    }
    return found;
  }

  /** The index of the first key that is not below `key`. */
  #seek(key: StoreKey): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
