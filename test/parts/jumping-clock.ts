import { SystemClock } from '../../src/env/clock.ts';

/** The computer's clock, as a process sees it that is stopped now and then. */
export class JumpingClock extends SystemClock {
  #aheadMs = 0;

  /** Time has passed, and no timer has run meanwhile. */
  jump(ms: number): void {
    this.#aheadMs += ms;
  }

  override elapsedMs(): number {
    return super.elapsedMs() + this.#aheadMs;
  }
}
