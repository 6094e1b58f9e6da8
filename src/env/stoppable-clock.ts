import type { Clock, Timer } from './clock.ts';

/** The clock of a part that stops before its process ends: none of its timers runs after the stop. */
export class StoppableClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  readonly #perform: (run: () => void) => void;
  #isStopped = false;

  /** @param perform called with each timer's function, which it must call */
  constructor(clock: Clock, perform: (run: () => void) => void = (run) => run()) {
    this.#clock = clock;
    this.#perform = perform;
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

  /** @returns `undefined` if the clock has stopped */
  after(delayMs: number, run: () => void): Timer {
    if (this.#isStopped) return undefined;
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      this.#perform(run);
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
