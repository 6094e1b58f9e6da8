// TypeScript 6 and later includes no types by itself, not even those of Node.
/// <reference types="node" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Snapshot, Trace } from './api/admin.ts';
import type { AttributeMap } from './api/attribute-value.ts';
import { type ActiveFault, AdminError, type FaultRule } from './api/fault-rule.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { endpointOf } from './config/endpoint.ts';
import { completeConfig, type LimitOptions, type Settings } from './config.ts';
import type { RepairReport } from './dynamo/healing/anti-entropy.ts';
import { SystemClock } from './env/clock.ts';
import { createLog } from './env/log.ts';
import type { Ring } from './host/ring-control.ts';
import type { Location } from './peer/locate.ts';
import { accessKeyOf } from './router/namespace.ts';
import type { StreamOptions, StreamRecords } from './router/stream-reader.ts';
import type { SeedSource } from './seed/seed.ts';

export type { Snapshot, TableSnapshot, Trace, TraceEvent } from './api/admin.ts';
export type { AttributeMap } from './api/attribute-value.ts';
export {
  type ActiveFault,
  AdminError,
  type DelayModelName,
  type FaultEffect,
  type FaultError,
  type FaultRule,
  type FaultScope,
  type FaultTime,
  type Lag,
  type Linger,
} from './api/fault-rule.ts';
export {
  type AccessKeyEntry,
  type AccessKeys,
  ConfigError,
  type Durability,
  type LimitOptions,
  type ReadFrom,
  type Settings,
} from './config.ts';
export type { RepairReport } from './dynamo/healing/anti-entropy.ts';
export type { ScrubReport } from './dynamo/healing/scrub.ts';
export { RingError } from './dynamo/ring-error.ts';
export type { LinkFault } from './env/transport.ts';
export type { Ring } from './host/ring-control.ts';
export type { Location, ReplicaDescription } from './peer/locate.ts';
export type { NodeDescription, RingDescription } from './peer/ring-description.ts';
export type { StreamOptions, StreamRecord, StreamRecords } from './router/stream-reader.ts';

/** The settings of the command line, all optional. */
export interface DynaringOptions extends Partial<Omit<Settings, 'httpsCert' | 'httpsKey'>> {
  /** Clients use HTTPS. Default: plain HTTP. */
  readonly https?: HttpsOptions;
  readonly limits?: LimitOptions;
}

/** The server's certificate, with those that lead to one which clients know, and its private key: PEM, or files of it. */
export interface HttpsOptions {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

/** A running server, in this process. */
export interface Dynaring extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port`, or with `https` */
  readonly endpoint: string;
  /** Serves DynamoDB operations in an Express application of yours: `app.use(dynaring.middleware)`. */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  /**
   * Its storage nodes and what can happen to them: stop, pause or wipe one, break links, add and remove nodes, repair,
   * scrub.
   */
  readonly ring: Ring;
  /**
   * Where an item lives, and what each of its replicas holds of it: `await dynaring.locate('Music', { Artist: { S:
   * 'ABBA' } })`.
   *
   * @param key as in a request's JSON: binaries in base64
   * @throws the error that GetItem would answer with, if there is no such table or the key does not fit it
   */
  locate(tableName: string, key: AttributeMap): Promise<Location>;
  /**
   * What changes in a table that has a stream: `for await (const { eventName, dynamodb } of db.stream('Orders')) ...`. Records
   * are those that functions of AWS Lambda get. It waits for further ones until the stream is disabled, or the server stops.
   *
   * @param options `from: 'LATEST'` begins with what is written after `ready` has resolved
   */
  stream(tableName: string, options?: StreamOptions): StreamRecords;
  /** The settings for `new DynamoDBClient(...)`. With `auth`, those of its first access key. */
  clientConfig(): ClientConfig;
  /**
   * The settings for a client with a namespace of its own: it sees none of the tables of other namespaces.
   *
   * @param name 1 to 64 letters, digits, `_`, `.` or `-`
   * @throws AdminError for any other name; with `auth`, also if that does not have the access key `dynaringnsNAME`
   */
  namespace(name: string): ClientConfig;
  /** The rules of what goes wrong on purpose. */
  readonly faults: Faults;
  /** Time as the API means it, which a test may move. */
  readonly clock: MovableClock;
  /**
   * Deletes all tables, or those of one namespace. Fault rules stay. With all tables, the clock is put back as well.
   */
  reset(namespace?: string): Promise<void>;
  /** All tables with their items, or those of one namespace: plain JSON. */
  snapshot(namespace?: string): Promise<Snapshot>;
  /** Replaces the present tables by those of a snapshot, as they were. */
  restore(snapshot: Snapshot): Promise<void>;
  /**
   * Makes tables and items of a JSON file, of the files of a folder, or of objects.
   *
   * @throws SeedError that names the file and the line
   */
  seed(source: SeedSource, namespace?: string): Promise<void>;
  /**
   * Deletes all items that have expired. That happens in the background as well, within seconds, unless the setting
   * `ttlIntervalMs` is 0.
   *
   * @returns how many items were deleted during the call
   */
  sweep(): Promise<number>;
  /** Compares all replicas and brings those up to date that are behind, also where a fault rule holds records back. */
  repair(): Promise<RepairReport>;
  /**
   * Repairs until all replicas are alike, nothing is on its way, and no index is being built: for the end of a test.
   *
   * @throws RingError that says what is behind, if they are not alike within half a minute
   */
  waitUntilConsistent(): Promise<void>;
  /**
   * What happened during a request: which replicas were asked and answered, ballots, hints, read repair, fault rules.
   *
   * @param request the answer or the error of an SDK's client, or a request id
   * @returns undefined if it was not among the last 1,000 requests
   */
  trace(request: string | AnswerOfSdk): Trace | undefined;
  /**
   * Stops the server and releases all it holds. Without a `dataDir` the data is gone. A second call waits for the
   * first.
   */
  stop(): Promise<void>;
}

/** Rules of what goes wrong, for as long as they are in force. docs/guide/faults.md describes all kinds. */
export interface Faults {
  /**
   * @throws AdminError that names the field, if the rule is invalid or this ring is too small for it; or after `stop`
   */
  add(rule: FaultRule): ActiveFault;
  /** The rules in the order in which they were added, how often each fired, and the seed it draws with. */
  list(): readonly ActiveFault[];
  /** @throws AdminError if there is no rule of that id */
  remove(id: string): void;
  clear(): void;
}

/**
 * What the API goes by: whether an item has expired, dates in descriptions, units of throughput. Nothing of the ring
 * goes by it. It runs on from wherever it is moved to, also backward. Each method returns the time that it is now, in
 * ms since 1970.
 */
export interface MovableClock {
  now(): number;
  /**
   * @param by `'49h'`, `'1h30m'`, `'-2d'`, or ms
   * @throws AdminError if it is no time, or leads out of the years 1970 to 9999
   */
  advance(by: string | number): number;
  /**
   * @param to `'2030-01-31T12:00:00Z'`, a `Date`, or ms since 1970
   * @throws AdminError as `advance` does
   */
  set(to: string | number | { getTime(): number }): number;
  /** Puts it back to where it would be had it never been moved. */
  reset(): number;
}

/** What the answers and the errors of the JavaScript SDK have in common. */
export interface AnswerOfSdk {
  readonly $metadata: { readonly requestId?: string | undefined };
}

export interface ClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/**
 * Starts a server in this process and resolves once it answers. Some defaults differ from the command line's: the port
 * is any free one, requests are traced, and nothing is logged (with `logRequests`, entries from level `info` on).
 *
 * @throws ConfigError for settings that do not fit together; the system's error if the server cannot start
 */
export async function startDynaring({ limits, https, ...settings }: DynaringOptions = {}): Promise<Dynaring> {
  const logLevel = settings.logRequests === true ? 'info' : 'silent';
  const secure = { httpsCert: https?.cert, httpsKey: https?.key };
  const config = completeConfig({ port: 0, logLevel, trace: true, ...settings, ...secure }, limits);
  const clock = new SystemClock();
  const write = (line: string) => console.error(line);
  const log = createLog({ level: config.logLevel, format: config.logFormat, write, now: () => clock.now() });
  const cluster = await startCluster(config, log);
  const address = cluster.addresses[0]!;
  const endpoint = endpointOf(address, config);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= cluster.stop();
    return stopped;
  };
  const clientConfig = clientConfigs(endpoint, cluster.accessKeys);
  const { admin, tables, faults, ring } = cluster;
  return {
    port: address.port,
    endpoint,
    middleware: cluster.web.middleware,
    ring,
    locate: cluster.locate,
    stream: cluster.stream,
    clientConfig: () => clientConfig(),
    namespace: (name) => clientConfig(accessKeyOf(name)),
    faults,
    clock: {
      now: () => admin.clock().nowMs,
      advance: (by) => admin.moveClock({ advance: by }).nowMs,
      set: (to) => admin.moveClock({ set: typeof to === 'object' ? to.getTime() : to }).nowMs,
      reset: () => admin.resetClock().nowMs,
    },
    reset: (namespace) => admin.reset(namespace),
    snapshot: (namespace) => tables.snapshot(namespace),
    restore: (snapshot) => tables.restore(snapshot),
    seed: (source, namespace) => cluster.seed(source, namespace),
    sweep: async () => (await admin.sweep()).deleted,
    repair: () => ring.repair(),
    waitUntilConsistent: () => cluster.waitUntilConsistent(),
    trace(request) {
      const requestId = typeof request === 'string' ? request : request.$metadata.requestId;
      return requestId === undefined ? undefined : admin.trace(requestId);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Makes the settings of clients: with the given access key, or one that is accepted. */
function clientConfigs(endpoint: string, accessKeys: Cluster['accessKeys']): (accessKeyId?: string) => ClientConfig {
  return (given) => {
    if (accessKeys === undefined) {
      return { endpoint, region: 'local', credentials: { accessKeyId: given ?? 'any', secretAccessKey: 'any' } };
    }
    const accessKeyId = given ?? accessKeys.keys().next().value!;
    const key = accessKeys.get(accessKeyId);
    if (key === undefined) throw new AdminError(`auth has no access key ${accessKeyId}`, 'namespace');
    const { region = 'local', ...secrets } = key;
    return { endpoint, region, credentials: { accessKeyId, ...secrets } };
  };
}
