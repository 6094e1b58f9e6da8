import type { HttpHeaders } from './http-message.ts';

/** The codings that are supported for bodies of requests and answers (RFC 9110, section 8.4.1). */
export type ContentCoding = 'gzip' | 'deflate';

/**
 * How the body of a request is encoded.
 *
 * Hazard: an unsupported coding must not be treated as none. A body that happens to be JSON would then be processed as
 * something that its sender did not mean.
 * @returns `identity`: not encoded; `unknown`: an unsupported coding, or several codings
 */
export function bodyCoding(headers: HttpHeaders): ContentCoding | 'identity' | 'unknown' {
  const content = headers['content-encoding'];
  const transfer = headers['transfer-encoding'];
  // `node:http` decodes chunks itself, but ignores any other coding listed before `chunked`.
  if (transfer !== undefined && String(transfer).trim().toLowerCase() !== 'chunked') return 'unknown';
  if (content === undefined) return 'identity';
  switch (String(content).trim().toLowerCase()) {
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    default:
      return 'unknown';
  }
}

/** Larger answers are compressed for clients that accept it. This threshold is the service's. */
const COMPRESSED_ABOVE_BYTES = 4096;

/** How an answer is encoded. */
export interface AnswerCoding {
  readonly coding: ContentCoding;
  /** The client refuses an uncompressed answer, so it is compressed however small it is and however busy the server. */
  readonly isRequired: boolean;
}

/**
 * Chooses the coding of an answer: of those that the client accepts, the one with the highest weight (RFC 9110, section
 * 12.5.3).
 * @param accepted the Accept-Encoding header
 * @param length of the answer, in bytes
 * @returns undefined: send it uncompressed, also to a client that accepts only unsupported codings
 */
export function answerCoding(accepted: HttpHeaders[string], length: number): AnswerCoding | undefined {
  if (accepted === undefined || length === 0) return undefined;
  const text = String(accepted).toLowerCase();
  // Fast path for small answers, unless the header may forbid an uncompressed one.
  if (length <= COMPRESSED_ABOVE_BYTES && !/identity|\*/.test(text)) return undefined;
  const weights = weightsOf(text);
  const others = weights.get('*');
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? others ?? 0;
  const deflate = weights.get('deflate') ?? others ?? 0;
  const best = Math.max(gzip, deflate);
  if (best === 0) return undefined;
  const coding = gzip === best ? 'gzip' : 'deflate';
  const identity = weights.get('identity');
  if ((identity ?? others) === 0) return { coding, isRequired: true };
  if (length <= COMPRESSED_ABOVE_BYTES || (identity ?? 0) > best) return undefined;
  return { coding, isRequired: false };
}

/** The weight of each coding in the header, from 0 (never) to 1 (preferred). An invalid weight counts as none given. */
function weightsOf(accepted: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const each of accepted.split(',')) {
    const [coding, ...parameters] = each.split(';');
    const weight = parameters.map((text) => /^\s*q\s*=\s*([01](?:\.\d*)?)\s*$/.exec(text)?.[1]).find(Boolean);
    weights.set(coding!.trim(), weight === undefined ? 1 : Math.min(1, Number(weight)));
  }
  return weights;
}
