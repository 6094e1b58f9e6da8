import { hash } from 'node:crypto';
import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';

/** Where a SELECT goes on. */
export interface Continuation {
  /** Which of the ranges of its plan. */
  readonly range: number;
  /** Behind this place. Undefined: from the beginning of the range. */
  readonly startKey: AttributeMap | undefined;
}

const DIGEST_BYTES = 16;

/**
 * A token is base64 of a digest of the statement and its parameters, and of the place in JSON.
 * @param parameters as they were normalised
 */
export function writeToken(
  statement: string,
  parameters: readonly AttributeValue[],
  { range, startKey }: Continuation,
): string {
  const place = Buffer.from(JSON.stringify([range, startKey ?? null]));
  return Buffer.concat([digestOf(statement, parameters), place]).toString('base64');
}

/**
 * The service takes a token only with the statement and the parameters that it was answered to: `NextToken does not match
 * request` (aws-sdk-js-v3 issue 4424).
 * @returns a place that need not exist: its key has not been checked
 * @throws ApiError (ValidationException)
 */
export function readToken(statement: string, parameters: readonly AttributeValue[], token: string): Continuation {
  const bytes = Buffer.from(token, 'base64');
  if (bytes.length <= DIGEST_BYTES || bytes.toString('base64') !== token) throw invalidToken();
  if (!bytes.subarray(0, DIGEST_BYTES).equals(digestOf(statement, parameters))) {
    throw ApiError.validation('NextToken does not match request');
  }
  const place = parsed(bytes.subarray(DIGEST_BYTES).toString());
  if (!Array.isArray(place) || place.length !== 2 || !Number.isInteger(place[0])) throw invalidToken();
  const [range, startKey] = place as [number, unknown];
  if (startKey === null) return { range, startKey: undefined };
  if (!isKey(startKey)) throw invalidToken();
  return { range, startKey };
}

function digestOf(statement: string, parameters: readonly AttributeValue[]): Buffer {
  const text = JSON.stringify([statement, parameters]);
  return hash('sha256', text, 'buffer').subarray(0, DIGEST_BYTES);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidToken();
  }
}

/** Keys have texts, numbers and binaries only. */
function isKey(value: unknown): value is AttributeMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((member) => {
      if (typeof member !== 'object' || member === null) return false;
      const entries = Object.entries(member);
      const [type, text] = entries[0] ?? [];
      return entries.length === 1 && (type === 'S' || type === 'N' || type === 'B') && typeof text === 'string';
    })
  );
}

function invalidToken(): ApiError {
  return ApiError.validation('Invalid NextToken');
}
