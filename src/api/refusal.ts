import { ApiError } from './errors.ts';
import { isItemTooLarge } from './item-limits.ts';
import { OPERATION_TRAITS } from './operation-traits.ts';
import type { OperationName } from './operations.ts';

/** Levels of JSON: the request, its member, and 62 nested values of two levels each around one more. */
const MOST_ENVELOPED_LEVELS = 2 + 2 * 62 + 1;

/** The service's error for one or several validation errors. */
export function validationErrors(texts: readonly string[]): ApiError {
  const detected = texts.length === 1 ? '1 validation error detected' : `${texts.length} validation errors detected`;
  return ApiError.validation(`${detected}: ${texts.join('; ')}`);
}

/**
 * Runs the checks that depend on the request alone, whatever its table and item. Only here an error text gets the
 * envelope that the operation's trait asks for: errors of later checks stay bare, and so does the error for the size of
 * an item, which is thrown before these checks if the item is very large.
 * @param check may change the request
 * @returns what `check` returns
 * @throws ApiError
 */
export function checkAlone<Request extends object, Checked>(
  operation: OperationName,
  request: Request,
  check: (request: Request) => Checked,
): Checked {
  try {
    return check(request);
  } catch (error) {
    const isRefusal = error instanceof ApiError && error.name === 'ValidationException' && !isItemTooLarge(error);
    throw isRefusal && isEnveloped(operation, request) ? validationErrors([error.message]) : error;
  }
}

/**
 * Whether the service puts the errors of a request into an envelope, and has constraint errors of other forms than the
 * echo for it. It does so for some operations, unless the request lacks its key or item, or nests a value deeply. The
 * recordings of these two exceptions look as if an older validation took over (2026-09-20 to 2026-10-09, eu-west-2 and
 * us-east-1).
 */
export function isEnveloped(operation: OperationName, request: unknown): boolean {
  const { hasEnvelope, keyMember } = OPERATION_TRAITS[operation];
  if (!hasEnvelope || typeof request !== 'object' || request === null) return false;
  if (keyMember !== undefined && (request as Record<string, unknown>)[keyMember] == null) return false;
  return !nestsDeeperThan(request, MOST_ENVELOPED_LEVELS);
}

/** Whether objects and arrays are nested more than `levels` deep in parsed JSON. */
export function nestsDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element === 'object' && element !== null && nestsDeeperThan(element, levels - 1)) return true;
    }
    return false;
  }
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === 'object' && member !== null && nestsDeeperThan(member, levels - 1)) return true;
  }
  return false;
}
