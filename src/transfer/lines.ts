import { isUtf8 } from 'node:buffer';
import { LIMITS } from './transfer-limits.ts';

/** A non-blank line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Where the next line begins, in bytes from the beginning of the (uncompressed) file. */
  readonly end: number;
  readonly content:
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'bad'; readonly problem: string; readonly bytes: Buffer };
}

/** A position in a file: after `line` lines and `end` bytes. */
export interface LinePosition {
  readonly line: number;
  readonly end: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits bytes into lines, and yields those that each chunk completes. Holds no more than a chunk and a line.
 * @param from the position of the first chunk in the file
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  from: LinePosition = { line: 0, end: 0 },
): AsyncGenerator<readonly Line[]> {
  let [number, end] = [from.line, from.end];
  /** The incomplete line. `heldBytes` also counts the bytes of a line that is too long, which are not kept. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  const hold = (bytes: Buffer) => {
    heldBytes += bytes.length;
    if (heldBytes <= LIMITS.maxLineBytes) held.push(bytes);
  };
  const complete = (rest: Buffer): Line | undefined => {
    hold(rest);
    number++;
    end += heldBytes;
    const isTooLong = heldBytes > LIMITS.maxLineBytes;
    const bytes = isTooLong || held.length > 1 ? Buffer.concat(held) : held[0]!;
    held = [];
    heldBytes = 0;
    const content = isTooLong ? tooLong(bytes) : contentOf(number === 1 ? withoutMark(bytes) : bytes);
    return content && { number, end, content };
  };
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, start)) {
      const line = complete(chunk.subarray(start, at + 1));
      if (line !== undefined) lines.push(line);
      start = at + 1;
    }
    if (start < chunk.length) hold(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (heldBytes === 0) return;
  const last = complete(Buffer.alloc(0));
  if (last !== undefined) yield [last];
}

/** @returns undefined for a blank line */
function contentOf(bytes: Buffer): Line['content'] | undefined {
  let to = bytes.length;
  if (bytes[to - 1] === LINE_FEED) to--;
  if (bytes[to - 1] === CARRIAGE_RETURN) to--;
  const content = bytes.subarray(0, to);
  if (!isUtf8(content)) return { kind: 'bad', problem: 'it is not UTF-8', bytes: content };
  const text = content.toString('utf8');
  return /\S/.test(text) ? { kind: 'text', text } : undefined;
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
}

function tooLong(bytes: Buffer): Line['content'] {
  return { kind: 'bad', problem: `it is longer than ${LIMITS.maxLineBytes} bytes`, bytes };
}
