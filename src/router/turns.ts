/** Pieces of work of one name take turns; those of different names do not wait for one another. */
export class Turns {
  /** The last piece of work of each name that has some. At most one per request in flight, which tier 1 limits. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all earlier work of this name has ended, however it ended. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(work, work);
    this.#last.set(name, turn);
    const leave = () => {
      if (this.#last.get(name) === turn) this.#last.delete(name);
    };
    turn.then(leave, leave);
    return turn;
  }
}
