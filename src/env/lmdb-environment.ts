import { chmodSync, closeSync, existsSync, fdatasyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { seal, unseal } from './checksum.ts';
import { roomFor } from './disk-room.ts';
import { decodePosition, type JournalPosition } from './journal.ts';
import { KnownKeys } from './known-keys.ts';
import { checkPages, freeBytesIn } from './lmdb-pages.ts';
import { ReadCache } from './read-cache.ts';
import { DAMAGED, type HalfOpenRange, type KeyOrder, STORE_NAMES, type StoreKey, type StoreName } from './store.ts';
import { StoreDamagedError } from './store-damage.ts';
import { REMOVED, type Visit, type WriteBatch } from './write-batch.ts';

/** LMDB's limit at its default page size. */
export const MAX_KEY_BYTES = 1_978;

/**
 * Address space only: the file is as long as its data. LMDB doubles the map when it is used up, but each doubling maps
 * the file once more until the store is closed, which counts twice in the resident set. So the map starts large.
 */
const MAP_BYTES = 1024 * 1024 * 1024;

/**
 * The estimate of the disk space that a batch needs: its bytes, a page for each of its first entries, and the branches
 * above.
 */
const ROOM = { bytes: 256 * 1024, perByte: 1.5, pages: 512 } as const;
const PAGE_BYTES = 4_096;
/** How often a commit is tried all the same on a disk that seems full. */
const TRY_AFTER_MS = 60_000;

/** The size of the read cache of `items`, the only store that clients read. */
const READ_CACHE_BYTES = 4 * 1024 * 1024;

/** The stores whose rows come and go with requests. */
const IN_FLIGHT = ['paxos', 'outbox'] as const;

function isInFlight(name: StoreName): name is (typeof IN_FLIGHT)[number] {
  return name === 'paxos' || name === 'outbox';
}

export const DATA_FILE = 'data.mdb';
const LOCK_FILE = 'lock.mdb';
const FILE_MODE = 0o600;

/** A small number is enough: one thread reads, with one transaction and its cursors. */
const MAX_READERS = 16;

/**
 * Keys are stored as their bytes. `keyEncoding: 'binary'` would need a Buffer for each key; this encoder writes the
 * text straight into LMDB's key buffer.
 */
export const LATIN1_KEYS = {
  writeKey: (key: StoreKey, target: Buffer, start: number): number => start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number): StoreKey => source.toString('latin1', start, end),
};

/** How every LMDB environment of a node is opened, whoever reads it. */
export const LMDB_OPTIONS = {
  noSubdir: false,
  encoding: 'binary',
  keyEncoder: LATIN1_KEYS,
  mapSize: MAP_BYTES,
  maxReaders: MAX_READERS,
  /** One for each store, and the journal's. */
  maxDbs: STORE_NAMES.length + 1,
} as const;

/**
 * Copies the values of a range out of LMDB's read buffer. Left alone, lmdb-js makes an ArrayBuffer of its own for each of
 * them, and most of a range read is then spent in the garbage collector; these share Node's pool.
 */
const POOLED_VALUES = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Uint8Array, length: number): Uint8Array => Buffer.from(bytes.subarray(0, length)),
};

/** How every database in it is opened. */
export const TABLE_OPTIONS = { encoding: 'binary', keyEncoder: LATIN1_KEYS, encoder: POOLED_VALUES } as const;

/** The name of a store's database. Format 2, which has no checksums, uses the store's own name. */
export function tableOf(name: StoreName): string {
  return `sealed-${name}`;
}

/** The name of the database that says what LMDB has of the journal. */
export const JOURNAL_TABLE = 'journal';

/** The one key of the journal's database. Its value is the place in the journal up to which LMDB holds everything. */
export const SETTLED: StoreKey = 'settled';

type Table = Database<Uint8Array, StoreKey>;

/**
 * One node's LMDB environment, with a named database for each `StoreName`. Writes come in whole batches, and become
 * visible when their transaction has committed, on another thread.
 *
 * Measured (Node 20, lmdb 3.5.6, two cores, ext4; us of CPU per put of 500 bytes in batches of 64, all threads): on
 * LMDB's thread 6 without sync, of which 0.8 on the main thread; in a transaction on the main thread 5.5, all of it
 * there; with a sync per transaction 14, with lmdb-js' overlapping sync 16. So: its own thread, and plain LMDB's sync.
 * `useWritemap` halves the first figure, but then a full disk is a SIGBUS instead of an error.
 */
export class LmdbEnvironment {
  readonly #dataFile: string;
  readonly #root: RootDatabase<Uint8Array, StoreKey>;
  readonly #tables: Readonly<Record<StoreName, Table>>;
  readonly #journal: Table;
  readonly #readItems = new ReadCache(READ_CACHE_BYTES);
  /**
   * All keys of `paxos` and of `outbox`. Every request looks a key up there, and nearly always finds nothing, since a record
   * in flight is seldom still there when a batch is written. These sets answer without asking LMDB.
   */
  readonly #keys = { paxos: new KnownKeys(), outbox: new KnownKeys() };
  /** When the disk first seemed full, if it still does. */
  #fullSinceMs: number | undefined;

  /**
   * Opens the environment in the directory `path`, or makes it. Throws the system's error if it cannot be opened, and
   * StoreDamagedError if it is damaged.
   *
   * @param sync whether a commit waits for the disk. If not, the system chooses the order in which pages reach the
   *   disk: a power loss may then damage the environment, a killed process cannot.
   */
  constructor(path: string, sync: boolean) {
    this.#dataFile = join(path, DATA_FILE);
    checkPages(this.#dataFile);
    const isNew = !existsSync(this.#dataFile);
    this.#root = open<Uint8Array, StoreKey>({
      path,
      ...LMDB_OPTIONS,
      noSync: !sync,
      overlappingSync: false,
      // Each batch is already one transaction; waiting for the end of the event turn would gain nothing.
      eventTurnBatching: false,
    });
    try {
      // LMDB would let others read its files.
      if (isNew) for (const name of [DATA_FILE, LOCK_FILE]) chmodSync(join(path, name), FILE_MODE);
      // An earlier process may not have synced its writes. They are older than those to come, and must not be lost
      // alone.
      if (sync) syncFile(this.#dataFile);
      const table = (name: string): Table => this.#root.openDB<Uint8Array, StoreKey>({ name, ...TABLE_OPTIONS });
      this.#tables = {
        items: table(tableOf('items')),
        paxos: table(tableOf('paxos')),
        hints: table(tableOf('hints')),
        meta: table(tableOf('meta')),
        lsi: table(tableOf('lsi')),
        outbox: table(tableOf('outbox')),
      };
      this.#journal = table(JOURNAL_TABLE);
      for (const name of IN_FLIGHT) {
        for (const key of this.#tables[name].getKeys({ start: '\0' })) this.#keys[name].add(key);
      }
    } catch (error) {
      this.#root.close();
      throw error;
    }
  }

  /**
   * The place in the journal up to which LMDB holds everything; undefined if the environment has never had a journal.
   *
   * @throws StoreDamagedError if this version cannot read it, as in the folder of a node from an older directory
   */
  get settled(): JournalPosition | undefined {
    const bytes = this.#journal.getBinary(SETTLED);
    return bytes === undefined ? undefined : decodePosition(bytes.toString('latin1'));
  }

  has(name: StoreName, key: StoreKey): boolean {
    if (isInFlight(name) && this.#keys[name].isWithout(key)) return false;
    return this.#tables[name].getBinaryFast(key) !== undefined;
  }

  /** The bytes, or DAMAGED. The caller may keep the bytes and must not change them. */
  get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    if (isInFlight(name) && this.#keys[name].isWithout(key)) return undefined;
    if (name !== 'items') return this.#read(name, key);
    const known = this.#readItems.get(key);
    if (known !== undefined) return known;
    const found = this.#read(name, key);
    if (found !== undefined && found !== DAMAGED) this.#readItems.add(key, found);
    return found;
  }

  #read(name: StoreName, key: StoreKey): Uint8Array | undefined {
    // LMDB reads into a buffer that the next read overwrites. `length` is that of the value; the memory behind it is
    // longer.
    const found = this.#tables[name].getBinaryFast(key);
    if (found === undefined) return undefined;
    const value = unseal(name, key, found);
    return value === DAMAGED ? DAMAGED : Buffer.from(value);
  }

  /**
   * The entries of a range, read from LMDB one by one. A bound may be longer than any key: LMDB searches for its beginning,
   * and the rest is compared here.
   */
  range(name: StoreName, { from, to }: HalfOpenRange, order: KeyOrder, visit: Visit): void {
    const lowest = from.slice(0, MAX_KEY_BYTES);
    const highest = to.slice(0, MAX_KEY_BYTES);
    const isForward = order === 'forward';
    const bounds = isForward
      ? { start: lowest, end: highest, inclusiveEnd: true, reverse: false }
      : { start: highest, end: lowest, inclusiveEnd: true, reverse: true };
    for (const { key, value } of this.#tables[name].getRange(bounds)) {
      if (isForward ? key >= to : key < from) return;
      if (isForward ? key < from : key >= to) continue;
      if (!visit(key, unseal(name, key, value))) return;
    }
  }

  /**
   * Writes a batch in one transaction. Resolves when the transaction has committed, and is on disk if commits are
   * synced.
   * @param settled the place in the journal up to which LMDB then holds everything; undefined if the journal has none
   *   of it
   */
  async commit(batch: WriteBatch, settled: JournalPosition | undefined): Promise<void> {
    this.#checkRoom(batch);
    try {
      await this.#root.batch(() => this.#write(batch, settled));
      this.#noteCommitted(batch);
    } catch (error) {
      // lmdb-js rejects with a placeholder error. The cause is in a second promise, whose rejection nobody else
      // handles.
      await (error as { commitError?: Promise<never> }).commitError;
      throw error;
    }
  }

  /** As `commit`, but synchronous. */
  commitSync(batch: WriteBatch, settled: JournalPosition): void {
    this.#checkRoom(batch);
    this.#root.transactionSync(() => this.#write(batch, settled));
    this.#noteCommitted(batch);
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  /**
   * Refuses a batch for which the disk has no room: LMDB itself would print the error to standard error, as text. Free
   * pages within the file count by half, since those that the last transactions freed cannot be used yet. The need of a
   * batch is a guess, so after a while a batch is tried for which there may be room after all.
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

  /**
   * Until now reads saw the batch itself. From now on they see what is remembered here, so that has to follow the
   * batch.
   */
  #noteCommitted({ tables }: WriteBatch): void {
    for (const key of tables.items.keys()) this.#readItems.drop(key);
    for (const name of IN_FLIGHT) {
      const keys = this.#keys[name];
      for (const [key, written] of tables[name]) {
        if (written === REMOVED) keys.remove(key);
        else keys.add(key);
      }
    }
  }

  #write(batch: WriteBatch, settled: JournalPosition | undefined): void {
    for (const name of STORE_NAMES) {
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
 * The errors of LMDB which mean that its pages are not as it wrote them, or that it cannot go on: MDB_PAGE_NOTFOUND,
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
