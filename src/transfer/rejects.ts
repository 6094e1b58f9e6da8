import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { reasonOf, TransferError } from './failure.ts';

/**
 * The file that bad lines are kept in, as they are, in their order. Written at once, so that its length at a checkpoint is
 * that of the lines before it.
 */
export class Rejects {
  readonly #path: string;
  readonly #file: number;
  /** In bytes. */
  length: number;

  /** @param length of what an earlier run has kept; what is beyond is read again */
  constructor(path: string, length: number) {
    this.#path = path;
    this.length = length;
    try {
      this.#file = openSync(path, length > 0 ? 'r+' : 'w');
      ftruncateSync(this.#file, length);
    } catch (error) {
      throw new TransferError(`--rejects ${path}: ${reasonOf(error)}`);
    }
  }

  add(raw: string | Buffer): void {
    const line = Buffer.concat([Buffer.from(raw as string), Buffer.from('\n')]);
    try {
      writeSync(this.#file, line, 0, line.length, this.length);
    } catch (error) {
      throw new TransferError(`--rejects ${this.#path}: ${reasonOf(error)}`);
    }
    this.length += line.length;
  }

  close(): void {
    closeSync(this.#file);
  }
}
