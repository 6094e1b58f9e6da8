import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Checkpoint, finishedOf, howToGoOn, type Identity } from './checkpoint.ts';
import { Connection } from './endpoint-connection.ts';
import { type ExportOptions, exportHelp, parseExport } from './export-options.ts';
import type { ExportState, TableState } from './export-state.ts';
import { exportToStream } from './export-stream.ts';
import { exportTable, itemsOf } from './export-table.ts';
import { Interrupted, reasonOf, TransferError } from './failure.ts';
import { finishFile, partOf } from './finish-file.ts';
import { endedInTime } from './interruption.ts';
import { countText, Meter, summaryText } from './meter.ts';
import { NOTHING_WRITTEN } from './output-file.ts';
import { newSegments } from './scan-pages.ts';
import { type FoundTable, findTable, listTables, noSuchTable, readDefinition } from './tables.ts';
import type { World } from './world.ts';
import { beginExport, completeExport, exportFolder, newDataName, newExportId } from './write-manifest.ts';

interface Export {
  readonly options: ExportOptions;
  readonly from: Connection;
  readonly meter: Meter;
  readonly world: World;
}

/**
 * `dynaring export`.
 * @throws TransferError, Interrupted
 */
export async function runExport(argv: readonly string[], world: World): Promise<void> {
  const options = parseExport(argv, world.env);
  if (options === undefined) {
    world.stdout.write(exportHelp());
    return;
  }
  const meter = new Meter(world, options);
  const from = new Connection(options.from, world, options.segments);
  const run: Export = { options, from, meter, world };
  try {
    await endedInTime(exportAll(run), () => from.close(), world);
  } finally {
    meter.stop();
    from.close();
  }
}

async function exportAll(run: Export): Promise<void> {
  const { options, from } = run;
  const names = options.tables ?? (await listTables(from));
  const tables: FoundTable[] = [];
  for (const name of names) {
    const table = await findTable(from, name);
    if (table === undefined) throw await noSuchTable(from, name);
    tables.push(table);
  }
  if (options.definitionFile !== undefined) await keepDefinition(run, tables[0]!, options.definitionFile);
  if (options.to.kind === 'stdout') {
    const table = tables[0]!;
    const startedMs = run.world.nowMs();
    const items = await exportToStream({ ...run, table });
    return tell(run, { table: table.name, to: 'standard output', items, before: 0, startedMs });
  }
  return exportResumably(run, tables);
}

async function exportResumably(run: Export, tables: readonly FoundTable[]): Promise<void> {
  const { options, world, meter } = run;
  const checkpoint = new Checkpoint<ExportState>(progressFileOf(options), identityOf(options, tables), world);
  const before = options.restart ? undefined : await checkpoint.read();
  if (before === undefined && options.to.kind === 'file' && !options.overwrite && existsSync(options.to.path)) {
    throw new TransferError(`${options.to.path} is there; --overwrite replaces it`);
  }
  let state: ExportState = before ?? { finished: {} };
  checkpoint.start();
  try {
    for (const table of tables) {
      const items = finishedOf(state.finished, table.name);
      if (items !== undefined) {
        meter.note(`${table.name}: ${countText(items, 'item')} were exported before`);
        continue;
      }
      const { finished, current } = state;
      const done = await exportOne(run, table, current, {
        changed: (now) => checkpoint.changed(() => ({ finished, current: now })),
        save: () => checkpoint.save(),
      });
      state = { finished: { ...finished, [table.name]: itemsOf(done) } };
      checkpoint.changed(() => state);
    }
    await checkpoint.remove();
  } catch (error) {
    await checkpoint.flush();
    if (!(error instanceof Interrupted)) {
      if (checkpoint.problem !== undefined) meter.say(`no progress could be kept: ${checkpoint.problem}`);
      throw error;
    }
    throw new Interrupted(
      checkpoint.problem === undefined
        ? howToGoOn(checkpoint, options)
        : `ended; no progress could be kept: ${checkpoint.problem}`,
    );
  }
}

/** Where the progress of a table's export is kept. */
interface Progress {
  changed(state: TableState): void;
  save(): Promise<void>;
}

async function exportOne(
  run: Export,
  table: FoundTable,
  before: TableState | undefined,
  progress: Progress,
): Promise<TableState> {
  const { options, from, meter, world } = run;
  const startedMs = world.nowMs();
  let resumed = before?.table === table.name ? before : undefined;
  if (resumed !== undefined && resumed.identity !== table.identity) {
    meter.say(`table ${table.name} was made anew since: the export begins from the start`);
    resumed = undefined;
  }
  const start = resumed ?? newState(options, table, world);
  const itemsBefore = itemsOf(start);
  if (resumed !== undefined && isInPlace(options, resumed)) {
    tell(run, { table: table.name, to: pathOf(options), items: 0, before: itemsBefore, startedMs });
    return resumed;
  }
  const folder = options.to.kind === 'folder' ? exportFolder(options.to.path, start.exportId) : undefined;
  if (resumed !== undefined) meter.note(`${table.name}: goes on after ${countText(itemsBefore, 'item')}`);
  else if (folder !== undefined) await beginExport(folder, await readDefinition(from, table));
  const isCsv = options.format === 'csv';
  const state = await exportTable(
    {
      from,
      table,
      isConsistent: options.isConsistent,
      coding: folder !== undefined || (!isCsv && isGzipName(options)) ? 'gzip' : 'plain',
      wantsColumns: isCsv && options.columns === undefined,
      meter,
      interrupted: world.interrupted,
      onState: (now) => progress.changed(now),
    },
    start,
  );
  // Progress must be saved before the file gets its own name: afterwards nothing else shows that the file is complete.
  await progress.save();
  if (folder !== undefined) await completeExport(folder, table, state, world.nowMs());
  else await finishFile(options, table, state);
  const items = itemsOf(state) - itemsBefore;
  tell(run, { table: table.name, to: folder ?? pathOf(options), items, before: itemsBefore, startedMs });
  return state;
}

/**
 * Whether an earlier run ended between its last two steps: the file is complete and has its name, but the progress file
 * still calls the export unfinished.
 */
function isInPlace({ to }: ExportOptions, { segments }: TableState): boolean {
  if (to.kind !== 'file' || !segments.every(({ isDone }) => isDone)) return false;
  return existsSync(to.path) && !existsSync(partOf(to.path));
}

function newState(options: ExportOptions, table: FoundTable, world: World): TableState {
  const startedMs = world.nowMs();
  const exportId = options.to.kind === 'folder' ? newExportId(startedMs, world.random) : '';
  const paths =
    options.to.kind === 'folder'
      ? Array.from({ length: options.segments }, () =>
          join(exportFolder(pathOf(options), exportId), 'data', newDataName(world.random)),
        )
      : [partOf(pathOf(options))];
  return {
    table: table.name,
    identity: table.identity,
    startedMs,
    segments: newSegments(options.segments),
    outputs: paths.map((path) => ({ path, items: 0, point: NOTHING_WRITTEN })),
    exportId,
    columns: [],
  };
}

async function keepDefinition({ from, meter }: Export, table: FoundTable, path: string): Promise<void> {
  const definition = await readDefinition(from, table);
  await writeFile(path, `${JSON.stringify(definition, null, 2)}\n`).catch((error) => {
    throw new TransferError(`--with-table ${path}: ${reasonOf(error)}`);
  });
  meter.note(`wrote the definition of ${table.name} to ${path}`);
}

function progressFileOf({ progressFile, to }: ExportOptions): string {
  if (progressFile !== undefined) return progressFile;
  return `${(to as { path: string }).path.replace(/\/+$/, '')}.dynaring-progress`;
}

function identityOf(options: ExportOptions, tables: readonly FoundTable[]): Identity {
  const { from, segments, to, format, columns, delimiter } = options;
  return {
    'the source': `${from.url.origin} ${from.region} in ${segments} segments`,
    'the tables': tables.map(({ name }) => name).join(' '),
    'the output': pathOf({ to }),
    'the format': JSON.stringify([format, columns, delimiter]),
  };
}

function pathOf({ to }: Pick<ExportOptions, 'to'>): string {
  return to.kind === 'stdout' ? '-' : to.path;
}

function isGzipName({ to }: ExportOptions): boolean {
  return to.kind === 'file' && /\.gz$/i.test(to.path);
}

/** An export that has ended: `items` of this run, `before` of earlier runs. */
interface Ended {
  readonly table: string;
  readonly to: string;
  readonly items: number;
  readonly before: number;
  readonly startedMs: number;
}

function tell({ meter, world }: Export, { table, to, items, before, startedMs }: Ended): void {
  const parts = before > 0 ? [`${countText(before, 'item')} before`] : [];
  const what = `exported ${countText(items, 'item')} of ${table} to ${to}`;
  meter.say(summaryText(what, parts, items, (world.nowMs() - startedMs) / 1_000));
}
