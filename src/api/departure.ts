/** Whether whoever waits for an answer is still there: the client of a request, or the process that asks for it. */
export interface Departure {
  /** Nobody waits for the answer any more. */
  readonly isGone: boolean;
  /** Calls `run` when it goes. Not if it has gone already. */
  whenGone(run: () => void): void;
  /** Takes that back. */
  forget(run: () => void): void;
}

/** Someone who is there until it is told to go. */
export class Departing implements Departure {
  #isGone = false;
  #told: (() => void)[] = [];

  get isGone(): boolean {
    return this.#isGone;
  }

  whenGone(run: () => void): void {
    if (!this.#isGone) this.#told.push(run);
  }

  forget(run: () => void): void {
    this.#told = this.#told.filter((each) => each !== run);
  }

  /** It goes. May be called more than once. */
  go(): void {
    this.#isGone = true;
    for (const run of this.#told.splice(0)) run();
  }
}
