/** What has not moved for so long stands still. */
export const PATIENCE_MS = 1_000;

/** How fast bytes come in or go out. */
export class Progress {
  #movedMs: number;
  #windowMs: number;
  #windowBytes = 0;
  /** Bytes a second in the last window of at least `PATIENCE_MS`. */
  #rate = Number.POSITIVE_INFINITY;

  /** @param nowMs milliseconds since some moment in the past, as in the other calls */
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

  /** Bytes a second of late: 0 if it stands still, infinite if that is not known yet. */
  rate(nowMs: number): number {
    return nowMs - this.#movedMs >= PATIENCE_MS ? 0 : this.#rate;
  }
}
