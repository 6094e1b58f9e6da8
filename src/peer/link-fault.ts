import { RingError } from '../dynamo/ring-error.ts';
import type { LinkFault } from '../env/transport.ts';

/** Messages on a slow link are kept in memory. A minute is longer than anything that waits for one. */
const MAX_DELAY_MS = 60_000;

/** @throws RingError that begins with the name of the field, if there is no such fault */
export function checkLinkFault({ delayMs = 0, dropRate = 0 }: LinkFault): void {
  // Written so that NaN fails too.
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
    throw new RingError(`delayMs must be from 0 to ${MAX_DELAY_MS}, not ${delayMs}`, 'delayMs');
  }
  if (!(dropRate >= 0 && dropRate <= 1)) {
    throw new RingError(`dropRate must be from 0 to 1, not ${dropRate}`, 'dropRate');
  }
}
