import { createGunzip, createInflate } from 'node:zlib';
import type { Room } from './byte-budget.ts';
import type { ContentCoding } from './content-coding.ts';
import type { Slots } from './slots.ts';

export type Inflated =
  /** The length of `bytes` has been reserved from the budget; the caller gives it back. */
  | { readonly kind: 'inflated'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'no-room' }
  | { readonly kind: 'broken' };

export interface InflateBounds {
  /** The most bytes that the decompressed body may have. */
  readonly maxBytes: number;
  /** Room for the decompressed body. */
  readonly budget: Room;
  /** Limits how many bodies are decompressed at a time. */
  readonly slots: Slots;
}

/** The unit in which output is produced and room is reserved. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Decompresses a body: `gzip` with any number of members (RFC 1952), or `deflate`, which is the zlib format (RFC 1950).
 * Hazard: the body may lie about its length. So lengths in it are ignored, and room is reserved as bytes come out. A
 * lying body costs no more than the limit, and bytes behind its end are not read as a length.
 */
export async function inflate(body: Uint8Array, coding: ContentCoding, bounds: InflateBounds): Promise<Inflated> {
  await bounds.slots.take();
  try {
    return await inflateNow(body, coding, bounds);
  } finally {
    bounds.slots.give();
  }
}

function inflateNow(body: Uint8Array, coding: ContentCoding, { maxBytes, budget }: InflateBounds): Promise<Inflated> {
  return new Promise((resolve) => {
    const options = { chunkSize: CHUNK_BYTES };
    const stream = coding === 'gzip' ? createGunzip(options) : createInflate(options);
    const chunks: Buffer[] = [];
    let length = 0;
    const fail = (kind: 'too-large' | 'no-room' | 'broken') => {
      stream.removeAllListeners('data').destroy();
      budget.give(length);
      length = 0;
      resolve({ kind });
    };
    stream.on('data', (chunk: Buffer) => {
      if (length + chunk.length > maxBytes) return fail('too-large');
      if (!budget.take(chunk.length)) return fail('no-room');
      length += chunk.length;
      chunks.push(chunk);
    });
    stream.on('end', () => resolve({ kind: 'inflated', bytes: Buffer.concat(chunks, length) }));
    stream.on('error', () => fail('broken'));
    stream.end(body);
  });
}
