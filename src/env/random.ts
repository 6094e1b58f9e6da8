/** The source of all randomness, so that a simulation can replay it from a seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** Random numbers without a seed. Not for secrets. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
}

/** The same numbers for the same seed, on every machine: mulberry32 (Tommy Ettinger, public domain). */
export class SeededRandom implements Random {
  #state: number;

  /** `seed`: a whole number; its lowest 32 bits count. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** A whole number, uniform in [0, limit). `limit` is at least 1 and at most 2^32. */
export function randomBelow(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}
