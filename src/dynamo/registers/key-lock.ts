import type { StoreKey } from '../../env/store.ts';

/**
 * Runs the writes of one key one after the other in this coordinator, in the order they came. For speed only: two rounds
 * on one key would refuse each other's ballots. Safety never rests on it.
 */
export class KeyLock {
  readonly #keyQueueLength: number;
  readonly #queuedWrites: number;
  /** The keys in use, each with those that wait for it. */
  readonly #waiting = new Map<StoreKey, Queue>();
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
    const queue = this.#waiting.get(key);
    if (queue === undefined) {
      this.#waiting.set(key, { starts: [], isStarting: false, isFree: false });
      start();
      return true;
    }
    if (queue.starts.length >= this.#keyQueueLength || this.#queued >= this.#queuedWrites) return false;
    this.#queued++;
    queue.starts.push(start);
    return true;
  }

  release(key: StoreKey): void {
    const queue = this.#waiting.get(key);
    if (queue === undefined) return;
    queue.isFree = true;
    // Whoever is started may be out of time and release at once: a loop, or a thousand of them would nest.
    if (queue.isStarting) return;
    queue.isStarting = true;
    while (queue.isFree) {
      const next = queue.starts.shift();
      if (next === undefined) {
        this.#waiting.delete(key);
        return;
      }
      queue.isFree = false;
      this.#queued--;
      next();
    }
    queue.isStarting = false;
  }
}

/** Who waits for a key in use. */
interface Queue {
  readonly starts: (() => void)[];
  /** `release` is starting one of them right now. */
  isStarting: boolean;
  isFree: boolean;
}
