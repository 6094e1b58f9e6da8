import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/** What a transfer is of: for each part its label, as errors call it, and its value. */
export type Identity = Readonly<Record<string, string>>;

interface Document<State> {
  readonly dynaring: 1;
  readonly of: Identity;
  readonly state: State;
}

/**
 * The file that says how far a transfer has come, so that the same command goes on there. It is replaced as a whole, so
 * that a kill leaves the last one or the one before.
 */
export class Checkpoint<State> {
  readonly path: string;
  readonly #of: Identity;
  readonly #world: World;
  /** Undefined once all is written down. */
  #unsaved: (() => State) | undefined;
  #saving: Promise<void> = Promise.resolve();
  #stopTicking: () => void = () => {};
  /** Why it cannot be written; then the transfer goes on without. */
  problem: string | undefined;

  constructor(path: string, of: Identity, world: World) {
    this.path = path;
    this.#of = of;
    this.#world = world;
  }

  /**
   * What an earlier run has left.
   * @throws TransferError if it was of something else
   */
  async read(): Promise<State | undefined> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new TransferError(`${this.path}: ${reasonOf(error)}`);
    });
    if (text === undefined) return undefined;
    let document: Document<State>;
    try {
      document = JSON.parse(text);
    } catch {
      throw this.#foreign('is damaged');
    }
    if (document?.dynaring !== 1) throw this.#foreign('is of another version');
    for (const label of new Set([...Object.keys(this.#of), ...Object.keys(document.of)])) {
      const [was, is] = [document.of[label], this.#of[label]];
      if (was === is) continue;
      const change = label === 'the input' ? `${label} has changed since` : `${label} was ${was}, now ${is}`;
      throw this.#foreign(`is of another transfer: ${change}`);
    }
    return document.state;
  }

  /** Begins to write it down every now and then. */
  start(): void {
    this.#stopTicking = this.#world.every(LIMITS.checkpointMs, () => this.#save());
  }

  /** Something was done. @param stateOf is called when it is written down */
  changed(stateOf: () => State): void {
    this.#unsaved = stateOf;
  }

  /** Writes down what was done last. */
  async save(): Promise<void> {
    this.#save();
    await this.#saving;
  }

  /** The same, of a transfer that ends before it is complete. */
  async flush(): Promise<void> {
    this.#stopTicking();
    await this.save();
  }

  /** The transfer is complete. */
  async remove(): Promise<void> {
    this.#stopTicking();
    this.#unsaved = undefined;
    await this.#saving;
    await rm(this.path, { force: true });
  }

  #save(): void {
    const stateOf = this.#unsaved;
    if (stateOf === undefined) return;
    this.#unsaved = undefined;
    const document: Document<State> = { dynaring: 1, of: this.#of, state: stateOf() };
    const temporary = `${this.path}.new`;
    this.#saving = this.#saving
      .then(() => writeFile(temporary, JSON.stringify(document)))
      .then(() => rename(temporary, this.path))
      .catch((error) => {
        this.problem ??= `${this.path}: ${reasonOf(error)}`;
      });
  }

  #foreign(problem: string): TransferError {
    return new TransferError(`${this.path} ${problem}; --restart begins anew`);
  }
}

/** The message for a user who interrupted a transfer. @param restart whether it was begun with `--restart` */
export function howToGoOn({ path }: Checkpoint<unknown>, { restart }: { readonly restart: boolean }): string {
  return `ended; the same command${restart ? ' without --restart' : ''} goes on from here (${path})`;
}

/** What is known of a finished table; undefined if it is not finished. A table may be called `constructor`. */
export function finishedOf<Done>(finished: Readonly<Record<string, Done>>, table: string): Done | undefined {
  return Object.hasOwn(finished, table) ? finished[table] : undefined;
}
