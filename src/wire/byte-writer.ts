import { strict as assert } from 'node:assert';
import type { ByteString } from '../api/primary-key.ts';
import type { Ballot } from '../dynamo/ballot.ts';
import { hasLoneSurrogate, MAX_DEPTH } from './wire-limits.ts';

const FIRST_BYTES = 4 * 1024;
/** A larger buffer, as of a message with an item of 400 KB, is not kept for the next one. */
const KEPT_BYTES = 64 * 1024;
/** Longer texts are written by the runtime; for shorter ones the call costs more than the loop. */
const SHORT_TEXT = 24;

/** Writes one message after the other into a buffer that grows as it has to. All numbers big-endian. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  #depth = 0;

  /** What was written since the last call, in a buffer of its own. */
  take(): Uint8Array {
    const taken = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(taken, 0, 0, this.#at);
    this.clear();
    return taken;
  }

  /** Drops what was written. */
  clear(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#at = 0;
    this.#depth = 0;
  }

  /** 0 to 255. */
  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first; the high bit says that more follow. */
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

  /** As in a stored record. */
  ballot({ hlc, coordinator, boot }: Ballot): void {
    this.double(hlc);
    this.uint48(coordinator);
    this.uint32(boot);
  }

  /** Its length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Its length, then a byte for each unit. */
  byteString(value: ByteString): void {
    this.uint(value.length);
    this.#reserve(value.length);
    this.#at += this.#bytes.write(value, this.#at, 'latin1');
  }

  /**
   * Twice its length in bytes, then UTF-8. Clients may send half of a surrogate pair, which UTF-8 cannot say: such a text has
   * one more in front, and is UTF-16, little-endian.
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

  /** @returns whether it was one, and so was written */
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

  /** What `write` writes is a level below. */
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
