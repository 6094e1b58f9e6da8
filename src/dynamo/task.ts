import { strict as assert } from 'node:assert';
import type { Departure } from '../api/departure.ts';
import type { Clock, Timer } from '../env/clock.ts';

/**
 * A computation that waits: a generator that yields what it waits for. Coordinators are written as tasks, not as async
 * functions, because a task takes no turn of the event loop and no microtask of its own: it runs whole within the event
 * that resumes it, so a simulation replays it exactly and without draining queues.
 *
 * A task is never resumed within the call that starts its wait. `wait` and `waitAtMost` see to that: a result that is
 * given within the call resumes the task in an event of its own.
 */
export type Task<T> = Generator<Start, T, never>;

/** Starts something and is told its result; calls `resume` once, never within the call. */
type Start = (resume: (value: never) => void) => void;

/** Waits for one result: `const error = yield* wait<Error | undefined>(clock, (resume) => store.flush(resume))`. */
export function* wait<T>(clock: Clock, start: (resume: (value: T) => void) => void): Task<T> {
  return (yield ((resume: (value: T) => void) => {
    let isStarting = true;
    start((value) => {
      if (isStarting) clock.after(0, () => resume(value));
      else resume(value);
    });
    isStarting = false;
  }) as Start) as T;
}

/** Waits for some time. */
export function* pause(clock: Clock, ms: number): Task<void> {
  yield ((resume: (value: undefined) => void) => clock.after(ms, () => resume(undefined))) as Start;
}

/** Runs tasks at the same time, and waits for all of them. @returns their results, in the order of the tasks */
export function* together<T>(clock: Clock, tasks: readonly Task<T>[]): Task<T[]> {
  if (tasks.length === 0) return [];
  return yield* wait<T[]>(clock, (resume) => {
    const results: T[] = [];
    let left = tasks.length;
    for (const [at, task] of tasks.entries()) {
      runTask(task, (result) => {
        results[at] = result;
        if (--left === 0) resume(results);
      });
    }
  });
}

/**
 * Runs a task as long as it is wanted. Afterwards nothing that it waits for reaches it.
 *
 * @returns undefined if it was ended
 */
export function* whileWanted<T>(task: Task<T>, isWanted: () => boolean): Task<T | undefined> {
  try {
    for (let step = task.next(undefined as never); ; ) {
      if (step.done === true) return step.value;
      const result: never = yield step.value;
      if (!isWanted()) return undefined;
      step = task.next(result);
    }
  } finally {
    // Runs its `finally` blocks, unless it has ended.
    task.return(undefined as never);
  }
}

/** A task that has its result. */
// biome-ignore lint/correctness/useYield: it waits for nothing.
export function* answered<T>(result: T): Task<T> {
  return result;
}

/**
 * Waits for one result, but not for ever: `start` is handed the wait, which ends with the first call of its `finish`,
 * or with the time-out. The time begins before `start` is called.
 * @returns the result; undefined after a time-out
 */
export function* waitAtMost<T>(clock: Clock, ms: number, start: (timed: TimedWait<T>) => void): Task<T | undefined> {
  return (yield ((resume: (value: T | undefined) => void) => {
    new TimedWait(clock, ms, resume).begin(start);
  }) as Start) as T | undefined;
}

/** A wait under way that ends with the first result, or after a time. */
export class TimedWait<T> {
  readonly #clock: Clock;
  readonly #resume: (value: T | undefined) => void;
  readonly #timer: Timer;
  #isStarting = true;
  #isOver = false;

  constructor(clock: Clock, ms: number, resume: (value: T | undefined) => void) {
    this.#clock = clock;
    this.#resume = resume;
    this.#timer = clock.after(ms, () => this.finish());
  }

  /** Whether the task has its result: whatever comes now is late. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resumes the task with a result. Does nothing if the wait is over. */
  finish(value?: T): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clock.cancel(this.#timer);
    if (this.#isStarting) this.#clock.after(0, () => this.#resume(value));
    else this.#resume(value);
  }

  /** Calls `start`, once. After an error of `start` the task is not resumed. */
  begin(start: (timed: TimedWait<T>) => void): void {
    try {
      start(this);
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#isStarting = false;
  }

  /** Ends it so that the task is never resumed, as when its node has stopped. */
  abandon(): void {
    this.#isOver = true;
    this.#clock.cancel(this.#timer);
  }
}

/**
 * Runs a task to its end. An error that it throws, or what it waits for throws when it is started, runs the `finally`
 * blocks of the task and is thrown on, to whoever has resumed it.
 * @param done gets the result, within this call if the task never waits; not called after an error
 * @param ended called before `done`, and also after an error: gives back what was taken for the task
 */
export function runTask<T>(task: Task<T>, done: (value: T) => void, ended?: () => void): void {
  drive(task, done as (value: T | undefined) => void, ended, undefined);
}

/**
 * Runs a task for as long as somebody waits for its result; afterwards nothing that it waits for reaches it.
 * @param done as for `runTask`; gets undefined, at the next step of the task, if it was given up
 */
export function runUntilGone<T>(task: Task<T>, departure: Departure, done: (value: T | undefined) => void): void {
  drive(task, done, undefined, departure);
}

function drive<T>(
  task: Task<T>,
  done: (value: T | undefined) => void,
  ended: (() => void) | undefined,
  departure: Departure | undefined,
): void {
  let isWaiting = true;
  const step = (value: never): void => {
    if (!isWaiting) assert.fail('a task is resumed once for each wait, and not within the call that starts the wait');
    isWaiting = false;
    let next: IteratorResult<Start, T | undefined>;
    try {
      // The latter runs its `finally` blocks.
      next = departure?.isGone !== true ? task.next(value) : task.return(undefined as never);
      if (next.done !== true) {
        next.value(step);
        isWaiting = true;
        return;
      }
    } catch (error) {
      task.return(undefined as never);
      ended?.();
      throw error;
    }
    try {
      ended?.();
    } finally {
      done(next.value);
    }
  };
  step(undefined as never);
}
