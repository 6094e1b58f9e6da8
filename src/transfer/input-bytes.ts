import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { reasonOf, TransferError } from './failure.ts';

const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * Reads a file from `start` on. Gzip is recognised by its first bytes, whatever the file's name, and decompressed.
 * @param start in bytes of the decompressed content
 * @param onRead called with the number of bytes read, as they are on disk
 * @throws TransferError while it is read
 */
export async function* fileContent(
  path: string,
  start: number,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const isGzip = await beginsAsGzip(path);
  if (!isGzip) onRead(start);
  const raw = counted(createReadStream(path, { start: isGzip ? 0 : start }), onRead);
  yield* withFileName(path, isGzip ? after(start, inflated(raw)) : raw);
}

/** Reads standard input, which can be read only from its beginning. */
export async function* streamContent(
  stream: Readable,
  name: string,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const chunks = counted(stream, onRead);
  const head: Buffer[] = [];
  while (Buffer.concat(head).length < GZIP_MAGIC.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    head.push(value);
  }
  const whole = (async function* () {
    yield* head;
    yield* chunks;
  })();
  yield* withFileName(name, isGzip(Buffer.concat(head)) ? inflated(whole) : whole);
}

async function beginsAsGzip(path: string): Promise<boolean> {
  const file = await open(path).catch((error) => {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  });
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0);
    return isGzip(buffer.subarray(0, bytesRead));
  } catch (error) {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  } finally {
    await file.close();
  }
}

function isGzip(head: Buffer): boolean {
  return GZIP_MAGIC.every((byte, at) => head[at] === byte);
}

async function* counted(chunks: AsyncIterable<Buffer>, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onRead(chunk.length);
    yield chunk;
  }
}

function inflated(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  // The iteration throws the error, if there is one.
  return pipeline(Readable.from(chunks), createGunzip({ chunkSize: 256 * 1024 }), () => {});
}

async function* after(start: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let toSkip = start;
  for await (const chunk of chunks) {
    if (toSkip < chunk.length) yield toSkip === 0 ? chunk : chunk.subarray(toSkip);
    toSkip = Math.max(0, toSkip - chunk.length);
  }
}

async function* withFileName(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_')) throw new TransferError(`${name}: it is no whole gzip file (${message})`);
    throw 'syscall' in (error as Error) ? new TransferError(`${name}: ${reasonOf(error)}`) : error;
  }
}
