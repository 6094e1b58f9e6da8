import type { Clock } from '../env/clock.ts';
import { type Ballot, TICKS_PER_MS } from './ballot.ts';

/** Issues the ballots of one coordinator: a hybrid logical clock that is above every ballot it has seen or issued. */
export class BallotClock {
  readonly #clock: Clock;
  readonly #coordinator: number;
  readonly #boot: number;
  #lastHlc: number;

  /**
   * @param boot counted durably before the first ballot
   * @param ceilingHlc what this node's own replica refuses to promise, to save a first refusal after each start
   */
  constructor(clock: Clock, coordinator: number, boot: number, ceilingHlc: number) {
    this.#clock = clock;
    this.#coordinator = coordinator;
    this.#boot = boot;
    this.#lastHlc = ceilingHlc;
  }

  next(): Ballot {
    this.#lastHlc = Math.max(this.#lastHlc + 1, Math.floor(this.#clock.now() * TICKS_PER_MS));
    return { hlc: this.#lastHlc, coordinator: this.#coordinator, boot: this.#boot };
  }

  /**
   * The same for the ballot of a record that came here, unless it is further ahead of this clock than `aheadMs`. A put that
   * reads nothing is then above those this node has taken before, also of a coordinator that begins at its ceiling.
   */
  follow(ballot: Ballot, aheadMs: number): void {
    if (ballot.hlc <= (this.#clock.now() + aheadMs) * TICKS_PER_MS) this.observe(ballot);
  }

  /** The next ballots will be above this one. */
  observe(ballot: Ballot): void {
    this.#lastHlc = Math.max(this.#lastHlc, ballot.hlc);
  }
}
