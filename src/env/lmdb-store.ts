import { type Database, open, type RootDatabase } from 'lmdb';
import type { Store, StoreKey, StoreName } from './store.ts';
import { REMOVED, WriteBatch, type Written } from './write-batch.ts';

export interface LmdbStoreOptions {
  /**
   * When a flush is done. `memory`: at once; LMDB gets the writes later. `process`: when a transaction with them has
   * committed, so that they are in the system's page cache and survive the process. `disk`: when the disk has them.
   */
  readonly durability: 'memory' | 'process' | 'disk';
  /** How long a write that nobody flushes may stay unwritten. Longer: fewer transactions, more lost to a crash. */
  readonly lazyFlushMs?: number;
  /** A batch of this many keys is written at once. Larger: cheaper per key, longer transactions. */
  readonly batchEntries?: number;
  /** A batch of this many bytes is written at once. Two batches of this size is what the store holds in memory. */
  readonly batchBytes?: number;
}

const LAZY_FLUSH_MS = 50;
const BATCH_ENTRIES = 4_096;
const BATCH_BYTES = 4 * 1024 * 1024;

/** LMDB's limit at its default page size. */
export const MAX_KEY_BYTES = 1_978;

/**
 * Address space only: the file is as long as its data. It doubles when it is used up, but each doubling maps the file
 * once more until the store is closed, which counts twice in the resident set; so it starts large.
 */
const MAP_BYTES = 1024 * 1024 * 1024;

/** One thread reads, with one transaction and its cursors. */
const MAX_READERS = 16;

/**
 * Keys are stored as their bytes. `keyEncoding: 'binary'` would want a Buffer for each key: this writes the text
 * straight into LMDB's key buffer.
 */
const LATIN1_KEYS = {
  writeKey: (key: StoreKey, target: Buffer, start: number): number => start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number): StoreKey => source.toString('latin1', start, end),
};

type Table = Database<Uint8Array, StoreKey>;

/**
 * One node's LMDB environment, with a named database for each `StoreName`.
 *
 * LMDB shows a write when its transaction has committed, on another thread. Until then this keeps it in one of two
 * batches, which reads see first: `#pending`, which gathers writes, and `#committing`, which LMDB is writing. All
 * flushes that are asked for while a batch commits share the next one, and of several writes to a key only the last
 * is ever written: a `put` that a `remove` follows soon enough costs nothing.
 *
 * A batch that fails (disk full) takes the pending one with it, because writes must survive in order or not at all.
 *
 * Measured (Node 20, lmdb 3.5.6, two cores, ext4; us of CPU per put of 500 bytes in batches of 64, all threads): on LMDB's
 * thread 6 without sync, of which 0.8 on the main thread; in a transaction on the main thread 5.5, all of it there;
 * with a sync per transaction 14, with lmdb-js' overlapping sync 16. So: its own thread, and plain LMDB's sync.
 * `useWritemap` halves the first figure, but then a full disk is a SIGBUS instead of an error.
 * `noSync` leaves the order in which pages reach the disk to the system: a power loss may damage the environment,
 * a killed process cannot.
 */
export class LmdbStore implements Store {
  onLost: (() => void) | undefined = undefined;
  readonly #root: RootDatabase<Uint8Array, StoreKey>;
  readonly #tables: Readonly<Record<StoreName, Table>>;
  readonly #isVolatile: boolean;
  readonly #lazyFlushMs: number;
  readonly #batchEntries: number;
  readonly #batchBytes: number;
  #pending = new WriteBatch();
  #committing: WriteBatch | undefined;
  #lazyTimer: NodeJS.Timeout | undefined;
  #start: NodeJS.Immediate | undefined;

  /** Opens the environment in the directory `path`, or makes it. Throws what the system says where it cannot. */
  constructor(path: string, options: LmdbStoreOptions) {
    this.#isVolatile = options.durability === 'memory';
    this.#lazyFlushMs = options.lazyFlushMs ?? LAZY_FLUSH_MS;
    this.#batchEntries = options.batchEntries ?? BATCH_ENTRIES;
    this.#batchBytes = options.batchBytes ?? BATCH_BYTES;
    this.#root = open<Uint8Array, StoreKey>({
      path,
      noSubdir: false,
      noSync: options.durability !== 'disk',
      overlappingSync: false,
      // A batch is put into one transaction explicitly; waiting for the end of the event turn as well would be idle.
      eventTurnBatching: false,
      encoding: 'binary',
      keyEncoder: LATIN1_KEYS,
      mapSize: MAP_BYTES,
      maxDbs: 3,
      maxReaders: MAX_READERS,
    });
    const table = (name: StoreName): Table =>
      this.#root.openDB<Uint8Array, StoreKey>({ name, encoding: 'binary', ...{ keyEncoder: LATIN1_KEYS } });
    this.#tables = { items: table('items'), paxos: table('paxos'), meta: table('meta') };
  }

  get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    const written = this.#written(name, key);
    if (written !== undefined) return written === REMOVED ? undefined : written;
    const found = this.#tables[name].getBinaryFast(key);
    return found === undefined ? undefined : copyOf(found);
  }

  put(name: StoreName, key: StoreKey, value: Uint8Array): void {
    // LMDB would refuse it much later, and the whole batch with it.
    if (key.length === 0 || key.length > MAX_KEY_BYTES) throw new Error(`a store key of ${key.length} bytes`);
    this.#pending.set(name, key, value);
    this.#noteWrite();
  }

  remove(name: StoreName, key: StoreKey): void {
    const isUnwritten = this.#pending.tables[name].get(key) !== undefined;
    // Looking costs less than a removal of nothing; of the keys in `paxos`, most come and go between two batches.
    if (isUnwritten && this.#isAbsentBelow(name, key)) this.#pending.forget(name, key);
    else this.#pending.set(name, key, REMOVED);
    this.#noteWrite();
  }

  range(name: StoreName, from: StoreKey, to: StoreKey, limit: number): { key: StoreKey; value: Uint8Array }[] {
    const found: { key: StoreKey; value: Uint8Array }[] = [];
    if (from >= to || limit <= 0) return found;
    const written = this.#writtenBetween(name, from, to);
    let next = 0;
    /** Adds what the batches hold below `end`; false when the limit is reached. */
    const addWritten = (end: StoreKey): boolean => {
      for (; next < written.length && written[next]!.key < end; next++) {
        const { key, value } = written[next]!;
        if (value !== REMOVED) found.push({ key, value });
        if (found.length === limit) return false;
      }
      return true;
    };
    for (const { key, value } of this.#storedBetween(name, from, to)) {
      if (!addWritten(key)) return found;
      if (written[next]?.key === key) continue;
      found.push({ key, value });
      if (found.length === limit) return found;
    }
    addWritten(to);
    return found;
  }

  flush(done: (error?: Error) => void): void {
    const isWritten = this.#pending.entryCount === 0;
    if (isWritten && this.#committing === undefined) return done();
    // Writers that do not wait could outrun the disk; where they have, they wait.
    if (this.#isVolatile && !(this.#committing !== undefined && this.#isFull())) return done();
    if (isWritten) {
      this.#committing!.waiting.push(done);
      return;
    }
    this.#pending.waiting.push(done);
    this.#makeDue();
  }

  async close(): Promise<void> {
    let failure: Error | undefined;
    while (this.#committing !== undefined || this.#pending.entryCount > 0) {
      await new Promise<void>((resolve) => {
        this.#pending.waiting.push((error) => {
          failure ??= error;
          resolve();
        });
        this.#makeDue();
      });
    }
    clearTimeout(this.#lazyTimer);
    clearImmediate(this.#start);
    await this.#root.close();
    if (failure !== undefined) throw failure;
  }

  /** What the batches say of a key; undefined where they say nothing. */
  #written(name: StoreName, key: StoreKey): Written | undefined {
    const pending = this.#pending.tables[name].get(key);
    return pending === undefined ? this.#committing?.tables[name].get(key) : pending;
  }

  /** True if the key is neither in LMDB nor on its way there. */
  #isAbsentBelow(name: StoreName, key: StoreKey): boolean {
    const committing = this.#committing?.tables[name].get(key);
    if (committing !== undefined) return committing === REMOVED;
    return this.#tables[name].getBinaryFast(key) === undefined;
  }

  /** What the batches say of the keys in a range, in order. */
  #writtenBetween(name: StoreName, from: StoreKey, to: StoreKey): { key: StoreKey; value: Written }[] {
    const found = new Map<StoreKey, Written>();
    for (const batch of [this.#committing, this.#pending]) {
      if (batch === undefined) continue;
      for (const [key, value] of batch.tables[name]) if (key >= from && key < to) found.set(key, value);
    }
    return [...found].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** What LMDB holds in a range. A bound may be longer than any key: its start is searched for, the rest compared. */
  *#storedBetween(name: StoreName, from: StoreKey, to: StoreKey): Iterable<{ key: StoreKey; value: Uint8Array }> {
    const start = from.slice(0, MAX_KEY_BYTES);
    const end = to.slice(0, MAX_KEY_BYTES);
    for (const entry of this.#tables[name].getRange({ start, end, inclusiveEnd: true })) {
      if (entry.key >= to) return;
      if (entry.key >= from) yield entry;
    }
  }

  #isFull(): boolean {
    return this.#pending.byteCount >= this.#batchBytes || this.#pending.entryCount >= this.#batchEntries;
  }

  #noteWrite(): void {
    if (this.#pending.isDue) return;
    if (this.#isFull()) this.#makeDue();
    else this.#lazyTimer ??= setTimeout(() => this.#makeDue(), this.#lazyFlushMs);
  }

  /** The pending batch is written at the end of this event turn, or as soon as the one before it is. */
  #makeDue(): void {
    this.#pending.isDue = true;
    if (this.#committing === undefined) this.#start ??= setImmediate(() => this.#startCommit());
  }

  #startCommit(): void {
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
    this.#start = undefined;
    const batch = this.#pending;
    this.#pending = new WriteBatch();
    this.#committing = batch;
    if (batch.entryCount === 0) return this.#finish();
    this.#write(batch).then(
      () => this.#finish(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** Resolves when the transaction has committed, and, with `durability: 'disk'`, was synced. */
  async #write(batch: WriteBatch): Promise<void> {
    try {
      await this.#root.batch(() => {
        for (const name of ['items', 'paxos', 'meta'] as const) {
          const table = this.#tables[name];
          for (const [key, value] of batch.tables[name]) {
            if (value === REMOVED) table.remove(key);
            else table.put(key, value);
          }
        }
      });
    } catch (error) {
      // lmdb-js rejects with a stand-in that carries the cause as a second rejection, which nobody else handles.
      await (error as { commitError?: Promise<never> }).commitError;
      throw error;
    }
  }

  #finish(): void {
    const { waiting } = this.#committing!;
    this.#committing = undefined;
    if (this.#pending.isDue) this.#makeDue();
    for (const done of waiting) done();
  }

  #fail(cause: unknown): void {
    const waiting = [...this.#committing!.waiting, ...this.#pending.waiting];
    this.#committing = undefined;
    this.#pending = new WriteBatch();
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new Error(`the store could not be written: ${reason}`, { cause });
    this.onLost?.();
    for (const done of waiting) done(error);
  }
}

/** LMDB reads into a buffer that the next read overwrites. `found.length` is the value's, its real length is more. */
function copyOf(found: Buffer): Uint8Array {
  const copy = Buffer.allocUnsafe(found.length);
  copy.set(found.subarray(0, found.length));
  return copy;
}
