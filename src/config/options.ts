import { DURATION_FORM, durationOf } from '../api/duration.ts';
import type { Settings } from './settings.ts';

/** The most nodes in one process; each has its own LMDB environment. */
const MAX_NODES = 64;
const MAX_PARTITIONS = 1_024;

/** The headings under which `--help` lists options, in order. */
export const OPTION_GROUPS = {
  network: 'Where it listens',
  ring: 'The ring',
  data: 'Data',
  tests: 'For tests',
  log: 'The log',
} as const;

/** The command-line form of a setting. */
export interface Option {
  readonly group: keyof typeof OPTION_GROUPS;
  readonly flag: string;
  /** Empty for a flag without a value. */
  readonly value: string;
  readonly help: string;
  /** Completes "--flag must be ...". */
  readonly expects: string;
  /** All valid texts, if these are few. */
  readonly choices?: readonly string[];
  /** Returns undefined for an invalid text. */
  readonly parse: (text: string) => unknown;
  /** Whether a value is valid that was given without parsing. */
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

/** Up to `max` seconds; the setting itself is in milliseconds. */
const seconds = (max: number) => ({
  expects: `seconds from 0 to ${max}`,
  parse: (text: string) => (/^\d{1,7}$/.test(text) && Number(text) <= max ? Number(text) * 1_000 : undefined),
  accepts: (value: unknown) => typeof value === 'number' && value >= 0 && value <= max * 1_000,
});

const oneOf = (...choices: readonly string[]) => ({
  expects: `one of ${choices.join(', ')}`,
  choices,
  parse: (text: string) => (choices.includes(text) ? text : undefined),
  accepts: (value: unknown) => choices.includes(value as string),
});

const onOrOff = {
  expects: 'on or off',
  choices: ['on', 'off'],
  parse: (text: string) => (text === 'on' ? true : text === 'off' ? false : undefined),
  accepts: (value: unknown) => typeof value === 'boolean',
};
/** A flag without a value that sets its setting to true. Its environment variable is `on` or `off`. */
const turnsOn = { ...onOrOff, value: '' };
/** A flag without a value that sets its setting to false. Its environment variable is `on` (false) or `off` (true). */
const turnsOff = {
  ...turnsOn,
  parse: (text: string) => (text === 'on' ? false : text === 'off' ? true : undefined),
};

const file = {
  value: 'FILE',
  expects: 'a file',
  parse: (text: string) => text,
  accepts: (value: unknown) => typeof value === 'string' && value !== '',
};

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string');
}

/** Whether an entry of the list is `*`, an origin of web pages, a host, or a host and port. */
function isOrigin(text: string): boolean {
  if (text === '' || /\s/.test(text) || (text.includes('*') && text !== '*')) return false;
  if (!/^https?:/.test(text)) return true;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && url.pathname === '/' && url.search === '' && url.hash === '';
}

export const OPTIONS = {
  port: {
    group: 'network',
    flag: '--port',
    value: 'PORT',
    help: 'port to listen on (8000; 0: any)',
    ...wholeNumber(0, 65_535),
  },
  hosts: {
    group: 'network',
    flag: '--host',
    value: 'ADDRESS',
    help: 'address to listen on, or all (127.0.0.1 and ::1)',
    expects: 'an address or all',
    parse: (text: string) => [text === 'all' ? '' : text],
    accepts: isListOfTexts,
  },
  httpsCert: {
    group: 'network',
    flag: '--https-cert',
    help: 'certificate and its chain, in PEM: clients use HTTPS (plain HTTP)',
    ...file,
    accepts: (value: unknown) => file.accepts(value) || value instanceof Uint8Array,
  },
  httpsKey: {
    group: 'network',
    flag: '--https-key',
    help: 'private key of the certificate, in PEM',
    ...file,
    accepts: (value: unknown) => file.accepts(value) || value instanceof Uint8Array,
  },
  auth: {
    group: 'network',
    flag: '--auth',
    help: 'access keys in JSON, by which signatures are verified (any will do)',
    ...file,
    accepts: (value: unknown) => file.accepts(value) || (typeof value === 'object' && value !== null),
  },
  nodes: {
    group: 'ring',
    flag: '--nodes',
    value: 'S',
    help: 'storage nodes in the ring (3)',
    ...wholeNumber(1, MAX_NODES),
  },
  replication: {
    group: 'ring',
    flag: '--replication',
    value: 'N',
    help: 'copies of each item (3, or S if fewer)',
    ...wholeNumber(1, MAX_NODES),
  },
  writeQuorum: {
    group: 'ring',
    flag: '--write-quorum',
    value: 'W',
    help: 'committed copies before a write is answered (2, or N if fewer)',
    ...wholeNumber(1, MAX_NODES),
  },
  readQuorum: {
    group: 'ring',
    flag: '--read-quorum',
    value: 'R',
    help: 'replicas asked by an eventually consistent read (1)',
    ...wholeNumber(1, MAX_NODES),
  },
  readFrom: {
    group: 'ring',
    flag: '--read-from',
    value: 'WHICH',
    help: 'which replicas those are: first, nearest or random (first)',
    ...oneOf('first', 'nearest', 'random'),
  },
  readRepair: {
    group: 'ring',
    flag: '--read-repair',
    value: 'ON',
    help: 'whether reads update replicas that are behind: on or off (on)',
    ...onOrOff,
  },
  consistency: {
    group: 'ring',
    flag: '--consistency',
    value: 'MODE',
    help: 'of new tables without a tag: strict or dynamo (strict)',
    ...oneOf('strict', 'dynamo'),
  },
  isolate: {
    group: 'data',
    flag: '--isolate',
    value: 'BY',
    help: 'tables apart by access-key, region, both or none (none)',
    ...oneOf('none', 'access-key', 'region', 'both'),
  },
  antiEntropyIntervalMs: {
    group: 'ring',
    flag: '--anti-entropy-interval',
    value: 'SECONDS',
    help: 'in which all replicas are compared once; 0: never (60)',
    ...seconds(86_400),
  },
  scrubIntervalMs: {
    group: 'data',
    flag: '--scrub-interval',
    value: 'SECONDS',
    help: 'after which all data is checked again; 0: never (86400)',
    ...seconds(1_209_600),
  },
  partitions: {
    group: 'ring',
    flag: '--partitions',
    value: 'Q',
    help: 'partitions of the ring (64)',
    ...wholeNumber(1, MAX_PARTITIONS),
  },
  dataDir: {
    group: 'data',
    flag: '--data-dir',
    value: 'DIR',
    help: 'where data is kept (nowhere: gone at exit)',
    expects: 'a directory',
    parse: (text: string) => text,
    accepts: (value: unknown) => typeof value === 'string' && value !== '',
  },
  seedDir: {
    group: 'data',
    flag: '--seed-dir',
    value: 'DIR',
    help: 'folder or file of tables with items to begin with (none)',
    expects: 'a folder or a file',
    parse: (text: string) => text,
    accepts: (value: unknown) => typeof value === 'string' && value !== '',
  },
  durability: {
    group: 'data',
    flag: '--durability',
    value: 'LEVEL',
    help: 'memory, process or disk (process with --data-dir, else memory)',
    ...oneOf('memory', 'process', 'disk'),
  },
  throttle: {
    group: 'tests',
    flag: '--throttle',
    value: 'ON',
    help: 'whether throughput is limited as tables say: on or off (off)',
    ...onOrOff,
  },
  ttlIntervalMs: {
    group: 'data',
    flag: '--ttl-interval',
    value: 'SECONDS',
    help: 'in which expired items are deleted; 0: only on demand (1)',
    ...seconds(86_400),
  },
  streamShards: {
    group: 'tests',
    flag: '--stream-shards',
    value: 'SHARDS',
    help: 'of each stream that is enabled, a divisor of Q (1)',
    ...wholeNumber(1, MAX_PARTITIONS),
  },
  timeOffsetMs: {
    group: 'tests',
    flag: '--time-offset',
    value: 'TIME',
    help: 'of expiry and dates: 49h is so far ahead of the computer (0s)',
    expects: DURATION_FORM,
    parse: durationOf,
    accepts: (value: unknown) => Number.isFinite(value),
  },
  faultsFile: {
    group: 'tests',
    flag: '--faults',
    help: 'JSON: fault rules to begin with, one or an array of them (none)',
    ...file,
  },
  admin: { group: 'network', flag: '--no-admin', help: 'no /_dynaring/ for administrators', ...turnsOff },
  adminPort: {
    group: 'network',
    flag: '--admin-port',
    value: 'PORT',
    help: 'port for /_dynaring/ and /metrics alone (that of the operations)',
    ...wholeNumber(0, 65_535),
  },
  corsOrigins: {
    group: 'network',
    flag: '--cors',
    value: 'LIST',
    help: 'origins of web pages that may use it, with commas between (*)',
    expects: 'origins with commas between, or *',
    parse: (text: string) => {
      const origins = text.split(',').map((origin) => origin.trim());
      return origins.every(isOrigin) ? origins : undefined;
    },
    accepts: isListOfTexts,
  },
  delayTransientStatuses: {
    group: 'tests',
    flag: '--delay-transient-statuses',
    help: 'show CREATING, UPDATING and DELETING for two seconds',
    ...turnsOn,
  },
  trace: { group: 'tests', flag: '--trace', help: 'keep what happened for each of the last requests', ...turnsOn },
  logLevel: {
    group: 'log',
    flag: '--log-level',
    value: 'LEVEL',
    help: 'debug, info, warn, error or silent (info)',
    ...oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
  logRequests: { group: 'log', flag: '--log-requests', help: 'a line at info for each request', ...turnsOn },
  logFormat: {
    group: 'log',
    flag: '--log-format',
    value: 'FORMAT',
    help: 'text, or json: one object a line (text)',
    ...oneOf('text', 'json'),
  },
} as const satisfies Record<keyof Settings, Option>;

export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(OPTIONS) as SettingName[];

/** `--write-quorum` is `DYNARING_WRITE_QUORUM`. */
export function variableOf(name: SettingName): string {
  return `DYNARING_${OPTIONS[name].flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/** Where a value came from: an environment variable, a default, or else a flag. */
interface Origin {
  readonly variable: string | undefined;
  readonly isDefault?: boolean;
}

/** Where a value came from, for errors. */
export function originText({ variable, isDefault = false }: Origin): string {
  if (variable !== undefined) return ` (from ${variable})`;
  return isDefault ? ' (the default)' : '';
}
