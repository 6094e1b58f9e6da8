import { isUtf8 } from 'node:buffer';
import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, isTime } from '../dynamo/ballot.ts';
import { WireError } from './wire-error.ts';
import { hasLoneSurrogate, MAX_DEPTH } from './wire-limits.ts';

const SHORT_TEXT = 24;

/**
 * Reads what `ByteWriter` has written. The bytes may be anything: whatever they are, it ends with a value or a `WireError`,
 * and allocates no more than they could fill.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** All bytes have to be read by now. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new WireError('trailing', `${this.#left} bytes too many`);
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** A byte in which no other bits are set than those of `known`. */
  flags(known: number): number {
    const flags = this.byte();
    if ((flags & ~known) !== 0) throw malformed('a flag');
    return flags;
  }

  uint(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        // A number has one form.
        if ((byte === 0 && unit > 1) || value > Number.MAX_SAFE_INTEGER) break;
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

  /** The time of a ballot. */
  time(): number {
    const hlc = this.double();
    if (!isTime(hlc)) throw malformed('a time');
    return hlc;
  }

  ballot(): Ballot {
    return { hlc: this.time(), coordinator: this.uint48(), boot: this.uint32() };
  }

  /** A copy, so that what keeps the value does not keep the message. */
  bytes(): Buffer {
    const length = this.uint();
    const from = this.#take(length);
    const bytes = Buffer.allocUnsafe(length);
    this.#bytes.copy(bytes, 0, from, from + length);
    return bytes;
  }

  byteString(): ByteString {
    const length = this.uint();
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

  /** How many parts follow. @param leastBytes that each of them has */
  count(leastBytes: number): number {
    const count = this.uint();
    if (count * leastBytes > this.#left) throw new WireError('truncated', `${count} parts do not fit`);
    return count;
  }

  /** What `read` reads is a level below. */
  nest<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw malformed('a depth');
    const value = read();
    this.#depth--;
    return value;
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Goes on by so many bytes. @returns where they begin */
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

/** For a value that no writer writes. */
export function malformed(what: string): WireError {
  return new WireError('malformed', `${what} that nobody writes`);
}
