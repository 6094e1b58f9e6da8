import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isoTime } from '../api/iso-time.ts';
import type { TableDefinition } from './copied-definition.ts';
import { md5Of } from './data-file.ts';
import type { TableState } from './export-state.ts';
import { itemsOf } from './export-table.ts';
import { reasonOf, TransferError } from './failure.ts';
import { DEFINITION, FILES, ROOT, SUMMARY } from './s3-export.ts';
import type { FoundTable } from './tables.ts';

const DATA_NAME_LENGTH = 26;
const DATA_NAME_DIGITS = 'abcdefghijklmnopqrstuvwxyz234567';

/** Such as `01693685827463-2d8752fd`: the time, and a random part. */
export function newExportId(nowMs: number, random: () => number): string {
  const chance = Math.floor(random() * 2 ** 32).toString(16);
  return `${String(nowMs).padStart(14, '0')}-${chance.padStart(8, '0')}`;
}

export function newDataName(random: () => number): string {
  const digit = () => DATA_NAME_DIGITS[Math.floor(random() * DATA_NAME_DIGITS.length)];
  return `${Array.from({ length: DATA_NAME_LENGTH }, digit).join('')}.json.gz`;
}

export function exportFolder(output: string, exportId: string): string {
  return join(output, ROOT, exportId);
}

/** Creates the folder of an export, with the table's definition in it. @throws TransferError */
export async function beginExport(folder: string, definition: TableDefinition): Promise<void> {
  try {
    await mkdir(join(folder, 'data'), { recursive: true });
    await writeFile(join(folder, '_started'), '');
    await writeFile(join(folder, DEFINITION), `${JSON.stringify(definition, null, 2)}\n`);
  } catch (error) {
    throw new TransferError(`${folder}: ${reasonOf(error)}`);
  }
}

/** Writes the manifests, which make the export complete. @throws TransferError */
export async function completeExport(
  folder: string,
  { description }: FoundTable,
  state: TableState,
  nowMs: number,
): Promise<void> {
  const { exportId, startedMs, outputs } = state;
  const lines: string[] = [];
  for (const { path, items } of outputs) {
    const md5 = await md5Of(path);
    const line = {
      itemCount: items,
      md5Checksum: md5,
      etag: `${Buffer.from(md5, 'base64').toString('hex')}-1`,
      dataFileS3Key: `${ROOT}/${exportId}/data/${basename(path)}`,
    };
    lines.push(`${JSON.stringify(line)}\n`);
  }
  const tableArn = description.TableArn ?? `arn:aws:dynamodb:local:000000000000:table/${description.TableName}`;
  const summary = {
    version: '2020-06-30',
    exportArn: `${tableArn}/export/${exportId}`,
    startTime: isoTime(startedMs),
    endTime: isoTime(nowMs),
    tableArn,
    tableId: description.TableId ?? null,
    exportTime: isoTime(startedMs),
    s3Bucket: null,
    s3Prefix: null,
    s3SseAlgorithm: null,
    s3SseKmsKeyId: null,
    manifestFilesS3Key: `${ROOT}/${exportId}/${FILES}`,
    billedSizeBytes: 0,
    itemCount: itemsOf(state),
    outputFormat: 'DYNAMODB_JSON',
    exportType: 'FULL_EXPORT',
  };
  await writeWithMd5(join(folder, SUMMARY), JSON.stringify(summary));
  await writeWithMd5(join(folder, FILES), lines.join(''));
}

async function writeWithMd5(path: string, text: string): Promise<void> {
  try {
    await writeFile(path.replace(/\.json$/, '.md5'), createHash('md5').update(text).digest('base64'));
    await writeFile(path, text);
  } catch (error) {
    throw new TransferError(`${path}: ${reasonOf(error)}`);
  }
}
