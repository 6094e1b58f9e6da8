import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from './journal.ts';
import type { JournalEntry } from './journal-frame.ts';
import { DATA_FILE, isDamage, LmdbEnvironment } from './lmdb-environment.ts';
import type { LmdbStoreOptions } from './lmdb-store-options.ts';
import { checkDataLength, readJournal } from './read-journal.ts';
import { StoreDamagedError } from './store-damage.ts';
import { WriteBatch } from './write-batch.ts';

export interface OpenedLmdb {
  readonly lmdb: LmdbEnvironment;
  /** Undefined: writes need not survive the process. */
  readonly journal: Journal | undefined;
  /** Which acknowledged writes may be lost although the store was opened: a text for the log. */
  readonly loss: string | undefined;
}

/**
 * Opens LMDB and the journal in the directory `path`, or makes them, and moves the entries of an earlier journal to
 * LMDB.
 *
 * @throws StoreDamagedError if acknowledged writes may be lost; the system's error if the files cannot be opened
 */
export function openLmdb(path: string, { durability, owner, acceptsLoss }: Required<LmdbStoreOptions>): OpenedLmdb {
  const sync = durability === 'disk';
  const dataFile = join(path, DATA_FILE);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  checkDataLength(path, dataFile);
  let lmdb: LmdbEnvironment | undefined;
  try {
    lmdb = new LmdbEnvironment(path, sync);
    const { settled } = lmdb;
    const rest = new WriteBatch();
    const apply = ({ name, key, written }: JournalEntry) => rest.set(name, key, written);
    const { position, loss } = readJournal(path, settled, { owner, acceptsLoss, apply });
    const isKept = durability !== 'memory';
    // LMDB first says that no journal file is to be read, so that the files can be truncated, and then that the new
    // ones are.
    if (settled?.run !== null && (isKept || settled !== undefined)) lmdb.commitSync(rest, { ...position, run: null });
    if (!isKept) return { lmdb, journal: undefined, loss };
    const journal = new Journal(path, position, { sync, owner, dataFile });
    lmdb.commitSync(new WriteBatch(), { ...position, run: journal.run });
    return { lmdb, journal, loss };
  } catch (error) {
    lmdb?.close();
    if (error instanceof StoreDamagedError || !isDamage(error)) throw error;
    throw new StoreDamagedError(`data.mdb is damaged: ${(error as Error).message}`, { cause: error });
  }
}
