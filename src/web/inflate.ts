import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ByteBudget } from './byte-budget.ts';

const gunzipAsync = promisify(gunzip);

export type Inflated =
  /** `bytes` have been taken from the budget; whoever gets the body gives its length back. */
  | { readonly kind: 'inflated'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'no-room' }
  | { readonly kind: 'broken' };

/**
 * Inflates a gzip body of one member (RFC 1952).
 *
 * Its last four bytes tell how long it is inflated. That much room is taken before, and no more than that comes out: a
 * body that lies about its length is broken, and a bomb that tells the truth is too large.
 */
export async function inflate(body: Uint8Array, maxBytes: number, budget: ByteBudget): Promise<Inflated> {
  // Header and trailer take 18 bytes, of which two are fixed; zlib judges the rest.
  if (body.length < 18 || body[0] !== 0x1f || body[1] !== 0x8b) return { kind: 'broken' };
  const length = new DataView(body.buffer, body.byteOffset, body.length).getUint32(body.length - 4, true);
  if (length > maxBytes) return { kind: 'too-large' };
  if (!budget.take(length)) return { kind: 'no-room' };
  try {
    // zlib wants room for at least one byte, and checks the length against the trailer itself.
    const bytes = await gunzipAsync(body, { maxOutputLength: Math.max(1, length) });
    return { kind: 'inflated', bytes };
  } catch {
    budget.give(length);
    return { kind: 'broken' };
  }
}
