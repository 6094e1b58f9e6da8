import { randomBytes, randomUUID } from 'node:crypto';
import type { AttributeMap } from './api/attribute-value.ts';
import type { Config } from './config.ts';
import { type Clock, SystemClock, type Timer } from './env/clock.ts';
import { type DataDirectory, openDataDirectory } from './env/data-directory.ts';
import type { Log } from './env/log.ts';
import { StoppableClock } from './env/stoppable-clock.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { DEFAULT_NAMESPACE } from './router/namespace.ts';
import { createRouter } from './router/router.ts';
import type { TableAdmin } from './router/table-admin.ts';
import { TableCatalog } from './router/table-catalog.ts';
import type { SeedSource } from './seed.ts';
import { type Location, StorageRing } from './storage-ring.ts';
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
  /** Where an item of a table lives. */
  locate(tableName: string, key: AttributeMap, namespace?: string): Promise<Location>;
  /** What an administrator does to whole tables. */
  readonly tables: TableAdmin;
  /**
   * Makes tables with items, which must not be there yet.
   * @throws SeedError
   */
  seed(source: SeedSource, namespace?: string): Promise<void>;
  /** Ends it: no new requests, those under way get `limits.stopGraceMs`, then everything is flushed and released. */
  stop(): Promise<void>;
}

/**
 * The composition root: from here on, and only here, everybody knows which implementations they run on.
 * Resolves once requests can be served.
 *
 * @throws `DataDirectoryError`, `SeedError`, or the system's error if an address cannot be listened on; nothing is left behind then
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
    const { client } = ring;
    const catalog = new TableCatalog(client);
    undo.push(sweep(catalog, clock, log, config.limits.sweepIntervalMs));
    const router = createRouter({
      client,
      catalog,
      newId: randomUUID,
      defaultConsistency: config.consistency,
      isolate: config.isolate,
    });
    const parts = { router, nowMs: () => clock.now(), log };
    if (config.seedDir !== undefined) {
      const { seed } = await import('./seed.ts');
      await seed(config.seedDir, { existing: 'leave-alone' }, parts);
    }
    const web = createWebServer({
      execute: router.execute,
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
    if (config.dataDir === undefined) {
      // Not awaited: it may take its time, and it never rejects.
      removeLeftovers(directory, clock.now()).then((paths) => {
        for (const path of paths) log.info('removed the data of a killed server', { path });
      });
    }
    return {
      addresses: listening.addresses,
      web,
      ring,
      locate: async (tableName, key, namespace = DEFAULT_NAMESPACE) =>
        ring.locate(await catalog.itemKey(namespace, tableName, structuredClone(key))),
      tables: router.tables,
      // Loaded when it is wanted: the rest starts sooner.
      async seed(source, namespace) {
        const { seed } = await import('./seed.ts');
        await seed(source, { namespace, existing: 'error' }, parts);
      },
      stop: undoAll,
    };
  } catch (error) {
    // What went wrong first is what the user can change.
    await undoAll().catch((failure: unknown) => log.error('could not release everything', { error: failure }));
    throw error;
  }
}

/** Erases what is left of deleted tables, now and then. @returns what ends it */
function sweep(catalog: TableCatalog, clock: Clock, log: Log, intervalMs: number): () => Promise<void> {
  const stoppable = new StoppableClock(clock);
  const next = () => {
    stoppable.after(intervalMs, async () => {
      // What cannot be read now, for too few nodes are up, will be then.
      const tables = await catalog.forgetDeleted().catch((error: unknown) => log.debug('no sweep', { error }));
      if (tables) log.info('erased what was left of deleted tables', { tables });
      next();
    });
  };
  next();
  return async () => stoppable.stop();
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
