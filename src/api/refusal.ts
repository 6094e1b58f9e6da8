import { ApiError } from './errors.ts';
import { isItemTooLarge } from './item-limits.ts';
import { OPERATION_TRAITS } from './operation-traits.ts';
import type { OperationName } from './operations.ts';

/** Below the request and its member, a value may be nested 62 deep, two levels of JSON each, around one more. */
const MOST_ENVELOPED_LEVELS = 2 + 2 * 62 + 1;

/** The service's message of one validation error, or of several. */
export function validationErrors(texts: readonly string[]): ApiError {
  const detected = texts.length === 1 ? '1 validation error detected' : `${texts.length} validation errors detected`;
  return ApiError.validation(`${detected}: ${texts.join('; ')}`);
}

/**
 * Runs the checks that a request can fail whatever table and item it meets; what they refuse is worded as the operation's
 * trait says. The one place where a refusal gets its envelope: what is thrown behind the checks stays bare, as does the size of
 * an item, which shows before them where it is very large.
 * @param check may change the request
 * @returns what it returns
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
 * Whether the service puts what it refuses of a request into an envelope, and has constraint errors of other forms than
 * the echo for it: of some operations, unless the request lacks its key or item, or nests a value deeply. What is recorded of
 * those two looks as if an older validation took over (2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
 */
export function isEnveloped(operation: OperationName, request: unknown): boolean {
  const { hasEnvelope, keyMember } = OPERATION_TRAITS[operation];
  if (!hasEnvelope || typeof request !== 'object' || request === null) return false;
  if (keyMember !== undefined && (request as Record<string, unknown>)[keyMember] == null) return false;
  return !nestsDeeperThan(request, MOST_ENVELOPED_LEVELS);
}

/** Whether parsed JSON has objects and arrays in more levels than these. */
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
