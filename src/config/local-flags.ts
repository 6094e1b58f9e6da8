import type { SettingName } from './options.ts';

/**
 * A flag of DynamoDB Local (developer guide, "DynamoDB local usage notes") that is not one of ours by the same name.
 */
export type LocalFlag =
  /** Another name of one of our options. */
  | { readonly kind: 'alias'; readonly setting: SettingName }
  | { readonly kind: 'in-memory' }
  | { readonly kind: 'shared' }
  /** Changes nothing, for the reason that `note` gives. */
  | { readonly kind: 'nothing'; readonly note: string };

/** By name, without dashes; case-sensitive, as in DynamoDB Local. */
export const LOCAL_FLAGS: ReadonlyMap<string, LocalFlag> = new Map<string, LocalFlag>([
  ['inMemory', { kind: 'in-memory' }],
  ['dbPath', { kind: 'alias', setting: 'dataDir' }],
  ['sharedDb', { kind: 'shared' }],
  ['delayTransientStatuses', { kind: 'alias', setting: 'delayTransientStatuses' }],
  [
    'optimizeDbBeforeStartup',
    { kind: 'nothing', note: '-optimizeDbBeforeStartup changes nothing: the store needs no such care' },
  ],
  ['disableTelemetry', { kind: 'nothing', note: '-disableTelemetry changes nothing: there is no telemetry' }],
]);

/** What to use instead of an option of dynalite, by name. */
export const DYNALITE_HINTS: ReadonlyMap<string, string> = new Map([
  ['path', '--data-dir keeps the data'],
  ['createTableMs', 'tables are ready at once, unless --delay-transient-statuses is given'],
  ['deleteTableMs', 'tables are gone at once, unless --delay-transient-statuses is given'],
  ['updateTableMs', 'tables are changed at once, unless --delay-transient-statuses is given'],
  ['maxItemSizeKb', 'the limit is 400 KB, as of the service'],
  ['verbose', '--log-requests writes a line for each request'],
  ['debug', '--log-level debug says more'],
  ['ssl', '--https-cert and --https-key make it speak HTTPS'],
  ['useSSLFilePaths', '--https-cert and --https-key make it speak HTTPS'],
  ['key', '--https-key is the file of the private key'],
  ['cert', '--https-cert is the file of the certificate'],
  ['ca', '--https-cert is a file that may have the whole chain'],
]);

/** An option of the Java machine, which comes before `-jar`. */
const JAVA_OPTION =
  /^-(D|X|java(agent|library)|agent(lib|path):|(server|client|ea|da|esa|dsa)$|-(add|enable)-[a-z-]+=)/;

/**
 * Removes `java`, the options of the Java machine and `-jar DynamoDBLocal.jar` from the arguments. Other arguments stay
 * as they are.
 */
export function withoutJava(argv: readonly string[]): readonly string[] {
  const args = argv[0] === 'java' ? argv.slice(1) : argv;
  const jar = args.indexOf('-jar');
  if (jar < 0 || !args[jar + 1]?.endsWith('.jar')) return args;
  return [...args.slice(0, jar).filter((arg) => !JAVA_OPTION.test(arg)), ...args.slice(jar + 2)];
}
