import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, write } from 'node:fs';
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

/*
 * Two files, used by turns. A file holds frames, one per `append`, from its start on:
 *   u32 length of the content | u32 CRC-32 of what follows | u48 generation | content
 * and the content entries:
 *   u8 store | u8 1 if removed | u16 key bytes | u32 value bytes | key | value
 * all big-endian. A file is overwritten, never cut: writing where the file already is costs the disk no change of its
 * length. So behind the last frame of a generation, older ones may follow; the generation tells them apart.
 */
const FILES = ['journal-0', 'journal-1'] as const;
const FRAME_HEADER_BYTES = 14;
const GENERATION_BYTES = 6;
const ENTRY_HEADER_BYTES = 8;
const STORES: readonly StoreName[] = ['items', 'paxos', 'meta'];

/**
 * What a store has promised to keep and has not yet put where it belongs: an append is one write to the end of a file,
 * much cheaper than a transaction that changes many pages of a tree. Entries are gathered in generations; when all
 * entries of a generation are elsewhere, its file serves the one after the next.
 */
export class Journal {
  readonly #files: readonly number[];
  #generation: number;
  #length = 0;

  /**
   * @param generation of the next entries; above all that were ever used here
   * @param sync whether an append is done only when the disk has it, or when the system has it
   */
  constructor(folder: string, generation: number, sync: boolean) {
    const flags = constants.O_RDWR | constants.O_CREAT | (sync ? constants.O_DSYNC : 0);
    this.#files = FILES.map((name) => openSync(join(folder, name), flags, 0o644));
    this.#generation = generation;
    if (!sync) return;
    // A new file is on disk when the folder that names it is.
    const directory = openSync(folder, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  get generation(): number {
    return this.#generation;
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
    const frame = encodeFrame(entries, this.#generation);
    const file = this.#files[this.#generation % 2]!;
    const writeFrom = (written: number): void => {
      write(file, frame, written, frame.length - written, this.#length + written, (error, count) => {
        if (error !== null) return done(error);
        // A disk that is nearly full takes a part; the rest then fails or fits.
        if (written + count < frame.length) return writeFrom(written + count);
        this.#length += frame.length;
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
 * Reads what a journal holds of the generations above `settled`, in order, up to where its process died.
 * @returns the highest generation found, or `settled`
 */
export function readJournal(folder: string, settled: number, apply: (entry: JournalEntry) => void): number {
  const generations = FILES.map((name) => readFrames(join(folder, name)))
    .filter(({ generation, frames }) => frames.length > 0 && generation > settled)
    .sort((a, b) => a.generation - b.generation);
  for (const { frames } of generations) for (const frame of frames) decodeEntries(frame, apply);
  return generations.at(-1)?.generation ?? settled;
}

function encodeFrame(entries: readonly JournalEntry[], generation: number): Buffer {
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
  frame.writeUInt32BE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** The frames of the generation that a file begins with, without their headers. */
function readFrames(path: string): { generation: number; frames: Buffer[] } {
  const bytes = readWhole(path);
  const generation = bytes.length < FRAME_HEADER_BYTES ? 0 : bytes.readUIntBE(8, GENERATION_BYTES);
  const frames: Buffer[] = [];
  for (let offset = 0; offset + FRAME_HEADER_BYTES <= bytes.length; ) {
    const end = offset + FRAME_HEADER_BYTES + bytes.readUInt32BE(offset);
    const isWhole = end <= bytes.length && crc32(bytes.subarray(offset + 8, end)) === bytes.readUInt32BE(offset + 4);
    if (!isWhole || bytes.readUIntBE(offset + 8, GENERATION_BYTES) !== generation) break;
    frames.push(bytes.subarray(offset + FRAME_HEADER_BYTES, end));
    offset = end;
  }
  return { generation, frames };
}

function readWhole(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(fstatSync(file).size);
    const count = readSync(file, bytes, 0, bytes.length, 0);
    return bytes.subarray(0, count);
  } finally {
    closeSync(file);
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
