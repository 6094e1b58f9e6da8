import type { Consistency } from './dynamo/client.ts';
import { DEFAULT_NODE_LIMITS, type NodeLimits } from './dynamo/settings.ts';
import type { LogFormat, LogLevel } from './env/log.ts';
import type { Isolation } from './router/namespace.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from './web/limits.ts';

/**
 * How safe a write is when it is answered. `memory`: gone with the process. `process`: survives a killed process.
 * `disk`: survives a power loss, at the price of a flush per batch of writes.
 */
export type Durability = 'memory' | 'process' | 'disk';

/** Which home replicas an eventually consistent read asks. */
export type ReadFrom = 'first' | 'random';

/** What a user decides. */
export interface Settings {
  /** 0: any free port. */
  readonly port: number;
  /** Empty text: all addresses, of IPv6 too where the machine has it. */
  readonly hosts: readonly string[];
  readonly nodes: number;
  /** N: the copies kept of each item. */
  readonly replication: number;
  /** W: the committed copies before a write is answered. */
  readonly writeQuorum: number;
  /** R: the replicas an eventually consistent read asks. */
  readonly readQuorum: number;
  /** Q: the equal partitions the ring is cut into. Fixed for the life of a data directory. */
  readonly partitions: number;
  /** Undefined: a temporary directory that is removed at exit. */
  readonly dataDir: string | undefined;
  /** A file, or a folder of files, with tables that are made at the start unless they are there. */
  readonly seedDir: string | undefined;
  readonly durability: Durability;
  readonly readFrom: ReadFrom;
  /** Whether replicas that a read finds to be behind are told. */
  readonly readRepair: boolean;
  /** Of new tables whose tags do not say. */
  readonly consistency: Consistency;
  /** What keeps the tables of clients apart. Whatever it is, an access key `dynaringns…` names a namespace of its own. */
  readonly isolate: Isolation;
  /** In this time each replica is compared with each other by Merkle trees. 0: only on demand. */
  readonly antiEntropyIntervalMs: number;
  /** Whether requests beyond the throughput of their table, index or partition key are refused, as the service does. */
  readonly throttle: boolean;
  /** A file of fault rules that are in force from the start. */
  readonly faultsFile: string | undefined;
  /** Whether there is a `/_dynaring/` for administrators. */
  readonly admin: boolean;
  /** Where `/_dynaring/` and `/metrics` are, and no operations. 0: any free port. Undefined: beside the operations. */
  readonly adminPort: number | undefined;
  /** Whether the way of each of the last requests is kept. Costs a write about a tenth, in CPU. */
  readonly trace: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface Config extends Settings {
  readonly limits: Limits;
}

/**
 * The bounds of one process. Every loop, queue, cache and wait ends at one of these; what raising or lowering one costs
 * stands where it is declared.
 */
export interface Limits {
  readonly web: WebLimits;
  /** Of each storage node. */
  readonly node: NodeLimits;
  /** How long a write that nobody waits for may stay unwritten: longer batches more, and loses more to a crash. */
  readonly lazyFlushMs: number;
  /** How often records of deleted tables are looked for, which a node that was down then has brought back. */
  readonly sweepIntervalMs: number;
  /** How long requests under way get to finish after SIGTERM. Under the second after which the process has to be gone. */
  readonly stopGraceMs: number;
  /** Requests whose traces are kept. 0: none is traced. Each takes about 4 KB. */
  readonly tracesKept: number;
  /** Events of each of them. A PutItem has about twenty, and as many more with every further attempt. */
  readonly traceEventsKept: number;
}

/** Limits of which any may be left out. */
export type LimitOptions = {
  readonly [Name in keyof Limits]?: Limits[Name] extends number ? number : Partial<Limits[Name]>;
};

export const DEFAULT_LIMITS: Limits = {
  web: DEFAULT_WEB_LIMITS,
  node: DEFAULT_NODE_LIMITS,
  lazyFlushMs: 50,
  sweepIntervalMs: 5 * 60_000,
  stopGraceMs: 300,
  tracesKept: 1_000,
  traceEventsKept: 100,
};

/** A setting that cannot be: `message` is one line for the user. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The most nodes of one process; each has its own LMDB environment. */
const MAX_NODES = 64;
const MAX_PARTITIONS = 1_024;

/** One setting as it is written on a command line. */
interface Option {
  readonly flag: string;
  /** Empty for a flag that stands alone. */
  readonly value: string;
  readonly help: string;
  /** Completes "--flag must be ...". */
  readonly expects: string;
  /** Undefined for a text that is no such value. */
  readonly parse: (text: string) => unknown;
  /** Whether a value that was not parsed is one. */
  readonly accepts: (value: unknown) => boolean;
}

const wholeNumber = (min: number, max: number) => ({
  expects: `a whole number from ${min} to ${max}`,
  parse: (text: string) => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  },
  accepts: (value: unknown) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
});

const oneOf = (...choices: readonly string[]) => ({
  expects: `one of ${choices.join(', ')}`,
  parse: (text: string) => (choices.includes(text) ? text : undefined),
  accepts: (value: unknown) => choices.includes(value as string),
});

const onOrOff = {
  expects: 'on or off',
  parse: (text: string) => (text === 'on' ? true : text === 'off' ? false : undefined),
  accepts: (value: unknown) => typeof value === 'boolean',
};
/** A flag that stands for `on`; as a variable it may also be `off`. @param on the value that it gives the setting */
const alone = (on: boolean) => ({
  value: '',
  expects: 'on or off',
  parse: (text: string) => (text === 'on' ? on : text === 'off' ? !on : undefined),
  accepts: (value: unknown) => typeof value === 'boolean',
});

const OPTIONS = {
  port: { flag: '--port', value: 'PORT', help: 'port to listen on (8000; 0: any)', ...wholeNumber(0, 65_535) },
  hosts: {
    flag: '--host',
    value: 'ADDRESS',
    help: 'address to listen on, or all (127.0.0.1 and ::1)',
    expects: 'an address or all',
    parse: (text: string) => [text === 'all' ? '' : text],
    accepts: (value: unknown) =>
      Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string'),
  },
  nodes: { flag: '--nodes', value: 'S', help: 'storage nodes in the ring (3)', ...wholeNumber(1, MAX_NODES) },
  replication: {
    flag: '--replication',
    value: 'N',
    help: 'copies of each item (3, or S if fewer)',
    ...wholeNumber(1, MAX_NODES),
  },
  writeQuorum: {
    flag: '--write-quorum',
    value: 'W',
    help: 'committed copies before a write is answered (2, or N if fewer)',
    ...wholeNumber(1, MAX_NODES),
  },
  readQuorum: {
    flag: '--read-quorum',
    value: 'R',
    help: 'replicas asked by an eventually consistent read (1)',
    ...wholeNumber(1, MAX_NODES),
  },
  readFrom: {
    flag: '--read-from',
    value: 'WHICH',
    help: 'which replicas those are: first or random (first)',
    ...oneOf('first', 'random'),
  },
  readRepair: {
    flag: '--read-repair',
    value: 'ON',
    help: 'whether reads bring replicas that are behind up to date: on or off (on)',
    ...onOrOff,
  },
  consistency: {
    flag: '--consistency',
    value: 'MODE',
    help: 'of new tables without a tag: strict, or dynamo (always writable, last write wins) (strict)',
    ...oneOf('strict', 'dynamo'),
  },
  isolate: {
    flag: '--isolate',
    value: 'BY',
    help: 'gives clients tables of their own, by access-key, region, both or none (none)',
    ...oneOf('none', 'access-key', 'region', 'both'),
  },
  antiEntropyIntervalMs: {
    flag: '--anti-entropy-interval',
    value: 'SECONDS',
    help: 'in which all replicas are compared once; 0: never (60)',
    expects: 'seconds from 0 to 86400',
    parse: (text: string) => (/^\d{1,5}$/.test(text) && Number(text) <= 86_400 ? Number(text) * 1_000 : undefined),
    accepts: (value: unknown) => typeof value === 'number' && value >= 0 && value <= 86_400_000,
  },
  partitions: {
    flag: '--partitions',
    value: 'Q',
    help: 'partitions of the ring (64)',
    ...wholeNumber(1, MAX_PARTITIONS),
  },
  dataDir: {
    flag: '--data-dir',
    value: 'DIR',
    help: 'where data is kept (nowhere: gone at exit)',
    expects: 'a directory',
    parse: (text: string) => text,
    accepts: (value: unknown) => typeof value === 'string' && value !== '',
  },
  seedDir: {
    flag: '--seed-dir',
    value: 'DIR',
    help: 'folder or file of tables with items to begin with (none)',
    expects: 'a folder or a file',
    parse: (text: string) => text,
    accepts: (value: unknown) => typeof value === 'string' && value !== '',
  },
  durability: {
    flag: '--durability',
    value: 'LEVEL',
    help: 'memory, process or disk (process with --data-dir, else memory)',
    ...oneOf('memory', 'process', 'disk'),
  },
  throttle: {
    flag: '--throttle',
    value: 'ON',
    help: 'whether throughput is limited as tables say: on or off (off)',
    ...onOrOff,
  },
  faultsFile: {
    flag: '--faults',
    value: 'FILE',
    help: 'JSON: fault rules to begin with, one or an array of them (none)',
    expects: 'a file',
    parse: (text: string) => text,
    accepts: (value: unknown) => typeof value === 'string' && value !== '',
  },
  admin: { flag: '--no-admin', help: 'no /_dynaring/ for administrators', ...alone(false) },
  adminPort: {
    flag: '--admin-port',
    value: 'PORT',
    help: 'port for /_dynaring/ and /metrics alone (that of the operations)',
    ...wholeNumber(0, 65_535),
  },
  trace: { flag: '--trace', help: 'keep what happened for each of the last requests', ...alone(true) },
  logLevel: {
    flag: '--log-level',
    value: 'LEVEL',
    help: 'debug, info, warn, error or silent (info)',
    ...oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
  logFormat: {
    flag: '--log-format',
    value: 'FORMAT',
    help: 'text, or json: one object a line (text)',
    ...oneOf('text', 'json'),
  },
} as const satisfies Record<keyof Settings, Option>;

type SettingName = keyof Settings;

const SETTING_NAMES = Object.keys(OPTIONS) as SettingName[];

/** The environment variables that settings came from, to name them in errors. */
type Variables = { [Name in SettingName]?: string };

/**
 * Reads the command line and the environment; a flag beats a variable, an empty variable counts as unset.
 *
 * @param argv what follows the program's name; `--option value` or `--option=value`
 * @throws ConfigError
 */
export function parseConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const settings: Record<string, unknown> = {};
  const variables: Variables = {};
  for (const name of SETTING_NAMES) {
    const variable = variableOf(name);
    const text = env[variable];
    if (text === undefined || text === '') continue;
    settings[name] = parseOption(OPTIONS[name], text, variable);
    variables[name] = variable;
  }
  for (let index = 0; index < argv.length; index++) {
    const [flag, inline] = splitFlag(argv[index]!);
    if (!flag.startsWith('-')) throw new ConfigError(`unexpected argument ${JSON.stringify(flag)}`);
    const name = SETTING_NAMES.find((candidate) => OPTIONS[candidate].flag === flag);
    if (name === undefined)
      throw new ConfigError(`unknown option ${JSON.stringify(flag).slice(1, -1)}; --help lists the options`);
    const isAlone = OPTIONS[name].value === '';
    settings[name] = parseOption(OPTIONS[name], inline ?? (isAlone ? 'on' : valueAfter(argv, index++)));
    delete variables[name];
  }
  return complete(settings, {}, variables);
}

/**
 * Fills in what is not given, and checks that the settings fit together.
 *
 * @throws ConfigError
 */
export function completeConfig(given: Partial<Settings>, limits: LimitOptions = {}): Config {
  for (const name of SETTING_NAMES) {
    const value = given[name];
    if (value === undefined || OPTIONS[name].accepts(value)) continue;
    const text = JSON.stringify(value) ?? String(value);
    throw new ConfigError(`${name} must be what ${OPTIONS[name].flag} may be, ${OPTIONS[name].expects}, not ${text}`);
  }
  return complete(given, limits, {});
}

function complete(given: Partial<Settings>, limits: LimitOptions, variables: Variables): Config {
  const nodes = given.nodes ?? 3;
  const replication = given.replication ?? Math.min(3, nodes);
  const config: Config = {
    port: given.port ?? 8_000,
    hosts: given.hosts ?? ['127.0.0.1', '::1'],
    nodes,
    replication,
    writeQuorum: given.writeQuorum ?? Math.min(2, replication),
    readQuorum: given.readQuorum ?? 1,
    partitions: given.partitions ?? 64,
    dataDir: given.dataDir,
    seedDir: given.seedDir,
    durability: given.durability ?? (given.dataDir === undefined ? 'memory' : 'process'),
    readFrom: given.readFrom ?? 'first',
    readRepair: given.readRepair ?? true,
    consistency: given.consistency ?? 'strict',
    isolate: given.isolate ?? 'none',
    antiEntropyIntervalMs: given.antiEntropyIntervalMs ?? 60_000,
    throttle: given.throttle ?? false,
    faultsFile: given.faultsFile,
    admin: given.admin ?? true,
    adminPort: given.adminPort,
    trace: given.trace ?? false,
    logLevel: given.logLevel ?? 'info',
    logFormat: given.logFormat ?? 'text',
    limits: completeLimits(limits),
  };
  const told = (name: SettingName) =>
    `${OPTIONS[name].flag} ${config[name]}${origin(variables[name], given[name] === undefined)}`;
  for (const [small, large] of NOT_MORE_THAN) {
    if (config[small] > config[large]) throw new ConfigError(`${told(small)} is more than ${told(large)}`);
  }
  if (config.dataDir === undefined && config.durability !== 'memory') {
    throw new ConfigError(`${told('durability')} needs a --data-dir: without one the data is gone at exit`);
  }
  if (config.adminPort === config.port && config.port !== 0) {
    throw new ConfigError(`${told('adminPort')} is that of the operations`);
  }
  return config;
}

const NOT_MORE_THAN = [
  ['replication', 'nodes'],
  ['writeQuorum', 'replication'],
  ['readQuorum', 'replication'],
  ['nodes', 'partitions'],
] as const;

function completeLimits({ web, node, ...limits }: LimitOptions): Limits {
  const complete: Limits = {
    ...withDefaults(DEFAULT_LIMITS, limits, 'limits.'),
    web: withDefaults(DEFAULT_WEB_LIMITS, web, 'limits.web.'),
    node: withDefaults(DEFAULT_NODE_LIMITS, node, 'limits.node.'),
  };
  for (const [small, large] of SHORTER_THAN) {
    if (complete.node[small] < complete.node[large]) continue;
    throw new ConfigError(`limits.node.${small} must be below limits.node.${large}`);
  }
  return complete;
}

/** What is deleted would come back. */
const SHORTER_THAN = [
  ['opLifeMs', 'lineageWindowMs'],
  ['opLifeMs', 'hintLifeMs'],
  ['hintLifeMs', 'tombstoneGraceMs'],
] as const;

/** @param prefix of their names, for errors */
function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined, prefix: string): T {
  const known = Object.entries<unknown>(given ?? {}).filter(([, value]) => value !== undefined);
  for (const [name, value] of known) {
    if (!(name in defaults)) throw new ConfigError(`there is no ${prefix}${name}`);
    // A timer of NaN milliseconds runs at once, and again, and again.
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new ConfigError(`${prefix}${name} must be a number from 0, not ${value}`);
  }
  return { ...defaults, ...Object.fromEntries(known) };
}

/** Where the explanations begin. */
const HELP_COLUMN = 34;

/** The text of `--help`. */
export function helpText(): string {
  const lines = SETTING_NAMES.map((name) => {
    const { flag, value, help } = OPTIONS[name];
    return `  ${`${flag} ${value}`.padEnd(HELP_COLUMN)}${help}`;
  });
  return [
    'Usage: dynaring [options]',
    '',
    'A DynamoDB-compatible server whose inside is a real Dynamo.',
    '',
    ...lines,
    `  ${'--help'.padEnd(HELP_COLUMN)}this text`,
    `  ${'--version'.padEnd(HELP_COLUMN)}the version`,
    '',
    `Each option may also be an environment variable (${variableOf('port')}, ${variableOf('writeQuorum')}, ...); a flag`,
    'beats its variable.',
    '',
  ].join('\n');
}

/** `--write-quorum` is `DYNARING_WRITE_QUORUM`. */
function variableOf(name: SettingName): string {
  return `DYNARING_${OPTIONS[name].flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
}

function origin(variable: string | undefined, isDefault: boolean): string {
  if (variable !== undefined) return ` (from ${variable})`;
  return isDefault ? ' (the default)' : '';
}

function parseOption(option: Option, text: string, variable?: string): unknown {
  const value = text === '' ? undefined : option.parse(text);
  if (value !== undefined) return value;
  throw new ConfigError(
    `${option.flag}${origin(variable, false)} must be ${option.expects}, not ${JSON.stringify(text)}`,
  );
}

function splitFlag(argument: string): [flag: string, value: string | undefined] {
  const equals = argument.indexOf('=');
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function valueAfter(argv: readonly string[], index: number): string {
  const value = argv[index + 1];
  if (value === undefined || value.startsWith('--')) throw new ConfigError(`${argv[index]} needs a value`);
  return value;
}
