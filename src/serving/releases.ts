/** How to release what has been started, in reverse order. */
export class Releases {
  #steps: (() => Promise<void>)[] = [];

  add(step: () => void | Promise<void>): void {
    this.#steps.unshift(async () => step());
  }

  /** Runs every step, so that one that fails leaves nothing else behind; then throws what the first one threw. */
  async runAll(): Promise<void> {
    const failures: unknown[] = [];
    const steps = this.#steps;
    this.#steps = [];
    for (const step of steps) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
