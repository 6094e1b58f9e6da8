import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncate, openSync, stat, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame, type FrameSeal, type JournalEntry, linkOf, NO_FRAME } from './journal-frame.ts';
import { encodeHeader, JOURNAL_HEADER_BYTES } from './journal-header.ts';
import { machineRun } from './machine-run.ts';
import { StoreDamagedError } from './store-damage.ts';

/** One opening of a journal: until the next, or until the store is closed in order, its files have to be there. */
export interface JournalRun {
  /** 16 hexadecimal digits, never the same for two. */
  readonly id: string;
  /** Whether appends are on disk when they are done. */
  readonly isSynced: boolean;
  /** The run of the machine, if that is known (`machineRun`). */
  readonly machine: string | null;
}

/** How far a journal has come. */
export interface JournalPosition {
  readonly generation: number;
  /** The CRC of the last frame, which the next repeats; 0 if there is none. */
  readonly link: number;
  /** The number of the last frame. */
  readonly sequence: number;
  /** Which files hold what follows. Null: none do. */
  readonly run: JournalRun | null;
}

/**
 * Reads what a store has written down of a position, as JSON.
 *
 * @throws StoreDamagedError if it is none, or one of another version: the journal beside it cannot be read by it
 */
export function decodePosition(json: string): JournalPosition {
  let found: Partial<JournalPosition> | null = null;
  try {
    found = JSON.parse(json);
  } catch {
    // What is no JSON is no position.
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
  /** Whether an append is done only when the disk has it, or when the system has it. */
  readonly sync: boolean;
  /** Whose journal it is, for people: it tells it from those of other stores. */
  readonly owner: string;
  /** The file of what is settled. */
  readonly dataFile: string;
}

/*
 * Two files, used by turns. A file holds a header and then frames, one per `append`. While a journal is open its files are
 * overwritten and lengthened, never cut: so anything may follow the last frame of a generation. As each frame names the one
 * before, in the other file too, what is read is always a beginning of what was appended.
 *
 * That it is all of it cannot be read from the frames. Files are lengthened ahead, by steps, and say how long they are: one
 * that was cut is known by that. Every now and then the file that is not being written says which frames there are.
 */
export const JOURNAL_FILES = ['journal-0', 'journal-1'] as const;

/** A file grows by so much: nothing is written there yet, and most systems give it no room on the disk before. */
const GROWTH_BYTES = 1024 * 1024;

/** How old what the headers say may be, and for how long the place of the files is taken for granted. */
const STATE_AFTER_MS = 100;

/** Node writes less than 2 GiB at once. */
const MAX_WRITE_BYTES = 1024 * 1024 * 1024;

const FILE_MODE = 0o600;

type Done = (error?: Error) => void;

/** One of the two. */
interface JournalFile {
  readonly path: string;
  readonly descriptor: number;
  /** Not synced. */
  readonly headerDescriptor: number;
  readonly inode: number;
  /** How long its header says it is. */
  length: number;
}

/**
 * What a store has promised to keep and has not yet put where it belongs: an append is one write to the end of a file,
 * much cheaper than a transaction that changes many pages of a tree. Entries are gathered in generations; when all
 * entries of a generation are elsewhere, its file serves the one after the next.
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
  /** Runs out when the headers are to say what was appended since they last did. */
  #stateTimer: NodeJS.Timeout | undefined;
  #isGrowing = false;
  #isStating = false;
  /** How long the data file was when that was last looked up. */
  #dataBytes = 0;
  #afterStating: (() => void) | undefined;
  /** When the files were last seen where they should be. */
  #seenMs = Number.NEGATIVE_INFINITY;

  /**
   * Begins the generation after `settled` in new files: what the old ones held must be elsewhere by now, and must not be
   * looked for in them. They are looked for once `position` is in the store.
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

  /** The present generation, and its last frame. */
  get position(): JournalPosition {
    return { generation: this.#generation, link: this.#link, sequence: this.#sequence, run: this.run };
  }

  /** Bytes of the present generation. */
  get length(): number {
    return this.#end - JOURNAL_HEADER_BYTES;
  }

  /**
   * Adds entries to the present generation. No other call may come before `done`. After an error none of them is there,
   * and the next append takes their place.
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

  /** Begins the next generation, in the file of the last but one: whose entries must be elsewhere by now. */
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
        // The system may have all of a frame of which it says that the disk refused it: a start must not find it.
        if (error !== null) return write(descriptor, NO_FRAME, 0, NO_FRAME.length, this.#end, () => done(error));
        // A disk that is nearly full takes a part; the rest then fails or fits.
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

  /** Makes sure that what is written can be found again: files that were removed take writes as before. */
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
    // First the length, then the claim of it.
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

  /** Says in the file that is not being written how far the other one has come. What fails is said another time. */
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
      // Anew: frames of before could not be told from those to come.
      const descriptor = openSync(path, plain | constants.O_TRUNC | (sync ? constants.O_DSYNC : 0), FILE_MODE);
      const headerDescriptor = sync ? openSync(path, plain) : descriptor;
      const length = JOURNAL_HEADER_BYTES;
      files.push({ path, descriptor, headerDescriptor, inode: fstatSync(descriptor).ino, length });
      const header = Buffer.alloc(length);
      header.set(headerOf(length));
      writeSync(descriptor, header);
    }
    // A new file is on disk when the folder that names it is.
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
