import { describe, expect, test } from 'vitest';
import { delayDistribution } from '../../src/api/delay-model.ts';
import { AdminError, type FaultRule } from '../../src/api/fault-rule.ts';
import { encodeNumber } from '../../src/api/number.ts';
import { type LagRule, SYSTEM_TABLE } from '../../src/dynamo/client.ts';
import { whyNoReplicaLags } from '../../src/dynamo/registers/lag-gate.ts';
import type { FaultRequest } from '../../src/router/fault-scope.ts';
import { attribute } from '../api/sample-table.ts';
import { isHeld, openRules } from './fault-fixtures.ts';

const ERROR = { kind: 'error', error: 'InternalServerError', when: 'before' } as const;
const always = () => true;
const get = (id: string, rest: object = {}, namespace = ''): FaultRequest => ({
  operation: 'GetItem',
  request: { TableName: 'Orders', Key: { id: { S: id } }, ...rest },
  namespace,
});
const put = (item: object): FaultRequest => ({
  operation: 'PutItem',
  request: { TableName: 'Orders', Item: item },
  namespace: '',
});

function refusal(run: () => unknown): AdminError {
  try {
    run();
  } catch (error) {
    if (error instanceof AdminError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

/** Whether a rule with this scope fires for a request. */
function isFor(scope: object, request: FaultRequest): boolean {
  const { rules } = openRules();
  rules.add({ ...ERROR, ...scope });
  return rules.fireFirst(request, always) !== undefined;
}

describe('a rule is for', () => {
  test('every request, if it says nothing', () => {
    expect(isFor({}, get('a'))).toBe(true);
    expect(isFor({}, { operation: 'DescribeLimits', request: {}, namespace: 'other' })).toBe(true);
  });

  test('its table, whichever of the two is named by an ARN', () => {
    const arn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/Orders';
    expect(isFor({ table: 'Orders' }, get('a'))).toBe(true);
    expect(isFor({ table: arn }, get('a'))).toBe(true);
    expect(isFor({ table: 'Orders' }, get('a', { TableName: arn }))).toBe(true);
    expect(isFor({ table: 'Others' }, get('a'))).toBe(false);
    expect(isFor({ table: 'Orders' }, get('a', { TableName: 'arn:aws:s3:::Orders' }))).toBe(false);
    expect(isFor({ table: 'Orders' }, { operation: 'ListTables', request: {}, namespace: '' })).toBe(false);
    expect(
      isFor({ table: 'Orders' }, { operation: 'CreateTable', request: { TableName: 'Orders' }, namespace: '' }),
    ).toBe(true);
  });

  test('its operation and its namespace', () => {
    expect(isFor({ operation: 'GetItem' }, get('a'))).toBe(true);
    expect(isFor({ operation: 'GetItem' }, put({ id: { S: 'a' } }))).toBe(false);
    expect(isFor({ namespace: 'worker-3' }, get('a', {}, 'worker-3'))).toBe(true);
    expect(isFor({ namespace: 'worker-3' }, get('a'))).toBe(false);
    expect(isFor({ namespace: '' }, get('a'))).toBe(true);
  });

  test('its key, in a key or in an item, with numbers by value', () => {
    const key = { id: { S: 'a' } };
    expect(isFor({ key }, get('a'))).toBe(true);
    expect(isFor({ key }, get('b'))).toBe(false);
    expect(isFor({ key }, put({ id: { S: 'a' }, more: { N: '1' } }))).toBe(true);
    expect(isFor({ key }, put({ id: { N: '1' } }))).toBe(false);
    expect(isFor({ key: { id: { N: '1.50' } } }, put({ id: { N: '15e-1' } }))).toBe(true);
    expect(isFor({ key: { id: { N: '1.50' } } }, put({ id: { N: '1.6' } }))).toBe(false);
    expect(isFor({ key: { id: { N: '1' } } }, put({ id: { N: 'one' } }))).toBe(false);
    expect(isFor({ key: { id: { B: 'AQI=' } } }, put({ id: { B: 'AQI=' } }))).toBe(true);
    expect(isFor({ key: { id: { S: 'a' }, at: { N: '1' } } }, put({ id: { S: 'a' }, at: { N: '1.0' } }))).toBe(true);
    expect(isFor({ key: { id: { S: 'a' }, at: { N: '1' } } }, put({ id: { S: 'a' } }))).toBe(false);
    expect(isFor({ key: { toString: { S: 'a' } } }, put({ id: { S: 'a' } }))).toBe(false);
    expect(isFor({ key }, { operation: 'DescribeTable', request: { TableName: 'Orders' }, namespace: '' })).toBe(false);
  });
});

describe('a rule that is added', () => {
  test('has an id of its own, and the seed that it is drawn with', () => {
    const { rules } = openRules();
    expect(rules.isEmpty).toBe(true);
    expect(rules.add(ERROR)).toEqual({ id: 'f1', rule: { ...ERROR, seed: 4711 }, fired: 0 });
    expect(rules.add({ ...ERROR, seed: 5 })).toEqual({ id: 'f2', rule: { ...ERROR, seed: 5 }, fired: 0 });
    rules.remove('f2');
    expect(rules.add(ERROR).id).toBe('f3');
    expect(rules.list().map(({ id }) => id)).toEqual(['f1', 'f3']);
    expect(rules.isEmpty).toBe(false);
  });

  test('is checked, whoever made it', () => {
    const { rules } = openRules();
    expect(refusal(() => rules.add({ kind: 'latency', ms: -1 })).field).toBe('ms');
    expect(rules.isEmpty).toBe(true);
  });

  test('is refused for a namespace that no request can have', () => {
    const { rules } = openRules();
    for (const namespace of ['a/b', 'x y', 'n'.repeat(1_000)]) {
      expect(refusal(() => rules.add({ ...ERROR, namespace }))).toMatchObject({ field: 'namespace', status: 400 });
    }
    for (const namespace of ['', 'worker-3', 'a%20b@eu-west-1']) rules.add({ ...ERROR, namespace });
  });

  test('is refused beyond the limit', () => {
    const { rules } = openRules({ maxRules: 2 });
    rules.add(ERROR);
    rules.add(ERROR);
    expect(refusal(() => rules.add(ERROR))).toMatchObject({ status: 409, message: /2 fault rules already/ });
    rules.clear();
    expect(rules.add(ERROR).id).toBe('f3');
  });

  test('cannot be staleness where a write waits for every replica', () => {
    const { rules } = openRules({ whyNoReplicaLags: whyNoReplicaLags({ replication: 3, writeQuorum: 3 }) });
    expect(refusal(() => rules.add({ kind: 'staleness', worst: true }))).toMatchObject({
      status: 400,
      field: 'kind',
      message: /every replica \(N=3, W=3\)/,
    });
    rules.add(ERROR);
  });

  test('is removed by its id, once', () => {
    const { rules } = openRules();
    rules.add(ERROR);
    rules.remove('f1');
    expect(rules.isEmpty).toBe(true);
    expect(refusal(() => rules.remove('f1'))).toMatchObject({ status: 404, message: /no fault rule "f1"/ });
  });
});

describe('how often a rule fires', () => {
  test('is counted, and is bounded by times', () => {
    const { rules } = openRules();
    rules.add({ ...ERROR, times: 2 });
    expect(rules.fireFirst(get('a'), always)?.id).toBe('f1');
    expect(rules.list()[0]!.fired).toBe(1);
    expect(rules.fireFirst(get('a'), always)?.id).toBe('f1');
    expect(rules.isEmpty).toBe(true);
    expect(rules.fireFirst(get('a'), always)).toBeUndefined();
  });

  test('is drawn with the seed, the same each time', () => {
    const run = (seed?: number) => {
      const { rules } = openRules();
      rules.add({ ...ERROR, probability: 0.3, seed });
      return Array.from({ length: 400 }, () => (rules.fireFirst(get('a'), always) ? 1 : 0));
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run()).toEqual(run(4711));
    const share = run(7).reduce<number>((sum, fired) => sum + fired, 0) / 400;
    expect(share).toBeGreaterThan(0.22);
    expect(share).toBeLessThan(0.38);
  });

  test('depends on nothing but the requests it is for, not even on delays that were drawn', () => {
    const run = (between: (fired: (() => number) | undefined) => void) => {
      const { rules } = openRules();
      rules.add({ kind: 'latency', model: 'YMMR', probability: 0.5, seed: 9, key: { id: { S: 'a' } } });
      return Array.from({ length: 50 }, () => {
        rules.fireFirst(get('b'), always);
        const firing = rules.fireFirst(get('a'), always);
        between(firing?.draw);
        return firing !== undefined;
      });
    };
    expect(run(() => {})).toEqual(run((draw) => draw?.()));
  });

  test('never, with a probability of 0, and always with 1', () => {
    const { rules } = openRules();
    rules.add({ ...ERROR, probability: 0 });
    rules.add({ ...ERROR, probability: 1 });
    for (let i = 0; i < 50; i++) expect(rules.fireFirst(get('a'), always)?.id).toBe('f2');
  });

  test('is none once the server has stopped, and no timer is left', () => {
    const { rules, clock } = openRules();
    rules.add({ ...ERROR, forMs: 1_000 });
    rules.stop();
    expect(refusal(() => rules.add({ ...ERROR, forMs: 1_000 }))).toMatchObject({ status: 409 });
    rules.clear();
    expect([rules.list(), clock.timers]).toEqual([[], 0]);
  });

  test('is bounded in time by forMs', () => {
    const { rules, clock } = openRules();
    rules.add({ ...ERROR, forMs: 1_000 });
    clock.advance(999);
    expect(rules.isEmpty).toBe(false);
    clock.advance(1);
    expect(rules.isEmpty).toBe(true);
  });

  test('leaves no timer behind when the rule is gone before', () => {
    const { rules, clock } = openRules();
    for (let i = 0; i < 3; i++) rules.add({ ...ERROR, forMs: 1_000, times: 1 });
    rules.fireFirst(get('a'), always);
    rules.remove('f2');
    expect(clock.timers).toBe(1);
    rules.clear();
    expect(clock.timers).toBe(0);
  });

  test('is counted for the first that fires alone, or for each', () => {
    const { rules } = openRules();
    rules.add(ERROR);
    rules.add(ERROR);
    rules.fireFirst(get('a'), always);
    expect(rules.list().map(({ fired }) => fired)).toEqual([1, 0]);
    expect(rules.fireEach(get('a'), always).map(({ id }) => id)).toEqual(['f1', 'f2']);
    expect(rules.list().map(({ fired }) => fired)).toEqual([2, 1]);
  });
});

describe('a staleness rule', () => {
  const lagOf = (rule: object) => {
    const { rules, lags } = openRules();
    rules.add({ kind: 'staleness', worst: true, ...rule } as FaultRule);
    return lags.at(-1)![0]!;
  };
  const holdsOrder = (lag: LagRule, id: string, table = 'orders-0') => isHeld(lag, table, id);
  const holdsEvent = (lag: LagRule, id: string, at: string) => isHeld(lag, 'events-0', encodeNumber(id), at);

  test('holds the records of all tables of clients, and of nothing else', () => {
    const lag = lagOf({});
    expect(holdsOrder(lag, 'a')).toBe(true);
    expect(holdsEvent(lag, '1', 'x')).toBe(true);
    expect(isHeld(lag, SYSTEM_TABLE, 'a')).toBe(false);
    expect(holdsOrder(lag, 'a', 'orders-9')).toBe(false);
  });

  test('holds the records of its table and its namespace', () => {
    const orders = lagOf({ table: 'Orders' });
    expect(holdsOrder(orders, 'a')).toBe(true);
    expect(holdsOrder(orders, 'a', 'orders-3')).toBe(true);
    expect(holdsEvent(orders, '1', 'x')).toBe(false);
    const ofWorker = lagOf({ table: 'Orders', namespace: 'worker-3' });
    expect(holdsOrder(ofWorker, 'a', 'orders-3')).toBe(true);
    expect(holdsOrder(ofWorker, 'a')).toBe(false);
    expect(holdsOrder(lagOf({ table: 'arn:aws:dynamodb:local:000000000000:table/Orders' }), 'a')).toBe(true);
  });

  test('holds the records of its key, by the partition key alone or whole', () => {
    const collection = lagOf({ key: { id: { N: '1.0' } } });
    expect(holdsEvent(collection, '1', 'x')).toBe(true);
    expect(holdsEvent(collection, '1', 'y')).toBe(true);
    expect(holdsEvent(collection, '2', 'x')).toBe(false);
    expect(holdsOrder(collection, '1')).toBe(false);
    const whole = lagOf({ key: { at: { S: 'x' }, id: { N: '1' } } });
    expect(holdsEvent(whole, '1', 'x')).toBe(true);
    expect(holdsEvent(whole, '1', 'xy')).toBe(false);
    expect(holdsOrder(whole, '1')).toBe(false);
    expect(holdsOrder(lagOf({ key: { id: { S: 'a' } } }), 'a')).toBe(true);
    expect(holdsOrder(lagOf({ key: { id: { S: 'a' } } }), 'b')).toBe(false);
    expect(holdsEvent(lagOf({ key: { at: { S: 'x' } } }), '1', 'x')).toBe(false);
  });

  test('says when a record arrives all the same', () => {
    expect(lagOf({}).release).toEqual({ kind: 'never' });
    expect(lagOf({ worst: undefined, versions: 2 }).release).toEqual({ kind: 'versions', count: 2 });
    const fixed = lagOf({ worst: undefined, lagMs: 70 }).release;
    expect(fixed).toEqual({ kind: 'after', delay: { kind: 'constant', delayMs: 70 } });
    const drawn = lagOf({ worst: undefined, model: 'YMMR', seed: 1 }).release;
    const distribution = delayDistribution('YMMR', 'W');
    expect(drawn).toEqual({ kind: 'after', delay: { kind: 'drawn', distribution, seed: expect.any(Number) } });
    expect(lagOf({ worst: undefined, model: 'YMMR', seed: 1 }).release).toEqual(drawn);
    expect(lagOf({ worst: undefined, model: 'YMMR', seed: 2 }).release).not.toEqual(drawn);
  });

  test('is plain data, which another process can be sent', () => {
    for (const rule of [{}, { key: { id: { N: '1' } } }, { worst: undefined, model: 'YMMR' }]) {
      const lag = lagOf(rule);
      expect(JSON.parse(JSON.stringify(lag))).toEqual(lag);
    }
  });

  test('is for the replicas of an index, for the whole of it, or for a table with its indexes', () => {
    const { rules, lags } = openRules();
    const scopeOf = (rule: Partial<FaultRule>) => {
      rules.clear();
      rules.add({ kind: 'staleness', worst: true, ...rule } as FaultRule);
      return lags.at(-1)![0]!.scope;
    };
    const place = (table: string) => ({ kind: 'table', table });
    expect(scopeOf({ table: 'Orders', namespace: '', index: 'by-customer' })).toEqual([place('by-cust')]);
    expect(scopeOf({ index: 'by-customer', whole: true } as Partial<FaultRule>)).toEqual([
      { kind: 'propagation', index: 'by-cust' },
    ]);
    // It has no entries: it is read from its table.
    expect(scopeOf({ index: 'no-entries', whole: true } as Partial<FaultRule>)).toEqual([place('orders-0')]);
    expect(scopeOf({ stream: true, table: 'Orders' } as Partial<FaultRule>)).toEqual([
      { kind: 'propagation', index: 'stream-0' },
    ]);
    expect(scopeOf({ index: 'unknown' })).toEqual([]);
    expect(scopeOf({ table: 'Orders', namespace: '' })).toEqual([place('orders-0'), place('by-cust')]);
  });

  test('of an index fires for reads of it alone', () => {
    const { rules } = openRules();
    rules.add({ kind: 'staleness', worst: true, table: 'Orders', index: 'by-customer' });
    const fire = (operation: 'Query' | 'Scan' | 'GetItem', request: object) =>
      rules.fireFirst({ operation, request: { TableName: 'Orders', ...request }, namespace: '' }, () => true);
    expect(fire('Query', { IndexName: 'by-customer' })).toBeDefined();
    expect(fire('Scan', { IndexName: 'by-customer' })).toBeDefined();
    expect(fire('Scan', { IndexName: 'no-entries' })).toBeUndefined();
    expect(fire('Query', {})).toBeUndefined();
    expect(fire('GetItem', { Key: { id: { S: 'a' } } })).toBeUndefined();
  });

  test('of a whole index is possible where every write waits for every replica', () => {
    const { rules } = openRules({ whyNoReplicaLags: 'a reason' });
    expect(() => rules.add({ kind: 'staleness', worst: true, index: 'by-customer' })).toThrow('a reason');
    expect(rules.add({ kind: 'staleness', worst: true, index: 'by-customer', whole: true }).id).toBe('f1');
    expect(rules.add({ kind: 'staleness', worst: true, stream: true }).id).toBe('f2');
  });

  test('follows the tables that it is for as they come and go', () => {
    const { rules, lags, catalog } = openRules();
    rules.add({ kind: 'staleness', worst: true, table: 'Orders', key: { id: { S: 'a' } } });
    rules.add({ kind: 'staleness', worst: true, table: 'Events' });
    const [, events] = lags.at(-1)!;
    catalog.added({
      storageId: 'orders-4',
      namespace: 'worker-4',
      name: 'Orders',
      key: { partition: attribute('S:id') },
      indexes: [],
    });
    expect(lags).toHaveLength(3);
    const [orders, unchanged] = lags.at(-1)!;
    expect([orders!.id, holdsOrder(orders!, 'a', 'orders-4'), holdsOrder(orders!, 'b', 'orders-4')]).toEqual([
      'f1',
      true,
      false,
    ]);
    expect(unchanged).toBe(events);
    catalog.removed('orders-4');
    expect(holdsOrder(lags.at(-1)![0]!, 'a', 'orders-4')).toBe(false);
    expect(holdsOrder(lags.at(-1)![0]!, 'a')).toBe(true);
    catalog.added({
      storageId: 'others',
      namespace: '',
      name: 'Others',
      key: { partition: attribute('S:id') },
      indexes: [],
    });
    catalog.removed('others');
    expect(lags).toHaveLength(4);
  });

  test('reaches the ring when it comes and when it goes, as the same object while it lives', () => {
    const { rules, lags, clock } = openRules();
    rules.add(ERROR);
    expect(lags).toEqual([]);
    rules.add({ kind: 'staleness', worst: true });
    rules.add({ kind: 'staleness', versions: 1, forMs: 500 });
    expect(lags.at(-1)!.map(({ id }) => id)).toEqual(['f2', 'f3']);
    expect(lags[1]![0]).toBe(lags[0]![0]);
    clock.advance(500);
    expect(lags.at(-1)!.map(({ id }) => id)).toEqual(['f2']);
    rules.remove('f1');
    expect(lags).toHaveLength(3);
    rules.clear();
    expect(lags.at(-1)).toEqual([]);
    rules.clear();
    expect(lags).toHaveLength(4);
  });

  test('lets go only when the last read that it fired for is done', () => {
    const { rules, lags } = openRules();
    rules.add({ kind: 'staleness', worst: true, times: 2 });
    const first = rules.fireFirst(get('a'), always)!;
    const second = rules.fireFirst(get('a'), always)!;
    expect(rules.fireFirst(get('a'), always)).toBeUndefined();
    second.end();
    expect(lags).toHaveLength(1);
    first.end();
    expect(lags.at(-1)).toEqual([]);
    expect(rules.isEmpty).toBe(true);
  });
});
