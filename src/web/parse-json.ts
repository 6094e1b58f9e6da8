import { isAscii, isUtf8 } from 'node:buffer';
import { asBuffer } from './as-buffer.ts';

/**
 * Parses a body as the service does: JSON in UTF-8 whose strings can be encoded in UTF-8 again.
 * @returns undefined if it is anything else, which `JSON.parse` never returns
 */
export function parseJson(body: Uint8Array): unknown {
  // Most bodies are ASCII, for which the text needs no decoder.
  if (isAscii(body)) return parseText(asBuffer(body).toString('latin1'));
  return isUtf8(body) ? parseText(asBuffer(body).toString('utf8')) : undefined;
}

/** As `parseJson`, for a text that was valid UTF-8. */
export function parseText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const mayHoldSurrogates = text.includes('\\ud') || text.includes('\\uD');
  return mayHoldSurrogates && holdsLoneSurrogate(value) ? undefined : value;
}

/**
 * `"\ud800"` is valid JSON but not encodable: stored as UTF-8 it would silently come back as another string.
 * This is not recursive, because the depth of `root` is not limited yet.
 */
function holdsLoneSurrogate(root: unknown): boolean {
  const left = [root];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string') {
      if (/\p{Surrogate}/u.test(value)) return true;
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) left.push(key, member);
    }
  }
  return false;
}
