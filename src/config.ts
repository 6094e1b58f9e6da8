import { ConfigError } from './config/config-error.ts';
import { hintOf } from './config/nearest.ts';
import { OPTIONS, type Option, originText, SETTING_NAMES, type SettingName } from './config/options.ts';
import { completeLimits, type LimitOptions } from './config/process-limits.ts';
import type { Config, Settings } from './config/settings.ts';

export { ConfigError, isRefusal, type Refusal } from './config/config-error.ts';
export type { LimitOptions, Limits } from './config/process-limits.ts';
export type { AccessKeyEntry, AccessKeys, Config, Durability, ReadFrom, Settings } from './config/settings.ts';

export { readSharedSettings, sharedSettingsIn, sharedSettingsText } from './config/shared-settings.ts';

/** By setting, the environment variable that it came from. */
export type Variables = { [Name in SettingName]?: string };

/**
 * Completes the given settings with defaults, and checks that they fit together.
 *
 * @throws ConfigError
 */
export function completeConfig(given: Partial<Settings>, limits: LimitOptions = {}): Config {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(OPTIONS, name)) continue;
    throw new ConfigError(`there is no setting ${name}${hintOf(name, SETTING_NAMES)}`);
  }
  for (const name of SETTING_NAMES) {
    const value = given[name];
    if (value === undefined || OPTIONS[name].accepts(value)) continue;
    const { flag, expects, choices = [], accepts }: Option = OPTIONS[name];
    const text = JSON.stringify(value) ?? String(value);
    const hint = typeof value === 'string' ? hintOf(value, choices.filter(accepts)) : '';
    throw new ConfigError(`${name} must be what ${flag} may be, ${expects}, not ${text}${hint}`);
  }
  return complete(given, limits, {});
}

/** @param variables the environment variables that settings came from, to be named in errors */
export function complete(given: Partial<Settings>, limits: LimitOptions, variables: Variables): Config {
  const nodes = given.nodes ?? 3;
  const replication = given.replication ?? Math.min(3, nodes);
  const config: Config = {
    port: given.port ?? 8_000,
    hosts: given.hosts ?? ['127.0.0.1', '::1'],
    httpsCert: given.httpsCert,
    httpsKey: given.httpsKey,
    auth: given.auth,
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
    scrubIntervalMs: given.scrubIntervalMs ?? 86_400_000,
    throttle: given.throttle ?? false,
    ttlIntervalMs: given.ttlIntervalMs ?? 1_000,
    streamShards: given.streamShards ?? 1,
    timeOffsetMs: given.timeOffsetMs ?? 0,
    faultsFile: given.faultsFile,
    admin: given.admin ?? true,
    adminPort: given.adminPort,
    corsOrigins: given.corsOrigins ?? ['*'],
    delayTransientStatuses: given.delayTransientStatuses ?? false,
    trace: given.trace ?? false,
    logLevel: given.logLevel ?? 'info',
    logRequests: given.logRequests ?? false,
    logFormat: given.logFormat ?? 'text',
    limits: completeLimits(limits),
  };
  const told = (name: SettingName) =>
    `${OPTIONS[name].flag} ${config[name]}${originText({ variable: variables[name], isDefault: given[name] === undefined })}`;
  for (const [small, large] of NOT_MORE_THAN) {
    if (config[small] > config[large]) throw new ConfigError(`${told(small)} is more than ${told(large)}`);
  }
  if (config.partitions % config.streamShards !== 0) {
    throw new ConfigError(`${told('streamShards')} is no divisor of ${told('partitions')}`);
  }
  if (config.dataDir === undefined && config.durability !== 'memory') {
    throw new ConfigError(`${told('durability')} needs a --data-dir: without one the data is gone at exit`);
  }
  if ((config.httpsCert === undefined) !== (config.httpsKey === undefined)) {
    const [there, missing] = config.httpsKey === undefined ? CERTIFICATE : CERTIFICATE.toReversed();
    throw new ConfigError(`${OPTIONS[there!].flag} needs ${OPTIONS[missing!].flag}`);
  }
  if (config.adminPort === config.port && config.port !== 0) {
    throw new ConfigError(`${told('adminPort')} is that of the operations`);
  }
  return config;
}

const CERTIFICATE: readonly SettingName[] = ['httpsCert', 'httpsKey'];

const NOT_MORE_THAN = [
  ['replication', 'nodes'],
  ['writeQuorum', 'replication'],
  ['readQuorum', 'replication'],
  ['nodes', 'partitions'],
] as const;
