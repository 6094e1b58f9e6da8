import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AdminError, type FaultRule } from '../../src/api/fault-rule.ts';
import type { LagRule } from '../../src/dynamo/client.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { ClusterFaults, type RulesKeeper } from '../../src/router/cluster-faults.ts';
import type { FaultRequest } from '../../src/router/fault-scope.ts';
import { RulesRegister } from '../../src/router/rules-register.ts';
import type { StorageDescription } from '../../src/router/table-cache.ts';
import { attribute } from '../api/sample-table.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { isHeld } from './fault-fixtures.ts';
import { MemoryClient } from './memory-client.ts';

const ERROR = { kind: 'error', error: 'InternalServerError', when: 'before' } as const;
const WORST = { kind: 'staleness', worst: true, table: 'Orders' } as const;
const always = () => true;
const put = (name = 'Orders', id = 'a'): FaultRequest => ({
  operation: 'PutItem',
  request: { TableName: name, Item: { id: { S: id } } },
  namespace: '',
});
const tableOf = (name: string, storageId: string): StorageDescription => ({
  storageId,
  namespace: '',
  name,
  key: { partition: attribute('S:id') },
  indexes: [],
});

/** Processes over one register, who hear each other unless one is cut off. */
function world(count: number) {
  const client = new MemoryClient();
  const clock = new ManualClock();
  const cutOff = new Set<number>();
  const keepers = new Map<number, RulesKeeper>();
  const tables = new Map([['Orders', tableOf('Orders', 'orders-0')]]);
  const failures: unknown[] = [];
  let edits = 0;
  const open = (at: number, parts: { maxRules?: number } = {}) => {
    const lags: (readonly LagRule[])[] = [];
    const others = () => [...keepers].filter(([other]) => other !== at && !cutOff.has(other) && !cutOff.has(at));
    const faults = new ClusterFaults({
      register: new RulesRegister(client),
      tables: { cached: (_, name) => tables.get(name), find: async (_, name) => tables.get(name) },
      others: {
        tellVersion: async (version) => {
          await Promise.all(others().map(([, keeper]) => keeper.noteVersion(version, true)));
        },
        useElsewhere: async () => others().flatMap(([, keeper]) => keeper.use),
        listen: (keeper) => keepers.set(at, keeper),
      },
      whyNoReplicaLags: undefined,
      timers: clock,
      nowMs: () => clock.now(),
      newSeed: () => 4711,
      newEdit: () => `edit ${++edits}`,
      seeded: (seed) => {
        const random = new SeededRandom(seed);
        return () => random.next();
      },
      salt: at,
      onLagChange: (told) => lags.push(told),
      onFailure: (error) => failures.push(error),
      ...parts,
    });
    return { faults, lags };
  };
  const all = Array.from({ length: count }, (_, at) => open(at));
  return { client, clock, cutOff, tables, failures, open, all, faults: all.map(({ faults }) => faults) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function refusal(asked: Promise<unknown>): Promise<AdminError> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AdminError) return error;
  throw new Error(`expected a refusal, got ${error}`);
}

describe('a rule of a cluster', () => {
  test('is in force at all processes when it is set, and at none when it is removed at any', async () => {
    const { faults } = world(3);
    const added = await faults[1]!.add(ERROR);
    expect(added).toEqual({ id: 'f1', rule: { ...ERROR, seed: 4711 }, fired: 0 });
    for (const each of faults) expect((await each.fireFirst(put(), always))?.id).toBe('f1');
    for (const each of faults) expect(await each.list()).toEqual([{ ...added, fired: 3 }]);
    expect(faults[0]!.here).toEqual([{ ...added, fired: 1 }]);
    await faults[2]!.remove('f1');
    for (const each of faults) expect([each.isEmpty, await each.list()]).toEqual([true, []]);
    expect(await refusal(faults[0]!.remove('f1'))).toMatchObject({ status: 404 });
    expect((await faults[0]!.add(ERROR)).id).toBe('f2');
    await faults[1]!.clear();
    for (const each of faults) expect(each.isEmpty).toBe(true);
  });

  test('has an id of its own, however many are set at once', async () => {
    const { faults } = world(3);
    const added = await Promise.all(faults.map((each) => each.add({ ...ERROR, seed: 1 })));
    expect(added.map(({ id }) => id).sort()).toEqual(['f1', 'f2', 'f3']);
    for (const each of faults) expect((await each.list()).map(({ id }) => id)).toEqual(['f1', 'f2', 'f3']);
  });

  test('is refused as one of a single process is, and if it is one too many', async () => {
    const { faults, open } = world(1);
    expect(await refusal(faults[0]!.add({ kind: 'latency', ms: -1 }))).toMatchObject({ field: 'ms', status: 400 });
    await faults[0]!.add(ERROR);
    expect(await refusal(open(5, { maxRules: 1 }).faults.add(ERROR))).toMatchObject({ status: 409 });
    const key = { id: { S: 'x'.repeat(200_000) } };
    expect((await refusal(faults[0]!.add({ ...ERROR, key }))).message).toMatch(/may have 200000 bytes, and would have/);
    expect(await faults[0]!.list()).toHaveLength(1);
  });

  test('is refused where the cluster cannot keep it, and its writer knows its own', async () => {
    const { faults, client } = world(2);
    client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await refusal(faults[0]!.add(ERROR))).toMatchObject({ status: 409, message: /^nothing was changed: 1 of/ });
    client.failWrite = { kind: 'unknown' };
    expect((await refusal(faults[0]!.add(ERROR))).message).toMatch(/^it is not known whether/);
    client.failWrite = 'late-write';
    expect((await faults[0]!.add(ERROR)).id).toBe('f1');
    expect(faults[1]!.isEmpty).toBe(false);
  });

  test('that was missed is read when its version is heard, by a start, or after half a minute', async () => {
    const { faults, cutOff, clock, open } = world(3);
    for (const each of faults) await each.start();
    cutOff.add(2);
    await faults[0]!.add(ERROR);
    expect(faults[2]!.isEmpty).toBe(true);
    expect(await faults[2]!.noteVersion(faults[0]!.version, false)).toBe(true);
    expect(faults[2]!.isEmpty).toBe(false);
    await faults[0]!.clear();
    clock.advance(30_000);
    await settled();
    expect(faults[2]!.isEmpty).toBe(true);
    await faults[0]!.add(ERROR);
    const late = open(7).faults;
    await late.start();
    expect((await late.list()).map(({ id }) => id)).toEqual(['f2']);
    for (const each of [...faults, late]) each.stop();
    expect(clock.timers).toBe(0);
  });

  test('is not waited for at a start for longer than three seconds', async () => {
    const { faults, client, clock } = world(1);
    client.read = () => new Promise(() => {});
    let isStarted = false;
    void faults[0]!.start().then(() => {
      isStarted = true;
    });
    clock.advance(2_999);
    await settled();
    expect(isStarted).toBe(false);
    clock.advance(1);
    await settled();
    expect(isStarted).toBe(true);
  });

  test('lasts for its time at all of them, for the rest of it at one that comes later, and is then forgotten', async () => {
    const { faults, clock, client, open, cutOff } = world(2);
    await faults[0]!.add({ ...ERROR, forMs: 10_000 });
    clock.advance(6_000);
    const late = open(2).faults;
    await late.start();
    // The one that set it dies: another one tidies up.
    cutOff.add(0);
    faults[0]!.stop();
    clock.advance(3_999);
    for (const each of [faults[1]!, late]) expect(each.isEmpty).toBe(false);
    clock.advance(1);
    for (const each of [faults[1]!, late]) expect(each.isEmpty).toBe(true);
    expect(await refusal(late.remove('f1'))).toMatchObject({ status: 404 });
    const stored = async () => (await new RulesRegister(client).read()).shared.rules;
    expect(await stored()).toHaveLength(1);
    clock.advance(1_000);
    await settled();
    await settled();
    expect(await stored()).toEqual([]);
  });
});

test('an edit is told to all, also if its process has read it before it was answered', async () => {
  const { faults, client } = world(2);
  const write = client.write.bind(client);
  client.write = async (...args) => {
    const outcome = await write(...args);
    await faults[0]!.list();
    return outcome;
  };
  await faults[0]!.add(ERROR);
  expect(faults[1]!.isEmpty).toBe(false);
});

describe('a rule with times', () => {
  test('fires as often over all processes, whatever they are asked at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), async (times, processes) => {
        const { faults, client } = world(processes);
        await faults[0]!.add({ ...ERROR, times });
        const asked = faults.flatMap((each) => Array.from({ length: 8 }, () => each.fireFirst(put(), always)));
        const fired = (await Promise.all(asked)).filter((firing) => firing !== undefined);
        expect(fired).toHaveLength(Math.min(times, 8 * processes));
        await settled();
        const isSpent = 8 * processes >= times;
        for (const each of faults) expect(each.isEmpty).toBe(isSpent);
        const { shared, fired: counts } = await new RulesRegister(client).read();
        expect([shared.rules.length, [...counts.values()]]).toEqual(isSpent ? [0, []] : [1, [8 * processes]]);
      }),
      { numRuns: 25 },
    );
  });

  test('does not fire by a claim whose answer is lost, which counts', async () => {
    const { faults, client } = world(2);
    await faults[0]!.add({ ...ERROR, times: 2 });
    client.failWrite = 'late-write';
    expect(await faults[0]!.fireFirst(put(), always)).toBeUndefined();
    client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await faults[0]!.fireFirst(put(), always)).toBeUndefined();
    client.failWrite = undefined;
    expect(await faults[1]!.list()).toMatchObject([{ fired: 1 }]);
    expect(await faults[1]!.fireFirst(put(), always)).toBeDefined();
    expect(await faults[1]!.fireFirst(put(), always)).toBeUndefined();
  });

  test('holds no request up for longer than three seconds, and uses up what is claimed later', async () => {
    const { faults, client, clock } = world(1);
    await faults[0]!.add({ ...ERROR, times: 5 });
    const write = client.write.bind(client);
    let goOn = () => {};
    client.write = async (...args) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return write(...args);
    };
    const first = faults[0]!.fireFirst(put(), always);
    clock.advance(1_500);
    const second = faults[0]!.fireFirst(put(), always);
    clock.advance(1_500);
    expect(await first).toBeUndefined();
    clock.advance(1_500);
    expect(await second).toBeUndefined();
    client.write = write;
    goOn();
    await settled();
    // The second one was not claimed at all.
    expect(await faults[0]!.list()).toMatchObject([{ fired: 1 }]);
    expect(await faults[0]!.fireFirst(put(), always)).toBeDefined();
    expect(faults[0]!.use).toEqual([{ id: 'f1', fired: 1, underWay: 1 }]);
  });

  test('keeps its count when other rules come and go', async () => {
    const { faults } = world(2);
    await faults[0]!.add({ ...ERROR, times: 2 });
    await faults[0]!.fireFirst(put(), always);
    await faults[1]!.add({ kind: 'latency', ms: 1 });
    await faults[1]!.remove('f2');
    expect(await faults[1]!.list()).toMatchObject([{ id: 'f1', fired: 1 }]);
    const fired = await Promise.all(faults.map((each) => each.fireFirst(put(), always)));
    expect(fired.filter((firing) => firing !== undefined)).toHaveLength(1);
  });

  test('that is refused here lets the next rule fire', async () => {
    const { faults, cutOff } = world(2);
    await faults[0]!.add({ ...ERROR, times: 1 });
    await faults[0]!.add(ERROR);
    cutOff.add(1);
    expect((await faults[0]!.fireFirst(put(), always))?.id).toBe('f1');
    expect((await faults[1]!.fireFirst(put(), always))?.id).toBe('f2');
  });
});

test('draws are the same for the same requests at a process, and others at another; expiry is the same at all', async () => {
  const { faults } = world(2);
  const run = async (at: number) => {
    const { id } = await faults[0]!.add({ ...ERROR, probability: 0.5, seed: 7 });
    const fired: boolean[] = [];
    for (let i = 0; i < 60; i++) fired.push((await faults[at]!.fireFirst(put(), always)) !== undefined);
    await faults[0]!.remove(id);
    return fired;
  };
  const first = await run(0);
  expect(await run(0)).toEqual(first);
  expect(await run(1)).not.toEqual(first);
  await faults[0]!.add({ kind: 'expiry', withinMs: 1_000 });
  const [here, there] = faults.map((each) => each.lingering({ namespace: '', name: 'Orders' }, 'x 1')!.ms);
  expect(here).toBe(there);
});

describe('a staleness rule', () => {
  test('has the places of a table at all processes before the table is written to', async () => {
    const { faults, all, tables } = world(3);
    await faults[2]!.add(WORST);
    expect(faults[0]!.prepare({ ...put(), operation: 'GetItem' })).toBeUndefined();
    await faults[0]!.prepare(put());
    for (const { lags } of all) expect(isHeld(lags.at(-1)![0]!, 'orders-0', 'a')).toBe(true);
    await faults[1]!.prepare(put());
    const told = all.map(({ lags }) => lags.length);
    expect([faults[0]!, faults[1]!].map((each) => each.prepare(put()))).toEqual([undefined, undefined]);
    // Of no table that is for it, or none at all.
    tables.set('Others', tableOf('Others', 'others-0'));
    for (const name of ['Others', 'None']) await faults[0]!.prepare(put(name));
    expect(all.map(({ lags }) => lags.length)).toEqual(told);
    // Another rule leaves it as it is: the same object.
    const [before] = all[1]!.lags.at(-1)!;
    await faults[0]!.add({ ...WORST, key: { id: { S: 'b' } } });
    await faults[0]!.prepare(put());
    const [after, ofKey] = all[1]!.lags.at(-1)!;
    expect(after).toBe(before);
    expect([isHeld(ofKey!, 'orders-0', 'a'), isHeld(ofKey!, 'orders-0', 'b')]).toEqual([false, true]);
    await faults[1]!.clear();
    for (const { lags } of all) expect(lags.at(-1)).toEqual([]);
  });

  test('keeps the places of a definition that another router has meanwhile', async () => {
    const { faults, all, tables } = world(2);
    await faults[0]!.add(WORST);
    await faults[0]!.prepare(put());
    tables.set('Orders', tableOf('Orders', 'orders-1'));
    await faults[1]!.prepare(put());
    const [rule] = all[0]!.lags.at(-1)!;
    expect(['orders-0', 'orders-1'].map((table) => isHeld(rule!, table, 'a'))).toEqual([true, true]);
  });

  test('is for 500 tables at most: the one that was added first is added again when it is written to', async () => {
    const { faults, all, tables } = world(1);
    await faults[0]!.add({ kind: 'staleness', worst: true });
    const names = Array.from({ length: 501 }, (_, i) => `T${i}`);
    for (const name of names) {
      tables.set(name, tableOf(name, name.padStart(8)));
      await faults[0]!.prepare(put(name));
    }
    const heldOf = () => names.filter((name) => isHeld(all[0]!.lags.at(-1)![0]!, name.padStart(8), 'a'));
    expect(heldOf()).toEqual(names.slice(1));
    await faults[0]!.prepare(put('T0'));
    expect(heldOf()).toEqual(['T0', ...names.slice(2)]);
  });

  test('does not fail a write whose table cannot be added to it', async () => {
    const { faults, client, failures } = world(1);
    await faults[0]!.add(WORST);
    client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    await faults[0]!.prepare(put());
    expect(failures).toHaveLength(1);
    client.failWrite = undefined;
    await faults[0]!.prepare(put());
    expect(failures).toHaveLength(1);
  });

  test('with times releases what it holds when the last read that it fired for is done, wherever that is', async () => {
    const { faults, all, clock } = world(2);
    await faults[0]!.add({ ...WORST, times: 2 } as FaultRule);
    await faults[0]!.prepare(put());
    const get: FaultRequest = { ...put(), operation: 'GetItem' };
    const [one, other] = [await faults[0]!.fireFirst(get, always), await faults[1]!.fireFirst(get, always)];
    expect(await faults[0]!.fireFirst(get, always)).toBeUndefined();
    const isHolding = async () => {
      clock.advance(20);
      for (let i = 0; i < 5; i++) await settled();
      return all.map(({ lags }) => lags.at(-1)!.length);
    };
    other!.end();
    expect(await isHolding()).toEqual([1, 1]);
    one!.end();
    expect(await isHolding()).toEqual([0, 0]);
  });
});
