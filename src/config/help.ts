import { OPTIONS, SETTING_NAMES, variableOf } from './options.ts';

/** Where the explanations begin. */
const HELP_COLUMN = 34;

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

/** The text of `--help`. */
export function helpText(): string {
  const line = (left: string, right: string) => `  ${left.padEnd(HELP_COLUMN)}${right}`;
  return [
    'Usage: dynaring [options]',
    '       dynaring import|export ...   moves tables; see dynaring import --help',
    '',
    'A DynamoDB-compatible server whose inside is a real Dynamo.',
    '',
    ...SETTING_NAMES.map((name) => line(`${OPTIONS[name].flag} ${OPTIONS[name].value}`, OPTIONS[name].help)),
    line('--help', 'this text'),
    line('--version', 'the version'),
    '',
    `Each option may also be an environment variable (${variableOf('port')}, ${variableOf('writeQuorum')}, ...); a flag`,
    'beats its variable.',
    '',
    "DynamoDB Local's flags, with one dash or two, also behind `java -jar DynamoDBLocal.jar`:",
    '',
    ...LOCAL_HELP.map(([left, right]) => line(left, right)),
    '',
  ].join('\n');
}
