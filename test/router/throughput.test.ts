import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { WriteUnits } from '../../src/api/consumed-capacity.ts';
import { ApiError } from '../../src/api/errors.ts';
import type { SecondaryIndex, Table } from '../../src/api/table-definition.ts';
import type { OnDemandThroughput } from '../../src/api/table-requests.ts';
import { ThroughputGate } from '../../src/router/throughput.ts';
import { attribute, globalIndex, localIndex, sampleTable } from '../api/sample-table.ts';

let nowMs: number;
let gate: ThroughputGate;
beforeEach(() => {
  nowMs = 1_000_000;
  gate = new ThroughputGate({ elapsedMs: () => nowMs });
});

const KEY = { partition: attribute('S:pk') };
const WARM = { ReadUnitsPerSecond: 1, WriteUnitsPerSecond: 1 };

function provisioned(readUnits: number, writeUnits: number, indexes: readonly SecondaryIndex[] = []): Table {
  return {
    ...sampleTable(KEY, indexes),
    billing: { mode: 'PROVISIONED' },
    throughput: { readUnits, writeUnits, warm: WARM },
  };
}

function onDemand(ceilings?: OnDemandThroughput): Table {
  return { ...sampleTable(KEY), throughput: { readUnits: 0, writeUnits: 0, onDemand: ceilings, warm: WARM } };
}

const written = (table: number, indexes: WriteUnits['indexes'] = []): WriteUnits => ({ table, indexes });

function refusal(run: () => unknown): ApiError {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('was let through');
}

/** How many runs are let through before the first that is not, of at most 10,000. */
function countLetThrough(run: () => unknown): number {
  for (let count = 0; count < 10_000; count++) {
    try {
      run();
    } catch {
      return count;
    }
  }
  throw new Error('all were let through');
}

describe('a provisioned table', () => {
  test('serves what it has in a second at once, and what comes later as it comes', () => {
    const table = provisioned(2, 5);
    const read = () => gate.chargeRead(table, 'a', 0.5);
    expect(countLetThrough(read)).toBe(4);
    nowMs += 250;
    expect(countLetThrough(read)).toBe(1);
    expect(countLetThrough(() => gate.chargeWrite(table, 'a', written(1)))).toBe(5);
  });

  test('may spend what it did not use in five minutes, and nothing from before', () => {
    const table = provisioned(1, 1);
    expect(countLetThrough(() => gate.chargeRead(table, 'a', 1))).toBe(1);
    nowMs += 3_600_000;
    expect(countLetThrough(() => gate.chargeRead(table, 'a', 1))).toBe(300);
  });

  test('is refused in the words of the service', () => {
    const table = provisioned(1, 1);
    gate.chargeRead(table, 'a', 1);
    gate.chargeWrite(table, 'a', written(1));
    expect(refusal(() => gate.chargeRead(table, 'a', 1))).toMatchObject({
      type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
      status: 400,
      message:
        'The level of configured provisioned throughput for the table was exceeded. Consider increasing your ' +
        'provisioning level with the UpdateTable API.',
      body: { ThrottlingReasons: [{ reason: 'TableReadProvisionedThroughputExceeded', resource: table.arn }] },
    });
    expect(refusal(() => gate.chargeWrite(table, 'b', written(1))).body).toEqual({
      ThrottlingReasons: [{ reason: 'TableWriteProvisionedThroughputExceeded', resource: table.arn }],
    });
  });

  test('has its new rates at once when it is updated, up and down, and no limit when it becomes on-demand', () => {
    expect(countLetThrough(() => gate.chargeRead(provisioned(1, 1), 'a', 1))).toBe(1);
    const raised = provisioned(100, 1);
    gate.changed(raised);
    nowMs += 1_000;
    expect(countLetThrough(() => gate.chargeRead(raised, 'a', 1))).toBe(100);
    const lowered = provisioned(10, 1);
    gate.changed(lowered);
    nowMs += 1_000;
    expect(countLetThrough(() => gate.chargeRead(lowered, 'a', 1))).toBe(10);
    gate.changed(onDemand());
    for (let i = 0; i < 2_000; i++) gate.chargeRead(onDemand(), 'a', 1);
  });

  test('keeps its new rates when a request that began before is charged', () => {
    const before = provisioned(1, 1);
    gate.chargeRead(before, 'a', 1);
    const settle = gate.chargeWrite(before, 'a', written(1));
    const after = provisioned(50, 50);
    gate.changed(after);
    refusal(() => gate.chargeRead(before, 'a', 1));
    settle(written(1));
    nowMs += 1_000;
    expect(countLetThrough(() => gate.chargeRead(after, 'a', 1))).toBe(50);
    expect(countLetThrough(() => gate.chargeWrite(after, 'a', written(1)))).toBe(50);
  });

  test('another table, and one of the same name that was made again, has its own', () => {
    const table = provisioned(1, 1);
    gate.chargeRead(table, 'a', 1);
    gate.chargeRead({ ...table, storageId: 'another1' }, 'a', 1);
    refusal(() => gate.chargeRead(table, 'a', 1));
  });
});

describe('a write', () => {
  const global: SecondaryIndex = {
    ...globalIndex('byTag', { partition: 'S:tag' }),
    throughput: { readUnits: 1, writeUnits: 1, warm: WARM },
  };
  const local = localIndex('byDate', { partition: 'S:pk', sort: 'S:date' });

  test('owes what it consumed beyond what was expected', () => {
    const table = provisioned(1, 10);
    const settle = gate.chargeWrite(table, 'a', written(1));
    settle(written(10));
    refusal(() => gate.chargeWrite(table, 'a', written(1)));
    nowMs += 100;
    gate.chargeWrite(table, 'a', written(1));
  });

  test('is given back what it did not consume', () => {
    const table = provisioned(1, 2, [global]);
    const settle = gate.chargeWrite(table, 'a', written(1, [{ index: global, units: 1 }]));
    refusal(() => gate.chargeWrite(table, 'a', written(1, [{ index: global, units: 1 }])));
    settle(written(1));
    gate.chargeWrite(table, 'a', written(1, [{ index: global, units: 1 }]));
  });

  test('that an index has no capacity for is refused, takes nothing, and names the index', () => {
    const table = provisioned(1, 3, [global]);
    const write = () => gate.chargeWrite(table, 'a', written(1, [{ index: global, units: 1 }]));
    write();
    for (let i = 0; i < 5; i++) {
      expect(refusal(write)).toMatchObject({
        name: 'ProvisionedThroughputExceededException',
        message: expect.stringContaining('one or more global secondary indexes of the table was exceeded'),
        body: {
          ThrottlingReasons: [
            { reason: 'IndexWriteProvisionedThroughputExceeded', resource: `${table.arn}/index/byTag` },
          ],
        },
      });
    }
    expect(countLetThrough(() => gate.chargeWrite(table, 'a', written(1)))).toBe(2);
  });

  test('to a local index counts for the table', () => {
    const table = provisioned(1, 6, [local]);
    expect(countLetThrough(() => gate.chargeWrite(table, 'a', written(1, [{ index: local, units: 2 }])))).toBe(2);
  });
});

describe('an on-demand table', () => {
  test('has no limit but that of a partition key, which has no burst', () => {
    nowMs += 600_000;
    const table = onDemand();
    expect(countLetThrough(() => gate.chargeWrite(table, 'hot', written(2)))).toBe(500);
    expect(countLetThrough(() => gate.chargeRead(table, 'hot', 1))).toBe(3_000);
    nowMs += 60_000;
    expect(countLetThrough(() => gate.chargeRead(table, 'hot', 1))).toBe(3_000);
    gate.chargeRead(table, 'cold', 1);
    expect(refusal(() => gate.chargeRead(table, 'hot', 1))).toMatchObject({
      name: 'ThrottlingException',
      message: expect.stringMatching(/^Throughput exceeds the current capacity of your table or index\. /),
      body: { throttlingReasons: [{ reason: 'TableReadKeyRangeThroughputExceeded', resource: table.arn }] },
    });
  });

  test('has the ceilings that it was given', () => {
    const table = onDemand({ MaxWriteRequestUnits: 7 });
    expect(countLetThrough(() => gate.chargeWrite(table, 'a', written(1)))).toBe(7);
    expect(refusal(() => gate.chargeWrite(table, 'a', written(1)))).toMatchObject({
      name: 'ThrottlingException',
      message: 'Throughput exceeds the maximum OnDemandThroughput configured on table or index',
      body: { throttlingReasons: [{ reason: 'TableWriteMaxOnDemandThroughputExceeded', resource: table.arn }] },
    });
    for (let i = 0; i < 100; i++) gate.chargeRead(table, 'a', 1);
  });
});

test('a hot partition key of a provisioned table is refused with the reason of its partition', () => {
  const table = provisioned(9_000, 9_000);
  expect(countLetThrough(() => gate.chargeWrite(table, 'hot', written(1)))).toBe(1_000);
  const error = refusal(() => gate.chargeWrite(table, 'hot', written(1)));
  expect(error.name).toBe('ProvisionedThroughputExceededException');
  expect(error.body).toMatchObject({ ThrottlingReasons: [{ reason: 'TableWriteKeyRangeThroughputExceeded' }] });
  expect(countLetThrough(() => gate.chargeWrite(table, 'cold', written(1)))).toBe(1_000);
});

test('queries share the limit of a partition key with its other reads, those of an index have one of their own', () => {
  const index = globalIndex('byA', { partition: 'S:a' });
  const table = { ...provisioned(9_000, 9_000), indexes: [index] };
  const query = (of: SecondaryIndex | undefined, key: string, units: number) =>
    gate.chargePage(table, of, key)({ table: of ? 0 : units, index: of ? units : 0 });
  query(undefined, 'hot', 2_999.5);
  gate.chargeRead(table, 'hot', 0.5);
  expect(refusal(() => query(undefined, 'hot', 1)).body).toMatchObject({
    ThrottlingReasons: [{ reason: 'TableReadKeyRangeThroughputExceeded' }],
  });
  gate.chargeRead(table, 'cold', 0.5);
  gate.chargePage(table, undefined);
  query(index, 'hot', 3_000);
  expect(refusal(() => query(index, 'hot', 1)).body).toMatchObject({
    ThrottlingReasons: [{ reason: 'IndexReadKeyRangeThroughputExceeded' }],
  });
});

test('of tables and partition keys only so many are remembered, those that were used last', () => {
  gate = new ThroughputGate({ elapsedMs: () => nowMs, maxTables: 2, maxPartitionKeys: 2 });
  const tables = ['table--1', 'table--2', 'table--3'].map((storageId) => ({ ...provisioned(1, 1), storageId }));
  for (const table of tables.slice(0, 2)) gate.chargeRead(table, 'a', 1);
  refusal(() => gate.chargeRead(tables[0]!, 'a', 1));
  gate.chargeRead(tables[2]!, 'a', 1);
  refusal(() => gate.chargeRead(tables[0]!, 'a', 1));
  // The second one was forgotten, and begins anew.
  gate.chargeRead(tables[1]!, 'a', 1);

  const table = onDemand();
  for (const key of ['a', 'b']) gate.chargeRead(table, key, 3_000);
  refusal(() => gate.chargeRead(table, 'a', 1));
  gate.chargeRead(table, 'c', 1);
  refusal(() => gate.chargeRead(table, 'a', 1));
  gate.chargeRead(table, 'b', 1);
});

test('whatever is asked of a table, in any interval it is served its rate and its burst at most', () => {
  const requests = fc.array(
    fc.record({ afterMs: fc.nat(20_000), units: fc.integer({ min: 1, max: 200 }), key: fc.constantFrom('a', 'b') }),
    { minLength: 1, maxLength: 80 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), requests, (rate, asked) => {
      nowMs = 0;
      gate = new ThroughputGate({ elapsedMs: () => nowMs });
      const table = provisioned(rate, rate);
      const served: { atMs: number; units: number }[] = [];
      for (const { afterMs, units, key } of asked) {
        nowMs += afterMs;
        try {
          gate.chargeWrite(table, key, written(units))(written(units));
          served.push({ atMs: nowMs, units });
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
        }
      }
      for (const [from, { atMs: fromMs }] of served.entries()) {
        let sum = 0;
        for (const { atMs, units } of served.slice(from)) {
          sum += units;
          // None of these amounts is larger than what a bucket keeps.
          expect(sum).toBeLessThanOrEqual((rate * (atMs - fromMs)) / 1_000 + rate * 300 + 1e-6);
        }
      }
    }),
  );
});

describe('a table that several routers use', () => {
  test('is limited to its rate by all of them together', () => {
    const table = provisioned(100, 20);
    let users = 1;
    const gates = Array.from({ length: 4 }, () => {
      return new ThroughputGate({ elapsedMs: () => nowMs, users: { use: () => users } });
    });
    const writeAll = (some: readonly ThroughputGate[]) => {
      const write = (each: ThroughputGate) => countLetThrough(() => each.chargeWrite(table, 'a', written(1)));
      return some.reduce((sum, each) => sum + write(each), 0);
    };
    const during = (seconds: number, some: readonly ThroughputGate[]) => {
      let count = 0;
      for (let second = 0; second < seconds; second++) {
        nowMs += 1_000;
        count += writeAll(some);
      }
      return count;
    };
    // What each begins with.
    writeAll(gates);
    users = 4;
    writeAll(gates);
    expect(during(30, gates)).toBe(600);
    users = 1;
    writeAll(gates);
    expect(during(30, gates.slice(0, 1))).toBe(600);
  });

  test('has for each partition key a part of its limit, and keeps a part of what is unused', () => {
    let users = 2;
    const shared = new ThroughputGate({ elapsedMs: () => nowMs, users: { use: () => users } });
    const key = () => countLetThrough(() => shared.chargeWrite(onDemand(), 'a', written(1)));
    key();
    nowMs += 1_000;
    expect(key()).toBe(500);
    users = 4;
    nowMs += 1_000;
    expect(key()).toBe(250);
    const slow = provisioned(1, 1);
    countLetThrough(() => shared.chargeWrite(slow, 'b', written(1)));
    nowMs += 1_000_000;
    expect(countLetThrough(() => shared.chargeWrite(slow, 'b', written(1)))).toBe(75);
  });
});
