import { strict as assert } from 'node:assert';
import { ApiClock } from './admin/api-clock.ts';
import type { Config } from './config.ts';
import { type Clock, SystemClock } from './env/clock.ts';
import { type DataDirectory, openDataDirectory } from './env/data-directory.ts';
import type { Log } from './env/log.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { LocalRing } from './host/local-ring.ts';
import { FaultRules } from './router/fault-rules.ts';
import { type Address, openWeb } from './serving/open-web.ts';
import { Releases } from './serving/releases.ts';
import { createSecurity, createTraces, type Serving, serveRing } from './serving/serve-ring.ts';

/** A whole Dynaring in one process: the storage nodes, a router and a web server. */
export interface Cluster extends Omit<Serving, 'faults'> {
  /** Where it listens. With port 0 in the settings, the port that the system chose. */
  readonly addresses: readonly Address[];
  /** Where administrators are served, if they have a port of their own. */
  readonly adminAddresses: readonly Address[];
  /** Its storage nodes, and what can happen to them and to their links. */
  readonly ring: LocalRing;
  /** The rules of what goes wrong on purpose. */
  readonly faults: FaultRules;
  /**
   * Stops the server: it takes no new requests, those under way get `limits.stopGraceMs`, then all is flushed and
   * released.
   */
  stop(): Promise<void>;
}

/**
 * The composition root of the embedded form: only here are implementations chosen and joined. Resolves once requests
 * can be served.
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

async function buildCluster(config: Config, log: Log, releases: Releases): Promise<Cluster> {
  const clock = new SystemClock();
  const apiClock = new ApiClock(clock, config.timeOffsetMs);
  const security = await createSecurity(config, clock);
  const directory = await openDirectory(config);
  releases.add(() => directory.close());
  const traces = createTraces(config, clock);
  const ring = await LocalRing.open({ settings: config, directory, log, observer: traces });
  releases.add(() => ring.close());
  const parts = { config, security, log, clock, apiClock, ring, nodes: ring, traces };
  const { endWaits, faults, ...serving } = await serveRing(parts, releases);
  // Its router is the only one.
  assert(faults instanceof FaultRules);
  const { web } = serving;
  const where = { hosts: config.hosts, graceMs: config.limits.stopGraceMs, clock, releases };
  const adminAddresses = config.adminPort === undefined ? [] : await openWeb(web.operator, config.adminPort, where);
  const addresses = await openWeb(web, config.port, where);
  // The first thing at a stop: requests that a rule makes wait are not waited for.
  releases.add(endWaits);
  if (config.dataDir === undefined) sweepLeftovers(directory, clock, log);
  return { ...serving, faults, addresses, adminAddresses, ring, stop: () => releases.runAll() };
}

/** Removes what killed servers have left. Nobody waits for it: it may take its time, and it never rejects. */
function sweepLeftovers(directory: DataDirectory, clock: Clock, log: Log): void {
  removeLeftovers(directory, clock.now()).then((paths) => {
    for (const path of paths) log.info('removed the data of a killed server', { path });
  });
}

function openDirectory({ dataDir, partitions, replication, nodes }: Config): Promise<DataDirectory> {
  if (dataDir === undefined) return openTemporaryDirectory();
  return openDataDirectory(dataDir, { partitions, replication, nodes });
}
