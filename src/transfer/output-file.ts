import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';

/** How far a file is whole. */
export interface OutputPoint {
  /** On disk. */
  readonly bytes: number;
  /** Of the content, for the end of a gzip file. */
  readonly contentBytes: number;
  readonly crc: number;
}

export const NOTHING_WRITTEN: OutputPoint = { bytes: 0, contentBytes: 0, crc: 0 };

/** Deflate, no name, no time, an unknown system (RFC 1952). */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** A last block without content (RFC 1951). */
const LAST_BLOCK = Buffer.from([3, 0]);

const deflated = promisify<Buffer, object, Buffer>(deflateRaw);

/**
 * A file that can be gone on with at any point. In gzip, each part is deflated by itself and ends at a whole byte, so that
 * together they are one stream, of which any number of parts is a valid beginning.
 */
export class OutputFile {
  readonly path: string;
  readonly #isGzip: boolean;
  readonly #file: FileHandle;
  #point: OutputPoint;

  private constructor(path: string, isGzip: boolean, file: FileHandle, point: OutputPoint) {
    this.path = path;
    this.#isGzip = isGzip;
    this.#file = file;
    this.#point = point;
  }

  /**
   * @param point what is kept of an earlier run; what is beyond is written again
   * @throws TransferError
   */
  static async open(path: string, isGzip: boolean, point = NOTHING_WRITTEN): Promise<OutputFile> {
    try {
      const file = await open(path, point.bytes > 0 ? 'r+' : 'w');
      if ((await file.stat()).size < point.bytes) {
        throw new TransferError(`${path}: it is shorter than it was; --restart begins anew`);
      }
      await file.truncate(point.bytes);
      const output = new OutputFile(path, isGzip, file, point);
      if (isGzip && point.bytes === 0) await output.#append(GZIP_HEADER);
      return output;
    } catch (error) {
      if (error instanceof TransferError) throw error;
      if (point.bytes > 0) throw new TransferError(`${path}: ${reasonOf(error)}; --restart begins anew`);
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const problem = isMissing ? 'its folder is not there' : reasonOf(error);
      throw new TransferError(`--output ${path.replace(/\.part$/, '')}: ${problem}`);
    }
  }

  /** What is written so far. */
  get point(): OutputPoint {
    return this.#point;
  }

  async write(text: string): Promise<void> {
    const content = Buffer.from(text);
    for (let at = 0; at < content.length; at += LIMITS.outputChunkBytes) {
      await this.#writePart(content.subarray(at, at + LIMITS.outputChunkBytes));
    }
  }

  /** Nothing may be written after this. */
  async finish(): Promise<void> {
    if (this.#isGzip) {
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
    const stored = this.#isGzip ? await deflated(content, { finishFlush: constants.Z_SYNC_FLUSH }) : content;
    await this.#append(stored);
    const { bytes, contentBytes, crc } = this.#point;
    this.#point = {
      bytes,
      contentBytes: contentBytes + content.length,
      crc: this.#isGzip ? crc32(content, crc) : 0,
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
