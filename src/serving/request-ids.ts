import { randomBytes } from 'node:crypto';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
/** Letters that the id of a disk takes: 48 bits, to the base of 36. */
const DISK_LETTERS = 10;
/** Letters of an id that are the same for all requests of a process. */
const PREFIX_LETTERS = 40;
const COUNT_LETTERS = 12;

/**
 * Makes ids in the service's form, 52 capital letters and digits: a random prefix of the process, then a count.
 *
 * @param diskId of a process of several: its prefix begins with it, so that any of them knows whom to ask about a request
 */
export function createRequestIds(diskId?: number): () => string {
  const disk = diskId === undefined ? '' : lettersOf(diskId, DISK_LETTERS);
  const random = Array.from(randomBytes(PREFIX_LETTERS - disk.length), (byte) => LETTERS[byte % LETTERS.length]);
  const prefix = disk + random.join('');
  let count = 0;
  return () => prefix + lettersOf(count++, COUNT_LETTERS);
}

/** The disk of the process that has served a request, if it was one of several. @returns NaN for what is no id of one */
export function diskOfRequest(requestId: string): number {
  const disk = requestId.slice(0, DISK_LETTERS);
  return /^[0-9A-Z]{10}$/.test(disk) ? Number.parseInt(disk, 36) : Number.NaN;
}

function lettersOf(value: number, length: number): string {
  return value.toString(36).toUpperCase().padStart(length, '0');
}
