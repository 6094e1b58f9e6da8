import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { ApiClock } from './admin/api-clock.ts';
import { createAdmin } from './admin/create-admin.ts';
import { nodeFigures } from './admin/node-figures.ts';
import type { Admin } from './api/admin.ts';
import type { AttributeMap } from './api/attribute-value.ts';
import type { Execute } from './api/operations.ts';
import { readFaultRule } from './api/read-fault-rule.ts';
import type { Security } from './config/client-security.ts';
import { requestLog } from './config/log-requests.ts';
import type { Config } from './config.ts';
import type { DynamoClient } from './dynamo/client.ts';
import { whyNoReplicaLags } from './dynamo/registers/lag-gate.ts';
import { RingError } from './dynamo/ring-error.ts';
import { type Clock, SystemClock, type Timer } from './env/clock.ts';
import { type DataDirectory, openDataDirectory } from './env/data-directory.ts';
import type { Log } from './env/log.ts';
import { nextTurn } from './env/next-turn.ts';
import { SeededRandom } from './env/random.ts';
import { StoppableClock } from './env/stoppable-clock.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { LocalRing } from './host/local-ring.ts';
import type { Location } from './peer/locate.ts';
import { ExpirySweep } from './router/expiry-sweep.ts';
import { FaultDelays } from './router/fault-delays.ts';
import { FaultRules } from './router/fault-rules.ts';
import { withFaults } from './router/faulty-execute.ts';
import type { IndexBuilder } from './router/index-builder.ts';
import { DEFAULT_NAMESPACE, namespaceOf } from './router/namespace.ts';
import { createRouter } from './router/router.ts';
import type { TableAdmin } from './router/table-admin.ts';
import { TableCatalog } from './router/table-catalog.ts';
import { ThroughputGate } from './router/throughput.ts';
import { addFaultsOfFile } from './seed/fault-file.ts';
import type { SeedSource } from './seed/seed.ts';
import { TraceLog } from './trace/trace-log.ts';
import { type Listener, type Listening, listen } from './web/listen.ts';
import { createWebServer, type WebServer } from './web/server.ts';
import type { AccessKey } from './web/signature.ts';

/** For how long `waitUntilConsistent` waits until indexes are built, in ms: as long as it waits for replicas. */
const BUILT_WITHIN_MS = 30_000;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** A whole Dynaring in one process: the storage nodes, a router and a web server. */
export interface Cluster {
  /** Where it listens. With port 0 in the settings, the port that the system chose. */
  readonly addresses: readonly Address[];
  /** Where administrators are served, if they have a port of their own. */
  readonly adminAddresses: readonly Address[];
  /** Whose signatures are accepted, by access key id; undefined: anybody's. */
  readonly accessKeys: ReadonlyMap<string, AccessKey> | undefined;
  /** For mounting the server in another one of this process. */
  readonly web: WebServer;
  /** Its storage nodes, and what can happen to them and to their links. */
  readonly ring: LocalRing;
  /** Where an item of a table lives. */
  locate(tableName: string, key: AttributeMap, namespace?: string): Promise<Location>;
  /** The rules of what goes wrong on purpose. */
  readonly faults: FaultRules;
  /** What an administrator does to whole tables. */
  readonly tables: TableAdmin;
  /** All that an administrator may do, as over HTTP. */
  readonly admin: Admin;
  /** As `Ring.waitUntilConsistent`, and until no index is being built. @throws RingError */
  waitUntilConsistent(): Promise<void>;
  /**
   * Makes tables with items.
   * @throws SeedError, also if such a table exists already
   */
  seed(source: SeedSource, namespace?: string): Promise<void>;
  /**
   * Stops the server: it takes no new requests, those under way get `limits.stopGraceMs`, then all is flushed and
   * released.
   */
  stop(): Promise<void>;
}

/**
 * The composition root: only here are implementations chosen and joined. Resolves once requests can be served.
 *
 * @throws `DataDirectoryError`, `SeedError`, or the system's error if an address cannot be listened on; nothing is left
 *   behind then
 */
export async function startCluster(config: Config, log: Log): Promise<Cluster> {
  const releases = new Releases();
  try {
    return await buildCluster(config, log, releases);
  } catch (error) {
    // The first error is what the user can change.
    await releases.runAll().catch((failure: unknown) => log.error('could not release everything', { error: failure }));
    throw error;
  }
}

/** How to release what has been started, in reverse order. */
class Releases {
  #steps: (() => Promise<void>)[] = [];

  add(step: () => void | Promise<void>): void {
    this.#steps.unshift(async () => step());
  }

  /** Runs every step, so that one that fails leaves nothing else behind; then throws what the first one threw. */
  async runAll(): Promise<void> {
    const failures: unknown[] = [];
    const steps = this.#steps;
    this.#steps = [];
    for (const step of steps) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

async function buildCluster(config: Config, log: Log, releases: Releases): Promise<Cluster> {
  const clock = new SystemClock();
  const security = await securityOf(config, clock);
  const apiClock = new ApiClock(clock, config.timeOffsetMs);
  const directory = await openDirectory(config);
  releases.add(() => directory.close());
  const traces = createTraces(config, clock);
  const ring = await LocalRing.open({ settings: config, directory, log, observer: traces });
  releases.add(() => ring.close());
  const catalog = new TableCatalog(ring.client);
  const { faults, expiry, router } = buildRouter({ config, log, clock, apiClock, ring, catalog }, releases);
  const seedParts = { router, nowMs: () => apiClock.now(), log };
  if (config.seedDir !== undefined) {
    const { seed } = await import('./seed/seed.ts');
    await seed(config.seedDir, { existing: 'leave-alone' }, seedParts);
  }
  if (config.faultsFile !== undefined) addFaultsOfFile(config.faultsFile, (rule) => faults.add(rule));
  const delays = new FaultDelays(clock);
  const execute = withFaults(router.execute, {
    rules: faults,
    wait: (delayMs) => delays.wait(delayMs),
    namespaceOf: (context) => namespaceOf(context, config.isolate),
    onFired: (requestId, ruleId) => traces?.fired(requestId, ruleId),
  });
  const waitUntilConsistent = () => untilConsistent(ring, router.indexes);
  const admin = createAdmin({
    ring,
    settings: config,
    traces,
    faults,
    tables: router.tables,
    expiry,
    clock: apiClock,
    lags: { waitUntilConsistent },
  });
  const web = createWeb({
    config,
    security,
    log,
    clock,
    apiClock,
    ring,
    faults,
    expiry,
    indexes: router.indexes,
    admin,
    execute: traces?.traced(execute) ?? execute,
  });
  const open = async (listener: Listener, port: number) => {
    const listening = await listen(listener, config.hosts, port);
    releases.add(() => closeWithin(config.limits.stopGraceMs, clock, listening));
    return listening.addresses;
  };
  const adminAddresses = config.adminPort === undefined ? [] : await open(web.operator, config.adminPort);
  const addresses = await open(web, config.port);
  // The first thing at a stop: requests that a rule makes wait are not waited for.
  releases.add(() => delays.stop());
  if (config.dataDir === undefined) sweepLeftovers(directory, clock, log);
  return {
    addresses,
    adminAddresses,
    accessKeys: security.accessKeys,
    web,
    ring,
    locate: async (tableName, key, namespace = DEFAULT_NAMESPACE) =>
      ring.locate(await catalog.itemKey(namespace, tableName, key)),
    faults,
    tables: router.tables,
    admin,
    waitUntilConsistent,
    // Loaded when it is wanted: the server starts sooner.
    async seed(source, namespace) {
      const { seed } = await import('./seed/seed.ts');
      await seed(source, { namespace, existing: 'error' }, seedParts);
    },
    stop: () => releases.runAll(),
  };
}

async function untilConsistent(ring: LocalRing, indexes: IndexBuilder): Promise<void> {
  await ring.waitUntilConsistent();
  if (indexes.isIdle) return;
  if (!(await indexes.idle(BUILT_WITHIN_MS))) {
    throw new RingError('entries of indexes are still being made of the items of their tables');
  }
  await ring.waitUntilConsistent();
}

/** What it takes is loaded only by servers that have it. */
async function securityOf(config: Config, clock: Clock): Promise<Security> {
  if (config.httpsCert === undefined && config.auth === undefined) return {};
  const { createSecurity } = await import('./config/client-security.ts');
  return createSecurity(config, { nowMs: () => clock.now(), pause: nextTurn });
}

interface RouterBasis extends Pick<WebParts, 'config' | 'log' | 'clock' | 'apiClock' | 'ring'> {
  readonly catalog: TableCatalog;
}

/** Tier 2, and what works on tables in the background. */
function buildRouter({ config, log, clock, apiClock, ring, catalog }: RouterBasis, releases: Releases) {
  releases.add(sweep(catalog, { clock, apiClock }, log, config.limits.sweepIntervalMs));
  const faults = createFaults(config, clock, catalog, ring);
  releases.add(() => faults.stop());
  const expiry = createExpiry({ config, log, clock, apiClock, ring, catalog }, faults);
  releases.add(() => expiry.stop());
  const waits = new FaultDelays(clock);
  const router = createRouterOf(config, { client: expiry.noting(ring.client), catalog, apiClock, waits });
  releases.add(() => {
    router.indexes.stop();
    waits.stop();
  });
  void router.indexes.resume();
  return { faults, expiry, router };
}

function createTraces({ trace, limits }: Config, clock: Clock): TraceLog | undefined {
  return trace && limits.tracesKept > 0 ? new TraceLog(limits, () => clock.elapsedMs()) : undefined;
}

interface RouterParts {
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  readonly apiClock: ApiClock;
  readonly waits: FaultDelays;
}

function createRouterOf(config: Config, { client, catalog, apiClock, waits }: RouterParts) {
  return createRouter({
    client,
    wait: (ms) => waits.wait(ms),
    catalog,
    newId: randomUUID,
    defaultConsistency: config.consistency,
    isolate: config.isolate,
    transientMs: config.delayTransientStatuses ? config.limits.transientStatusMs : 0,
    pause: nextTurn,
    throughput: config.throttle ? new ThroughputGate({ elapsedMs: () => apiClock.elapsedMs() }) : undefined,
  });
}

function createExpiry({ config, log, clock, apiClock, ring, catalog }: RouterBasis, faults: FaultRules): ExpirySweep {
  const expiry = new ExpirySweep({
    client: ring.client,
    catalog,
    rules: faults,
    nowMs: () => apiClock.now(),
    timers: clock,
    pause: nextTurn,
    // If too few nodes are up to delete them now, the next sweep will.
    onFailure: (error) => log.debug('items that have expired stay for now', { error }),
  });
  if (config.ttlIntervalMs > 0) expiry.start(config.ttlIntervalMs);
  return expiry;
}

interface WebParts {
  readonly config: Config;
  readonly security: Security;
  readonly log: Log;
  readonly clock: Clock;
  readonly apiClock: ApiClock;
  readonly ring: LocalRing;
  readonly faults: FaultRules;
  readonly expiry: ExpirySweep;
  readonly indexes: IndexBuilder;
  readonly admin: Admin;
  readonly execute: Execute;
}

function createWeb({
  config,
  security,
  log,
  clock,
  apiClock,
  ring,
  faults,
  expiry,
  indexes,
  admin,
  execute,
}: WebParts): WebServer {
  return createWebServer({
    https: security.https,
    authenticate: security.authenticate,
    execute,
    nowMs: () => apiClock.now(),
    requestId: createRequestIds(),
    isReady: () => true,
    onInternalError: (error) => log.error('a request failed by a bug', { error }),
    limits: config.limits.web,
    pause: nextTurn,
    corsOrigins: config.corsOrigins,
    onRequest: requestLog(config, log),
    onHint: (hint) => log.warn(hint),
    operator: {
      admin: config.admin ? { admin, readRule: readFaultRule } : undefined,
      figures: {
        nodes: () => ring.describe().nodes.map(nodeFigures),
        faults: () => faults.list().map(({ id, rule, fired }) => ({ id, kind: rule.kind, fired })),
        expiry: () => expiry,
        builds: () => indexes.figures(),
      },
      elapsedMs: () => clock.elapsedMs(),
      onAction: ({ method, path, status }) => log.info('an administrator acted', { method, path, status }),
      isApart: config.adminPort !== undefined,
    },
  });
}

/** Removes what killed servers have left. Nobody waits for it: it may take its time, and it never rejects. */
function sweepLeftovers(directory: DataDirectory, clock: Clock, log: Log): void {
  removeLeftovers(directory, clock.now()).then((paths) => {
    for (const path of paths) log.info('removed the data of a killed server', { path });
  });
}

/** Erases the remains of deleted tables, now and then. @returns a function that ends that */
function sweep(
  catalog: TableCatalog,
  { clock, apiClock }: { readonly clock: Clock; readonly apiClock: ApiClock },
  log: Log,
  intervalMs: number,
): () => void {
  const stoppable = new StoppableClock(clock);
  const next = () => {
    stoppable.after(intervalMs, async () => {
      // If too few nodes are up to read the catalogue now, the next sweep will.
      const tables = await catalog
        .finishDeletions(apiClock.now())
        .then(() => catalog.forgetDeleted())
        .catch((error: unknown) => log.debug('no sweep', { error }));
      if (tables) log.info('erased what was left of deleted tables', { tables });
      next();
    });
  };
  next();
  return () => stoppable.stop();
}

function createFaults(quorums: Config, clock: SystemClock, catalog: TableCatalog, ring: LocalRing): FaultRules {
  return new FaultRules({
    catalog,
    whyNoReplicaLags: whyNoReplicaLags(quorums),
    timers: clock,
    newSeed: () => randomInt(2 ** 31),
    seeded: (seed) => {
      const random = new SeededRandom(seed);
      return () => random.next();
    },
    onLagChange: (rules) => ring.setLags(rules),
  });
}

/** Stops listening. Requests under way get `graceMs`. */
function closeWithin(graceMs: number, clock: SystemClock, listening: Listening): Promise<void> {
  let timer: Timer;
  const grace = new Promise<void>((resolve) => {
    timer = clock.after(graceMs, resolve);
  });
  return listening.close(grace).finally(() => clock.cancel(timer));
}

function openDirectory({ dataDir, partitions, replication, nodes }: Config): Promise<DataDirectory> {
  if (dataDir === undefined) return openTemporaryDirectory();
  return openDataDirectory(dataDir, { partitions, replication, nodes });
}

/** Makes ids in the service's form, 52 capital letters and digits: a random prefix of the process, then a count. */
function createRequestIds(): () => string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const prefix = Array.from(randomBytes(40), (byte) => alphabet[byte % alphabet.length]).join('');
  let count = 0;
  return () => prefix + (count++).toString(36).toUpperCase().padStart(12, '0');
}
