import type { Clock, Timer } from '../env/clock.ts';

/** Writes what changes down a while later, one writing at a time: a disk may take longer than the pause between two. */
export class Notebook {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  readonly #write: () => Promise<void>;
  /** Defined from a change until it is written down. */
  #noting: Timer;
  #hasNews = false;
  #isClosed = false;

  /** @param write writes down all that there is then */
  constructor(clock: Clock, pauseMs: number, write: () => Promise<void>) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#write = write;
  }

  /** Something has changed. */
  noteSoon(): void {
    this.#hasNews = true;
    if (this.#noting !== undefined || this.#isClosed) return;
    this.#noting = this.#clock.after(this.#pauseMs, async () => {
      this.#hasNews = false;
      await this.#write();
      this.#noting = undefined;
      if (this.#hasNews) this.noteSoon();
    });
  }

  /** Writes a last time. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#clock.cancel(this.#noting);
    await this.#write();
  }
}
