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
  /** Undefined: nothing is promised beyond the process. */
  readonly journal: Journal | undefined;
  /** What may have been lost, although it was opened. */
  readonly loss: string | undefined;
}

/**
 * Opens what a store keeps in the directory `path`, or makes it, and settles what the journal of another run has left.
 *
 * @throws StoreDamagedError if something that was acknowledged may be lost; what the system says where it cannot be opened
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
    // First nothing is to be looked for in the files, so that they can be begun anew, and then it is.
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
