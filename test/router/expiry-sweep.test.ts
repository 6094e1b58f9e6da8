import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { FaultRule } from '../../src/api/fault-rule.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { OperationName, RawJson } from '../../src/api/operations.ts';
import type { ItemKey, WriteOptions, WriteOutcome } from '../../src/dynamo/client.ts';
import { ExpirySweep } from '../../src/router/expiry-sweep.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { openRules } from './fault-fixtures.ts';
import { MemoryClient } from './memory-client.ts';
import { MemoryStreams } from './memory-streams.ts';

const START_MS = Date.parse('2026-01-31T12:00:00Z');
const HOUR_MS = 3_600_000;
const S = Math.floor(START_MS / 1_000);

/** A client that remembers what was written for whom. */
class WatchedClient extends MemoryClient {
  readonly written: { mutation: Mutation; options: WriteOptions }[] = [];
  /** While set, what a deletion of the sweep answers. */
  refuses: WriteOutcome | undefined;

  override async write(key: ItemKey, mutation: Mutation, options?: WriteOptions): Promise<WriteOutcome> {
    this.written.push({ mutation, options: options! });
    if (options?.by === 'ttl' && this.refuses !== undefined) return this.refuses;
    return super.write(key, mutation);
  }
}

let client: WatchedClient;
let nowMs: number;
let clock: ManualClock;
let rules: ReturnType<typeof openRules>['rules'];
let failures: unknown[];
let catalog: TableCatalog;
let sweep: ExpirySweep;
let router: Router;

/** A process on what is stored. @param isPassing whether it reads tables for other routers; undefined: it is the only one */
function startProcess(isPassing?: () => boolean): void {
  catalog = new TableCatalog(client);
  clock = new ManualClock();
  rules = openRules().rules;
  failures = [];
  sweep = new ExpirySweep({
    client,
    catalog,
    rules,
    nowMs: () => nowMs,
    timers: clock,
    isPassing,
    pause: async () => {},
    onFailure: (error) => failures.push(error),
  });
  router = createRouter({ client: sweep.noting(client), streams: new MemoryStreams(), catalog, newId: randomUUID });
}

beforeEach(async () => {
  client = new WatchedClient();
  nowMs = START_MS;
  startProcess();
  await createTable('things');
});

function send<T>(operation: OperationName, request: object): Promise<T> {
  const context = { requestId: 'r', nowMs, accessKeyId: 'any', region: 'local' };
  return router.execute(operation, request, context) as Promise<T>;
}

async function createTable(TableName: string, expires = true): Promise<void> {
  await send('CreateTable', {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  if (expires) await setExpiry(TableName, true);
}

const setExpiry = (TableName: string, Enabled: boolean) =>
  send('UpdateTimeToLive', { TableName, TimeToLiveSpecification: { Enabled, AttributeName: 'ttl' } });

/** Puts an item that expires so many seconds after the start. */
const put = (id: string, afterS?: number, TableName = 'things') =>
  send('PutItem', {
    TableName,
    Item: { id: { S: id }, ...(afterS === undefined ? {} : { ttl: { N: String(S + afterS) } }) },
  });

/** The items that there are, in order. */
async function ids(TableName = 'things'): Promise<string[]> {
  const { Items } = await send<{ Items: RawJson[] }>('Scan', { TableName });
  return Items.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()).id.S).sort();
}

/** The background sweeps once. */
async function tick(): Promise<void> {
  if (clock.timers === 0) sweep.start(1_000);
  clock.advance(1_000);
  await settle();
}

/** The pass under way goes on to its end. */
async function endOfPass(): Promise<void> {
  for (let page = 0; page < 2 * client.partitions; page++) {
    clock.advance(100);
    await settle();
  }
}

/** Lets all that needs no time come to its end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const calls = () => client.calls.length;

test('an item goes when its time is over, as an ordinary write of the sweep', async () => {
  await Promise.all([put('soon', 10), put('later', 100), put('never')]);
  await tick();
  nowMs += 10_000;
  await tick();
  expect(await ids()).toEqual(['later', 'never', 'soon']);
  nowMs += 1;
  await tick();
  expect(await ids()).toEqual(['later', 'never']);
  expect(sweep.deleted).toBe(1);
  const { mutation, options } = client.written.at(-1)!;
  expect(options).toMatchObject({ by: 'ttl', consistency: 'strict' });
  expect(mutation).toMatchObject({ kind: 'delete', condition: { kind: 'compare', comparator: '=' } });
});

test('what transactions write goes as well, without a pass through the table', async () => {
  await put('changed', 10);
  await tick();
  await endOfPass();
  const scans = () => client.calls.filter((call) => call === 'scan').length;
  const before = scans();
  const at = (afterS: number) => ({ ttl: { N: String(S + afterS) } });
  const TableName = 'things';
  const Key = { id: { S: 'changed' } };
  await send('TransactWriteItems', {
    TransactItems: [
      { Put: { TableName, Item: { id: { S: 'soon' }, ...at(10) } } },
      {
        Update: {
          TableName,
          Key,
          UpdateExpression: 'SET #t = :t',
          ExpressionAttributeNames: { '#t': 'ttl' },
          ExpressionAttributeValues: { ':t': { N: String(S + 100) } },
        },
      },
      {
        ConditionCheck: { TableName, Key: { id: { S: 'none' } }, ConditionExpression: 'attribute_not_exists(id)' },
      },
    ],
  });
  const refused = send('TransactWriteItems', {
    TransactItems: [
      { Put: { TableName, Item: { id: { S: 'never' }, ...at(20) } } },
      { ConditionCheck: { TableName, Key, ConditionExpression: 'attribute_not_exists(id)' } },
    ],
  });
  await expect(refused).rejects.toThrow('ConditionalCheckFailed');
  nowMs += 10_001;
  await tick();
  expect(scans()).toBe(before);
  expect(await ids()).toEqual(['changed']);
  nowMs += 90_001;
  await tick();
  expect(await ids()).toEqual([]);
  expect(sweep.deleted).toBe(2);
});

test('a table is read once, and costs nothing while nothing is due', async () => {
  await put('later', 100);
  await tick();
  await tick();
  const before = calls();
  for (let second = 0; second < 50; second++) await tick();
  await put('another', 200);
  await tick();
  expect(calls()).toBe(before + 1);
  expect(sweep.scheduled).toBe(2);
  nowMs += 150_000;
  await tick();
  expect(await ids()).toEqual(['another']);
});

test('tables of an earlier process are found, with what expired meanwhile', async () => {
  await Promise.all([put('soon', 10), put('later', 100)]);
  await createTable('others', false);
  await put('other', 10, 'others');
  nowMs += 50_000;
  startProcess();
  await tick();
  await tick();
  expect(await ids()).toEqual(['later']);
  expect(await ids('others')).toEqual(['other']);
});

test('an item that gets more time stays until that is over', async () => {
  await put('a', 10);
  await tick();
  await send('UpdateItem', {
    TableName: 'things',
    Key: { id: { S: 'a' } },
    UpdateExpression: 'SET #t = :t',
    ExpressionAttributeNames: { '#t': 'ttl' },
    ExpressionAttributeValues: { ':t': { N: String(S + 60) } },
  });
  nowMs += 30_000;
  await tick();
  expect(await ids()).toEqual(['a']);
  nowMs += 31_000;
  await tick();
  expect(await ids()).toEqual([]);
});

test('a deletion that finds another time does nothing, and remembers that', async () => {
  await put('a', 10);
  await tick();
  // Behind the back of this process.
  const direct = createRouter({ client, streams: client.streams, newId: randomUUID });
  const context = { requestId: 'r', nowMs, accessKeyId: 'any', region: 'local' };
  const Item = { id: { S: 'a' }, ttl: { N: String(S + 60) } };
  await direct.execute('PutItem', { TableName: 'things', Item }, context);
  nowMs += 30_000;
  await tick();
  expect(await ids()).toEqual(['a']);
  expect(sweep.deleted).toBe(0);
  nowMs += 31_000;
  await tick();
  expect(await ids()).toEqual([]);
});

test('a cluster that fails is told, and tried again', async () => {
  await put('a', 10);
  await tick();
  nowMs += 11_000;
  client.refuses = { kind: 'unavailable', needed: 2, got: 1 };
  await tick();
  expect(failures).toMatchObject([{ status: 503 }]);
  await expect(sweep.sweep()).rejects.toMatchObject({ status: 503 });
  client.refuses = undefined;
  nowMs += 10_000;
  await tick();
  expect(await ids()).toEqual([]);
  expect(failures.length).toBe(1);
});

test('a table that cannot be read is tried again', async () => {
  await put('a', 10);
  client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
  await tick();
  await tick();
  expect(failures.length).toBeGreaterThan(0);
  client.failRead = undefined;
  nowMs += 60_000;
  await tick();
  expect(await ids()).toEqual([]);
});

test('a write whose outcome is unknown is not forgotten', async () => {
  await put('a');
  await tick();
  client.failWrite = 'late-write';
  await expect(put('b', 10)).rejects.toMatchObject({ status: 500 });
  await expect(
    send('UpdateItem', {
      TableName: 'things',
      Key: { id: { S: 'c' } },
      UpdateExpression: 'SET #t = :t',
      ExpressionAttributeNames: { '#t': 'ttl' },
      ExpressionAttributeValues: { ':t': { N: String(S + 10) } },
    }),
  ).rejects.toMatchObject({ status: 500 });
  client.failWrite = undefined;
  nowMs += 11_000;
  await tick();
  await tick();
  expect(await ids()).toEqual(['a']);
});

test('nothing expires any more once that is disabled, and it does when it is enabled again', async () => {
  await put('a', 10);
  await tick();
  await setExpiry('things', false);
  nowMs += 11_000;
  await tick();
  expect(await sweep.sweep()).toBe(0);
  expect(sweep.scheduled).toBe(0);
  await setExpiry('things', true);
  expect(await sweep.sweep()).toBe(1);
  expect(await ids()).toEqual([]);
});

test('a deleted table is forgotten, also if there is a new one of its name', async () => {
  await put('a', 10);
  await tick();
  await send('DeleteTable', { TableName: 'things' });
  await createTable('things', false);
  await put('a', 10);
  nowMs += 11_000;
  await tick();
  await tick();
  expect(await ids()).toEqual(['a']);
  expect(sweep.scheduled).toBe(0);
});

test('a sweep that is asked for tells how many items it has deleted', async () => {
  await createTable('others');
  await Promise.all(Array.from({ length: 300 }, (_, i) => put(`k${i}`, i)));
  await put('other', 10, 'others');
  nowMs += 100_500;
  expect(await sweep.sweep()).toBe(102);
  expect(await ids()).toHaveLength(199);
  expect(await sweep.sweep()).toBe(0);
});

test('passes keep to their rate, unless somebody waits for one', async () => {
  await Promise.all(Array.from({ length: 300 }, (_, i) => put(`k${i}`, 10)));
  nowMs += 11_000;
  startProcess();
  sweep.start(1_000);
  clock.advance(1_000);
  await settle();
  // It rests.
  expect(await ids()).not.toEqual([]);
  expect(await sweep.sweep()).toBeGreaterThan(0);
  expect(await ids()).toEqual([]);
});

test('more items than are kept in mind expire in time all the same', async () => {
  await tick();
  await vi.waitFor(async () => {
    await Promise.all(Array.from({ length: 12_000 }, (_, i) => put(`k${i}`, i)));
  });
  expect(sweep.scheduled).toBeLessThanOrEqual(10_000);
  nowMs += 12_001_000;
  await tick();
  await sweep.sweep();
  expect(await ids()).toEqual([]);
  expect(sweep.deleted).toBe(12_000);
});

test('a clock that is moved back and forth keeps what has not expired, and finds what has', async () => {
  await put('a', 10);
  await put('old', -6 * 365 * 86_400);
  await tick();
  await endOfPass();
  expect(await ids()).toEqual(['a', 'old']);
  nowMs -= 2 * 365 * 86_400_000;
  await tick();
  await endOfPass();
  expect(await ids()).toEqual(['a']);
  nowMs = START_MS + 11_000;
  await tick();
  expect(await ids()).toEqual([]);
});

test('a stopped sweep does nothing any more', async () => {
  await put('a', 10);
  await tick();
  sweep.stop();
  nowMs += 11_000;
  const before = calls();
  clock.advance(10_000);
  await settle();
  expect(calls()).toBe(before);
  expect(clock.timers).toBe(0);
});

test('nothing is deleted while the table is deleted, or its expiry is only being enabled', async () => {
  await put('a', -5);
  const late = createRouter({
    client: sweep.noting(client),
    streams: new MemoryStreams(),
    catalog,
    newId: randomUUID,
    transientMs: HOUR_MS,
  });
  const change = (operation: OperationName, request: object) =>
    late.execute(
      operation,
      { TableName: 'things', ...request },
      { requestId: 'r', nowMs, accessKeyId: 'any', region: 'local' },
    );
  await setExpiry('things', false);
  await change('UpdateTimeToLive', { TimeToLiveSpecification: { Enabled: true, AttributeName: 'ttl' } });
  expect(await sweep.sweep()).toBe(0);
  nowMs += HOUR_MS;
  expect(await sweep.sweep()).toBe(1);
  await put('b', -5);
  await change('DeleteTable', {});
  expect(await sweep.sweep()).toBe(0);
});

const rule = (given: object) => rules.add({ kind: 'expiry', ...given } as FaultRule);

test('a rule makes items stay after they have expired, and counts them', async () => {
  await createTable('others');
  const { id } = rule({ lingerMs: 48 * HOUR_MS, table: 'things' });
  await Promise.all([put('a', 10), put('b', 20), put('other', 10, 'others')]);
  await tick();
  await endOfPass();
  nowMs += HOUR_MS;
  await tick();
  expect(await sweep.sweep()).toBe(0);
  expect(await ids()).toEqual(['a', 'b']);
  expect(await ids('others')).toEqual([]);
  expect(rules.list()).toMatchObject([{ id, fired: 2 }]);
  nowMs += 47 * HOUR_MS + 10_001;
  await tick();
  expect(await ids()).toEqual(['b']);
  rules.remove(id);
  await tick();
  expect(await ids()).toEqual([]);
});

test('items stay within a time that is drawn for each, by the seed', async () => {
  await Promise.all(Array.from({ length: 100 }, (_, i) => put(`k${i}`, 0)));
  const left: string[][] = [];
  nowMs += 25 * HOUR_MS;
  for (const seed of [1, 2, 1]) {
    rules.clear();
    rule({ withinMs: 48 * HOUR_MS, seed });
    client.refuses = { kind: 'condition-failed', current: undefined };
    const before = client.written.length;
    await sweep.sweep();
    left.push(client.written.slice(before).map(({ mutation }) => JSON.stringify(mutation)));
    client.refuses = undefined;
  }
  expect(left[0]!.length).toBeGreaterThan(20);
  expect(left[0]!.length).toBeLessThan(80);
  expect(left[2]).toEqual(left[0]);
  expect(left[1]!.length).not.toBe(0);
  nowMs += 24 * HOUR_MS;
  await sweep.sweep();
  expect(await ids()).toEqual([]);
});

describe('one of several routers', () => {
  /** What another router has written, of which this one hears nothing. */
  const putElsewhere = async (id: string, afterS: number) => {
    const { execute } = createRouter({
      client,
      streams: client.streams,
      catalog: new TableCatalog(client),
      newId: randomUUID,
    });
    const Item = { id: { S: id }, ttl: { N: String(S + afterS) } };
    const context = { requestId: 'r', nowMs, accessKeyId: 'any', region: 'local' };
    await execute('PutItem', { TableName: 'things', Item }, context);
  };

  test('deletes what it has written itself, and reads no table again for others', async () => {
    startProcess(() => false);
    await tick();
    await endOfPass();
    await put('own', 10);
    await putElsewhere('other', 10);
    nowMs += 11 * 60_000;
    for (let round = 0; round < 3; round++) {
      await tick();
      await endOfPass();
    }
    expect(await ids()).toEqual(['other']);
    // Asked for by somebody, it does.
    await sweep.sweep();
    expect(await ids()).toEqual([]);
  });

  test('that reads tables for all does so again after five minutes, and after it was another one', async () => {
    let isFirst = true;
    startProcess(() => isFirst);
    await tick();
    await endOfPass();
    await putElsewhere('other', 10);
    nowMs += 11_000;
    await tick();
    await endOfPass();
    expect(await ids()).toEqual(['other']);
    nowMs += 5 * 60_000;
    isFirst = false;
    await tick();
    await endOfPass();
    expect(await ids()).toEqual(['other']);
    isFirst = true;
    await tick();
    await endOfPass();
    expect(await ids()).toEqual([]);
  });
});
