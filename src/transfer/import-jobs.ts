import type { TableDefinition } from './copied-definition.ts';
import { type DataFile, dataFile, dataFilesIn, fingerprintOf, isFolder } from './data-file.ts';
import { readDefinitionFile } from './definition-file.ts';
import type { Connection } from './endpoint-connection.ts';
import { TransferError } from './failure.ts';
import type { FileStart, Format } from './file-entries.ts';
import { fileSource } from './file-source.ts';
import type { ImportOptions } from './import-options.ts';
import { exportsIn, type FoundExport } from './s3-export.ts';
import type { SegmentState } from './scan-pages.ts';
import { scanSource } from './scan-source.ts';
import type { Source } from './source.ts';
import { type FoundTable, findTable, listTables, noSuchTable, readDefinition } from './tables.ts';
import type { World } from './world.ts';

/** The import of one table. */
export interface ImportJob {
  /** The table to write to. */
  readonly table: string;
  /** @param position where an earlier run ended */
  open(position: unknown): Source<unknown>;
  /** The definition with which to create the table if it does not exist. */
  definition(): Promise<TableDefinition | undefined>;
}

export interface ImportPlan {
  readonly jobs: readonly ImportJob[];
  /** Identifies the input, to notice when a later run has another one. */
  readonly input: string;
  /** The progress file unless the user names one; undefined for an input that cannot be read twice. */
  readonly progressFile: string | undefined;
}

/**
 * Finds out what is to be imported.
 * @param from the connection to the source, if it is a copy
 * @throws TransferError
 */
export async function planImport(
  options: ImportOptions,
  from: Connection | undefined,
  world: World,
): Promise<ImportPlan> {
  switch (options.from.kind) {
    case 'endpoint':
      return planCopy(options, options.from.table, from!);
    case 'path':
      return planFiles(options, options.from.path);
    case 'stdin': {
      const source = fileSource({ kind: 'stdin', stream: world.stdin }, formatOf(options, 'stdin'));
      const job = await jobOf(options, options.table, () => source);
      return { jobs: [job], input: '-', progressFile: undefined };
    }
  }
}

async function planCopy(options: ImportOptions, fromTable: string | undefined, from: Connection): Promise<ImportPlan> {
  const names = fromTable === undefined ? await listTables(from) : [fromTable];
  const jobs: ImportJob[] = [];
  for (const name of names) {
    const table = await findTable(from, name);
    if (table === undefined) throw await noSuchTable(from, name);
    jobs.push(copyJob(options, table, from));
  }
  const { origin } = from.endpoint.url;
  const { to } = options;
  const isSameServer = origin === to.url.origin && from.endpoint.region === to.region;
  const same = jobs.find(({ table }, at) => isSameServer && table === names[at]);
  if (same !== undefined)
    throw new TransferError(`table ${same.table} would be copied onto itself; --from-table names another`);
  return {
    jobs,
    input: `${origin} ${from.endpoint.region} ${fromTable ?? 'all tables'} in ${options.segments} segments`,
    progressFile: `${options.table ?? 'all-tables'}.dynaring-progress`,
  };
}

function copyJob(options: ImportOptions, from: FoundTable, connection: Connection): ImportJob {
  return {
    table: options.table ?? from.name,
    open: (position) =>
      scanSource(
        { connection, from, segments: options.segments, isConsistent: options.isConsistent },
        position as SegmentState[] | undefined,
      ),
    definition: () =>
      options.createFile === undefined
        ? readDefinition(connection, from)
        : readCreateFile(options.createFile, options.table ?? from.name),
  };
}

async function planFiles(options: ImportOptions, path: string): Promise<ImportPlan> {
  const exports = (await isFolder(path)) ? await exportsIn(path) : [];
  const plan =
    exports.length > 0
      ? await exportJobs(options, path, exports)
      : await plainJob(options, (await isFolder(path)) ? await dataFilesIn(path) : [await dataFile(path)]);
  return { ...plan, progressFile: `${path.replace(/\/+$/, '')}.dynaring-progress` };
}

type Jobs = Pick<ImportPlan, 'jobs' | 'input'>;

async function plainJob(options: ImportOptions, files: readonly DataFile[]): Promise<Jobs> {
  if (options.all) throw new TransferError('--all is for endpoints and exports; plain files do not tell their table');
  const format = formatOf(options, files[0]!.path);
  const open = (position: unknown) => fileSource({ kind: 'files', files }, format, position as FileStart | undefined);
  return { jobs: [await jobOf(options, options.table, open)], input: await fingerprintOf(files) };
}

async function exportJobs(options: ImportOptions, folder: string, exports: readonly FoundExport[]): Promise<Jobs> {
  if (options.format === 'csv') throw new TransferError(`${folder} is an export, which has no CSV`);
  const names = [...new Set(exports.map(({ table }) => table))];
  const chosen =
    options.all || names.length === 1 ? names : names.filter((name) => name !== undefined && name === options.table);
  if (chosen.length === 0) {
    const list = names.map((name) => name ?? 'one without a name').join(', ');
    throw new TransferError(`${folder} has exports of ${list}: choose with --table NAME, or --all`);
  }
  const jobs: ImportJob[] = [];
  for (const name of chosen) {
    const ofTable = exports.filter(({ table }) => table === name);
    const full = ofTable.filter(({ isIncremental }) => !isIncremental);
    if (full.length > 1) {
      throw new TransferError(
        `${full.map((each) => each.folder).join(' and ')} are both full exports: name one of them`,
      );
    }
    const files = ofTable.flatMap((each) => each.files);
    const open = (position: unknown) =>
      fileSource({ kind: 'files', files }, { kind: 'json' }, position as FileStart | undefined);
    const target = options.all ? name : (options.table ?? name);
    jobs.push(await jobOf(options, target, open, full[0]?.definition));
  }
  return { jobs, input: await fingerprintOf(exports.flatMap(({ files }) => files)) };
}

/** @param definitionFile the definition found in the input; one given by the user takes precedence */
async function jobOf(
  { createFile }: ImportOptions,
  table: string | undefined,
  open: ImportJob['open'],
  definitionFile?: string,
): Promise<ImportJob> {
  // Read at once, so that a mistake in the file is reported before any write.
  const definition =
    createFile !== undefined
      ? await readCreateFile(createFile, table)
      : definitionFile === undefined
        ? undefined
        : await readDefinitionFile(definitionFile, table);
  const name = table ?? definition?.TableName;
  if (name === undefined) throw new TransferError('which table? --table NAME');
  return { table: name, open, definition: async () => definition };
}

/** Reads the user's own definition. @throws TransferError that names the option */
async function readCreateFile(path: string, table: string | undefined): Promise<TableDefinition> {
  try {
    return await readDefinitionFile(path, table);
  } catch (error) {
    throw error instanceof TransferError ? new TransferError(`--create ${error.message}`) : error;
  }
}

function formatOf({ format, csv }: ImportOptions, path: string): Format {
  const kind = format ?? (/\.csv(\.gz)?$/i.test(path) ? 'csv' : 'json');
  if (kind === 'csv') return { kind, options: csv };
  if (csv.header !== undefined || csv.types.size > 0)
    throw new TransferError('--csv-header and --column need --format csv');
  return { kind };
}
