import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/** Identifies what a transfer is about: label (as shown in errors) and value of each part. */
export type Identity = Readonly<Record<string, string>>;

interface Document<State> {
  readonly dynaring: 1;
  readonly of: Identity;
  readonly state: State;
}

/**
 * The progress file of a transfer, with which the same command resumes. It is replaced atomically, so that after a kill
 * it holds the last state or the one before.
 */
export class Checkpoint<State> {
  readonly path: string;
  readonly #of: Identity;
  readonly #world: World;
  /** Undefined when everything is saved. */
  #unsaved: (() => State) | undefined;
  #saving: Promise<void> = Promise.resolve();
  #stopTicking: () => void = () => {};
  /** Why the file cannot be written; the transfer continues without it then. */
  problem: string | undefined;

  constructor(path: string, of: Identity, world: World) {
    this.path = path;
    this.#of = of;
    this.#world = world;
  }

  /**
   * Reads the state that an earlier run has left.
   * @throws TransferError if the file belongs to another transfer
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

  /** Starts saving at intervals. */
  start(): void {
    this.#stopTicking = this.#world.every(LIMITS.checkpointMs, () => this.#save());
  }

  /** Notes new progress. @param stateOf makes the state when it is saved */
  changed(stateOf: () => State): void {
    this.#unsaved = stateOf;
  }

  /** Saves the latest state now. */
  async save(): Promise<void> {
    this.#save();
    await this.#saving;
  }

  /** Saves the latest state when a transfer ends before it is complete. */
  async flush(): Promise<void> {
    this.#stopTicking();
    await this.save();
  }

  /** Removes the file when the transfer is complete. */
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

/** The result for a finished table; undefined if it is not finished. A table may be called `constructor`. */
export function finishedOf<Done>(finished: Readonly<Record<string, Done>>, table: string): Done | undefined {
  return Object.hasOwn(finished, table) ? finished[table] : undefined;
}
