import { DynamoDBClient, PutItemCommand, QueryCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FaultRule } from '../src/api/fault-rule.ts';
import { type Dynaring, startDynaring } from '../src/index.ts';
import { createTable, keysOf } from './parts/tables.ts';

let db: Dynaring;
let client: DynamoDBClient;

async function start(options: Parameters<typeof startDynaring>[0] = {}): Promise<void> {
  db = await startDynaring({ partitions: 16, ...options });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  await createTable(client, 'Orders', {
    AttributeDefinitions: keysOf('pk', 'customer', 'state').AttributeDefinitions,
    GlobalSecondaryIndexes: [index('by-customer', 'customer'), index('by-state', 'state')],
  });
}

const index = (IndexName: string, key: string) => ({
  IndexName,
  KeySchema: keysOf(key).KeySchema,
  Projection: { ProjectionType: 'ALL' as const },
});

afterEach(async () => {
  client.destroy();
  await db.stop();
});

const put = (pk: string, customer: string, state = 'open') =>
  client.send(
    new PutItemCommand({
      TableName: 'Orders',
      Item: { pk: { S: pk }, customer: { S: customer }, state: { S: state } },
    }),
  );

/** The orders that an index shows. */
async function orders(IndexName: string, key: string, value: string): Promise<string[]> {
  const { Items } = await client.send(
    new QueryCommand({
      TableName: 'Orders',
      IndexName,
      KeyConditionExpression: '#key = :value',
      ExpressionAttributeNames: { '#key': key },
      ExpressionAttributeValues: { ':value': { S: value } },
    }),
  );
  return Items!.map(({ pk }) => pk!.S!).sort();
}

const ofAnn = () => orders('by-customer', 'customer', 'Ann');
const open = () => orders('by-state', 'state', 'open');
const OF_INDEX = { kind: 'staleness', table: 'Orders', index: 'by-customer' } as const;

describe('without a rule', () => {
  beforeEach(() => start());

  test('an index shows what was written before', async () => {
    for (let i = 0; i < 20; i++) {
      await put(`order ${i}`, 'Ann');
      expect(await ofAnn()).toContain(`order ${i}`);
    }
  });
});

describe.each<[string, Partial<FaultRule>]>([
  ['replicas of the index lag', {}],
  ['the whole index is behind', { whole: true } as Partial<FaultRule>],
])('while %s', (_, more) => {
  beforeEach(() => start());

  test('it shows what it had, and all of it when the rule is gone', async () => {
    await put('order 1', 'Ann');
    expect(await ofAnn()).toEqual(['order 1']);
    const { id } = db.faults.add({ ...OF_INDEX, worst: true, ...more } as FaultRule);
    await put('order 2', 'Ann');
    await put('order 1', 'Bob');
    expect(await ofAnn()).toEqual(['order 1']);
    expect(await orders('by-customer', 'customer', 'Bob')).toEqual([]);
    // Another index of the table follows.
    await vi.waitFor(async () => expect(await open()).toEqual(['order 1', 'order 2']), 10_000);
    db.faults.remove(id);
    await vi.waitFor(async () => expect(await ofAnn()).toEqual(['order 2']), 10_000);
    expect(await orders('by-customer', 'customer', 'Bob')).toEqual(['order 1']);
  });

  test('by a time, it follows after that time', async () => {
    db.faults.add({ ...OF_INDEX, lagMs: 1_500, ...more } as FaultRule);
    await put('order 1', 'Ann');
    const before = await ofAnn();
    await vi.waitFor(async () => expect(await ofAnn()).toEqual(['order 1']), 10_000);
    expect(before).toEqual([]);
  });

  test('as often as the rule says', async () => {
    db.faults.add({ ...OF_INDEX, worst: true, times: 2, ...more } as FaultRule);
    await put('order 1', 'Ann');
    expect(await open()).toEqual(['order 1']);
    expect([await ofAnn(), await ofAnn()]).toEqual([[], []]);
    await vi.waitFor(async () => expect(await ofAnn()).toEqual(['order 1']), 10_000);
  });

  test('it ends with waitUntilConsistent for what was written by then', async () => {
    db.faults.add({ ...OF_INDEX, worst: true, ...more } as FaultRule);
    await put('order 1', 'Ann');
    expect(await ofAnn()).toEqual([]);
    await db.waitUntilConsistent();
    expect(await ofAnn()).toEqual(['order 1']);
  });
});

test('a whole index can be behind where every write waits for every replica', async () => {
  await start({ writeQuorum: 3 });
  expect(() => db.faults.add({ ...OF_INDEX, worst: true })).toThrow(/a write waits for every replica/);
  db.faults.add({ ...OF_INDEX, worst: true, whole: true });
  await put('order 1', 'Ann');
  expect(await ofAnn()).toEqual([]);
  db.faults.clear();
  await vi.waitFor(async () => expect(await ofAnn()).toEqual(['order 1']), 10_000);
});

test('a rule is also for an index that is added later', async () => {
  await start();
  await put('order 1', 'Ann');
  db.faults.add({ kind: 'staleness', table: 'Orders', index: 'later', worst: true });
  await client.send(
    new UpdateTableCommand({
      TableName: 'Orders',
      AttributeDefinitions: keysOf('customer', 'pk').AttributeDefinitions,
      GlobalSecondaryIndexUpdates: [{ Create: { ...index('later', 'customer') } }],
    }),
  );
  await vi.waitFor(() => orders('later', 'customer', 'Ann'), 10_000);
  await put('order 2', 'Ann');
  expect(await orders('later', 'customer', 'Ann')).not.toContain('order 2');
  db.faults.clear();
  await vi.waitFor(
    async () => expect(await orders('later', 'customer', 'Ann')).toEqual(['order 1', 'order 2']),
    10_000,
  );
});
