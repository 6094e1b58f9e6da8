import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncate, openSync, stat, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame, type FrameSeal, type JournalEntry, linkOf, NO_FRAME } from './journal-frame.ts';
import { encodeHeader, JOURNAL_HEADER_BYTES } from './journal-header.ts';
import { machineRun } from './machine-run.ts';
import { StoreDamagedError } from './store-damage.ts';

/** One opening of a journal. Its files must exist until the next opening, or until the store is closed in order. */
export interface JournalRun {
  /** 16 hexadecimal digits, different for each opening. */
  readonly id: string;
  /** Whether an append is on disk when it is done. */
  readonly isSynced: boolean;
  /** The run of the machine (`machineRun`); null if unknown. */
  readonly machine: string | null;
}

/** How far a journal has come. */
export interface JournalPosition {
  readonly generation: number;
  /** The CRC of the last frame, which the next frame repeats; 0 if there is none. */
  readonly link: number;
  /** The number of the last frame. */
  readonly sequence: number;
  /** The opening whose files hold the frames that follow. Null: there are none. */
  readonly run: JournalRun | null;
}

/**
 * Reads a position that a store has written down as JSON.
 *
 * @throws StoreDamagedError if the text is no position, or one of another version: then the journal cannot be read by
 *   it
 */
export function decodePosition(json: string): JournalPosition {
  let found: Partial<JournalPosition> | null = null;
  try {
    found = JSON.parse(json);
  } catch {
    // Text that is no JSON is no position.
  }
  if (isPosition(found)) return found;
  throw new StoreDamagedError('data.mdb does not say what its journal holds: it is damaged, or of an older directory');
}

function isPosition(found: Partial<JournalPosition> | null): found is JournalPosition {
  const { generation, link, sequence, run } = found ?? {};
  if (![generation, link, sequence].every(Number.isSafeInteger) || run === undefined) return false;
  return run === null || /^[0-9a-f]{16}$/.test(run.id);
}

export interface JournalSettings {
  /** True: an append is done when the disk has it. False: when the system has it. */
  readonly sync: boolean;
  /** The owner of the journal, a text for people; tells this journal from those of other stores. */
  readonly owner: string;
  /** The path of `data.mdb`, LMDB's file. */
  readonly dataFile: string;
}

/*
 * A journal has two files, which are used in turn. A file holds a header and then frames, one per `append`. While a
 * journal is open its files are overwritten and lengthened, never cut, so anything may follow the last frame of a
 * generation. Each frame names the previous one, across files too, so the frames that are read are always the first
 * ones that were appended.
 *
 * The frames alone do not tell whether the last ones are missing. Therefore a file is lengthened ahead, in steps, and
 * its header says its length: that shows a file that was cut. And every now and then the header of the file that is not
 * being written says how many frames were appended.
 */
export const JOURNAL_FILES = ['journal-0', 'journal-1'] as const;

/**
 * A file grows by this much at a time. Nothing is written there yet, and most systems reserve no room on the disk for
 * it.
 */
const GROWTH_BYTES = 1024 * 1024;

/** How stale the headers may be, and for how long the files are assumed to be still in their place. */
const STATE_AFTER_MS = 100;

/** Node writes less than 2 GiB in one call. */
const MAX_WRITE_BYTES = 1024 * 1024 * 1024;

const FILE_MODE = 0o600;

type Done = (error?: Error) => void;

/** One of the two files. */
interface JournalFile {
  readonly path: string;
  readonly descriptor: number;
  /** Writes through it are not synced. */
  readonly headerDescriptor: number;
  readonly inode: number;
  /** The length that the file's header claims. */
  length: number;
}

/**
 * Keeps the writes that a store has acknowledged and LMDB does not have yet. An append is one write to the end of a
 * file, much cheaper than a transaction that changes many pages of a tree. Entries are gathered in generations. When
 * LMDB has all entries of a generation, the file of that generation serves the one after the next.
 */
export class Journal {
  readonly run: JournalRun;
  readonly #seal: FrameSeal;
  readonly #settings: JournalSettings;
  readonly #files: readonly JournalFile[];
  #generation: number;
  #link: number;
  #sequence: number;
  /** Where the next frame begins. */
  #end = JOURNAL_HEADER_BYTES;
  /** Runs out when a header is to be brought up to date with the appends. */
  #stateTimer: NodeJS.Timeout | undefined;
  #isGrowing = false;
  #isStating = false;
  /** The length of `data.mdb` when it was last looked up. */
  #dataBytes = 0;
  #afterStating: (() => void) | undefined;
  /** When the files were last seen in their place. */
  #seenMs = Number.NEGATIVE_INFINITY;

  /**
   * Begins the generation after `settled` in new files. LMDB must have everything that the old files held, and must say
   * that no file is to be read. The new files are read at the next start once LMDB has stored `position`.
   *
   * @param settled as `readJournal` returned it
   */
  constructor(folder: string, settled: JournalPosition, settings: JournalSettings) {
    const id = randomBytes(8).toString('hex');
    this.run = { id, isSynced: settings.sync, machine: machineRun() ?? null };
    this.#seal = sealOf(this.run);
    this.#settings = settings;
    this.#generation = settled.generation + 1;
    this.#link = settled.link;
    this.#sequence = settled.sequence;
    this.#files = openFiles(folder, settings.sync, (length) => this.#header(length));
  }

  /** The present generation and its last frame. */
  get position(): JournalPosition {
    return { generation: this.#generation, link: this.#link, sequence: this.#sequence, run: this.run };
  }

  /** The bytes of the present generation. */
  get length(): number {
    return this.#end - JOURNAL_HEADER_BYTES;
  }

  /**
   * Adds entries to the present generation. No other call may come before `done`. After an error the journal has none
   * of these entries, and the next append takes their place.
   */
  append(entries: readonly JournalEntry[], done: Done): void {
    const place = { generation: this.#generation, sequence: this.#sequence + 1, previous: this.#link };
    const frame = encodeFrame(entries, place, this.#seal);
    const file = this.#files[this.#generation % 2]!;
    const isRecent = performance.now() - this.#seenMs < STATE_AFTER_MS;
    if (isRecent && this.#end + frame.length <= file.length) return this.#write(file, frame, done);
    this.#look(file, (error) => {
      if (error !== undefined) return done(error);
      this.#grow(file, this.#end + frame.length, (error) => {
        if (error === undefined) this.#write(file, frame, done);
        else done(error);
      });
    });
  }

  /** Begins the next generation, in the file of the last but one. LMDB must have the entries of that one. */
  rotate(): void {
    this.#generation++;
    this.#end = JOURNAL_HEADER_BYTES;
  }

  /** No append may be under way. */
  async close(): Promise<void> {
    clearTimeout(this.#stateTimer);
    if (this.#isStating) {
      await new Promise<void>((resolve) => {
        this.#afterStating = resolve;
      });
    }
    closeAll(this.#files);
  }

  #write({ descriptor }: JournalFile, frame: Buffer, done: Done): void {
    const writeFrom = (written: number): void => {
      const rest = Math.min(frame.length - written, MAX_WRITE_BYTES);
      write(descriptor, frame, written, rest, this.#end + written, (error, count) => {
        // The system may have written the whole frame although it reports an error: a restart must not find the frame.
        if (error !== null) return write(descriptor, NO_FRAME, 0, NO_FRAME.length, this.#end, () => done(error));
        // A disk that is nearly full writes a part; the rest then fails or fits.
        if (written + count < frame.length) return writeFrom(written + count);
        this.#end += frame.length;
        this.#link = linkOf(frame);
        this.#sequence++;
        this.#stateTimer ??= setTimeout(() => this.#state(), STATE_AFTER_MS).unref();
        done();
      });
    };
    writeFrom(0);
  }

  /**
   * Checks that the file is still in its place: a file that was removed takes writes as before, and nobody finds them.
   */
  #look({ path, inode }: JournalFile, done: Done): void {
    stat(path, (error, found) => {
      if (error !== null || found.ino !== inode) {
        this.#seenMs = Number.NEGATIVE_INFINITY;
        return done(new Error(`${path} was removed or replaced while it was in use`));
      }
      this.#seenMs = performance.now();
      done();
    });
  }

  #grow(file: JournalFile, needed: number, done: Done): void {
    if (needed <= file.length) return done();
    if (this.#isStating) {
      this.#afterStating = () => this.#grow(file, needed, done);
      return;
    }
    const length = JOURNAL_HEADER_BYTES + Math.ceil((needed - JOURNAL_HEADER_BYTES) / GROWTH_BYTES) * GROWTH_BYTES;
    this.#isGrowing = true;
    const finish: Done = (error) => {
      this.#isGrowing = false;
      done(error);
    };
    // First the length, then the header that claims it.
    ftruncate(file.descriptor, length, (error) => {
      if (error !== null) return finish(error);
      const header = this.#header(length);
      write(file.descriptor, header, 0, header.length, 0, (error) => {
        if (error !== null) return finish(error);
        file.length = length;
        finish();
      });
    });
  }

  /** Writes into the header of the idle file how far the other file has come. If that fails, the next time will do. */
  #state(): void {
    this.#stateTimer = undefined;
    if (this.#isGrowing) {
      this.#stateTimer = setTimeout(() => this.#state(), STATE_AFTER_MS).unref();
      return;
    }
    this.#isStating = true;
    const finish = () => {
      this.#isStating = false;
      const next = this.#afterStating;
      this.#afterStating = undefined;
      next?.();
    };
    const file = this.#files[(this.#generation + 1) % 2]!;
    stat(this.#settings.dataFile, (error, data) => {
      if (error === null) this.#dataBytes = data.size;
      const header = this.#header(file.length);
      write(file.headerDescriptor, header, 0, header.length, 0, finish);
    });
  }

  #header(length: number): Buffer {
    return encodeHeader({
      journal: this.run.id,
      owner: this.#settings.owner,
      machine: this.run.machine,
      length,
      appended: this.#sequence,
      dataBytes: this.#dataBytes,
    });
  }
}

export function sealOf({ id }: JournalRun): FrameSeal {
  const bytes = Buffer.from(id, 'hex');
  return { mark: bytes.readUInt32BE(0), seed: bytes.readUInt32BE(4) };
}

function openFiles(folder: string, sync: boolean, headerOf: (length: number) => Buffer): JournalFile[] {
  const files: JournalFile[] = [];
  try {
    const plain = constants.O_RDWR | constants.O_CREAT;
    for (const name of JOURNAL_FILES) {
      const path = join(folder, name);
      // Truncated, because old frames could not be told from those to come.
      const descriptor = openSync(path, plain | constants.O_TRUNC | (sync ? constants.O_DSYNC : 0), FILE_MODE);
      const headerDescriptor = sync ? openSync(path, plain) : descriptor;
      const length = JOURNAL_HEADER_BYTES;
      files.push({ path, descriptor, headerDescriptor, inode: fstatSync(descriptor).ino, length });
      const header = Buffer.alloc(length);
      header.set(headerOf(length));
      writeSync(descriptor, header);
    }
    // A new file is on disk only when the folder that names it is.
    if (sync) syncFolder(folder);
    return files;
  } catch (error) {
    closeAll(files);
    throw error;
  }
}

function closeAll(files: readonly JournalFile[]): void {
  for (const { descriptor, headerDescriptor } of files) {
    closeSync(descriptor);
    if (headerDescriptor !== descriptor) closeSync(headerDescriptor);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
