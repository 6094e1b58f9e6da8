import { constants, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Database, open, type RootDatabase } from 'lmdb';
import { unseal } from './checksum.ts';
import { decodePosition, JOURNAL_FILES, type JournalPosition, sealOf } from './journal.ts';
import { framesIn, type JournalEntry } from './journal-frame.ts';
import { decodeHeader, JOURNAL_HEADER_BYTES } from './journal-header.ts';
import { DATA_FILE, JOURNAL_TABLE, LMDB_OPTIONS, SETTLED, TABLE_OPTIONS, tableOf } from './lmdb-environment.ts';
import { checkPages, lastTransactionIn } from './lmdb-pages.ts';
import { readJournal } from './read-journal.ts';
import { DAMAGED, STORE_NAMES, type StoreKey, type StoreName } from './store.ts';
import { REMOVED, WriteBatch } from './write-batch.ts';

/** One row of a node's stores as it lies on disk. */
export interface StoredRow {
  readonly key: StoreKey;
  /** DAMAGED if its checksum is wrong. */
  readonly value: Uint8Array;
  /** Where the newest value of the row is. `journal`: LMDB does not have it yet. */
  readonly place: 'lmdb' | 'journal';
}

/** One file of a node's journal. */
export interface JournalFile {
  readonly name: string;
  readonly bytes: number;
  /** How many frames of the present opening can be read. */
  readonly frames: number;
  /** Undefined if its header cannot be read. */
  readonly owner: string | undefined;
}

export interface StoredJournal {
  readonly files: readonly JournalFile[];
  /** Rows that LMDB does not have yet, removals included. */
  readonly pendingRows: number;
  /** Which acknowledged writes are missing in it, if any. */
  readonly loss: string | undefined;
}

/**
 * How often a copy is tried. It is good if no transaction has committed meanwhile: a server under load commits one a
 * second, and a copy of 100 MB takes a tenth of a second.
 */
const ATTEMPTS = 40;
const MAX_PAUSE_MS = 50;

/**
 * The rows that one node has on disk: those of LMDB, under the newer ones that only the journal has. They are read from
 * a copy, because a server may be running on the original, and LMDB cannot be opened twice: the second process found
 * the server's entry in `lock.mdb` stale and cleared it, which the server took for a damaged disk (lmdb 3.5.6;
 * MDB_BAD_RSLOT).
 */
export class StoredRows {
  readonly dataBytes: number;
  readonly journal: StoredJournal;
  readonly #copy: string;
  readonly #root: RootDatabase<Uint8Array, StoreKey>;
  readonly #tables: ReadonlyMap<StoreName, Database<Uint8Array, StoreKey>>;
  readonly #pending: WriteBatch;

  /**
   * Copies the files of a node to the system's temporary directory, where they stay until `close`.
   *
   * @param folder the folder of the node
   * @throws Error whose message says in one line why the files cannot be read
   */
  static async open(folder: string): Promise<StoredRows> {
    const copy = mkdtempSync(join(tmpdir(), 'dynaring-inspect-'));
    try {
      await copyAtRest(folder, copy);
      return new StoredRows(copy);
    } catch (error) {
      rmSync(copy, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(copy: string) {
    this.#copy = copy;
    const dataFile = join(copy, DATA_FILE);
    checkPages(dataFile);
    this.dataBytes = statSync(dataFile).size;
    this.#root = open<Uint8Array, StoreKey>({
      ...LMDB_OPTIONS,
      path: copy,
      readOnly: true,
    });
    try {
      this.#tables = new Map(STORE_NAMES.flatMap((name) => this.#table(name, tableOf(name))));
      const [[, journal] = [undefined, undefined]] = this.#table(JOURNAL_TABLE, JOURNAL_TABLE);
      const position = journal?.getBinary(SETTLED);
      const settled = position === undefined ? undefined : decodePosition(position.toString('latin1'));
      const { pending, journal: found } = readPending(copy, settled);
      this.#pending = pending;
      this.journal = found;
    } catch (error) {
      this.#root.close();
      throw error;
    }
  }

  /** Empty for a database that was never written: LMDB has not made it. */
  #table<Name>(key: Name, name: string): readonly [Name, Database<Uint8Array, StoreKey>][] {
    const options = { name, ...TABLE_OPTIONS };
    const table = this.#root.openDB<Uint8Array, StoreKey>(options) as Database<Uint8Array, StoreKey> | undefined;
    return table === undefined ? [] : [[key, table]];
  }

  get(name: StoreName, key: StoreKey): StoredRow | undefined {
    const written = this.#pending.tables[name].get(key);
    if (written === REMOVED) return undefined;
    if (written !== undefined) return { key, value: written, place: 'journal' };
    const sealed = this.#tables.get(name)?.getBinary(key);
    return sealed === undefined ? undefined : { key, value: ownBytes(unseal(name, key, sealed)), place: 'lmdb' };
  }

  /** The rows whose key begins with `prefix`, in the order of their keys. */
  *rows(name: StoreName, prefix: StoreKey = ''): Iterable<StoredRow> {
    const pending = this.#pending.tables[name];
    const added = [...pending.keys()].filter((key) => key.startsWith(prefix)).sort(byBytes);
    let next = 0;
    for (const { key, value } of this.#tables.get(name)?.getRange({ start: prefix === '' ? '\0' : prefix }) ?? []) {
      if (!key.startsWith(prefix)) break;
      for (; next < added.length && byBytes(added[next]!, key) < 0; next++) yield* this.#pendingRow(name, added[next]!);
      if (!pending.has(key)) yield { key, value: ownBytes(unseal(name, key, value)), place: 'lmdb' };
    }
    for (; next < added.length; next++) yield* this.#pendingRow(name, added[next]!);
  }

  *#pendingRow(name: StoreName, key: StoreKey): Iterable<StoredRow> {
    const written = this.#pending.tables[name].get(key)!;
    if (written !== REMOVED) yield { key, value: written, place: 'journal' };
  }

  async close(): Promise<void> {
    await this.#root.close();
    rmSync(this.#copy, { recursive: true, force: true });
  }
}

/**
 * Copies LMDB's file and the journal as they were at one moment. LMDB overwrites no page that its last transaction
 * needs.
 */
async function copyAtRest(folder: string, copy: string): Promise<void> {
  const dataFile = join(folder, DATA_FILE);
  if (!existsSync(dataFile)) throw new Error(`it has no ${DATA_FILE}`);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = lastTransactionIn(dataFile);
    for (const name of [DATA_FILE, ...JOURNAL_FILES]) {
      rmSync(join(copy, name), { force: true });
      if (existsSync(join(folder, name))) {
        copyFileSync(join(folder, name), join(copy, name), constants.COPYFILE_FICLONE);
      }
    }
    if (before !== undefined && lastTransactionIn(dataFile) === before) return;
    await delay(Math.random() * MAX_PAUSE_MS);
  }
  throw new Error('a server writes to it too fast for a copy: stop the server, or inspect a copy of the directory');
}

function readPending(
  folder: string,
  settled: JournalPosition | undefined,
): { readonly pending: WriteBatch; readonly journal: StoredJournal } {
  const files = JOURNAL_FILES.flatMap((name) => describeFile(folder, name, settled) ?? []);
  const pending = new WriteBatch();
  const owner = files.find((file) => file.owner !== undefined)?.owner ?? '';
  const apply = ({ name, key, written }: JournalEntry) => pending.set(name, key, written);
  const { loss } = readJournal(folder, settled, { owner, acceptsLoss: true, apply });
  return { pending, journal: { files, pendingRows: pending.entryCount, loss } };
}

function describeFile(folder: string, name: string, settled: JournalPosition | undefined): JournalFile | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const run = settled?.run ?? undefined;
  const frames = run === undefined ? 0 : [...framesIn(bytes, JOURNAL_HEADER_BYTES, sealOf(run))].length;
  return { name, bytes: bytes.length, frames, owner: decodeHeader(bytes)?.owner };
}

/** Copies a value out of LMDB's buffer, which the next read overwrites. */
function ownBytes(value: Uint8Array): Uint8Array {
  return value === DAMAGED ? DAMAGED : Buffer.from(value);
}

function byBytes(a: StoreKey, b: StoreKey): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
