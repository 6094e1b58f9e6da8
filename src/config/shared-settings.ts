import { ConfigError } from './config-error.ts';
import { hintOf } from './nearest.ts';
import { OPTIONS, type Option } from './options.ts';
import type { Settings } from './settings.ts';

/** The settings that change what clients are answered: the same at all processes of a cluster. */
const NAMES = ['consistency', 'delayTransientStatuses', 'isolate', 'throttle'] as const;

export type SharedSettings = Pick<Settings, (typeof NAMES)[number]>;

/** Those of some settings that are given, and nothing else. What does not fit is left out: a later release may have it. */
export function sharedSettingsIn(given: SharedSettings): SharedSettings;
export function sharedSettingsIn(given: object): Partial<SharedSettings>;
export function sharedSettingsIn(given: object): Partial<SharedSettings> {
  const values = given as Readonly<Record<string, unknown>>;
  const known = NAMES.filter((name) => values[name] !== undefined && OPTIONS[name].accepts(values[name]));
  return Object.fromEntries(known.map((name) => [name, values[name]]));
}

/**
 * Compares what a process is started with and what its cluster has.
 *
 * @throws ConfigError that says both, and what to do
 */
export function checkSharedSettings(said: Partial<SharedSettings>, cluster: SharedSettings): void {
  for (const name of NAMES) {
    const value = said[name];
    if (value === undefined || value === cluster[name]) continue;
    const { flag } = OPTIONS[name];
    const command = `dynaring admin set ${flag.slice(2)} ${textOf(value)}`;
    throw new ConfigError(
      `${flag} ${textOf(value)} is not what the cluster has, which is ${textOf(cluster[name])}: start it without ${flag}, or change it for all with ${command}`,
    );
  }
}

/**
 * What an operator wants to change, by the names of the flags, as `{"throttle": "on"}`.
 *
 * @throws ConfigError that names what is wrong
 */
export function readSharedSettings(given: Readonly<Record<string, unknown>>): Partial<SharedSettings> {
  const read = Object.entries(given).map(([word, text]) => {
    const name = NAMES.find((each) => wordOf(each) === word);
    if (name === undefined) {
      const words = NAMES.map(wordOf);
      throw new ConfigError(
        `no setting of a cluster is called ${JSON.stringify(word)}${hintOf(word, words)}: there are ${words.join(', ')}`,
      );
    }
    const { expects, parse }: Option = OPTIONS[name];
    const value = typeof text === 'string' ? parse(text) : undefined;
    if (value === undefined) throw new ConfigError(`${word} must be ${expects}, not ${JSON.stringify(text)}`);
    return [name, value];
  });
  return Object.fromEntries(read);
}

/** By the names of the flags, as they are written there. */
export function sharedSettingsText(settings: Partial<SharedSettings>): Readonly<Record<string, string>> {
  const present = NAMES.filter((name) => settings[name] !== undefined);
  return Object.fromEntries(present.map((name) => [wordOf(name), textOf(settings[name]!)]));
}

function wordOf(name: keyof SharedSettings): string {
  return OPTIONS[name].flag.slice(2);
}

function textOf(value: string | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : value;
}
