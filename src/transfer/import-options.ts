import { resolve } from 'node:path';
import { CELL_TYPES, type CellType } from './csv-cell.ts';
import type { CsvOptions } from './csv-header.ts';
import { TransferError } from './failure.ts';
import { asksForHelp, listOptions, type OptionTexts, oneOf, readOptions, wholeNumber } from './option-reader.ts';
import { type Endpoint, endpointOf, endpointOfUser, serviceUrl } from './service-endpoint.ts';
import { LIMITS } from './transfer-limits.ts';

const OPTIONS = {
  table: { value: 'NAME', help: 'the table to write to (that of the export, or of --from-table)' },
  all: { help: 'all tables of the source, under their own names' },
  create: { value: 'FILE', help: 'a CreateTable request in JSON, for a table that is not there' },
  endpoint: { value: 'URL', help: 'the server to write to ($AWS_ENDPOINT_URL_DYNAMODB, or http://127.0.0.1:8000)' },
  region: { value: 'REGION', help: 'its region ($AWS_REGION, or us-east-1)' },
  'from-endpoint': { value: 'URL', help: 'copy from this DynamoDB endpoint rather than from files' },
  'from-region': { value: 'REGION', help: 'its region; without --from-endpoint, the service in that region' },
  'from-table': { value: 'NAME', help: 'the table to copy (the same as --table)' },
  segments: { value: 'N', help: `parallel parts of the copy's Scan (${LIMITS.defaultSegments})` },
  'eventually-consistent': { help: 'let the Scan read so: cheaper, and may miss the last writes' },
  format: {
    value: 'json|csv',
    help: 'of the files (csv for *.csv and *.csv.gz, else json: DynamoDB JSON, one item a line)',
  },
  'csv-delimiter': { value: 'C', help: 'what separates cells (a comma); tab for a tabulator' },
  'csv-header': { value: 'A,B,...', help: 'the names of the columns, of files whose first line has none' },
  column: { value: 'NAME=TYPE,...', help: `columns that are no texts: ${CELL_TYPES.join(', ')}`, many: true },
  'skip-bad-lines': { value: 'MAX', help: 'report bad lines and go on, after MAX of them no more', optional: true },
  rejects: { value: 'FILE', help: 'with --skip-bad-lines: where to keep them' },
  concurrency: { value: 'N', help: `requests at a time (${LIMITS.defaultConcurrency})` },
  'batch-size': {
    value: 'N',
    help: `items of one request (${LIMITS.maxBatchItems}); 1: PutItem alone, no BatchWriteItem`,
  },
  'progress-file': { value: 'FILE', help: 'what a later run goes on by (beside the input)' },
  restart: { help: 'begin anew, whatever an earlier run has left' },
  quiet: { help: 'no progress' },
  help: { help: 'this text' },
} as const satisfies OptionTexts;

/** What the user wants to be imported. */
export interface ImportOptions {
  readonly from:
    | { readonly kind: 'path'; readonly path: string }
    | { readonly kind: 'stdin' }
    | { readonly kind: 'endpoint'; readonly endpoint: Endpoint; readonly table: string | undefined };
  readonly to: Endpoint;
  /** Undefined: the table of the source. */
  readonly table: string | undefined;
  readonly all: boolean;
  readonly createFile: string | undefined;
  readonly format: 'json' | 'csv' | undefined;
  readonly csv: CsvOptions;
  readonly segments: number;
  readonly isConsistent: boolean;
  /** The import ends when there are more bad lines than this. 0: it ends at the first. */
  readonly maxBadLines: number;
  readonly rejectsFile: string | undefined;
  readonly concurrency: number;
  /** Items in one request. */
  readonly batchSize: number;
  readonly progressFile: string | undefined;
  readonly restart: boolean;
  readonly isQuiet: boolean;
}

/** @throws TransferError for invalid options; undefined if the user asked for help */
export function parseImport(argv: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  if (asksForHelp(argv)) return undefined;
  const given = readOptions(OPTIONS, argv);
  const [operand, ...more] = given.operands;
  if (more.length > 0) throw new TransferError(`import takes one file or folder, not also ${JSON.stringify(more[0])}`);
  const [url, region] = [given.value('from-endpoint'), given.value('from-region')];
  const isCopy = url !== undefined || region !== undefined;
  if (isCopy && operand !== undefined)
    throw new TransferError(
      `both ${operand} and ${url === undefined ? '--from-region' : '--from-endpoint'} are given: choose one`,
    );
  if (!isCopy && operand === undefined) {
    throw new TransferError('nothing to import: name a file, a folder, - or --from-endpoint; --help tells more');
  }
  const table = given.value('table');
  const all = given.has('all');
  if (all && (table ?? given.value('from-table')) !== undefined)
    throw new TransferError('--all and one table exclude each other');
  const fromTable = given.value('from-table') ?? table;
  if (isCopy && fromTable === undefined && !all) throw new TransferError('which table? --from-table NAME, or --all');
  if (!isCopy) needsCopy(given.has('from-table') && 'from-table');
  if (!isCopy) needsCopy(given.has('segments') && 'segments');
  const types = columnTypes(given.values('column'));
  const options: ImportOptions = {
    from: isCopy
      ? {
          kind: 'endpoint',
          endpoint: endpointOf('--from-endpoint', url ?? serviceUrl(region!), region, env),
          table: fromTable,
        }
      : operand === '-'
        ? { kind: 'stdin' }
        : { kind: 'path', path: operand! },
    to: endpointOfUser(given.value('endpoint'), given.value('region'), env),
    table: table ?? (isCopy ? fromTable : undefined),
    all,
    createFile: given.value('create'),
    format: oneOf('format', given.value('format'), ['json', 'csv']),
    csv: {
      delimiter: delimiterOf(given.value('csv-delimiter')),
      ...(given.has('csv-header') && { header: given.value('csv-header')!.split(',') }),
      types,
    },
    segments: wholeNumber('segments', given.value('segments'), {
      min: 1,
      max: LIMITS.maxSegments,
      otherwise: LIMITS.defaultSegments,
    }),
    isConsistent: !given.has('eventually-consistent'),
    maxBadLines: given.has('skip-bad-lines')
      ? wholeNumber('skip-bad-lines', given.value('skip-bad-lines'), {
          min: 1,
          max: 1e15,
          otherwise: Number.POSITIVE_INFINITY,
        })
      : 0,
    rejectsFile: given.value('rejects'),
    concurrency: wholeNumber('concurrency', given.value('concurrency'), {
      min: 1,
      max: LIMITS.maxConcurrency,
      otherwise: LIMITS.defaultConcurrency,
    }),
    batchSize: wholeNumber('batch-size', given.value('batch-size'), {
      min: 1,
      max: LIMITS.maxBatchItems,
      otherwise: LIMITS.maxBatchItems,
    }),
    progressFile: given.value('progress-file'),
    restart: given.has('restart'),
    isQuiet: given.has('quiet'),
  };
  checkTogether(options);
  return options;
}

/** @throws TransferError for options that contradict each other */
function checkTogether(options: ImportOptions): void {
  if (options.rejectsFile !== undefined && options.maxBadLines === 0) {
    throw new TransferError('--rejects needs --skip-bad-lines: without it the import ends at the first bad line');
  }
  if (
    options.from.kind === 'path' &&
    options.rejectsFile !== undefined &&
    isSame(options.from.path, options.rejectsFile)
  ) {
    throw new TransferError('--rejects must be another file than the input');
  }
  if (options.all && options.createFile !== undefined)
    throw new TransferError('--create is for one table, not for --all');
  if (options.from.kind === 'stdin' && options.table === undefined && options.createFile === undefined) {
    throw new TransferError('which table? --table NAME');
  }
}

/** A delimiter of one byte: csv-parse and the service accept no other. */
export function delimiterOf(text: string | undefined): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : (text ?? ',');
  if (/^[\x01-\x7e]$/.test(delimiter) && !/["\r\n]/.test(delimiter)) return delimiter;
  throw new TransferError(`--csv-delimiter must be one ASCII character or tab, not ${JSON.stringify(text)}`);
}

export function importHelp(): string {
  return `Usage: dynaring import FILE|FOLDER|- --table NAME [options]
       dynaring import --from-endpoint URL --table NAME [options]

Writes items into a table: from files of DynamoDB JSON or CSV, gzip or not, from a folder with an
export of the service or of "dynaring export", or from another DynamoDB endpoint. A run that was
ended goes on where it stopped when the same command is given again.

Examples:
  dynaring import music.json.gz --create music-table.json
  dynaring import --from-endpoint http://127.0.0.1:8001 --all

Options:
${listOptions(OPTIONS)}
`;
}

function columnTypes(texts: readonly string[]): ReadonlyMap<string, CellType> {
  const pairs = texts
    .flatMap((text) => text.split(','))
    .map((pair): [string, CellType] => {
      const at = pair.lastIndexOf('=');
      const [name, type] = [pair.slice(0, at), pair.slice(at + 1).toUpperCase()];
      if (at < 1 || !CELL_TYPES.includes(type as CellType)) {
        throw new TransferError(
          `--column must be NAME=TYPE with one of ${CELL_TYPES.join(', ')}, not ${JSON.stringify(pair)}`,
        );
      }
      return [name, type as CellType];
    });
  return new Map(pairs);
}

function isSame(path: string, other: string): boolean {
  return resolve(path) === resolve(other);
}

function needsCopy(flag: string | false): void {
  if (flag !== false) throw new TransferError(`--${flag} needs --from-endpoint or --from-region`);
}
