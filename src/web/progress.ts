/** A transfer that has not moved for this long is stalled. */
export const PATIENCE_MS = 1_000;

/** Measures how fast bytes arrive or leave. */
export class Progress {
  #movedMs: number;
  #windowMs: number;
  #windowBytes = 0;
  /** Bytes a second in the last window of at least `PATIENCE_MS`. */
  #rate = Number.POSITIVE_INFINITY;

  /** @param nowMs milliseconds since some moment in the past, as in the other methods */
  constructor(nowMs: number) {
    this.#movedMs = nowMs;
    this.#windowMs = nowMs;
  }

  moved(bytes: number, nowMs: number): void {
    const windowMs = nowMs - this.#windowMs;
    if (windowMs >= PATIENCE_MS) {
      this.#rate = (this.#windowBytes / windowMs) * 1000;
      this.#windowMs = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    this.#movedMs = nowMs;
  }

  /** The current rate in bytes a second: 0 if stalled, infinite if it is not known yet. */
  rate(nowMs: number): number {
    return nowMs - this.#movedMs >= PATIENCE_MS ? 0 : this.#rate;
  }
}
