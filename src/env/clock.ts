/** A timer that `Clock.after` started; `undefined` is never one. */
export type Timer = unknown;

/**
 * Time as one node sees it. Real nodes use `SystemClock`; a simulation gives each node a skewed view of virtual time.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970; may be wrong and may step. */
  now(): number;
  /** Milliseconds since some moment in the past; never steps. For deadlines. */
  elapsedMs(): number;
  /** Calls `run` once after `delayMs`. Never early, never within the call. */
  after(delayMs: number, run: () => void): Timer;
  /** Does nothing for a timer that has run, or for `undefined`. */
  cancel(timer: Timer): void;
}

/** The computer's own clock and timers. A timer that is not cancelled keeps the process alive until it has run. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  elapsedMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    return setTimeout(run, delayMs);
  }

  cancel(timer: Timer): void {
    clearTimeout(timer as NodeJS.Timeout);
  }
}
