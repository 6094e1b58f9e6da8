/**
 * How deeply the parts of a message may be nested. A condition has at most 300 operators and a value 32 levels, so nothing
 * that a client may send comes near it; and a reader that follows so many levels has stack to spare.
 */
export const MAX_DEPTH = 500;

/** Whether a text has half of a surrogate pair by itself, which UTF-8 cannot say. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}
