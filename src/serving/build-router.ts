import { randomInt, randomUUID } from 'node:crypto';
import type { ApiClock } from '../admin/api-clock.ts';
import { RETENTION_MS } from '../api/stream.ts';
import type { Config } from '../config.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { whyNoReplicaLags } from '../dynamo/registers/lag-gate.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import { nextTurn } from '../env/next-turn.ts';
import { SeededRandom } from '../env/random.ts';
import { StoppableClock } from '../env/stoppable-clock.ts';
import type { ServedRing } from '../peer/served-ring.ts';
import { ClusterFaults, type OtherRules } from '../router/cluster-faults.ts';
import { ExpirySweep } from '../router/expiry-sweep.ts';
import { FaultDelays } from '../router/fault-delays.ts';
import { FaultRules, type RulesOfExpiry } from '../router/fault-rules.ts';
import type { OtherRouters } from '../router/other-routers.ts';
import { createRouter } from '../router/router.ts';
import { hashOf } from '../router/rule-in-force.ts';
import { RulesRegister } from '../router/rules-register.ts';
import type { StreamKeeper } from '../router/stream-keeper.ts';
import { ADMINISTRATOR, type TableCatalog } from '../router/table-catalog.ts';
import { type TableUsers, ThroughputGate } from '../router/throughput.ts';
import type { Releases } from './releases.ts';

/** What a router has to know of the others of its cluster. */
export interface SharedRouting {
  readonly routers: OtherRouters & {
    /** @param hear called for each definition that another router has changed */
    listen(hear: (place: { readonly namespace: string; readonly name: string }) => void): void;
  };
  /** What they tell each other of fault rules. */
  readonly rules: OtherRules;
  /** Which of them have used a table lately. */
  readonly users: TableUsers;
  /** The name of this process: its draws differ from those of others. */
  readonly name: string;
  /** Whether this router sweeps for all: what is deleted, and what has expired. Two at a time do no harm. */
  readonly isSweeper: () => boolean;
}

/** What the parts above a ring are made of. */
export interface RouterBasis {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly apiClock: ApiClock;
  readonly ring: ServedRing;
  readonly catalog: TableCatalog;
  /** Undefined: this is the only router. */
  readonly others: SharedRouting | undefined;
}

/** Tier 2, and what works on tables in the background. */
export async function buildRouter(basis: RouterBasis, releases: Releases) {
  const { config, clock, apiClock, ring, catalog, others } = basis;
  const faults = others === undefined ? createFaults(basis) : createClusterFaults(basis, others);
  releases.add(() => faults.stop());
  if (faults instanceof ClusterFaults) await faults.start();
  const expiry = createExpiry(basis, faults);
  releases.add(() => expiry.stop());
  const waits = new FaultDelays(clock);
  const router = createRouterOf(config, {
    client: expiry.noting(ring.client),
    streams: ring.client,
    catalog,
    apiClock,
    waits,
    others: others?.routers,
    users: others?.users,
  });
  releases.add(() => {
    router.indexes.stop();
    router.keeper.stop();
    waits.stop();
  });
  releases.add(sweep(basis, router.keeper, config.limits.sweepIntervalMs));
  void router.indexes.resume();
  void router.keeper.resume();
  return { faults, expiry, router };
}

interface RouterParts {
  readonly client: DynamoClient & TransactingClient;
  readonly streams: StreamClient;
  readonly catalog: TableCatalog;
  readonly apiClock: ApiClock;
  readonly waits: FaultDelays;
  readonly others: OtherRouters | undefined;
  readonly users: TableUsers | undefined;
}

function createRouterOf(config: Config, parts: RouterParts) {
  const { client, streams, catalog, apiClock, waits, others, users } = parts;
  return createRouter({
    client,
    streams,
    streamShards: config.streamShards,
    nowMs: () => apiClock.now(),
    timeOf: (atMs) => apiClock.timeOf(atMs),
    wait: (ms) => waits.wait(ms),
    catalog,
    others,
    requestLifeMs: config.limits.node.opLifeMs + config.limits.node.suspectAfterMs,
    newId: randomUUID,
    defaultConsistency: config.consistency,
    isolate: config.isolate,
    transientMs: config.delayTransientStatuses ? config.limits.transientStatusMs : 0,
    pause: nextTurn,
    throughput: config.throttle ? new ThroughputGate({ elapsedMs: () => apiClock.elapsedMs(), users }) : undefined,
  });
}

function createExpiry(basis: RouterBasis, faults: RulesOfExpiry): ExpirySweep {
  const { config, log, clock, apiClock, ring, catalog, others } = basis;
  const expiry = new ExpirySweep({
    client: ring.client,
    catalog,
    rules: faults,
    nowMs: () => apiClock.now(),
    timers: clock,
    isPassing: others?.isSweeper,
    pause: nextTurn,
    // If too few nodes are up to delete them now, the next sweep will.
    onFailure: (error) => log.debug('items that have expired stay for now', { error }),
  });
  if (config.ttlIntervalMs > 0) expiry.start(config.ttlIntervalMs);
  return expiry;
}

/** Stream records are kept for an hour longer than they can be read: the clocks of processes differ. */
const TRIM_AFTER_MS = RETENTION_MS + 3_600_000;

/** Erases the remains of deleted tables and of streams, now and then. @returns a function that ends that */
function sweep(basis: RouterBasis, keeper: StreamKeeper, intervalMs: number): () => void {
  const { catalog, clock, apiClock, log, others } = basis;
  const stoppable = new StoppableClock(clock);
  const next = () => {
    stoppable.after(intervalMs, async () => {
      if (others?.isSweeper() === false) return next();
      // If too few nodes are up to read the catalogue now, the next sweep will.
      const tables = await catalog
        .finishDeletions(apiClock.now())
        .then(() => catalog.forgetDeleted())
        .catch((error: unknown) => log.debug('no sweep', { error }));
      if (tables) log.info('erased what was left of deleted tables', { tables });
      await keeper
        .sweep(clock.now() - TRIM_AFTER_MS)
        .catch((error: unknown) => log.debug('no sweep of streams', { error }));
      next();
    });
  };
  next();
  return () => stoppable.stop();
}

function createFaults({ config, clock, catalog, ring }: RouterBasis): FaultRules {
  return new FaultRules({
    catalog,
    whyNoReplicaLags: whyNoReplicaLags(config),
    timers: clock,
    newSeed,
    seeded,
    onLagChange: (rules) => ring.setLags(rules),
  });
}

function createClusterFaults(
  { config, log, clock, catalog, ring }: RouterBasis,
  { rules, name }: SharedRouting,
): ClusterFaults {
  return new ClusterFaults({
    register: new RulesRegister(ring.client),
    tables: {
      cached: (namespace, tableName) => catalog.cached(namespace, tableName),
      find: (namespace, tableName) => catalog.get(namespace, tableName, ADMINISTRATOR).catch(() => undefined),
    },
    others: rules,
    whyNoReplicaLags: whyNoReplicaLags(config),
    timers: clock,
    nowMs: () => clock.now(),
    newSeed,
    newEdit: randomUUID,
    seeded,
    salt: hashOf(name),
    onLagChange: (lags) => ring.setLags(lags),
    onFailure: (error) => log.debug('fault rules of the cluster are not as they should be yet', { error }),
  });
}

function newSeed(): number {
  return randomInt(2 ** 31);
}

function seeded(seed: number): () => number {
  const random = new SeededRandom(seed);
  return () => random.next();
}
