import type { StoreKey } from '../../env/store.ts';
import { runTask, type Task } from '../task.ts';

/**
 * Runs the writes of one key one after the other in this coordinator, in the order they came. For speed only: two
 * rounds on one key would refuse each other's ballots. Safety never rests on it.
 */
export class KeyLock {
  readonly #keyQueueLength: number;
  readonly #queuedWrites: number;
  /** The keys in use. */
  readonly #queues = new Map<StoreKey, Queue>();
  #queued = 0;

  constructor(limits: { readonly keyQueueLength: number; readonly queuedWrites: number }) {
    this.#keyQueueLength = limits.keyQueueLength;
    this.#queuedWrites = limits.queuedWrites;
  }

  /**
   * Runs a task once the key is free, at once if it is. The key is free again when the task ends, also by an error, and
   * before `done` is called.
   * @param begin makes the task, a generator that has not begun; it is told whether the task had to wait for the key
   * @returns false if the queue is full: nothing is called
   */
  run<T>(key: StoreKey, begin: (hasWaited: boolean) => Task<T>, done: (value: T) => void): boolean {
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      this.#queues.set(key, { starts: [], isStarting: false, isFree: false });
      runTask(begin(false), done, () => this.#release(key));
      return true;
    }
    if (queue.starts.length >= this.#keyQueueLength || this.#queued >= this.#queuedWrites) return false;
    this.#queued++;
    queue.starts.push(() => runTask(begin(true), done, () => this.#release(key)));
    return true;
  }

  #release(key: StoreKey): void {
    const queue = this.#queues.get(key)!;
    queue.isFree = true;
    // A task that is started may end at once: a loop, or a thousand of them would nest.
    if (queue.isStarting) return;
    queue.isStarting = true;
    let failure: { readonly error: unknown } | undefined;
    while (queue.isFree) {
      const next = queue.starts.shift();
      if (next === undefined) {
        this.#queues.delete(key);
        break;
      }
      queue.isFree = false;
      this.#queued--;
      try {
        next();
      } catch (error) {
        // The writes behind it must not wait for ever.
        failure ??= { error };
      }
    }
    queue.isStarting = false;
    if (failure !== undefined) throw failure.error;
  }
}

/** What waits for a key in use. */
interface Queue {
  readonly starts: (() => void)[];
  /** `#release` is starting one of them right now. */
  isStarting: boolean;
  /** No task holds the key. */
  isFree: boolean;
}
