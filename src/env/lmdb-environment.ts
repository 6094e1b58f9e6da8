import { chmodSync, closeSync, existsSync, fdatasyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { seal, unseal } from './checksum.ts';
import { roomFor } from './disk-room.ts';
import { decodePosition, type JournalPosition } from './journal.ts';
import { checkPages, freeBytesIn } from './lmdb-pages.ts';
import { ReadCache } from './read-cache.ts';
import { DAMAGED, type Entry, type HalfOpenRange, type KeyOrder, type StoreKey, type StoreName } from './store.ts';
import { StoreDamagedError } from './store-damage.ts';
import { REMOVED, type WriteBatch } from './write-batch.ts';

/** LMDB's limit at its default page size. */
export const MAX_KEY_BYTES = 1_978;

/**
 * Address space only: the file is as long as its data. It doubles when it is used up, but each doubling maps the file
 * once more until the store is closed, which counts twice in the resident set; so it starts large.
 */
export const MAP_BYTES = 1024 * 1024 * 1024;

/** What a batch is reckoned to need on disk: what it holds, a page for each of its first entries, and the branches above. */
const ROOM = { bytes: 256 * 1024, perByte: 1.5, pages: 512 } as const;
const PAGE_BYTES = 4_096;
/** A disk that may be less full than it seems is tried so often. */
const TRY_AFTER_MS = 60_000;

/** Of `items`, which alone is read by clients. */
const READ_CACHE_BYTES = 4 * 1024 * 1024;

export const DATA_FILE = 'data.mdb';
const LOCK_FILE = 'lock.mdb';
const FILE_MODE = 0o600;

/** One thread reads, with one transaction and its cursors. */
const MAX_READERS = 16;

/**
 * Keys are stored as their bytes. `keyEncoding: 'binary'` would want a Buffer for each key: this writes the text
 * straight into LMDB's key buffer.
 */
export const LATIN1_KEYS = {
  writeKey: (key: StoreKey, target: Buffer, start: number): number => start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number): StoreKey => source.toString('latin1', start, end),
};

/** The database of a store; that of format 2, which has no checksums, is named as the store. */
export function tableOf(name: StoreName): string {
  return `sealed-${name}`;
}

/** The one key of the database `journal`: up to where the environment holds everything that is in the journal. */
const SETTLED: StoreKey = 'settled';

type Table = Database<Uint8Array, StoreKey>;

/**
 * One node's LMDB environment, with a named database for each `StoreName`: what is committed, read and written in whole
 * batches. LMDB shows a write when its transaction has committed, on another thread.
 *
 * Measured (Node 20, lmdb 3.5.6, two cores, ext4; us of CPU per put of 500 bytes in batches of 64, all threads): on LMDB's
 * thread 6 without sync, of which 0.8 on the main thread; in a transaction on the main thread 5.5, all of it there;
 * with a sync per transaction 14, with lmdb-js' overlapping sync 16. So: its own thread, and plain LMDB's sync.
 * `useWritemap` halves the first figure, but then a full disk is a SIGBUS instead of an error.
 */
export class LmdbEnvironment {
  readonly #dataFile: string;
  readonly #root: RootDatabase<Uint8Array, StoreKey>;
  readonly #tables: Readonly<Record<StoreName, Table>>;
  readonly #journal: Table;
  readonly #readItems = new ReadCache(READ_CACHE_BYTES);
  /**
   * All keys of `paxos`. It is asked for with every request and nearly always in vain: what is in flight is seldom there
   * when a batch is written. So the few keys are known without asking LMDB.
   */
  readonly #paxosKeys = new Set<StoreKey>();
  /** Since when there seems to be no room. */
  #fullSinceMs: number | undefined;

  /**
   * Opens the environment in the directory `path`, or makes it. Throws what the system says where it cannot, and
   * StoreDamagedError if it is damaged.
   *
   * @param sync whether a commit waits for the disk. Without, the order in which pages reach the disk is the system's: a
   *   power loss may damage the environment, a killed process cannot.
   */
  constructor(path: string, sync: boolean) {
    this.#dataFile = join(path, DATA_FILE);
    checkPages(this.#dataFile);
    const isNew = !existsSync(this.#dataFile);
    this.#root = open<Uint8Array, StoreKey>({
      path,
      noSubdir: false,
      noSync: !sync,
      overlappingSync: false,
      // A batch is put into one transaction explicitly; waiting for the end of the event turn as well would be idle.
      eventTurnBatching: false,
      encoding: 'binary',
      keyEncoder: LATIN1_KEYS,
      mapSize: MAP_BYTES,
      maxDbs: 5,
      maxReaders: MAX_READERS,
    });
    try {
      // LMDB has its own opinion of who may read them.
      if (isNew) for (const name of [DATA_FILE, LOCK_FILE]) chmodSync(join(path, name), FILE_MODE);
      // What a process wrote that did not sync is older than what this one will: it must not be lost alone.
      if (sync) syncFile(this.#dataFile);
      const table = (name: string): Table =>
        this.#root.openDB<Uint8Array, StoreKey>({ name, encoding: 'binary', ...{ keyEncoder: LATIN1_KEYS } });
      this.#tables = {
        items: table(tableOf('items')),
        paxos: table(tableOf('paxos')),
        hints: table(tableOf('hints')),
        meta: table(tableOf('meta')),
      };
      this.#journal = table('journal');
      for (const key of this.#tables.paxos.getKeys({ start: '\0' })) this.#paxosKeys.add(key);
    } catch (error) {
      this.#root.close();
      throw error;
    }
  }

  /**
   * Up to where the environment holds everything that is in the journal; undefined if it has never had one.
   *
   * @throws StoreDamagedError if it is none that this version writes, as with the folder of a node from an older directory
   */
  get settled(): JournalPosition | undefined {
    const bytes = this.#journal.getBinary(SETTLED);
    return bytes === undefined ? undefined : decodePosition(bytes.toString('latin1'));
  }

  has(name: StoreName, key: StoreKey): boolean {
    if (name === 'paxos') return this.#paxosKeys.has(key);
    return this.#tables[name].getBinaryFast(key) !== undefined;
  }

  /** The bytes, or DAMAGED. The caller may keep and must not change them. */
  get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    if (name === 'paxos' && !this.#paxosKeys.has(key)) return undefined;
    if (name !== 'items') return this.#read(name, key);
    const known = this.#readItems.get(key);
    if (known !== undefined) return known;
    const found = this.#read(name, key);
    if (found !== undefined && found !== DAMAGED) this.#readItems.add(key, found);
    return found;
  }

  #read(name: StoreName, key: StoreKey): Uint8Array | undefined {
    // LMDB reads into a buffer that the next read overwrites; its `length` is the value's, its real length is more.
    const found = this.#tables[name].getBinaryFast(key);
    if (found === undefined) return undefined;
    const value = unseal(name, key, found);
    return value === DAMAGED ? DAMAGED : Buffer.from(value);
  }

  /**
   * The entries of a range, read from LMDB one by one as they are asked for. A bound may be longer than any key: LMDB
   * searches for its beginning, and the rest is compared here.
   */
  *range(name: StoreName, { from, to }: HalfOpenRange, order: KeyOrder): Iterable<Entry> {
    const lowest = from.slice(0, MAX_KEY_BYTES);
    const highest = to.slice(0, MAX_KEY_BYTES);
    if (order === 'forward') {
      for (const { key, value } of this.#tables[name].getRange({ start: lowest, end: highest, inclusiveEnd: true })) {
        if (key >= to) return;
        if (key >= from) yield { key, value: unseal(name, key, value) };
      }
      return;
    }
    const bounds = { start: highest, end: lowest, inclusiveEnd: true, reverse: true };
    for (const { key, value } of this.#tables[name].getRange(bounds)) {
      if (key < from) return;
      if (key < to) yield { key, value: unseal(name, key, value) };
    }
  }

  /**
   * Writes a batch in one transaction; resolves when that has committed, and is on disk if commits are synced.
   * @param settled up to where the journal is settled with it; undefined where the journal has nothing of it
   */
  async commit(batch: WriteBatch, settled: JournalPosition | undefined): Promise<void> {
    this.#checkRoom(batch);
    try {
      await this.#root.batch(() => this.#write(batch, settled));
      this.#noteCommitted(batch);
    } catch (error) {
      // lmdb-js rejects with a stand-in that carries the cause as a second rejection, which nobody else handles.
      await (error as { commitError?: Promise<never> }).commitError;
      throw error;
    }
  }

  /** `commit`, finished when it returns. */
  commitSync(batch: WriteBatch, settled: JournalPosition): void {
    this.#checkRoom(batch);
    this.#root.transactionSync(() => this.#write(batch, settled));
    this.#noteCommitted(batch);
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  /**
   * Refuses a batch for which the disk has no room: LMDB itself would write that to standard error, as text. Pages that are free
   * within the file count by half, since the last transactions' are not to be had yet. What a batch needs is a guess, so that
   * after a while one is tried for which there may be room after all.
   */
  #checkRoom({ byteCount, entryCount }: WriteBatch): void {
    const needed = ROOM.bytes + byteCount * ROOM.perByte + Math.min(entryCount, ROOM.pages) * PAGE_BYTES;
    const left = roomFor(this.#dataFile);
    if (left >= needed) {
      this.#fullSinceMs = undefined;
      return;
    }
    const within = freeBytesIn(this.#dataFile);
    const nowMs = performance.now();
    if (left + within / 2 >= needed) return;
    this.#fullSinceMs ??= nowMs;
    if (nowMs - this.#fullSinceMs < TRY_AFTER_MS || left + within < needed / 4) {
      const room = `room for ${Math.max(0, left)} bytes is left, and ${Math.ceil(needed)} may be needed`;
      throw Object.assign(new Error(`ENOSPC: ${room}`), { code: 'ENOSPC' });
    }
    this.#fullSinceMs = nowMs;
  }

  /** Until now the batch itself was read in place of what is remembered here. */
  #noteCommitted({ tables }: WriteBatch): void {
    for (const key of tables.items.keys()) this.#readItems.drop(key);
    for (const [key, written] of tables.paxos) {
      if (written === REMOVED) this.#paxosKeys.delete(key);
      else this.#paxosKeys.add(key);
    }
  }

  #write(batch: WriteBatch, settled: JournalPosition | undefined): void {
    for (const name of ['items', 'paxos', 'hints', 'meta'] as const) {
      const table = this.#tables[name];
      for (const [key, written] of batch.tables[name]) {
        if (written === REMOVED) table.remove(key);
        else table.put(key, seal(name, key, written));
      }
    }
    if (settled !== undefined) this.#journal.put(SETTLED, Buffer.from(JSON.stringify(settled), 'latin1'));
  }
}

/**
 * Of LMDB's errors those that say that its pages are not as it wrote them, or that it cannot go on: MDB_PAGE_NOTFOUND,
 * MDB_CORRUPTED, MDB_PANIC, MDB_VERSION_MISMATCH, MDB_INVALID, MDB_CURSOR_FULL, MDB_PAGE_FULL, MDB_PROBLEM (lmdb.h).
 */
const DAMAGES: readonly unknown[] = [-30797, -30796, -30795, -30794, -30793, -30787, -30786, -30779];

export function isDamage(error: unknown): boolean {
  return error instanceof StoreDamagedError || DAMAGES.includes((error as { code?: unknown }).code);
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
