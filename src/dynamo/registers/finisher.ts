import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, consistencyOf, sameBallot } from '../ballot.ts';
import type { Consistency } from '../client.ts';
import type { NodeLimits } from '../node-settings.ts';

/** Identity rounds run at a time. */
const BATCH = 64;
/** Records looked at in the background, those that no majority can be had for among them. */
const LOOK = 1_024;

/**
 * Settles what this replica accepted and never learned the outcome of (docs/protocol.md section 3.8): whoever
 * coordinated it may be gone. An identity round chooses each such record, or what came after it, and tells all.
 */
export class Finisher {
  readonly #parts: FinisherParts;
  /** What the last look found. Whatever is still there at the next has no coordinator that is about to settle it. */
  #seen = new Map<StoreKey, Ballot>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: FinisherParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, limits } = this.#parts;
    this.#timer = clock.after(limits.finishIntervalMs, () => this.#look());
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Tries all that is unsettled now, and then calls `done`; what no majority could be had for stays. */
  settleAll(done: () => void): void {
    const settleAfter = (last: StoreKey) => {
      const found = this.#isStopped ? [] : this.#parts.acceptedKeys(last, BATCH);
      if (found.length === 0) return done();
      this.#finishAll(found, () => settleAfter(found.at(-1)!.key));
    };
    settleAfter('');
  }

  #look(): void {
    const found = this.#parts.acceptedKeys('', LOOK);
    const stale = found.filter(({ key, ballot }) => {
      const seen = this.#seen.get(key);
      return seen !== undefined && sameBallot(seen, ballot);
    });
    this.#seen = new Map(found.map(({ key, ballot }) => [key, ballot]));
    const finishFrom = (first: number) => {
      const batch = stale.slice(first, first + BATCH);
      if (batch.length > 0) this.#finishAll(batch, () => finishFrom(first + BATCH));
      else if (!this.#isStopped) this.start();
    };
    finishFrom(0);
  }

  #finishAll(accepted: readonly Accepted[], done: () => void): void {
    let running = accepted.length;
    if (running === 0) return done();
    for (const { key, ballot } of accepted) {
      this.#parts.finish(key, consistencyOf(ballot), () => {
        if (--running === 0) done();
      });
    }
  }
}

interface Accepted {
  readonly key: StoreKey;
  readonly ballot: Ballot;
}

interface FinisherParts {
  /**
   * Keys after `after`, at most `limit`, whose newest record was accepted and is not known to be committed. Without those
   * that are held back: to settle them would end their lag.
   */
  readonly acceptedKeys: (after: StoreKey, limit: number) => readonly Accepted[];
  /** Runs an identity round on a key of a table of that mode; calls `done` however it ended. */
  readonly finish: (key: StoreKey, mode: Consistency, done: () => void) => void;
  readonly clock: Clock;
  readonly limits: NodeLimits;
}
