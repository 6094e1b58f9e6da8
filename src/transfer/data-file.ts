import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';

/** A file with items. */
export interface DataFile {
  readonly path: string;
  readonly bytes: number;
  /** The counts and checksum in a manifest. */
  readonly expected?: { readonly items: number; readonly md5?: string };
}

const DATA_NAMES = /\.(json|jsonl|ndjson|csv|gz)$/;

/** @throws TransferError if it is no file */
export async function dataFile(path: string, expected?: DataFile['expected']): Promise<DataFile> {
  const found = await statOf(path);
  if (!found.isFile()) throw new TransferError(`${path}: it is no file`);
  return { path, bytes: found.size, ...(expected && { expected }) };
}

export async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path)).isDirectory();
}

/**
 * The data files of a folder without manifests, sorted by name; hidden files are left out.
 * @throws TransferError if there are none
 */
export async function dataFilesIn(folder: string): Promise<DataFile[]> {
  const names = (await readdir(folder)).filter((name) => DATA_NAMES.test(name) && !name.startsWith('.')).sort();
  if (names.length === 0) {
    throw new TransferError(
      `${folder}: there is neither an export nor a file called *.json, *.jsonl, *.ndjson, *.csv or *.gz`,
    );
  }
  if (names.length > LIMITS.maxFiles)
    throw new TransferError(`${folder}: there are more than ${LIMITS.maxFiles} files`);
  return Promise.all(names.map((name) => dataFile(join(folder, name))));
}

/** Changes if the files are not the same as before: made from their names, sizes, times and first bytes. */
export async function fingerprintOf(files: readonly DataFile[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { path, bytes } of files) {
    const { mtimeMs } = await statOf(path);
    hash.update(JSON.stringify([path, bytes, mtimeMs]));
    hash.update(await headOf(path));
  }
  return hash.digest('hex');
}

/** @returns the MD5 of a file as the service writes it, in base64 */
export async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  }
  return hash.digest('base64');
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(LIMITS.headBytes), 0, LIMITS.headBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function statOf(path: string) {
  return stat(path).catch((error) => {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  });
}
