import type { AttributeMap } from './api/attribute-value.ts';
import { startCluster } from './cluster.ts';
import { completeConfig, type LimitOptions, type Settings } from './config.ts';
import { endpointOf } from './endpoint.ts';
import { SystemClock } from './env/clock.ts';
import { createLog } from './env/log.ts';
import type { Location, StorageRing } from './storage-ring.ts';
import type { WebServer } from './web/server.ts';

export type { AttributeMap } from './api/attribute-value.ts';
export { ConfigError, type Durability, type LimitOptions, type ReadFrom, type Settings } from './config.ts';
export type { RepairReport } from './dynamo/anti-entropy.ts';
export { RingError } from './dynamo/membership.ts';
export type { LinkFault } from './env/faults.ts';
export type { Location, NodeDescription, ReplicaDescription, RingDescription, StorageRing } from './storage-ring.ts';

/** The settings of the command line, of which any may be left out. */
export interface DynaringOptions extends Partial<Settings> {
  readonly limits?: LimitOptions;
}

/** A running server, in this process. */
export interface Dynaring extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** Answers DynamoDB operations in an Express application too: `app.use(dynaring.middleware)`. */
  readonly middleware: WebServer['middleware'];
  /**
   * Its storage nodes and what may happen to them: stop, pause or wipe one, break links, add and remove nodes, repair.
   */
  readonly ring: StorageRing;
  /**
   * Where an item lives, and what each of its replicas holds of it: `await dynaring.locate('Music', { Artist: { S: 'ABBA' } })`.
   *
   * @param key as in a request's JSON: binaries in base64
   * @throws what GetItem would answer to such a table or key
   */
  locate(tableName: string, key: AttributeMap): Promise<Location>;
  /** For `new DynamoDBClient(...)`. */
  clientConfig(): ClientConfig;
  /** Stops it and releases all it holds; data is gone unless it has a `dataDir`. A second call waits for the first. */
  stop(): Promise<void>;
}

export interface ClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/**
 * Starts a server in this process and resolves once it answers. Unlike on the command line, the port is any free one
 * and nothing is logged, unless asked for.
 *
 * @throws ConfigError for settings that do not fit together; else what the system says
 */
export async function startDynaring({ limits, ...settings }: DynaringOptions = {}): Promise<Dynaring> {
  const config = completeConfig({ port: 0, logLevel: 'silent', ...settings }, limits);
  const clock = new SystemClock();
  const write = (line: string) => console.error(line);
  const log = createLog({ level: config.logLevel, format: 'text', write, now: () => clock.now() });
  const cluster = await startCluster(config, log);
  const address = cluster.addresses[0]!;
  const endpoint = endpointOf(address);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= cluster.stop();
    return stopped;
  };
  return {
    port: address.port,
    endpoint,
    middleware: cluster.web.middleware,
    ring: cluster.ring,
    locate: cluster.locate,
    clientConfig: () => ({ endpoint, region: 'local', credentials: { accessKeyId: 'any', secretAccessKey: 'any' } }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
