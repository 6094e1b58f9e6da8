import { randomBytes, randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import { SystemClock, type Timer } from './env/clock.ts';
import { type DataDirectory, openDataDirectory } from './env/data-directory.ts';
import type { Log } from './env/log.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { nodeFigures } from './node-figures.ts';
import { createRouter } from './router/router.ts';
import { StorageRing } from './storage-ring.ts';
import { TraceLog } from './trace-log.ts';
import { type Listener, type Listening, listen } from './web/listen.ts';
import { createWebServer, type WebServer } from './web/server.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** A whole Dynaring in one process: the storage nodes, a router and a web server. */
export interface Cluster {
  /** Where it listens; with port 0 this is how to learn the port. */
  readonly addresses: readonly Address[];
  /** Where administrators are served, if they are served apart. */
  readonly adminAddresses: readonly Address[];
  /** For mounting it in another server of this process. */
  readonly web: WebServer;
  /** What may happen to its nodes and links. */
  readonly ring: StorageRing;
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
    const clock = new SystemClock();
    const traces =
      config.trace && config.limits.tracesKept > 0 ? new TraceLog(config.limits, () => clock.elapsedMs()) : undefined;
    const ring = await StorageRing.open(config, directory, log, traces);
    undo.push(() => ring.close());
    const router = createRouter({ client: ring.client, newId: randomUUID, defaultConsistency: config.consistency });
    const web = createWebServer({
      execute: traces?.traced(router) ?? router,
      nowMs: () => clock.now(),
      requestId: createRequestIds(),
      isReady: () => true,
      onInternalError: (error) => log.error('a request failed by a bug', { error }),
      limits: config.limits.web,
      operator: {
        figures: { nodes: () => ring.describe().nodes.map(nodeFigures), faults: () => [] },
        elapsedMs: () => clock.elapsedMs(),
        onAction: ({ method, path, status }) => log.info('an administrator acted', { method, path, status }),
        isApart: config.adminPort !== undefined,
      },
    });
    const open = async (listener: Listener, port: number) => {
      const listening = await listen(listener, config.hosts, port);
      undo.push(() => closeWithin(config.limits.stopGraceMs, clock, listening));
      return listening.addresses;
    };
    const adminAddresses = config.adminPort === undefined ? [] : await open(web.operator, config.adminPort);
    const addresses = await open(web, config.port);
    if (config.dataDir === undefined) {
      // Not awaited: it may take its time, and it never rejects.
      removeLeftovers(directory, clock.now()).then((paths) => {
        for (const path of paths) log.info('removed the data of a killed server', { path });
      });
    }
    return { addresses, adminAddresses, web, ring, stop: undoAll };
  } catch (error) {
    // What went wrong first is what the user can change.
    await undoAll().catch((failure: unknown) => log.error('could not release everything', { error: failure }));
    throw error;
  }
}

/** Requests under way get so long. */
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

/** Ids in the service's form, 52 capital letters and digits: random ones for the process, then a count. */
function createRequestIds(): () => string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const prefix = Array.from(randomBytes(40), (byte) => alphabet[byte % alphabet.length]).join('');
  let count = 0;
  return () => prefix + (count++).toString(36).toUpperCase().padStart(12, '0');
}
