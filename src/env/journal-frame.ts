import { crc32 } from 'node:zlib';
import type { StoreKey, StoreName } from './store.ts';
import { REMOVED, type Written } from './write-batch.ts';

/** One `put` or `remove`, in the order in which they were made. */
export interface JournalEntry {
  readonly name: StoreName;
  readonly key: StoreKey;
  readonly written: Written;
}

/**
 * Drawn at random for each opening of a journal and common to all its frames, so nothing else can be taken for one of
 * them.
 */
export interface FrameSeal {
  /** The first four bytes of each frame. */
  readonly mark: number;
  /** The value that each CRC starts from. */
  readonly seed: number;
}

/** Where a frame stands in its journal. */
export interface FramePlace {
  readonly generation: number;
  /** The number of the frame, counted over all generations. */
  readonly sequence: number;
  /** The CRC of the previous frame. */
  readonly previous: number;
}

export interface Frame extends FramePlace {
  /** The CRC of this frame. */
  readonly link: number;
  /** Where the next frame begins. */
  readonly end: number;
}

/*
 * A frame, all numbers big-endian:
 *   u32 mark | u32 length of the content | u32 CRC-32 of what follows up to the end of the content
 *   u32 CRC-32 of the frame before | u48 generation | u48 sequence | content | u32 the CRC once more
 * and the content entries:
 *   u8 store | u8 1 if removed | u16 key bytes | u32 value bytes | key | value
 * The system writes from the start of a buffer to its end, so a frame that ends with its CRC was written whole.
 */
const AT = { mark: 0, length: 4, link: 8, previous: 12, generation: 16, sequence: 22 } as const;
const HEADER_BYTES = 28;
const NUMBER_BYTES = 6;
const TRAILER_BYTES = 4;
const ENTRY_HEADER_BYTES = 8;
const STORES: readonly StoreName[] = ['items', 'paxos', 'meta', 'hints', 'lsi', 'outbox'];

/** Overwrites the header of a frame that must not be found. */
export const NO_FRAME = Buffer.alloc(HEADER_BYTES, 0xff);

/** The bytes of a frame. The next frame repeats their `linkOf`. */
export function encodeFrame(entries: readonly JournalEntry[], place: FramePlace, { mark, seed }: FrameSeal): Buffer {
  let length = HEADER_BYTES;
  for (const { key, written } of entries) {
    length += ENTRY_HEADER_BYTES + key.length + (written === REMOVED ? 0 : written.length);
  }
  const frame = Buffer.allocUnsafe(length + TRAILER_BYTES);
  let offset = HEADER_BYTES;
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
  frame.writeUInt32BE(mark, AT.mark);
  frame.writeUInt32BE(length - HEADER_BYTES, AT.length);
  frame.writeUInt32BE(place.previous, AT.previous);
  frame.writeUIntBE(place.generation, AT.generation, NUMBER_BYTES);
  frame.writeUIntBE(place.sequence, AT.sequence, NUMBER_BYTES);
  const link = crc32(frame.subarray(AT.previous, length), seed);
  frame.writeUInt32BE(link, AT.link);
  frame.writeUInt32BE(link, length);
  return frame;
}

export function linkOf(frame: Buffer): number {
  return frame.readUInt32BE(AT.link);
}

/** The frame that begins at `offset`; undefined if there is none, or if it is not as it was written. */
export function frameAt(bytes: Buffer, offset: number, seal: FrameSeal): Frame | undefined {
  const contentEnd = contentEndOf(bytes, offset, seal);
  if (contentEnd === undefined) return undefined;
  const link = bytes.readUInt32BE(offset + AT.link);
  if (crc32(bytes.subarray(offset + AT.previous, contentEnd), seal.seed) !== link) return undefined;
  return {
    generation: bytes.readUIntBE(offset + AT.generation, NUMBER_BYTES),
    sequence: bytes.readUIntBE(offset + AT.sequence, NUMBER_BYTES),
    previous: bytes.readUInt32BE(offset + AT.previous),
    link,
    end: contentEnd + TRAILER_BYTES,
  };
}

/** Whether the frame of this number was once written to its end at `offset`. It may have been changed since. */
export function isWrittenWhole(bytes: Buffer, offset: number, sequence: number, seal: FrameSeal): boolean {
  const contentEnd = contentEndOf(bytes, offset, seal);
  if (contentEnd === undefined || bytes.readUIntBE(offset + AT.sequence, NUMBER_BYTES) !== sequence) return false;
  return bytes.readUInt32BE(contentEnd) === bytes.readUInt32BE(offset + AT.link);
}

/** The frames that can be read from `offset` on, wherever they begin. */
export function* framesIn(bytes: Buffer, offset: number, seal: FrameSeal): Iterable<Frame> {
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE(seal.mark);
  for (let at = bytes.indexOf(mark, offset); at >= 0; ) {
    const frame = frameAt(bytes, at, seal);
    if (frame !== undefined) yield frame;
    at = bytes.indexOf(mark, frame?.end ?? at + 1);
  }
}

/** Calls `apply` with each entry of a frame that `frameAt` has found. */
export function decodeFrame(bytes: Buffer, offset: number, { end }: Frame, apply: (entry: JournalEntry) => void): void {
  decodeEntries(bytes.subarray(offset + HEADER_BYTES, end - TRAILER_BYTES), apply);
}

function decodeEntries(content: Buffer, apply: (entry: JournalEntry) => void): void {
  for (let offset = 0; offset < content.length; ) {
    const name = STORES[content[offset]!]!;
    const isRemoved = content[offset + 1] === 1;
    const keyEnd = offset + ENTRY_HEADER_BYTES + content.readUInt16BE(offset + 2);
    const valueEnd = keyEnd + content.readUInt32BE(offset + 4);
    const key = content.toString('latin1', offset + ENTRY_HEADER_BYTES, keyEnd);
    apply({ name, key, written: isRemoved ? REMOVED : content.subarray(keyEnd, valueEnd) });
    offset = valueEnd;
  }
}

function contentEndOf(bytes: Buffer, offset: number, { mark }: FrameSeal): number | undefined {
  if (offset + HEADER_BYTES + TRAILER_BYTES > bytes.length) return undefined;
  if (bytes.readUInt32BE(offset + AT.mark) !== mark) return undefined;
  const end = offset + HEADER_BYTES + bytes.readUInt32BE(offset + AT.length);
  return end + TRAILER_BYTES > bytes.length ? undefined : end;
}
