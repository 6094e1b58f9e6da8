import { createHash } from 'node:crypto';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type DataFile, dataFile } from './data-file.ts';
import { reasonOf, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';

/**
 * The layout of an export to S3 (developer guide, "DynamoDB table export output format"): `AWSDynamoDB/<export id>/`
 * has `manifest-summary.json`, `manifest-files.json` (one object per line), an `.md5` of each, and `data/`. The data of
 * incremental exports is in `AWSDynamoDB/data/`.
 */
export const ROOT = 'AWSDynamoDB';
export const SUMMARY = 'manifest-summary.json';
export const FILES = 'manifest-files.json';
/** Our own addition: the CreateTable request, for an import into a table that does not exist. */
export const DEFINITION = 'table.json';

/** An export in a folder. */
export interface FoundExport {
  readonly folder: string;
  /** Undefined if the manifests do not name it. */
  readonly table: string | undefined;
  readonly isIncremental: boolean;
  /** Exports of one table are applied in this order. */
  readonly order: string;
  readonly files: readonly DataFile[];
  /** The path of the table's definition, if it lies beside the manifests. */
  readonly definition: string | undefined;
}

interface Summary {
  readonly tableArn?: string;
  readonly exportType?: string;
  readonly exportTime?: string;
  readonly exportToTime?: string;
  readonly outputFormat?: string;
}

interface FileLine {
  readonly itemCount?: number;
  readonly md5Checksum?: string;
  readonly dataFileS3Key?: string;
}

/**
 * Finds the exports in a folder. The folder is one export, or their `AWSDynamoDB`, or contains that. Exports of one
 * table are in the order in which they were made, the full one first.
 * @throws TransferError for an incomplete export
 */
export async function exportsIn(folder: string): Promise<FoundExport[]> {
  const folders: string[] = [];
  for (const root of [folder, join(folder, ROOT)]) {
    if (await exists(join(root, FILES))) folders.push(root);
    const names = await readdir(root).catch(() => []);
    for (const name of names.sort()) if (await exists(join(root, name, FILES))) folders.push(join(root, name));
  }
  const exports: FoundExport[] = [];
  for (const each of folders) exports.push(await readExport(each));
  return exports.sort((a, b) => Number(a.isIncremental) - Number(b.isIncremental) || (a.order < b.order ? -1 : 1));
}

async function readExport(folder: string): Promise<FoundExport> {
  const lines = await readLines(join(folder, FILES));
  const summary = (await exists(join(folder, SUMMARY))) ? ((await readLines(join(folder, SUMMARY)))[0] as Summary) : {};
  if ((summary.outputFormat ?? 'DYNAMODB_JSON') !== 'DYNAMODB_JSON') {
    throw new TransferError(
      `${folder}: the export's format is ${summary.outputFormat}; only DYNAMODB_JSON can be read`,
    );
  }
  const files: DataFile[] = [];
  for (const line of lines as FileLine[]) {
    const path = await locate(folder, line.dataFileS3Key ?? '');
    const items = line.itemCount;
    const md5 = line.md5Checksum;
    files.push(await dataFile(path, items === undefined ? undefined : { items, ...(md5 !== undefined && { md5 }) }));
  }
  const definition = join(folder, DEFINITION);
  return {
    folder,
    table: /:table\/([^/]+)/.exec(summary.tableArn ?? '')?.[1],
    isIncremental: summary.exportType === 'INCREMENTAL_EXPORT',
    order: summary.exportToTime ?? summary.exportTime ?? basename(folder),
    files,
    definition: (await exists(definition)) ? definition : undefined,
  };
}

/** The path of a data file, whose key is its key in the bucket. The folder may be a copy of any part of the bucket. */
async function locate(folder: string, key: string): Promise<string> {
  const above = dirname(resolve(folder));
  const inRoot = key.slice(key.lastIndexOf(`${ROOT}/`) + ROOT.length + 1);
  const places = [join(above, inRoot), join(folder, 'data', basename(key)), join(above, 'data', basename(key))];
  for (const place of places) if (await exists(place)) return place;
  throw new TransferError(`${join(folder, FILES)} names ${JSON.stringify(key)}, which is not there`);
}

/**
 * The objects in a manifest, which the service writes one per line. Checks the MD5 of the manifest first, if there is
 * one.
 */
async function readLines(path: string): Promise<unknown[]> {
  if ((await stat(path)).size > LIMITS.maxDocumentBytes) throw new TransferError(`${path}: it is too long`);
  const bytes = await readFile(path).catch((error) => {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  });
  const checksum = await readFile(path.replace(/\.json$/, '.md5'), 'utf8').catch(() => undefined);
  const md5 = createHash('md5').update(bytes).digest();
  if (checksum !== undefined && ![md5.toString('base64'), md5.toString('hex')].includes(checksum.trim())) {
    throw new TransferError(`${path} is damaged: its MD5 is not that of its .md5 file`);
  }
  const text = bytes.toString().trim();
  try {
    return text === '' ? [] : [JSON.parse(text)];
  } catch {
    // The line has more than one object.
  }
  return text.split('\n').map((line, index) => {
    try {
      return JSON.parse(line);
    } catch {
      throw new TransferError(`${path}:${index + 1}: it is no JSON`);
    }
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
