import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Random } from './random.ts';
import type { Store } from './store.ts';

/**
 * Everything in a node that is not a function of its inputs, but for its transport, which can only be made once the
 * node exists.
 */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
}
