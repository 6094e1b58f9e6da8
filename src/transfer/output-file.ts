import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';

/** A point up to which a file is complete. */
export interface OutputPoint {
  /** The length on disk. */
  readonly bytes: number;
  /** The length of the uncompressed content, for the gzip trailer. */
  readonly contentBytes: number;
  readonly crc: number;
}

export type OutputCoding = 'plain' | 'gzip';

export interface OutputOptions {
  readonly coding: OutputCoding;
  /** The part of an earlier run's file to keep; the rest is cut off and written again. Default: nothing is kept. */
  readonly from?: OutputPoint;
}

export const NOTHING_WRITTEN: OutputPoint = { bytes: 0, contentBytes: 0, crc: 0 };

/** Deflate, no name, no time, an unknown system (RFC 1952). */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block (RFC 1951). */
const LAST_BLOCK = Buffer.from([3, 0]);

const deflated = promisify<Buffer, object, Buffer>(deflateRaw);

/**
 * A file that can be resumed at any of its points. In gzip, each part is deflated separately and ends at a byte
 * boundary. Together they are one stream, and any number of parts is a valid beginning of it.
 */
export class OutputFile {
  readonly path: string;
  readonly #coding: OutputCoding;
  readonly #file: FileHandle;
  #point: OutputPoint;

  private constructor(path: string, coding: OutputCoding, file: FileHandle, point: OutputPoint) {
    this.path = path;
    this.#coding = coding;
    this.#file = file;
    this.#point = point;
  }

  /** @throws TransferError */
  static async open(path: string, { coding, from: point = NOTHING_WRITTEN }: OutputOptions): Promise<OutputFile> {
    try {
      const file = await open(path, point.bytes > 0 ? 'r+' : 'w');
      if ((await file.stat()).size < point.bytes) {
        throw new TransferError(`${path}: it is shorter than it was; --restart begins anew`);
      }
      await file.truncate(point.bytes);
      const output = new OutputFile(path, coding, file, point);
      if (coding === 'gzip' && point.bytes === 0) await output.#append(GZIP_HEADER);
      return output;
    } catch (error) {
      if (error instanceof TransferError) throw error;
      if (point.bytes > 0) throw new TransferError(`${path}: ${reasonOf(error)}; --restart begins anew`);
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const problem = isMissing ? 'its folder is not there' : reasonOf(error);
      throw new TransferError(`--output ${path.replace(/\.part$/, '')}: ${problem}`);
    }
  }

  /** How far the file is written. */
  get point(): OutputPoint {
    return this.#point;
  }

  async write(text: string): Promise<void> {
    const content = Buffer.from(text);
    for (let at = 0; at < content.length; at += LIMITS.outputChunkBytes) {
      await this.#writePart(content.subarray(at, at + LIMITS.outputChunkBytes));
    }
  }

  /** Ends and closes the file. Nothing may be written afterwards. */
  async finish(): Promise<void> {
    if (this.#coding === 'gzip') {
      const trailer = Buffer.alloc(8);
      trailer.writeUInt32LE(this.#point.crc, 0);
      trailer.writeUInt32LE(this.#point.contentBytes % 2 ** 32, 4);
      await this.#append(Buffer.concat([LAST_BLOCK, trailer]));
    }
    await this.#file.datasync();
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #writePart(content: Buffer): Promise<void> {
    const stored = this.#coding === 'gzip' ? await deflated(content, { finishFlush: constants.Z_SYNC_FLUSH }) : content;
    await this.#append(stored);
    const { bytes, contentBytes, crc } = this.#point;
    this.#point = {
      bytes,
      contentBytes: contentBytes + content.length,
      crc: this.#coding === 'gzip' ? crc32(content, crc) : 0,
    };
  }

  async #append(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#point.bytes + at);
        at += bytesWritten;
      }
    } catch (error) {
      throw new TransferError(`${this.path}: ${reasonOf(error)}`);
    }
    this.#point = { ...this.#point, bytes: this.#point.bytes + bytes.length };
  }
}
