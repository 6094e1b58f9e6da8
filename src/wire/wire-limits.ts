/**
 * How deeply the parts of a message may be nested. A condition has at most 300 operators, and a value 32 levels, so no request
 * of a client comes near this limit. A reader at this depth is far from the end of the stack.
 */
export const MAX_DEPTH = 500;

/**
 * What a stored record has room for (docs/data-layout.md). A coordinator makes records of what a client of the ring sends, so
 * a larger value has to be refused when it is read.
 */
export const MAX_UINT32 = 2 ** 32 - 1;
export const MAX_PARTITION_KEY_BYTES = 2 ** 16 - 1;
/** Room for a client's token with its scope. */
export const MAX_LEDGER_BYTES = 1_024;

/** Whether a text contains half of a surrogate pair, which UTF-8 cannot represent. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}
