import { crc32 } from 'node:zlib';

/** What a file of a journal says of itself, at its start. */
export interface JournalHeader {
  /** Of which opening it is (`JournalRun`). */
  readonly journal: string;
  /** Whose it is: a text for people. */
  readonly owner: string;
  /** The run of the machine, if it is known. */
  readonly machine: string | null;
  /** The file is at least so long. */
  readonly length: number;
  /** The sequence number of a frame that was appended, in whichever file, when this was written. */
  readonly appended: number;
  /** How long `data.mdb` was then. */
  readonly dataBytes: number;
}

/** Frames begin behind it: a page of its own, because it is written again while the frames stay as they are. */
export const JOURNAL_HEADER_BYTES = 4_096;

/** One sector, so that it is written whole or not at all. */
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

/** Undefined if there is none, or it is damaged. */
export function decodeHeader(file: Buffer): JournalHeader | undefined {
  const [title, json, sum] = file.toString('utf8', 0, TEXT_BYTES).split('\n', 3);
  if (title !== TITLE || crc32(`${title}\n${json}\n`).toString(16) !== sum) return undefined;
  return JSON.parse(json!) as JournalHeader;
}
