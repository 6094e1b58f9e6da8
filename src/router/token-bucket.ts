/**
 * Capacity units that arrive at a steady rate and are kept for some seconds. In any time t, it gives at most `rate * t`
 * plus the larger of its capacity and the largest single amount.
 */
export class TokenBucket {
  readonly #keptS: number;
  #unitsPerS: number;
  /** So many share the rate. */
  #sharers: number;
  /** Of this one. */
  #rate: number;
  /** Negative: units are owed. */
  #units: number;
  #atMs: number;

  /** The bucket starts with its part of the units of one second. @param sharers as in `share` */
  constructor(unitsPerS: number, keptS: number, nowMs: number, sharers = 1) {
    this.#unitsPerS = unitsPerS;
    this.#sharers = sharers;
    this.#rate = unitsPerS / sharers;
    this.#keptS = keptS;
    this.#units = this.#rate;
    this.#atMs = nowMs;
  }

  /** Sets the rate from now on. */
  setRate(unitsPerS: number, nowMs: number): void {
    if (unitsPerS === this.#unitsPerS) return;
    this.#fill(nowMs);
    this.#unitsPerS = unitsPerS;
    this.#rate = unitsPerS / this.#sharers;
    this.#cap();
  }

  /** From now on so many have an equal part of the rate, and of what is kept of it; this bucket is one of them. */
  share(sharers: number, nowMs: number): void {
    if (sharers === this.#sharers) return;
    this.#fill(nowMs);
    this.#sharers = sharers;
    this.#rate = this.#unitsPerS / sharers;
    this.#cap();
  }

  /** Whether so many units can be taken now: they are available, or the bucket is full and could never have more. */
  has(units: number, nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#units >= Math.min(units, this.#most);
  }

  /** Takes units even if they are not available: they are owed then. A negative number gives units back. */
  take(units: number): void {
    this.#units -= units;
    this.#cap();
  }

  get #most(): number {
    return this.#rate * this.#keptS;
  }

  #fill(nowMs: number): void {
    this.#units += (Math.max(0, nowMs - this.#atMs) * this.#rate) / 1_000;
    this.#atMs = nowMs;
    this.#cap();
  }

  #cap(): void {
    this.#units = Math.min(this.#units, this.#most);
  }
}
