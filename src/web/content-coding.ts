import type { HttpHeaders } from './http-message.ts';

/** The codings of bodies that are understood, requests' and answers' (RFC 9110, section 8.4.1). */
export type ContentCoding = 'gzip' | 'deflate';

/**
 * How the body of a request is encoded.
 *
 * A coding that is not understood must not be taken for none: a body that happens to be JSON all the same would be served
 * as something that its sender did not mean.
 * @returns `identity`: not at all; `unknown`: in a way that is not understood, or in several one after the other
 */
export function bodyCoding(headers: HttpHeaders): ContentCoding | 'identity' | 'unknown' {
  const content = headers['content-encoding'];
  const transfer = headers['transfer-encoding'];
  // Chunks are put together by `node:http`, which lets any other coding in front of them pass.
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

/** Answers of more bytes are compressed for clients that say that they understand it. The service's own limit. */
const COMPRESSED_ABOVE_BYTES = 4096;

/** How an answer is encoded. */
export interface AnswerCoding {
  readonly coding: ContentCoding;
  /** The client refuses an answer that is not encoded, however small and however busy the server. */
  readonly isRequired: boolean;
}

/**
 * The coding for an answer, of those that the client accepts the one that it likes best (RFC 9110, section 12.5.3).
 *
 * @param accepted its Accept-Encoding header
 * @param length of the answer, in bytes
 * @returns undefined: as it is, which a client that accepts nothing else than what is not known here gets too
 */
export function answerCoding(accepted: HttpHeaders[string], length: number): AnswerCoding | undefined {
  if (accepted === undefined || length === 0) return undefined;
  const text = String(accepted).toLowerCase();
  // Small answers are looked at no further, unless the header may refuse them as they are.
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

/** What the header says of each coding: 0 is never, 1 is most of all. What is no weight counts as none given. */
function weightsOf(accepted: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const each of accepted.split(',')) {
    const [coding, ...parameters] = each.split(';');
    const weight = parameters.map((text) => /^\s*q\s*=\s*([01](?:\.\d*)?)\s*$/.exec(text)?.[1]).find(Boolean);
    weights.set(coding!.trim(), weight === undefined ? 1 : Math.min(1, Number(weight)));
  }
  return weights;
}
