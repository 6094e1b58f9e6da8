import type { ApiClock } from '../admin/api-clock.ts';
import { createAdmin } from '../admin/create-admin.ts';
import { nodeFigures } from '../admin/node-figures.ts';
import type { Admin, Trace } from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import type { Execute } from '../api/operations.ts';
import { readFaultRule } from '../api/read-fault-rule.ts';
import type { Security } from '../config/client-security.ts';
import { requestLog } from '../config/log-requests.ts';
import type { Config } from '../config.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import { nextTurn } from '../env/next-turn.ts';
import type { NodeControl } from '../host/ring-control.ts';
import type { Location } from '../peer/locate.ts';
import type { ServedRing } from '../peer/served-ring.ts';
import type { ClusterFaults } from '../router/cluster-faults.ts';
import type { ExpirySweep } from '../router/expiry-sweep.ts';
import { FaultDelays } from '../router/fault-delays.ts';
import { FaultRules } from '../router/fault-rules.ts';
import { withFaults } from '../router/faulty-execute.ts';
import type { IndexBuilder } from '../router/index-builder.ts';
import { DEFAULT_NAMESPACE, namespaceOf } from '../router/namespace.ts';
import { DEFAULT_ROUTER_LIMITS } from '../router/router-limits.ts';
import { readStream, type StreamOptions, type StreamRecords } from '../router/stream-reader.ts';
import type { TableAdmin } from '../router/table-admin.ts';
import { TableCatalog } from '../router/table-catalog.ts';
import { addFaultsOfFile } from '../seed/fault-file.ts';
import type { SeedSource } from '../seed/seed.ts';
import { TraceLog } from '../trace/trace-log.ts';
import type { PeerFigures } from '../web/peer-metrics.ts';
import { createWebServer, type WebServer } from '../web/server.ts';
import type { AccessKey } from '../web/signature.ts';
import { buildRouter, type SharedRouting } from './build-router.ts';
import type { Releases } from './releases.ts';
import { createRequestIds } from './request-ids.ts';
import { seedAtStart } from './seed-at-start.ts';

/** For how long `waitUntilConsistent` waits until indexes are built, in ms: as long as it waits for replicas. */
const BUILT_WITHIN_MS = 30_000;

export interface ServeRingParts {
  readonly config: Config;
  /** HTTPS and signatures; undefined: neither. */
  readonly security: Security | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly apiClock: ApiClock;
  readonly ring: ServedRing;
  /** What an administrator may do to single nodes and links. */
  readonly nodes: NodeControl;
  readonly traces: TraceLog | undefined;
  /** Makes the ids of requests; undefined: random ones. */
  readonly requestId?: () => string;
  /** Finds the trace of a request that another process has served. Rejects with a RingError */
  readonly traceElsewhere?: (requestId: string) => Promise<Trace | undefined>;
  /** The routers of other processes; undefined: this is the only one. */
  readonly others?: SharedRouting | undefined;
  /** Whether `/health` says that more requests are welcome: not while the server stops. */
  readonly isHealthy?: () => boolean;
  /** What a process of several counts of its connections to the others. */
  readonly peerFigures?: () => PeerFigures;
}

/** Tiers 1 and 2 above a ring, which do not listen anywhere yet. */
export interface Serving {
  /** For mounting the server in another one of this process, or for listening. */
  readonly web: WebServer;
  /** Whose signatures are accepted, by access key id; undefined: anybody's. */
  readonly accessKeys: ReadonlyMap<string, AccessKey> | undefined;
  /**
   * Reads the files of certificate and access keys again; from then on they hold for new connections and requests.
   *
   * @throws ConfigError if one of them is not what it should be: all stays as it was
   */
  renewSecurity(): void;
  /** Where an item of a table lives. */
  locate(tableName: string, key: AttributeMap, namespace?: string): Promise<Location>;
  /** The records of a table's stream. */
  stream(tableName: string, options?: StreamOptions): StreamRecords;
  /** The rules of what goes wrong on purpose: of this router, if it is the only one. */
  readonly faults: FaultRules | ClusterFaults;
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
}

/**
 * Builds what serves a ring, wherever its nodes run: the router, fault rules, expiry, the web server, administrators'
 * doors. Seeds tables, if the settings say so.
 *
 * @param releases gets how to end it all, after those who listen for it have stopped
 * @returns also `endWaits`: requests that a fault rule makes wait are let go. The first thing at a stop.
 * @throws SeedError
 */
export async function serveRing(
  parts: ServeRingParts,
  releases: Releases,
): Promise<Serving & { readonly endWaits: () => void }> {
  const { config, security, log, clock, apiClock, ring, nodes, traces, traceElsewhere, others } = parts;
  const { requestId = createRequestIds(), isHealthy, peerFigures } = parts;
  const catalog = new TableCatalog(ring.client, DEFAULT_ROUTER_LIMITS, others?.routers, ring.client);
  others?.routers.listen((place) => catalog.noteChanged(place));
  const basis = { config, log, clock, apiClock, ring, catalog, others };
  const { faults, expiry, router } = await buildRouter(basis, releases);
  const seedParts = { router, nowMs: () => apiClock.now(), log };
  if (config.seedDir !== undefined) {
    const isStopping = () => isHealthy?.() === false;
    await seedAtStart(config.seedDir, seedParts, others && { ring, settings: config, clock, log, isStopping });
  }
  // Those of a cluster are set once, not by each process that starts.
  if (config.faultsFile !== undefined && faults instanceof FaultRules) {
    addFaultsOfFile(config.faultsFile, (rule) => faults.add(rule));
  }
  const delays = new FaultDelays(clock);
  const execute = withFaults(router.execute, {
    rules: faults,
    wait: (delayMs) => delays.wait(delayMs),
    namespaceOf: (context) => namespaceOf(context, config.isolate),
    onFired: (requestId, ruleId) => traces?.fired(requestId, ruleId),
  });
  const { tables, indexes } = router;
  const waitUntilConsistent = () => untilConsistent(ring, indexes);
  const lags = { waitUntilConsistent };
  const of = { ring, nodes, settings: config, traces, traceElsewhere };
  const admin = createAdmin({ ...of, faults, tables, expiry, clock: apiClock, lags });
  const traced = traces?.traced(execute) ?? execute;
  const streamParts = {
    client: ring.client,
    streams: ring.client,
    catalog,
    timeOf: (atMs: number) => apiClock.timeOf(atMs),
    nowMs: () => apiClock.now(),
    wait: (ms: number) => delays.wait(ms),
  };
  const web = createWeb({
    config,
    security,
    log,
    clock,
    apiClock,
    ring,
    requestId,
    isHealthy,
    peerFigures,
    faults,
    expiry,
    indexes,
    admin,
    execute: traced,
  });
  return {
    web,
    accessKeys: security?.accessKeys,
    renewSecurity() {
      security?.readAgain();
      if (security?.https !== undefined) web.renewCertificate(security.https);
    },
    locate: async (tableName, key, namespace = DEFAULT_NAMESPACE) =>
      ring.locate(await catalog.itemKey(namespace, tableName, key)),
    stream: (tableName, options) => readStream(streamParts, tableName, options),
    faults,
    tables,
    admin,
    waitUntilConsistent,
    // Loaded when it is wanted: the server starts sooner.
    async seed(source, namespace) {
      const { seed } = await import('../seed/seed.ts');
      await seed(source, { namespace, existing: 'error' }, seedParts);
    },
    endWaits: () => delays.stop(),
  };
}

/** Keeps what happened during the last requests, if the settings want that. */
export function createTraces({ trace, limits }: Config, clock: Clock): TraceLog | undefined {
  return trace && limits.tracesKept > 0 ? new TraceLog(limits, () => clock.elapsedMs()) : undefined;
}

/** What HTTPS and signatures take, which is loaded only by servers that have it. @throws ConfigError */
export async function createSecurity(config: Config, clock: Clock): Promise<Security | undefined> {
  if (config.httpsCert === undefined && config.auth === undefined) return undefined;
  const { Security } = await import('../config/client-security.ts');
  return new Security(config, { nowMs: () => clock.now(), pause: nextTurn });
}

async function untilConsistent(ring: ServedRing, indexes: IndexBuilder): Promise<void> {
  await ring.waitUntilConsistent();
  if (indexes.isIdle) return;
  if (!(await indexes.idle(BUILT_WITHIN_MS))) {
    throw new RingError('entries of indexes are still being made of the items of their tables');
  }
  await ring.waitUntilConsistent();
}

interface WebParts extends Pick<ServeRingParts, 'config' | 'log' | 'clock' | 'apiClock' | 'ring' | 'security'> {
  readonly requestId: () => string;
  readonly isHealthy: (() => boolean) | undefined;
  readonly peerFigures: (() => PeerFigures) | undefined;
  readonly faults: Serving['faults'];
  readonly expiry: ExpirySweep;
  readonly indexes: IndexBuilder;
  readonly admin: Admin;
  readonly execute: Execute;
}

function createWeb(parts: WebParts): WebServer {
  const {
    config,
    security,
    log,
    clock,
    apiClock,
    ring,
    requestId,
    isHealthy,
    peerFigures,
    faults,
    expiry,
    indexes,
    admin,
    execute,
  } = parts;
  return createWebServer({
    https: security?.https,
    authenticate: security?.authenticate,
    execute,
    nowMs: () => apiClock.now(),
    requestId,
    isReady: () => true,
    isHealthy,
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
        faults: () => faults.here.map(({ id, rule, fired }) => ({ id, kind: rule.kind, fired })),
        expiry: () => expiry,
        builds: () => indexes.figures(),
        peers: peerFigures,
      },
      elapsedMs: () => clock.elapsedMs(),
      onAction: ({ method, path, status }) => log.info('an administrator acted', { method, path, status }),
      isApart: config.adminPort !== undefined,
    },
  });
}
