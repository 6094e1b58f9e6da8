import { rename, rm } from 'node:fs/promises';
import { columnOrder, writeCsv } from './export-csv.ts';
import type { ExportOptions } from './export-options.ts';
import type { TableState } from './export-state.ts';
import { reasonOf, TransferError } from './failure.ts';
import { OutputFile } from './output-file.ts';
import type { FoundTable } from './tables.ts';

/** The name of an unfinished file, so that a file with the final name is always complete. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/**
 * Gives the lines that an export has collected the file's final name. If the user wants CSV, converts them first: the
 * header is known only now.
 * @throws TransferError
 */
export async function finishFile(
  { to, format, delimiter, columns }: ExportOptions,
  table: FoundTable,
  state: TableState,
): Promise<void> {
  if (to.kind !== 'file') return;
  const part = partOf(to.path);
  const whole = format === 'json' ? part : `${to.path}.csv-part`;
  if (format === 'csv') {
    const output = await OutputFile.open(whole, { coding: /\.gz$/i.test(to.path) ? 'gzip' : 'plain' });
    await writeCsv(part, columns ?? columnOrder(table, state.columns), delimiter, (text) => output.write(text));
    await output.finish();
  }
  try {
    await rename(whole, to.path);
    if (whole !== part) await rm(part);
  } catch (error) {
    throw new TransferError(`${to.path}: ${reasonOf(error)}`);
  }
}
