import type { Clock, Timer } from '../../env/clock.ts';

/** What is worked on at a time. */
const BATCH = 64;

/** Calls `done` when it has ended, whatever the outcome. */
type Work<Item> = (item: Item, done: () => void) => void;

interface RepeatedPassParts<Item> {
  readonly clock: Clock;
  /** The pause before each pass. */
  readonly intervalMs: number;
  /** What there is to be done in one pass: a bounded number. */
  readonly find: () => readonly Item[];
  readonly work: Work<Item>;
}

/** Work that a node looks for in passes, each a pause after the one before has ended; `BATCH` at a time. */
export class RepeatedPass<Item> {
  readonly #parts: RepeatedPassParts<Item>;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: RepeatedPassParts<Item>) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, intervalMs } = this.#parts;
    this.#timer = clock.after(intervalMs, () => this.#pass());
  }

  /** What is under way goes on; nothing further begins. */
  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Works on all there is now, page by page, then calls `done`; at the stop, too.
   * @param page what comes behind the last one of the page before, which is undefined at first; nothing at the end
   */
  workThrough(
    page: (last: Item | undefined, limit: number) => readonly Item[],
    work: Work<Item>,
    done: () => void,
  ): void {
    const workAfter = (last: Item | undefined) => {
      const items = this.#isStopped ? [] : page(last, BATCH);
      if (items.length === 0) return done();
      let running = items.length;
      for (const item of items) {
        work(item, () => {
          if (--running === 0) workAfter(items.at(-1));
        });
      }
    };
    workAfter(undefined);
  }

  #pass(): void {
    const { find, work } = this.#parts;
    const found = find();
    let next = 0;
    const page = (_last: Item | undefined, limit: number) => {
      const first = next;
      next += limit;
      return found.slice(first, next);
    };
    this.workThrough(page, work, () => {
      if (!this.#isStopped) this.start();
    });
  }
}
