import type { LagRule } from '../../src/dynamo/client.ts';
import { storeKeyOf } from '../../src/dynamo/keyspace.ts';
import { SeededRandom } from '../../src/env/random.ts';
import type { StorageDescription } from '../../src/router/fault-lag.ts';
import { FaultRules, type FaultRulesParts } from '../../src/router/fault-rules.ts';
import { attribute } from '../api/sample-table.ts';
import { ManualClock } from '../parts/manual-clock.ts';

export const PARTITIONS = 64;

/** Tables that are known by their storage ids. */
export const STORAGE: Readonly<Record<string, StorageDescription>> = {
  'orders-0': { namespace: '', name: 'Orders', key: { partition: attribute('S:id') } },
  'orders-3': { namespace: 'worker-3', name: 'Orders', key: { partition: attribute('S:id') } },
  'events-0': {
    namespace: '',
    name: 'Events',
    key: { partition: attribute('N:id'), sort: attribute('S:at') },
  },
};

/** Fault rules of a ring with N=3 and W=2, and what they were told. */
export function openRules(parts: Partial<FaultRulesParts> = {}) {
  const clock = new ManualClock();
  const lags: (readonly LagRule[])[] = [];
  const rules = new FaultRules({
    replication: 3,
    writeQuorum: 2,
    timers: clock,
    newSeed: () => 4711,
    seeded: (seed) => {
      const random = new SeededRandom(seed);
      return () => random.next();
    },
    describeStorage: (id) => STORAGE[id],
    storeKeyOf: (key) => storeKeyOf(key, PARTITIONS),
    onLagChange: (told) => lags.push(told),
    ...parts,
  });
  return { rules, clock, lags };
}
