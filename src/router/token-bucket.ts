/**
 * Capacity units that come at a steady rate and are kept for some seconds. Of what is taken, in any time t it gives at
 * most `rate * t` and the larger of what it can keep and the largest single amount.
 */
export class TokenBucket {
  readonly #keptS: number;
  #unitsPerS: number;
  /** Below zero: owed. */
  #units: number;
  #atMs: number;

  /** It begins with one second's worth. */
  constructor(unitsPerS: number, keptS: number, nowMs: number) {
    this.#unitsPerS = unitsPerS;
    this.#keptS = keptS;
    this.#units = unitsPerS;
    this.#atMs = nowMs;
  }

  /** From now on. */
  setRate(unitsPerS: number, nowMs: number): void {
    if (unitsPerS === this.#unitsPerS) return;
    this.#fill(nowMs);
    this.#unitsPerS = unitsPerS;
    this.#cap();
  }

  /** Whether so many can be taken now: they are there, or it is full and could never have more. */
  has(units: number, nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#units >= Math.min(units, this.#most);
  }

  /** Takes them even if they are not there: then they are owed. Below zero: gives them back. */
  take(units: number): void {
    this.#units -= units;
    this.#cap();
  }

  get #most(): number {
    return this.#unitsPerS * this.#keptS;
  }

  #fill(nowMs: number): void {
    this.#units += (Math.max(0, nowMs - this.#atMs) * this.#unitsPerS) / 1_000;
    this.#atMs = nowMs;
    this.#cap();
  }

  #cap(): void {
    this.#units = Math.min(this.#units, this.#most);
  }
}
