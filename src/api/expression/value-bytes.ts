import { ApiError } from '../errors.ts';

/** Developer guide, "Expression parameters" quotas: bytes of all substitution variables of an expression. */
export const MAX_PLACEHOLDER_BYTES = 2 * 1024 * 1024;

/**
 * Refuses values that have more bytes together than the service lets an expression have, before any of them is sorted or
 * copied. The legacy parameters, which have no limit of their own, get the same one.
 * @param parameter that the values came in
 * @param values of any shape that passed the schema; they need not be normalised
 * @throws ApiError (ValidationException)
 */
export function checkValueBytes(parameter: string, values: object): void {
  if (bytesLeftOf(values, MAX_PLACEHOLDER_BYTES) < 0) throw ApiError.validation(`${parameter} exceeds max size`);
}

/** What names and texts leave of `bytes`, near enough for a limit of megabytes; stops as soon as that is less than none. */
function bytesLeftOf(value: unknown, bytes: number): number {
  if (typeof value === 'string') return bytes - Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return bytes - 1;
  let left = bytes;
  if (Array.isArray(value)) {
    for (const element of value) {
      left = bytesLeftOf(element, left);
      if (left < 0) return left;
    }
    return left;
  }
  for (const name in value) {
    left = bytesLeftOf((value as Record<string, unknown>)[name], left - name.length);
    if (left < 0) return left;
  }
  return left;
}
