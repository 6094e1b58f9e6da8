import { ApiError } from '../errors.ts';

/** Developer guide, "Expression parameters" quotas: bytes of all substitution variables of an expression. */
export const MAX_PLACEHOLDER_BYTES = 2 * 1024 * 1024;

/**
 * Refuses values with more bytes together than the service allows for an expression, before any of them is sorted or
 * copied. The same limit holds for the legacy parameters, which have none of their own.
 * @param parameter the parameter that has the values
 * @param values have passed the schema; they need not be normalised
 * @throws ApiError (ValidationException)
 */
export function checkValueBytes(parameter: string, values: object): void {
  if (bytesLeftOf(values, MAX_PLACEHOLDER_BYTES) < 0) throw ApiError.validation(`${parameter} exceeds max size`);
}

/** `bytes` minus the bytes of names and texts, accurate enough for a limit of megabytes. Stops below zero. */
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
