import type { FaultTimers } from './fault-rules.ts';

/** Requests that wait because of a latency rule. Their number is limited by the requests that tier 1 has under way. */
export class FaultDelays {
  readonly #timers: FaultTimers;
  readonly #waiting = new Map<() => void, unknown>();
  #isStopped = false;

  constructor(timers: FaultTimers) {
    this.#timers = timers;
  }

  /** @returns false if the server is stopping: the request must not be carried out then */
  wait(delayMs: number): Promise<boolean> {
    if (this.#isStopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const giveUp = () => resolve(false);
      const timer = this.#timers.after(delayMs, () => {
        this.#waiting.delete(giveUp);
        resolve(true);
      });
      this.#waiting.set(giveUp, timer);
    });
  }

  /** Ends all waits, present and future ones. */
  stop(): void {
    this.#isStopped = true;
    for (const [giveUp, timer] of this.#waiting) {
      this.#timers.cancel(timer);
      giveUp();
    }
    this.#waiting.clear();
  }
}
