import { isWithin } from '../env/peer-record.ts';
import { isPeerNodeId } from './node-name.ts';

/** The most characters of a text that no other limit holds for. */
const MOST_TEXT = 1_000;

/** The members of a document that is read. */
export type Fields = Readonly<Record<string, unknown>>;

/** A document between peers has a member that does not fit, or lacks one. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
  /** Whether a newer release may have sent it. */
  readonly isUnknownKind: boolean;

  constructor(what: string, isUnknownKind = false) {
    super(`not a message between peers: ${what}`);
    this.isUnknownKind = isUnknownKind;
  }
}

/** @throws UnreadableError */
export function nodeId(value: unknown): string {
  if (typeof value !== 'string' || !isPeerNodeId(value)) throw new UnreadableError('node');
  return value;
}

/** @throws UnreadableError if it is longer than `most` */
export function text(value: unknown, most = MOST_TEXT): string {
  if (typeof value !== 'string' || value.length > most) throw new UnreadableError('text');
  return value;
}

/** A number from 0, without a fraction. @throws UnreadableError */
export function count(value: unknown): number {
  if (!isWithin(value, 0, Number.MAX_SAFE_INTEGER)) throw new UnreadableError('count');
  return value;
}

/** @param read reads each @throws UnreadableError if there are more than `most` */
export function list<T>(value: unknown, most: number, read: (each: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > most) throw new UnreadableError('list');
  return value.map((each) => read(each));
}

/** What may be left out. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

/** @param what the name of what is missing @throws UnreadableError */
export function needed<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new UnreadableError(what);
  return value;
}
