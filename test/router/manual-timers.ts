import type { FaultTimers } from '../../src/router/fault-rules.ts';

/** Timers that run when a test says so. */
export class ManualTimers implements FaultTimers {
  nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  after(delayMs: number, run: () => void): unknown {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#timers.add(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.#timers.delete(timer as { atMs: number; run: () => void });
  }

  advance(ms: number): void {
    this.nowMs += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) if (this.#timers.delete(timer)) timer.run();
  }
}
