import { RingError } from '../dynamo/epochs/rebalancer.ts';
import type { LinkFault } from '../env/faulty-network.ts';

/** Messages on a slow link are in memory; a minute is beyond all that waits for one. */
const MAX_DELAY_MS = 60_000;

/** Makes sure that there is such a fault. @throws RingError */
export function checkFault({ delayMs = 0, dropRate = 0 }: LinkFault): void {
  // Not as `delayMs < 0`, which NaN is not.
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
    throw new RingError(`delayMs must be from 0 to ${MAX_DELAY_MS}, not ${delayMs}`);
  }
  if (!(dropRate >= 0 && dropRate <= 1)) throw new RingError(`dropRate must be from 0 to 1, not ${dropRate}`);
}
