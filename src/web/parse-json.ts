import { isUtf8 } from 'node:buffer';

/**
 * Parses a body as the service does: JSON in UTF-8, whose strings have a form in UTF-8 too.
 * @returns undefined if it is anything else; `JSON.parse` itself never gives that
 */
export function parseJson(body: Uint8Array): unknown {
  if (!isUtf8(body)) return undefined;
  return parseText(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
}

/** The same of a text that was in UTF-8. */
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
 * `"\ud800"` is good JSON, but no text: stored as UTF-8 it would silently come back as another string.
 * Not recursive, because nothing has bounded the depth of `root` yet.
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
