import { helpLines } from './help-lines.ts';
import { OPTION_GROUPS, OPTIONS, SETTING_NAMES, variableOf } from './options.ts';
import { PEER_OPTIONS, PEER_SETTING_NAMES } from './peer-options.ts';

/** The column where explanations begin. */
const HELP_COLUMN = 36;

const LOCAL_HELP = [
  ['-port PORT, -cors LIST', 'as above'],
  ['-dbPath DIR', '--data-dir DIR'],
  ['-inMemory', 'no data directory'],
  ['-delayTransientStatuses', '--delay-transient-statuses'],
  ['-sharedDb', 'how it is, unless --isolate is given'],
  ['-optimizeDbBeforeStartup', 'nothing to do'],
  ['-disableTelemetry', 'there is none'],
  ['-help, -h, -version', 'as above'],
] as const;

const EXAMPLES = [
  ['dynaring --data-dir ./data', 'keeps what is written, for the next start'],
  ['dynaring --port 8001 --nodes 5', 'five nodes, beside a server that has port 8000'],
] as const;

/** The text of `--help`: no line has more than 100 characters. */
export function helpText(): string {
  return [
    'Usage: dynaring [options]            serves until it is told to stop',
    '       dynaring import|export ...    moves tables; dynaring import --help tells how',
    '       dynaring inspect DIR          prints what a data directory holds',
    '       dynaring init|serve ...       one node of a cluster of several processes',
    '       dynaring admin ...            asks a running server; dynaring admin --help tells what',
    '',
    'A DynamoDB-compatible server whose inside is a real Dynamo.',
    '',
    'Examples:',
    ...EXAMPLES.flatMap(([command, what]) => entry(command, what)),
    ...Object.entries(OPTION_GROUPS).flatMap(([group, title]) => [
      '',
      `${title}:`,
      ...SETTING_NAMES.map((name) => OPTIONS[name])
        .filter((option) => option.group === group)
        .flatMap(({ flag, value, help }) => entry(`${flag} ${value}`, help)),
    ]),
    '',
    'One node of a cluster, with init and serve, beside the options above:',
    ...PEER_SETTING_NAMES.map((name) => PEER_OPTIONS[name]).flatMap(({ flag, value, help }) =>
      entry(`${flag} ${value}`, help),
    ),
    '',
    'About itself:',
    ...entry('--help', 'this text'),
    ...entry('--version', 'the version'),
    '',
    `Each option may also be an environment variable (${variableOf('port')}, ${variableOf('writeQuorum')}, ...);`,
    'a flag beats its variable.',
    '',
    "DynamoDB Local's flags, with one dash or two, also behind `java -jar DynamoDBLocal.jar`:",
    ...LOCAL_HELP.flatMap(([left, right]) => entry(left, right)),
    '',
  ].join('\n');
}

function entry(flag: string, help: string): readonly string[] {
  return helpLines(flag, help, HELP_COLUMN);
}
