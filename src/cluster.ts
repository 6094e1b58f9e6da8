import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import { storeKeyOf } from './dynamo/keyspace.ts';
import { SystemClock, type Timer } from './env/clock.ts';
import { type DataDirectory, openDataDirectory } from './env/data-directory.ts';
import type { Log } from './env/log.ts';
import { SeededRandom } from './env/random.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { addFaultsOfFile } from './fault-file.ts';
import { FaultDelays } from './router/fault-delays.ts';
import { FaultRules } from './router/fault-rules.ts';
import { withFaults } from './router/faulty-execute.ts';
import { createRouter } from './router/router.ts';
import { ThroughputGate } from './router/throughput.ts';
import { StorageRing } from './storage-ring.ts';
import { listen } from './web/listen.ts';
import { createWebServer, type WebServer } from './web/server.ts';

/** A whole Dynaring in one process: the storage nodes, a router and a web server. */
export interface Cluster {
  /** Where it listens; with port 0 this is how to learn the port. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** For mounting it in another server of this process. */
  readonly web: WebServer;
  /** What may happen to its nodes and links. */
  readonly ring: StorageRing;
  /** What goes wrong on purpose. */
  readonly faults: FaultRules;
  /** Ends it: no new requests, those under way get `limits.stopGraceMs`, then everything is flushed and released. */
  stop(): Promise<void>;
}

/**
 * The composition root: from here on, and only here, everybody knows which implementations they run on.
 * Resolves once requests can be served.
 *
 * @throws `DataDirectoryError`, or the system's error if an address cannot be listened on; nothing is left behind then
 */
export async function startCluster(config: Config, log: Log): Promise<Cluster> {
  const undo: (() => Promise<void>)[] = [];
  /** Tries every step, so that one that fails leaves nothing else behind; then throws what the first one threw. */
  const undoAll = async () => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const directory = await openDirectory(config);
    undo.push(() => directory.close());
    const ring = await StorageRing.open(config, directory, log);
    undo.push(() => ring.close());
    const clock = new SystemClock();
    const faults = createFaults(config, clock);
    const delays = new FaultDelays(clock);
    undo.push(async () => faults.clear());
    if (config.faultsFile !== undefined) addFaultsOfFile(config.faultsFile, (rule) => faults.add(rule));
    const router = createRouter({
      client: ring.client,
      newId: randomUUID,
      defaultConsistency: config.consistency,
      throughput: config.throttle ? new ThroughputGate({ elapsedMs: () => clock.elapsedMs() }) : undefined,
    });
    const web = createWebServer({
      execute: withFaults(router, {
        rules: faults,
        wait: (delayMs) => delays.wait(delayMs),
        namespaceOf: () => '',
        onFired: () => {},
      }),
      nowMs: () => clock.now(),
      requestId: createRequestIds(),
      isReady: () => true,
      onInternalError: (error) => log.error('a request failed by a bug', { error }),
      limits: config.limits.web,
    });
    const listening = await listen(web, config.hosts, config.port);
    undo.push(() => {
      let timer: Timer;
      const grace = new Promise<void>((resolve) => {
        timer = clock.after(config.limits.stopGraceMs, resolve);
      });
      return listening.close(grace).finally(() => clock.cancel(timer));
    });
    // First of all when it stops: requests that a rule makes wait are not waited for.
    undo.push(async () => delays.stop());
    if (config.dataDir === undefined) {
      // Not awaited: it may take its time, and it never rejects.
      removeLeftovers(directory, clock.now()).then((paths) => {
        for (const path of paths) log.info('removed the data of a killed server', { path });
      });
    }
    return { addresses: listening.addresses, web, ring, faults, stop: undoAll };
  } catch (error) {
    // What went wrong first is what the user can change.
    await undoAll().catch((failure: unknown) => log.error('could not release everything', { error: failure }));
    throw error;
  }
}

function createFaults({ replication, writeQuorum, partitions }: Config, clock: SystemClock): FaultRules {
  return new FaultRules({
    replication,
    writeQuorum,
    timers: clock,
    newSeed: () => randomInt(2 ** 31),
    seeded: (seed) => {
      const random = new SeededRandom(seed);
      return () => random.next();
    },
    describeStorage: () => undefined,
    storeKeyOf: (key) => storeKeyOf(key, partitions),
    onLagChange: () => {},
  });
}

function openDirectory({ dataDir, partitions, replication, nodes }: Config): Promise<DataDirectory> {
  if (dataDir === undefined) return openTemporaryDirectory();
  return openDataDirectory(dataDir, { partitions, replication, nodes });
}

/** Ids in the service's form, 52 capital letters and digits: random ones for the process, then a count. */
function createRequestIds(): () => string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const prefix = Array.from(randomBytes(40), (byte) => alphabet[byte % alphabet.length]).join('');
  let count = 0;
  return () => prefix + (count++).toString(36).toUpperCase().padStart(12, '0');
}
