import { closeSync, existsSync, fdatasyncSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { seal, unseal } from './checksum.ts';
import { JOURNAL_START, type JournalPosition } from './journal.ts';
import { ReadCache } from './read-cache.ts';
import { DAMAGED, type StoreKey, type StoreName } from './store.ts';
import { REMOVED, type WriteBatch } from './write-batch.ts';

/** LMDB's limit at its default page size. */
export const MAX_KEY_BYTES = 1_978;

/**
 * Address space only: the file is as long as its data. It doubles when it is used up, but each doubling maps the file
 * once more until the store is closed, which counts twice in the resident set; so it starts large.
 */
export const MAP_BYTES = 1024 * 1024 * 1024;

/** Of `items`, which alone is read by clients. */
const READ_CACHE_BYTES = 4 * 1024 * 1024;

export const DATA_FILE = 'data.mdb';

/**
 * The first two pages say where the rest is. A page begins with 24 bytes of its own; then, little-endian, this number, and
 * at these places the size of a page and the pages at which the two trees of the environment begin.
 */
const META_MAGIC = 0xbeefc0de;
const META_AT = { magic: 24, pageBytes: 48, roots: [88, 136], end: 168 } as const;
/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;

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
  readonly #root: RootDatabase<Uint8Array, StoreKey>;
  readonly #tables: Readonly<Record<StoreName, Table>>;
  readonly #journal: Table;
  readonly #readItems = new ReadCache(READ_CACHE_BYTES);
  /**
   * All keys of `paxos`. It is asked for with every request and nearly always in vain: what is in flight is seldom there
   * when a batch is written. So the few keys are known without asking LMDB.
   */
  readonly #paxosKeys = new Set<StoreKey>();

  /**
   * Opens the environment in the directory `path`, or makes it. Throws what the system says where it cannot.
   *
   * @param sync whether a commit waits for the disk. Without, the order in which pages reach the disk is the system's: a
   *   power loss may damage the environment, a killed process cannot.
   */
  constructor(path: string, sync: boolean) {
    checkFile(join(path, DATA_FILE));
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
      // What a process wrote that did not sync is older than what this one will: it must not be lost alone.
      if (sync) syncFile(join(path, DATA_FILE));
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

  /** Up to where the environment holds everything that is in the journal. */
  get settled(): JournalPosition {
    const bytes = this.#journal.getBinary(SETTLED);
    return bytes === undefined ? JOURNAL_START : (JSON.parse(bytes.toString('latin1')) as JournalPosition);
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

  /** The entries with `from <= key < to`. A bound may be longer than any key: its start is searched for, the rest compared. */
  *range(name: StoreName, from: StoreKey, to: StoreKey): Iterable<{ key: StoreKey; value: Uint8Array }> {
    const start = from.slice(0, MAX_KEY_BYTES);
    const end = to.slice(0, MAX_KEY_BYTES);
    for (const entry of this.#tables[name].getRange({ start, end, inclusiveEnd: true })) {
      if (entry.key >= to) return;
      if (entry.key >= from) yield { key: entry.key, value: unseal(name, entry.key, entry.value) };
    }
  }

  /**
   * Writes a batch in one transaction; resolves when that has committed, and is on disk if commits are synced.
   * @param settled up to where the journal is settled with it; undefined where the journal has nothing of it
   */
  async commit(batch: WriteBatch, settled: JournalPosition | undefined): Promise<void> {
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
    this.#root.transactionSync(() => this.#write(batch, settled));
    this.#noteCommitted(batch);
  }

  close(): Promise<void> {
    return this.#root.close();
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

/** LMDB trusts its file, and takes the process with it if that is another or was cut short. */
export function checkFile(path: string): void {
  if (!existsSync(path)) return;
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const meta = Buffer.alloc(META_AT.end);
    let page = 0;
    // A new file is empty until its first two pages are written.
    for (let at = 0; at <= page && size > 0; at += page) {
      const isWhole = readSync(descriptor, meta, 0, meta.length, at) === meta.length;
      const isMeta = isWhole && meta.readUInt32LE(META_AT.magic) === META_MAGIC;
      page ||= isMeta ? meta.readUInt32LE(META_AT.pageBytes) : 0;
      const isThere = (root: bigint) => root === NO_PAGE || (root + 1n) * BigInt(page) <= BigInt(size);
      if (!isMeta || page === 0 || !META_AT.roots.every((place) => isThere(meta.readBigUInt64LE(place)))) {
        throw new Error('data.mdb is damaged');
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
