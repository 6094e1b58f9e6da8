import { complete, type Variables } from '../config.ts';
import { ConfigError } from './config-error.ts';
import { DYNALITE_HINTS, LOCAL_FLAGS, withoutJava } from './local-flags.ts';
import { hintOf } from './nearest.ts';
import { OPTIONS, type Option, originText, SETTING_NAMES, type SettingName, variableOf } from './options.ts';
import { PEER_OPTIONS, PEER_SETTING_NAMES } from './peer-options.ts';
import type { Config } from './settings.ts';
import { textOfVariable, unreadVariables } from './variables.ts';

/** What a command line asks for. */
export type CommandLine = { readonly kind: 'help' } | { readonly kind: 'version' } | ServeCommand;

/** Start a server. */
export interface ServeCommand {
  readonly kind: 'serve';
  readonly config: Config;
  /** One line for each flag that has no effect. */
  readonly notes: readonly string[];
  /** One line for each likely mistake. */
  readonly warnings: readonly string[];
  /**
   * Whether the command line is written for DynamoDB Local: `java`, one of its own flags, or a single dash. Tools for
   * it may read the output then.
   */
  readonly isLocal: boolean;
}

const HELP = new Set(['--help', '-help', '-h']);
const VERSION = new Set(['--version', '-version']);
/** Subcommands, which come first; `cli` runs them. */
const COMMANDS = ['admin', 'import', 'export', 'inspect', 'init', 'serve'];
/** Subcommands that start other servers. */
const STARTS = new Set(['start', 'server', 'run', 'up']);

/** What has been read so far. `variables` has the settings that came from environment variables. */
interface Reading {
  readonly settings: Record<string, unknown>;
  readonly variables: Variables;
  readonly notes: string[];
  isInMemory: boolean;
  isShared: boolean;
  isLocal: boolean;
}

/**
 * Reads the command line and the environment. A flag takes precedence over a variable; an empty variable counts as
 * unset.
 *
 * @param argv the arguments behind the program's name: `--option value` or `--option=value`, with one dash or two; and
 *   everything that DynamoDB Local accepts, from `java` on
 * @throws ConfigError
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const args = withoutJava(argv);
  if (args.some((arg) => HELP.has(arg))) return { kind: 'help' };
  if (args.some((arg) => VERSION.has(arg))) return { kind: 'version' };
  const reading = readArguments(args, env);
  if (args !== argv) reading.isLocal = true;
  const config = complete(reading.settings, {}, reading.variables);
  if (reading.isShared) reading.notes.push(noteOnShared(config));
  return {
    kind: 'serve',
    config,
    notes: reading.notes,
    warnings: unreadVariables(env),
    isLocal: reading.isLocal,
  };
}

/** Takes an argument that is no setting. @returns how many of the following belong to it; undefined: it is none of these */
export type ArgumentTaker = (args: readonly string[], at: number) => number | undefined;

/** Reads the settings of the command line and the environment, which need not fit together yet. @throws ConfigError */
export function readArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  take: ArgumentTaker = () => undefined,
): Reading {
  const reading: Reading = {
    settings: {},
    variables: {},
    notes: [],
    isInMemory: false,
    isShared: false,
    isLocal: false,
  };
  readVariables(reading, env);
  for (let index = 0; index < args.length; index++) index += take(args, index) ?? readFlag(reading, args, index);
  if (reading.isInMemory) stayInMemory(reading);
  return reading;
}

function readVariables({ settings, variables }: Reading, env: Readonly<Record<string, string | undefined>>): void {
  for (const name of SETTING_NAMES) {
    const variable = variableOf(name);
    const text = textOfVariable(env, variable);
    if (text === undefined) continue;
    settings[name] = parseOption(OPTIONS[name], text, variable);
    variables[name] = variable;
  }
}

/** @returns how many of the following arguments belong to the flag */
function readFlag(reading: Reading, args: readonly string[], index: number): number {
  const [flag, inline] = splitFlag(args[index]!);
  if (!flag.startsWith('-')) throw unexpectedArgument(flag);
  const local = LOCAL_FLAGS.get(flag.replace(/^--?/, ''));
  reading.isLocal ||= local !== undefined || !flag.startsWith('--');
  const name = local?.kind === 'alias' ? local.setting : settingOf(flag);
  if (name !== undefined) {
    const isAlone = OPTIONS[name].value === '';
    reading.settings[name] = parseOption(OPTIONS[name], inline ?? (isAlone ? 'on' : valueAfter(args, index)));
    delete reading.variables[name];
    return isAlone || inline !== undefined ? 0 : 1;
  }
  if (local === undefined) throw unknownOption(flag);
  if (inline !== undefined) throw new ConfigError(`${flag} takes no value`);
  if (local.kind === 'in-memory') reading.isInMemory = true;
  else if (local.kind === 'shared') reading.isShared = true;
  else if (local.kind === 'nothing') reading.notes.push(local.note);
  return 0;
}

function settingOf(flag: string): SettingName | undefined {
  const long = flag.startsWith('--') ? flag : `-${flag}`;
  return SETTING_NAMES.find((name) => OPTIONS[name].flag === long);
}

/** The flag overrides a data directory from a variable, as everywhere; it contradicts one from a flag. */
function stayInMemory({ settings, variables }: Reading): void {
  if (settings.dataDir === undefined) return;
  if (variables.dataDir === undefined) {
    throw new ConfigError('-inMemory keeps no data, and -dbPath or --data-dir says where to keep it: only one can be');
  }
  delete settings.dataDir;
  delete variables.dataDir;
}

function noteOnShared({ isolate }: Config): string {
  if (isolate === 'none') return '-sharedDb changes nothing: all clients share their tables';
  return `-sharedDb changes nothing: --isolate ${isolate} keeps tables apart`;
}

function unexpectedArgument(given: string): ConfigError {
  const advice = COMMANDS.includes(given)
    ? `; ${given} has to come first`
    : STARTS.has(given)
      ? '; dynaring alone starts the server'
      : hintOf(given, [...COMMANDS, '--help', '--version']) || '; --help tells the usage';
  return new ConfigError(`unexpected argument ${JSON.stringify(given)}${advice}`);
}

function unknownOption(flag: string): ConfigError {
  const shown = JSON.stringify(flag).slice(1, -1);
  const given = flag.replace(/^--?/, '');
  const names = [
    ...SETTING_NAMES.map((name) => OPTIONS[name].flag),
    ...[...LOCAL_FLAGS.keys()].map((name) => `-${name}`),
    '--help',
    '--version',
  ];
  const hint = DYNALITE_HINTS.get(given);
  if (hint !== undefined) return new ConfigError(`unknown option ${shown}: ${hint}`);
  const isOfPeers = PEER_SETTING_NAMES.some((name) => PEER_OPTIONS[name].flag === flag);
  if (isOfPeers) return new ConfigError(`${flag} is for dynaring serve, which runs one node of a cluster`);
  return new ConfigError(`unknown option ${shown}${hintOf(given, names) || '; --help lists the options'}`);
}

function parseOption(option: Option, text: string, variable?: string): unknown {
  const value = text === '' ? undefined : option.parse(text);
  if (value !== undefined) return value;
  const { flag, expects, choices = [] } = option;
  const hint = hintOf(text, choices);
  throw new ConfigError(`${flag}${originText({ variable })} must be ${expects}, not ${JSON.stringify(text)}${hint}`);
}

export function splitFlag(argument: string): [flag: string, value: string | undefined] {
  const equals = argument.indexOf('=');
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function valueAfter(args: readonly string[], index: number): string {
  const value = args[index + 1];
  // A negative number is no flag, so that the error says which numbers are valid.
  if (value === undefined || /^-(?!\d)/.test(value)) throw new ConfigError(`${args[index]} needs a value`);
  return value;
}
