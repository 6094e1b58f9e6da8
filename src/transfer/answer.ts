import { crc32 } from 'node:zlib';

/** The outcome of one attempt at a request. */
export type Answer =
  | { readonly kind: 'answered'; readonly body: string }
  /** The endpoint refused the request: a retry would be refused as well. */
  | Refusal
  /**
   * A transient failure, worth a retry; the request may have been carried out. `code` is Node's, from a connection
   * error.
   */
  | { readonly kind: 'failed'; readonly problem: string; readonly code?: string };

export interface Refusal {
  readonly kind: 'refused';
  /** The exception's name, without its namespace. */
  readonly name: string;
  readonly message: string;
}

/**
 * Errors with status 400 that are transient, so that SDKs retry them too; all errors with status 500 and above are.
 * LimitExceededException is here for operations on tables, of which the service carries out only some at a time.
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
 * Classifies the answer of an endpoint.
 * @param checksum the header `x-amz-crc32`, if there is one
 */
export function answerOf(status: number, checksum: string | undefined, body: Buffer): Answer {
  if (checksum !== undefined && Number(checksum) !== crc32(body)) {
    return { kind: 'failed', problem: 'the answer was damaged on its way (its checksum differs)' };
  }
  if (status === 200) return { kind: 'answered', body: body.toString() };
  const { name, message } = errorIn(body);
  const problem = name === undefined ? `HTTP status ${status}` : textOf(name, message);
  // An operation that the server does not implement will not exist at the next attempt either.
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
