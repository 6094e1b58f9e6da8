import type { Clock } from '../../src/env/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A clock that a test moves by hand. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: Timer[] = [];
  readonly #startMs: number;

  constructor(startMs = 100_000_000) {
    this.#startMs = startMs;
  }

  get timers(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#startMs + this.#nowMs;
  }

  elapsedMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  /** How long until the next timer is due; undefined if there is none. */
  get nextInMs(): number | undefined {
    const next = this.#next;
    return next === undefined ? undefined : next.atMs - this.#nowMs;
  }

  /** Runs the next timer alone, at its time. */
  runNext(): void {
    const next = this.#next!;
    this.cancel(next);
    this.#nowMs = next.atMs;
    next.run();
  }

  /** Runs what is due within `byMs`, in its order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    while ((this.nextInMs ?? Number.POSITIVE_INFINITY) <= untilMs - this.#nowMs) this.runNext();
    this.#nowMs = untilMs;
  }

  get #next(): Timer | undefined {
    return this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
  }
}
