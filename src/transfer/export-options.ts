import { statSync } from 'node:fs';
import { TransferError } from './failure.ts';
import { delimiterOf } from './import-options.ts';
import { asksForHelp, listOptions, type OptionTexts, oneOf, readOptions, wholeNumber } from './option-reader.ts';
import { type Endpoint, endpointOfUser } from './service-endpoint.ts';
import { LIMITS } from './transfer-limits.ts';

const OPTIONS = {
  table: { value: 'NAME', help: 'the table to read; may be given more than once, for a folder', many: true },
  all: { help: 'all tables, for a folder' },
  output: {
    value: 'PATH',
    help: 'a file, gzip if it ends with .gz, or a folder for exports as in S3 (standard output)',
  },
  'with-table': { value: 'FILE', help: 'keep the CreateTable request there; a folder has it anyway, as table.json' },
  endpoint: { value: 'URL', help: 'the server to read from ($AWS_ENDPOINT_URL_DYNAMODB, or http://127.0.0.1:8000)' },
  region: { value: 'REGION', help: 'its region ($AWS_REGION, or us-east-1)' },
  segments: { value: 'N', help: `parallel parts of the Scan (${LIMITS.defaultSegments})` },
  'eventually-consistent': { help: 'let the Scan read so: cheaper, and may miss the last writes' },
  format: {
    value: 'json|csv',
    help: 'of a file (csv for *.csv and *.csv.gz, else json: DynamoDB JSON, one item a line)',
  },
  'csv-delimiter': { value: 'C', help: 'what separates cells (a comma); tab for a tabulator' },
  columns: { value: 'A,B,...', help: 'the columns of a CSV file (all attributes, those of the key first)' },
  overwrite: { help: 'replace a file that is there' },
  'progress-file': { value: 'FILE', help: 'what a later run goes on by (beside the output)' },
  restart: { help: 'begin anew, whatever an earlier run has left' },
  quiet: { help: 'no progress' },
  help: { help: 'this text' },
} as const satisfies OptionTexts;

export type ExportTarget =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string };

/** What the user wants to be exported. */
export interface ExportOptions {
  readonly from: Endpoint;
  /** Undefined: all tables. */
  readonly tables: readonly string[] | undefined;
  readonly to: ExportTarget;
  readonly definitionFile: string | undefined;
  readonly format: 'json' | 'csv';
  readonly delimiter: string;
  readonly columns: readonly string[] | undefined;
  readonly segments: number;
  readonly isConsistent: boolean;
  readonly overwrite: boolean;
  readonly progressFile: string | undefined;
  readonly restart: boolean;
  readonly isQuiet: boolean;
}

/** @throws TransferError for invalid options; undefined if the user asked for help */
export function parseExport(argv: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  if (asksForHelp(argv)) return undefined;
  const given = readOptions(OPTIONS, argv);
  if (given.operands.length > 0) {
    throw new TransferError(
      `export takes options only, not ${JSON.stringify(given.operands[0])}: --output names a file`,
    );
  }
  const tables = [...new Set(given.values('table'))];
  const all = given.has('all');
  if (all && tables.length > 0) throw new TransferError('--all and --table exclude each other');
  if (!all && tables.length === 0) throw new TransferError('which table? --table NAME, or --all');
  const to = targetOf(given.value('output'), all || tables.length > 1 ? 'many' : 'one');
  const format =
    oneOf('format', given.value('format'), ['json', 'csv']) ??
    (to.kind === 'file' && /\.csv(\.gz)?$/i.test(to.path) ? 'csv' : 'json');
  if (to.kind === 'folder') {
    if (format === 'csv') throw new TransferError('CSV goes to a file or to standard output, one table at a time');
    if (given.has('with-table'))
      throw new TransferError('--with-table is for one file; a folder has table.json anyway');
  }
  if (format === 'json' && given.has('columns')) throw new TransferError('--columns needs --format csv');
  const options: ExportOptions = {
    from: endpointOfUser(given.value('endpoint'), given.value('region'), env),
    tables: all ? undefined : tables,
    to,
    definitionFile: given.value('with-table'),
    format,
    delimiter: delimiterOf(given.value('csv-delimiter')),
    columns: given.value('columns')?.split(','),
    segments: wholeNumber('segments', given.value('segments'), {
      min: 1,
      max: LIMITS.maxSegments,
      otherwise: LIMITS.defaultSegments,
    }),
    isConsistent: !given.has('eventually-consistent'),
    overwrite: given.has('overwrite'),
    progressFile: given.value('progress-file'),
    restart: given.has('restart'),
    isQuiet: given.has('quiet'),
  };
  return options;
}

export function exportHelp(): string {
  return `Usage: dynaring export --table NAME [--output PATH] [options]

Reads a table into a file of DynamoDB JSON or CSV, or one or more tables into a folder, laid out as
the service's exports to S3 are. A run that was ended goes on where it stopped when the same command
is given again, except to standard output.

Examples:
  dynaring export --table Music --output music.json.gz
  dynaring export --all --output backup

Options:
${listOptions(OPTIONS)}
`;
}

/**
 * The target is a file if it exists as a file, or does not exist and has a file's ending; any other path is a folder.
 */
function targetOf(output: string | undefined, tables: 'one' | 'many'): ExportTarget {
  if (output === undefined || output === '-') {
    if (tables === 'many') throw new TransferError('more than one table needs --output FOLDER');
    return { kind: 'stdout' };
  }
  const found = statSync(output, { throwIfNoEntry: false });
  const isFile = found === undefined ? /\.(json|jsonl|ndjson|csv|gz)$/i.test(output) : !found.isDirectory();
  if (tables === 'many' && isFile)
    throw new TransferError(`more than one table needs a folder, which --output ${output} is not`);
  return isFile ? { kind: 'file', path: output } : { kind: 'folder', path: output };
}
