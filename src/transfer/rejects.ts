import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { reasonOf, TransferError } from './failure.ts';

/**
 * The file of rejects: bad lines, unchanged and in order. Each is written at once, so that the length of the file at a
 * checkpoint covers exactly the bad lines before it.
 */
export class Rejects {
  readonly #path: string;
  readonly #file: number;
  /** In bytes. */
  length: number;

  /** @param length how much of an earlier run's file to keep; the lines behind it will be read again */
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
