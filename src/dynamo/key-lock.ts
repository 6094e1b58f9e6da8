import type { StoreKey } from '../env/store.ts';

/**
 * Runs the writes of one key one after the other in this coordinator, in the order they came. For speed only: two rounds
 * on one key would refuse each other's ballots. Safety never rests on it.
 */
export class KeyLock {
  readonly #keyQueueLength: number;
  readonly #queuedWrites: number;
  /** The keys in use, each with those that wait for it. */
  readonly #waiting = new Map<StoreKey, (() => void)[]>();
  #queued = 0;

  constructor(limits: { readonly keyQueueLength: number; readonly queuedWrites: number }) {
    this.#keyQueueLength = limits.keyQueueLength;
    this.#queuedWrites = limits.queuedWrites;
  }

  /**
   * Calls `start` once the key is free, at once if it is; whoever started must call `release`.
   * @returns false if the queue is full: `start` will not be called
   */
  acquire(key: StoreKey, start: () => void): boolean {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#waiting.set(key, []);
      start();
      return true;
    }
    if (waiting.length >= this.#keyQueueLength || this.#queued >= this.#queuedWrites) return false;
    this.#queued++;
    waiting.push(start);
    return true;
  }

  release(key: StoreKey): void {
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) {
      this.#waiting.delete(key);
      return;
    }
    this.#queued--;
    next();
  }
}
