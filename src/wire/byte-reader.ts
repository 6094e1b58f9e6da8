import { isUtf8 } from 'node:buffer';
import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, isTime } from '../dynamo/ballot.ts';
import { WireError } from './wire-error.ts';
import { hasLoneSurrogate, MAX_DEPTH } from './wire-limits.ts';

const SHORT_TEXT = 24;

/**
 * Reads what a `ByteWriter` has written. The bytes come from another process and may be garbage: each call returns a value or
 * throws a WireError, and allocates memory in proportion to the bytes that are there, never to a length that they claim.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Checks that every byte was read. @throws WireError `trailing` if not */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new WireError('trailing', `${this.#left} bytes too many`);
  }

  /** Whether the next byte is this one; it is not read. */
  isNext(byte: number): boolean {
    return this.#bytes[this.#at] === byte;
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** A byte of flags. @param known the bits that may be set; another one is malformed */
  flags(known: number): number {
    const flags = this.byte();
    if ((flags & ~known) !== 0) throw malformed('a flag');
    return flags;
  }

  /** @param most a larger number is malformed */
  uint(most = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        // The writer never ends a number with a zero byte, so two forms of one number are not accepted.
        if ((byte === 0 && unit > 1) || value > most) break;
        return value;
      }
      unit *= 0x80;
      if (unit > Number.MAX_SAFE_INTEGER) break;
    }
    throw malformed('a number');
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  uint48(): number {
    return this.#bytes.readUIntBE(this.#take(6), 6);
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** The time of a ballot: NaN, fractions and negative numbers are malformed. */
  time(): number {
    const hlc = this.double();
    if (!isTime(hlc)) throw malformed('a time');
    return hlc;
  }

  ballot(): Ballot {
    return { hlc: this.time(), coordinator: this.uint48(), boot: this.uint32() };
  }

  /** Bytes with their length in front. Copied: a view would keep the buffer of the whole message in memory. */
  bytes(): Buffer {
    const length = this.uint();
    const from = this.#take(length);
    const bytes = Buffer.allocUnsafe(length);
    this.#bytes.copy(bytes, 0, from, from + length);
    return bytes;
  }

  /** @param mostBytes a longer one is malformed */
  byteString(mostBytes?: number): ByteString {
    const length = this.uint(mostBytes);
    const from = this.#take(length);
    return this.#bytes.toString('latin1', from, from + length);
  }

  text(): string {
    const form = this.uint();
    const length = Math.floor(form / 2);
    const from = this.#take(length);
    if (form % 2 === 1) return this.#utf16(from, length);
    if (length <= SHORT_TEXT) {
      const ascii = this.#ascii(from, length);
      if (ascii !== undefined) return ascii;
    }
    if (!isUtf8(this.#bytes.subarray(from, from + length))) throw malformed('a text');
    return this.#bytes.toString('utf8', from, from + length);
  }

  /**
   * The number of parts that follow.
   * @param leastBytes the fewest bytes that one part has; a count that the rest of the message cannot hold is refused
   */
  count(leastBytes: number): number {
    const count = this.uint();
    if (count * leastBytes > this.#left) throw new WireError('truncated', `${count} parts do not fit`);
    return count;
  }

  /** Calls `read` one level deeper. @throws WireError beyond MAX_DEPTH, before the stack overflows */
  nest<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw malformed('a depth');
    const value = read();
    this.#depth--;
    return value;
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Moves on by `count` bytes. @returns the offset of the first of them */
  #take(count: number): number {
    const from = this.#at;
    if (count > this.#bytes.length - from) throw new WireError('truncated', `${count} bytes at ${from} are not there`);
    this.#at = from + count;
    return from;
  }

  #utf16(from: number, length: number): string {
    const text = this.#bytes.toString('utf16le', from, from + length);
    if (length % 2 !== 0 || !hasLoneSurrogate(text)) throw malformed('a text');
    return text;
  }

  #ascii(from: number, length: number): string | undefined {
    let text = '';
    for (let i = from; i < from + length; i++) {
      const byte = this.#bytes[i]!;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}

/** The error for a value that no ByteWriter writes. */
export function malformed(what: string): WireError {
  return new WireError('malformed', `${what} that nobody writes`);
}
