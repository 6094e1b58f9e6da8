import { createGunzip, createInflate } from 'node:zlib';
import type { ByteBudget } from './byte-budget.ts';
import type { ContentCoding } from './content-coding.ts';
import type { Slots } from './slots.ts';

export type Inflated =
  /** `bytes` have been taken from the budget; whoever gets the body gives its length back. */
  | { readonly kind: 'inflated'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'no-room' }
  | { readonly kind: 'broken' };

export interface InflateBounds {
  /** What may come out. */
  readonly maxBytes: number;
  /** Room for it. */
  readonly budget: ByteBudget;
  /** Bodies that are inflated at a time. */
  readonly slots: Slots;
}

/** What comes out, and is taken from the budget, at a time. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Inflates a body: `gzip` of any number of members (RFC 1952), or `deflate`, which is zlib's format (RFC 1950).
 *
 * Room is taken as bytes come out, and nothing that the body says of its length is believed, so that one that lies costs
 * no more than what is let in, and bytes behind its end are not taken for a length.
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
