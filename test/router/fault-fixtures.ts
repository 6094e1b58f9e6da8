import type { LagRule } from '../../src/dynamo/client.ts';
import { storeKeyOf } from '../../src/dynamo/keyspace.ts';
import { LagScope } from '../../src/dynamo/registers/lag-scope.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { FaultRules, type FaultRulesParts } from '../../src/router/fault-rules.ts';
import type { StorageDescription, TableWatcher } from '../../src/router/table-cache.ts';
import { attribute, globalIndex } from '../api/sample-table.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const PARTITIONS = 64;

/** Tables that are at hand from the beginning. */
const TABLES: readonly StorageDescription[] = [
  {
    storageId: 'orders-0',
    namespace: '',
    name: 'Orders',
    key: { partition: attribute('S:id') },
    indexes: [
      { ...globalIndex('by-customer', { partition: 'S:customer' }), storageId: 'by-cust' },
      globalIndex('no-entries', { partition: 'S:customer' }),
    ],
    stream: { startedAtMs: 0, viewType: 'KEYS_ONLY', storageId: 'stream-0', shards: 1 },
  },
  { storageId: 'orders-3', namespace: 'worker-3', name: 'Orders', key: { partition: attribute('S:id') }, indexes: [] },
  {
    storageId: 'events-0',
    namespace: '',
    name: 'Events',
    key: { partition: attribute('N:id'), sort: attribute('S:at') },
    indexes: [],
  },
];

/** Fault rules of a ring in which replicas can lag, and what they were told. */
export function openRules(parts: Partial<FaultRulesParts> = {}) {
  const clock = new ManualClock();
  const lags: (readonly LagRule[])[] = [];
  const watchers: TableWatcher[] = [];
  const rules = new FaultRules({
    catalog: { tables: () => TABLES, watch: (watcher) => watchers.push(watcher) },
    whyNoReplicaLags: undefined,
    timers: clock,
    newSeed: () => 4711,
    seeded: (seed) => {
      const random = new SeededRandom(seed);
      return () => random.next();
    },
    onLagChange: (told) => lags.push(told),
    ...parts,
  });
  return { rules, clock, lags, catalog: watchers[0]! };
}

/** Whether a rule of lag is for an item, as a replica sees it. */
export function isHeld({ scope }: LagRule, table: string, partitionKey: string, sortKey = ''): boolean {
  return new LagScope(scope, PARTITIONS).includes(storeKeyOf({ table, partitionKey, sortKey }, PARTITIONS));
}
