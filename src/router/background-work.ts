/** Waits before something is tried again. @returns false if the server is stopping */
type Wait = (ms: number) => Promise<boolean>;

interface Job {
  /** Undefined only within the call that begins it. */
  ended: Promise<void> | undefined;
  /** It was begun again since it was looked at. */
  isWantedAgain: boolean;
}

/** Pauses before what has failed is tried again, in ms: at first, and at most. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Jobs that run at a time; the others wait. */
const AT_ONCE = 4;

/** Work in the background, one job for each label, that is tried until it is done. */
export class BackgroundWork {
  readonly #wait: Wait | undefined;
  readonly #jobs = new Map<string, Job>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isStopped = false;

  /** @param wait undefined: nothing is tried again */
  constructor(wait: Wait | undefined) {
    this.#wait = wait;
  }

  /** Whether nothing is to be begun, and nothing goes on. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /**
   * Begins a job, or has the one with this label look again.
   * @param step does the next part. @returns whether nothing is left to do
   */
  begin(label: string, step: () => Promise<boolean>): void {
    const known = this.#jobs.get(label);
    if (known !== undefined) known.isWantedAgain = true;
    if (this.#isStopped || known !== undefined) return;
    const job: Job = { ended: undefined, isWantedAgain: false };
    this.#jobs.set(label, job);
    job.ended = this.#inTurn(() => this.#run(label, job, step));
  }

  /** Resolves when the job is done, or after `ms`. */
  async settled(label: string, ms: number): Promise<void> {
    const job = this.#jobs.get(label);
    if (job === undefined) return;
    await Promise.race([job.ended, ...(this.#wait === undefined ? [] : [this.#wait(ms)])]);
  }

  /** Ends what is under way at its next step. */
  stop(): void {
    this.#isStopped = true;
  }

  async #run(label: string, job: Job, step: () => Promise<boolean>): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isStopped) {
      try {
        job.isWantedAgain = false;
        const isDone = await step();
        pauseMs = FIRST_PAUSE_MS;
        if (isDone && !job.isWantedAgain) break;
      } catch {
        // Too few nodes are up, or the disk is full: whatever it is, it passes.
        if (!(await this.#wait?.(pauseMs))) break;
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
    // In the same turn as the last look at it: what changes from now on begins anew.
    this.#jobs.delete(label);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
