import { parseArgs } from 'node:util';
import { helpLines } from '../config/help-lines.ts';
import { hintOf } from '../config/nearest.ts';
import { InspectError } from './inspect-error.ts';

const OPTIONS = {
  node: { value: 'NODE', help: 'only what this node has, such as node-1' },
  table: { value: 'NAME', help: 'the table of --key' },
  key: { value: 'JSON', help: 'the versions of this item on each node; DynamoDB JSON: {"id":{"S":"a"}}' },
  namespace: { value: 'NAME', help: 'of the table, where tables are kept apart (the default one)' },
  json: { value: '', help: 'JSON instead of text' },
  help: { value: '', help: 'this text' },
} as const;

/** The column where explanations begin. */
const HELP_COLUMN = 24;

export interface InspectOptions {
  readonly directory: string;
  readonly node: string | undefined;
  readonly item: { readonly table: string; readonly key: string; readonly namespace: string } | undefined;
  readonly isJson: boolean;
}

/** @throws InspectError for invalid options; undefined if the user asked for help */
export function parseInspect(argv: readonly string[]): InspectOptions | undefined {
  if (argv.includes('--help') || argv.includes('-h')) return undefined;
  const { values, positionals } = readArguments(argv);
  const { table, key, namespace, node, json } = values;
  const [directory, more] = positionals;
  if (directory === undefined) throw new InspectError('inspect needs a data directory: dynaring inspect DIR');
  if (more !== undefined) throw new InspectError(`inspect takes one data directory, and ${more} is another argument`);
  if ((table === undefined) !== (key === undefined)) throw new InspectError('--table and --key belong together');
  if (namespace !== undefined && table === undefined) throw new InspectError('--namespace needs --table and --key');
  const item = table === undefined ? undefined : { table, key: key!, namespace: namespace ?? '' };
  return { directory, node, item, isJson: json === true };
}

function readArguments(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { node: text, table: text, key: text, namespace: text, json: flag };
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options });
  } catch (error) {
    const unknown = /^Unknown option '(.+?)'/.exec((error as Error).message)?.[1];
    if (unknown === undefined) throw new InspectError((error as Error).message.split('\n')[0]!);
    const names = Object.keys(OPTIONS).map((name) => `--${name}`);
    const hint = hintOf(unknown, names) || '; dynaring inspect --help lists the options';
    throw new InspectError(`unknown option ${JSON.stringify(unknown)}${hint}`);
  }
}

/** The text of `dynaring inspect --help`. */
export function inspectHelp(): string {
  return [
    'Usage: dynaring inspect DIR [options]',
    '',
    'What a data directory holds, node by node: disks and votes, tables and records, hints, the journal. Nothing is',
    'changed; a server may be running on it.',
    '',
    'Options:',
    ...Object.entries(OPTIONS).flatMap(([name, { value, help }]) =>
      helpLines(`--${name} ${value}`.trimEnd(), help, HELP_COLUMN),
    ),
    '',
  ].join('\n');
}
