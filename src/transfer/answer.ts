import { crc32 } from 'node:zlib';

/** What came of one attempt at a request. */
export type Answer =
  | { readonly kind: 'answered'; readonly body: string }
  /** The endpoint refused: another attempt would be refused as well. */
  | Refusal
  /** Nothing may have happened, or only now nothing can: worth another attempt. `code` is Node's, of a connection's error. */
  | { readonly kind: 'failed'; readonly problem: string; readonly code?: string };

export interface Refusal {
  readonly kind: 'refused';
  /** The exception's name, without its namespace. */
  readonly name: string;
  readonly message: string;
}

/**
 * Errors with status 400 that pass, so that the SDKs, too, try again; all with status 500 and above do.
 * LimitExceededException is here for operations on tables, of which the service does only some at a time.
 */
const PASSING = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'ThrottledException',
  'RequestLimitExceeded',
  'LimitExceededException',
  'RequestTimeoutException',
  'TransactionConflictException',
  'TransactionInProgressException',
]);

/**
 * Sorts what an endpoint answered.
 * @param checksum the header `x-amz-crc32`, if there is one
 */
export function answerOf(status: number, checksum: string | undefined, body: Buffer): Answer {
  if (checksum !== undefined && Number(checksum) !== crc32(body)) {
    return { kind: 'failed', problem: 'the answer was damaged on its way (its checksum differs)' };
  }
  if (status === 200) return { kind: 'answered', body: body.toString() };
  const { name, message } = errorIn(body);
  const problem = name === undefined ? `HTTP status ${status}` : textOf(name, message);
  // An operation that an emulator does not have will not be there in a moment either.
  if (status === 501 && name !== undefined) return { kind: 'refused', name, message };
  if (status >= 500 || status === 429 || status === 408 || PASSING.has(name ?? '')) return { kind: 'failed', problem };
  return name === undefined
    ? { kind: 'refused', name: `HTTP status ${status}`, message: 'this seems to be no DynamoDB endpoint' }
    : { kind: 'refused', name, message };
}

export function textOf(name: string, message: string): string {
  return oneLine(message === '' ? name : `${name}: ${message}`);
}

function errorIn(body: Buffer): { readonly name?: string; readonly message: string } {
  try {
    const { __type: type, message, Message } = JSON.parse(body.toString());
    if (typeof type !== 'string') return { message: '' };
    return { name: type.slice(type.lastIndexOf('#') + 1), message: String(message ?? Message ?? '') };
  } catch {
    return { message: '' };
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
