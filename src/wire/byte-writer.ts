import { strict as assert } from 'node:assert';
import type { ByteString } from '../api/primary-key.ts';
import type { Ballot } from '../dynamo/ballot.ts';
import { hasLoneSurrogate, MAX_DEPTH } from './wire-limits.ts';

const FIRST_BYTES = 4 * 1024;
/** A larger buffer is released after its message: one item of 400 KB must not pin memory for ever. */
const KEPT_BYTES = 64 * 1024;
/** Units of a text that a loop writes faster than a call of the runtime does. */
const SHORT_TEXT = 24;

/** Writes messages, one after the other, into a buffer that grows as needed. Fixed-size numbers are big-endian. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  #depth = 0;

  /** Returns a copy of what was written since the last call, and clears the writer. */
  take(): Uint8Array {
    const taken = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(taken, 0, 0, this.#at);
    this.clear();
    return taken;
  }

  /** Discards what was written. */
  clear(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#at = 0;
    this.#depth = 0;
  }

  /** @param value 0 to 255 */
  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** A whole number from 0 to 2^53 - 1, in LEB128: seven bits a byte, lowest first; the high bit means that more follow. */
  uint(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), 'no number of the wire');
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleBE(value, this.#at);
  }

  /** A whole number of 48 bits. */
  uint48(value: number): void {
    this.#reserve(6);
    this.#at = this.#bytes.writeUIntBE(value, this.#at, 6);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeUInt32BE(value, this.#at);
  }

  /** In the layout of a stored record (docs/data-layout.md). */
  ballot({ hlc, coordinator, boot }: Ballot): void {
    this.double(hlc);
    this.uint48(coordinator);
    this.uint32(boot);
  }

  /** The length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** The length, then one byte for each unit. */
  byteString(value: ByteString): void {
    this.uint(value.length);
    this.#reserve(value.length);
    this.#at += this.#bytes.write(value, this.#at, 'latin1');
  }

  /**
   * Twice the length in bytes, then the text in UTF-8. A client may send half of a surrogate pair, which UTF-8 cannot
   * represent: such a text is written in UTF-16, little-endian, and the number in front is one more.
   */
  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#asciiText(value)) return;
    const isUtf16 = hasLoneSurrogate(value);
    const encoding = isUtf16 ? 'utf16le' : 'utf8';
    const length = Buffer.byteLength(value, encoding);
    this.uint(length * 2 + (isUtf16 ? 1 : 0));
    this.#reserve(length);
    this.#at += this.#bytes.write(value, this.#at, encoding);
  }

  /** Writes a short text of ASCII. @returns false if the text is not ASCII; then nothing is written */
  #asciiText(value: string): boolean {
    this.#reserve(1 + SHORT_TEXT);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = value.length * 2;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[at++] = unit;
    }
    this.#at = at;
    return true;
  }

  /** Calls `write` one level deeper. @throws AssertionError beyond MAX_DEPTH, which no peer would read */
  nest(write: () => void): void {
    assert(++this.#depth <= MAX_DEPTH, 'nested too deeply for the wire');
    write();
    this.#depth--;
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
