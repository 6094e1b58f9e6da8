import { crc32 } from 'node:zlib';

/** The start of a journal's file describes the file. */
export interface JournalHeader {
  /** The id of the opening that the file belongs to (`JournalRun`). */
  readonly journal: string;
  /** The owner of the store, a text for people. */
  readonly owner: string;
  /** The run of the machine, if it is known. */
  readonly machine: string | null;
  /** The file is at least this long, in bytes. */
  readonly length: number;
  /** The sequence number of the last frame, in either file, that had been appended when this header was written. */
  readonly appended: number;
  /** The length of `data.mdb` at that time. */
  readonly dataBytes: number;
}

/**
 * The frames follow the header. It has a page of its own, because it is rewritten while the frames stay as they are.
 */
export const JOURNAL_HEADER_BYTES = 4_096;

/** One sector, so that a header is written whole or not at all. */
const TEXT_BYTES = 512;
const TITLE = 'dynaring journal 2';

/** Three lines of text: a title, JSON, and the CRC-32 of both. */
export function encodeHeader(header: JournalHeader): Buffer {
  const text = `${TITLE}\n${JSON.stringify(header)}\n`;
  const block = Buffer.alloc(TEXT_BYTES);
  const length = block.write(`${text}${crc32(text).toString(16)}\n`);
  if (length === TEXT_BYTES) throw new Error(`the owner of a journal has a name that is too long: ${header.owner}`);
  return block;
}

/** Undefined if the file has no header, or a damaged one. */
export function decodeHeader(file: Buffer): JournalHeader | undefined {
  const [title, json, sum] = file.toString('utf8', 0, TEXT_BYTES).split('\n', 3);
  if (title !== TITLE || crc32(`${title}\n${json}\n`).toString(16) !== sum) return undefined;
  return JSON.parse(json!) as JournalHeader;
}
