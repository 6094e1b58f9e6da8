import { closeSync, constants, fsyncSync, openSync, readFileSync, write } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { StoreKey, StoreName } from './store.ts';
import { REMOVED, type Written } from './write-batch.ts';

/** One `put` or `remove`, in the order in which they were made. */
export interface JournalEntry {
  readonly name: StoreName;
  readonly key: StoreKey;
  readonly written: Written;
}

/** How far a journal has come. */
export interface JournalPosition {
  readonly generation: number;
  /** The CRC of the last frame, with which the next begins its own; 0 if there is none. */
  readonly link: number;
}

export const JOURNAL_START: JournalPosition = { generation: 0, link: 0 };

/*
 * Two files, used by turns. A file holds frames, one per `append`, from its start on:
 *   u32 length of the content | u32 CRC-32 of what follows, begun with that of the frame before | u48 generation | content
 * and the content entries:
 *   u8 store | u8 1 if removed | u16 key bytes | u32 value bytes | key | value
 * all big-endian. While a journal is open its files are overwritten, never cut: writing where the file already is costs
 * the disk no change of its length. So anything may follow the last frame of a generation. As each CRC continues that of
 * the frame before, in the other file too, what is read is always a beginning of what was appended.
 */
const FILES = ['journal-0', 'journal-1'] as const;
const FRAME_HEADER_BYTES = 14;
const GENERATION_BYTES = 6;
const ENTRY_HEADER_BYTES = 8;
const STORES: readonly StoreName[] = ['items', 'paxos', 'meta', 'hints'];

/** The header of a frame that would be longer than any file. */
const NO_FRAME = Buffer.alloc(FRAME_HEADER_BYTES, 0xff);

/** Node writes less than 2 GiB at once. */
const MAX_WRITE_BYTES = 1024 * 1024 * 1024;

/**
 * What a store has promised to keep and has not yet put where it belongs: an append is one write to the end of a file,
 * much cheaper than a transaction that changes many pages of a tree. Entries are gathered in generations; when all
 * entries of a generation are elsewhere, its file serves the one after the next.
 */
export class Journal {
  readonly #files: readonly number[];
  #generation: number;
  #link: number;
  #length = 0;

  /**
   * Begins the generation after `settled` in empty files: what they held must be elsewhere by now.
   *
   * @param settled as `readJournal` returned it
   * @param sync whether an append is done only when the disk has it, or when the system has it
   */
  constructor(folder: string, settled: JournalPosition, sync: boolean) {
    this.#files = openFiles(folder, sync);
    this.#generation = settled.generation + 1;
    this.#link = settled.link;
  }

  /** The present generation, and its last frame. */
  get position(): JournalPosition {
    return { generation: this.#generation, link: this.#link };
  }

  /** Bytes of the present generation. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds entries to the present generation. No other call may come before `done`. After an error none of them is there,
   * and the next append takes their place.
   */
  append(entries: readonly JournalEntry[], done: (error?: Error) => void): void {
    const frame = encodeFrame(entries, this.#generation, this.#link);
    const file = this.#files[this.#generation % 2]!;
    const writeFrom = (written: number): void => {
      const rest = Math.min(frame.length - written, MAX_WRITE_BYTES);
      write(file, frame, written, rest, this.#length + written, (error, count) => {
        // The system may have all of a frame of which it says that the disk refused it: a start must not find it.
        if (error !== null) return write(file, NO_FRAME, 0, NO_FRAME.length, this.#length, () => done(error));
        // A disk that is nearly full takes a part; the rest then fails or fits.
        if (written + count < frame.length) return writeFrom(written + count);
        this.#length += frame.length;
        this.#link = frame.readUInt32BE(4);
        done();
      });
    };
    writeFrom(0);
  }

  /** Begins the next generation, in the file of the last but one: whose entries must be elsewhere by now. */
  rotate(): void {
    this.#generation++;
    this.#length = 0;
  }

  close(): void {
    for (const file of this.#files) closeSync(file);
  }
}

/**
 * Reads what a journal holds beyond `settled`, in order, up to where its process died.
 * @returns the position of the last frame read, or `settled`
 */
export function readJournal(
  folder: string,
  settled: JournalPosition,
  apply: (entry: JournalEntry) => void,
): JournalPosition {
  const files = FILES.map((name) => readWhole(join(folder, name)))
    .filter((bytes) => generationOf(bytes) > settled.generation)
    .sort((a, b) => generationOf(a) - generationOf(b));
  let position = settled;
  for (const bytes of files) position = readFrames(bytes, position, apply);
  return position;
}

function openFiles(folder: string, sync: boolean): number[] {
  const files: number[] = [];
  try {
    // What a torn or damaged file holds behind its last readable frame could become readable again: so they are cut.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | (sync ? constants.O_DSYNC : 0);
    for (const name of FILES) files.push(openSync(join(folder, name), flags, 0o644));
    // A new file is on disk when the folder that names it is.
    if (sync) syncFolder(folder);
    return files;
  } catch (error) {
    for (const file of files) closeSync(file);
    throw error;
  }
}

function encodeFrame(entries: readonly JournalEntry[], generation: number, link: number): Buffer {
  let length = FRAME_HEADER_BYTES;
  for (const { key, written } of entries) {
    length += ENTRY_HEADER_BYTES + key.length + (written === REMOVED ? 0 : written.length);
  }
  const frame = Buffer.allocUnsafe(length);
  let offset = FRAME_HEADER_BYTES;
  for (const { name, key, written } of entries) {
    frame[offset] = STORES.indexOf(name);
    frame[offset + 1] = written === REMOVED ? 1 : 0;
    frame.writeUInt16BE(key.length, offset + 2);
    frame.writeUInt32BE(written === REMOVED ? 0 : written.length, offset + 4);
    offset += ENTRY_HEADER_BYTES;
    offset += frame.write(key, offset, 'latin1');
    if (written === REMOVED) continue;
    frame.set(written, offset);
    offset += written.length;
  }
  frame.writeUInt32BE(length - FRAME_HEADER_BYTES, 0);
  frame.writeUIntBE(generation, 8, GENERATION_BYTES);
  frame.writeUInt32BE(crc32(frame.subarray(8), link), 4);
  return frame;
}

function generationOf(bytes: Buffer): number {
  return bytes.length < FRAME_HEADER_BYTES ? 0 : bytes.readUIntBE(8, GENERATION_BYTES);
}

/** Reads the frames of one file that continue `before`. */
function readFrames(bytes: Buffer, before: JournalPosition, apply: (entry: JournalEntry) => void): JournalPosition {
  let position = before;
  for (let offset = 0; offset + FRAME_HEADER_BYTES <= bytes.length; ) {
    const end = offset + FRAME_HEADER_BYTES + bytes.readUInt32BE(offset);
    const link = bytes.readUInt32BE(offset + 4);
    if (end > bytes.length || crc32(bytes.subarray(offset + 8, end), position.link) !== link) break;
    decodeEntries(bytes.subarray(offset + FRAME_HEADER_BYTES, end), apply);
    position = { generation: generationOf(bytes), link };
    offset = end;
  }
  return position;
}

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function decodeEntries(frame: Buffer, apply: (entry: JournalEntry) => void): void {
  for (let offset = 0; offset < frame.length; ) {
    const name = STORES[frame[offset]!]!;
    const isRemoved = frame[offset + 1] === 1;
    const keyEnd = offset + ENTRY_HEADER_BYTES + frame.readUInt16BE(offset + 2);
    const valueEnd = keyEnd + frame.readUInt32BE(offset + 4);
    const key = frame.toString('latin1', offset + ENTRY_HEADER_BYTES, keyEnd);
    apply({ name, key, written: isRemoved ? REMOVED : frame.subarray(keyEnd, valueEnd) });
    offset = valueEnd;
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
