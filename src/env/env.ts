import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Random } from './random.ts';
import type { Store } from './store.ts';

/** Everything of a node that is not a function of its inputs. Its transport is apart: it needs the node to exist. */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
}
