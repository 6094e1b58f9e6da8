import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from './endpoint-connection.ts';
import { columnOrder, writeCsv } from './export-csv.ts';
import type { ExportOptions } from './export-options.ts';
import { exportTable, itemsOf, linesOf } from './export-table.ts';
import { Interrupted, reasonOf, TransferError } from './failure.ts';
import type { Meter } from './meter.ts';
import { NOTHING_WRITTEN } from './output-file.ts';
import { newSegments, scanPages } from './scan-pages.ts';
import type { FoundTable } from './tables.ts';
import type { World } from './world.ts';

/** The export of one table to standard output. */
export interface StreamExport {
  readonly options: ExportOptions;
  readonly from: Connection;
  readonly table: FoundTable;
  readonly meter: Meter;
  readonly world: World;
}

/**
 * Reads a table to standard output. Nothing written there can be taken back, so such an export cannot be resumed.
 * @returns the number of items
 * @throws TransferError, Interrupted
 */
export async function exportToStream(run: StreamExport): Promise<number> {
  const { options, from, table, meter, world } = run;
  // The failing write reports it, for example when the reader of a pipe has exited.
  world.stdout.on('error', () => {});
  const write = (text: string) => writeOut(world, text);
  if (options.format === 'csv') return exportCsv(run, write);
  let [items, bytes] = [0, 0];
  meter.start(() => ({ table: table.name, items, bytes, retries: from.retries }));
  const pages = scanPages(
    { connection: from, table: table.name, isConsistent: options.isConsistent },
    newSegments(options.segments),
  );
  for await (const page of pages) {
    if (world.interrupted.aborted) throw new Interrupted('ended; standard output cannot be gone on with');
    const text = linesOf(page.items);
    await write(text);
    items += page.items.length;
    bytes += text.length;
  }
  meter.stop();
  return items;
}

/** Goes through a temporary file, because the header is known only at the end. */
async function exportCsv(
  { options, from, table, meter, world }: StreamExport,
  write: (text: string) => Promise<void>,
): Promise<number> {
  const { segments, isConsistent, columns, delimiter } = options;
  const { interrupted } = world;
  const folder = await mkdtemp(join(tmpdir(), 'dynaring-export-'));
  const path = join(folder, 'items.json');
  try {
    const wantsColumns = columns === undefined;
    const onState = () => {};
    const run = { from, table, isConsistent, coding: 'plain', wantsColumns, meter, interrupted, onState } as const;
    const state = await exportTable(run, {
      table: table.name,
      identity: table.identity,
      startedMs: 0,
      segments: newSegments(segments),
      outputs: [{ path, items: 0, point: NOTHING_WRITTEN }],
      exportId: '',
      columns: [],
    });
    await writeCsv(path, columns ?? columnOrder(table, state.columns), delimiter, write);
    return itemsOf(state);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function writeOut({ stdout }: World, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(text, (error) => {
      if (error) reject(new TransferError(`standard output: ${reasonOf(error)}`));
      else resolve();
    });
  });
}
