import type { Clock, Timer } from './clock.ts';

/** The clock of something that ends before its process does: none of its timers runs after that. */
export class StoppableClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  now(): number {
    return this.#clock.now();
  }

  elapsedMs(): number {
    return this.#clock.elapsedMs();
  }

  /** @returns `undefined` if it has stopped */
  after(delayMs: number, run: () => void): Timer {
    if (this.#isStopped) return undefined;
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  cancel(timer: Timer): void {
    this.#timers.delete(timer);
    this.#clock.cancel(timer);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) this.#clock.cancel(timer);
    this.#timers.clear();
  }
}
