import { strict as assert } from 'node:assert';
import type { Clock, Timer } from '../../src/env/clock.ts';

interface Event {
  readonly atMs: number;
  /** Order of scheduling: breaks ties, so that a run has one order only. */
  readonly sequence: number;
  run: (() => void) | undefined;
}

/** The time of a simulation: jumps from one scheduled event to the next. Everything that happens, happens in `run`. */
export class VirtualTime {
  nowMs = 0;
  #sequence = 0;
  readonly #heap: Event[] = [];

  after(delayMs: number, run: () => void): Timer {
    assert(delayMs >= 0);
    const event: Event = { atMs: this.nowMs + delayMs, sequence: this.#sequence++, run };
    this.#push(event);
    return event;
  }

  cancel(timer: Timer): void {
    if (timer !== undefined) (timer as Event).run = undefined;
  }

  /** Runs events until none is left. @throws after `maxEvents`: something schedules itself for ever */
  run(maxEvents: number): void {
    for (let count = 0; this.#heap.length > 0; count++) {
      assert(count < maxEvents, `still running after ${maxEvents} events`);
      const { atMs, run } = this.#pop();
      this.nowMs = atMs;
      run?.();
    }
  }

  /** Runs what happens up to a time, or until `isDone` is true after an event. */
  runUntil(untilMs: number, isDone: () => boolean = () => false): void {
    while (!isDone()) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = untilMs;
        return;
      }
      this.#pop();
      this.nowMs = next.atMs;
      next.run?.();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** What virtual time 0 reads on a clock that is right. */
export const CLOCK_START_MS = 1_000_000;

/** The clock of one process: its wall clock is wrong by `skewMs`, and its timers die with the process. */
export class SimulatedClock implements Clock {
  skewMs: number;
  readonly #time: VirtualTime;
  #isRunning = true;

  constructor(time: VirtualTime, skewMs: number) {
    this.#time = time;
    this.skewMs = skewMs;
  }

  now(): number {
    return CLOCK_START_MS + this.#time.nowMs + this.skewMs;
  }

  elapsedMs(): number {
    return this.#time.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#time.after(delayMs, () => {
      if (this.#isRunning) run();
    });
  }

  cancel(timer: Timer): void {
    this.#time.cancel(timer);
  }

  /** The process is gone: no timer of it runs any more. */
  stop(): void {
    this.#isRunning = false;
  }
}
