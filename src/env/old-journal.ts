import { crc32 } from 'node:zlib';
import { decodeEntries, type JournalEntry } from './journal-frame.ts';

/*
 * The journal as it was before its files had a header: frames from the start on,
 *   u32 length of the content | u32 CRC-32 of what follows, begun with that of the frame before | u48 generation | content
 * What is behind the first frame that cannot be read is not told from an end.
 */
const FRAME_HEADER_BYTES = 14;
const GENERATION_BYTES = 6;

interface Position {
  readonly generation: number;
  /** The CRC of the last frame. */
  readonly link: number;
}

/** Hands out what the two files hold beyond `settled`, in order. @returns the position of the last frame read, or `settled` */
export function readOldJournal(
  files: readonly Buffer[],
  settled: Position,
  apply: (entry: JournalEntry) => void,
): Position {
  const newer = files
    .filter((bytes) => generationOf(bytes) > settled.generation)
    .sort((a, b) => generationOf(a) - generationOf(b));
  let position = settled;
  for (const bytes of newer) position = readFrames(bytes, position, apply);
  return position;
}

function generationOf(bytes: Buffer): number {
  return bytes.length < FRAME_HEADER_BYTES ? 0 : bytes.readUIntBE(8, GENERATION_BYTES);
}

/** Reads the frames of one file that continue `before`. */
function readFrames(bytes: Buffer, before: Position, apply: (entry: JournalEntry) => void): Position {
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
