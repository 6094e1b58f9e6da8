import { beforeEach, describe, expect, test } from 'vitest';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT, definitions, index, newRouter, refusal, tableRequest } from './table-fixtures.ts';

const DELAY_MS = 2_000;
const START_MS = CONTEXT.nowMs;
/** What a request at this time after the first one comes with. */
const at = (ms: number) => ({ nowMs: START_MS + ms });

let client: MemoryClient;
let router: ReturnType<typeof newRouter>;

/** A router that has nothing at hand, as after a restart. */
const restart = (delayMs = DELAY_MS) => newRouter(client, {}, delayMs);

beforeEach(() => {
  client = new MemoryClient();
  router = restart();
});

const ITEM = { pk: { S: 'a' } };
const put = (ms: number) => router.execute('PutItem', { TableName: 'Music', Item: ITEM }, at(ms));
const get = (ms: number) => router.execute('GetItem', { TableName: 'Music', Key: ITEM, ConsistentRead: true }, at(ms));
const scan = (ms: number) => router.execute('Scan', { TableName: 'Music' }, at(ms));
const expire = (ms: number) =>
  router.execute(
    'UpdateTimeToLive',
    { TableName: 'Music', TimeToLiveSpecification: { AttributeName: 'until', Enabled: true } },
    at(ms),
  );
const timeToLive = (ms: number) => router.execute('DescribeTimeToLive', { TableName: 'Music' }, at(ms));
const remove = (ms: number) => router.execute('DeleteTable', { TableName: 'Music' }, at(ms));
const status = async (ms: number, from = router) => (await from.describe('Music', at(ms))).TableStatus;
const names = async (ms: number) => (await router.execute('ListTables', {}, at(ms))).TableNames;

const NOT_FOUND = 'ResourceNotFoundException: Requested resource not found';
const NO_TABLE = `${NOT_FOUND}: Table: Music not found`;
const inUse = (what: string) =>
  `ResourceInUseException: Attempt to change a resource which is still in use: Table is being ${what}: Music`;

describe('a table that is made', () => {
  const WITH_INDEX = tableRequest({
    AttributeDefinitions: definitions('a', 'pk'),
    GlobalSecondaryIndexes: [index('by-a', 'a')],
  });

  test('is CREATING, with its indexes, until its time has come', async () => {
    await router.create(WITH_INDEX);
    const creating = await router.describe('Music', at(DELAY_MS - 1));
    expect([creating.TableStatus, creating.GlobalSecondaryIndexes[0].IndexStatus]).toEqual(['CREATING', 'CREATING']);
    const active = await router.describe('Music', at(DELAY_MS));
    expect([active.TableStatus, active.GlobalSecondaryIndexes[0].IndexStatus]).toEqual(['ACTIVE', 'ACTIVE']);
  });

  test('has no items before', async () => {
    await router.create();
    const deleteItem = router.execute('DeleteItem', { TableName: 'Music', Key: ITEM }, at(1));
    for (const answer of [put(1), get(1), scan(1), deleteItem]) expect(await refusal(answer)).toBe(NOT_FOUND);
    await put(DELAY_MS);
    expect((await get(DELAY_MS)).Item).toBeDefined();
  });

  test('can be neither made again, changed nor deleted meanwhile', async () => {
    await router.create();
    expect(await refusal(router.create())).toBe('ResourceInUseException: Table already exists: Music');
    expect(await refusal(router.update({ DeletionProtectionEnabled: true }, at(1)))).toBe(inUse('created'));
    expect(await refusal(remove(1))).toBe(inUse('created'));
    expect(await refusal(expire(1))).toBe(inUse('created'));
    expect((await timeToLive(1)).TimeToLiveDescription.TimeToLiveStatus).toBe('DISABLED');
    expect(await names(1)).toEqual(['Music']);
  });

  test('is ACTIVE by its time after a restart, also of a server without the option', async () => {
    await router.create();
    expect(await status(1, restart())).toBe('CREATING');
    expect(await status(DELAY_MS, restart())).toBe('ACTIVE');
    expect(await status(DELAY_MS, restart(0))).toBe('ACTIVE');
  });

  test('is CREATING too for a request that came before it, and stays so for all others', async () => {
    await router.create();
    expect(await status(-1)).toBe('CREATING');
    expect(await status(1)).toBe('CREATING');
    expect(await refusal(put(1))).toBe(NOT_FOUND);
  });

  test('is ACTIVE if the clock is set back: it must not stay CREATING for hours', async () => {
    await router.create();
    expect(await status(-3_600_000)).toBe('ACTIVE');
  });

  test('costs no more reads and writes of the cluster, once that is over, than one that was made at once', async () => {
    await router.create();
    await get(DELAY_MS);
    const before = client.calls.length;
    await get(DELAY_MS);
    expect(client.calls.length - before).toBe(1);
  });
});

describe('a table that is changed', () => {
  beforeEach(async () => {
    await newRouter(client).create();
  });

  test('is UPDATING, its new index CREATING, and serves items', async () => {
    const create = { Create: index('by-a', 'a') };
    await router.update({ AttributeDefinitions: definitions('a', 'pk'), GlobalSecondaryIndexUpdates: [create] });
    const seen = async (ms: number) => {
      const { TableStatus, GlobalSecondaryIndexes } = await router.describe('Music', at(ms));
      return [TableStatus, GlobalSecondaryIndexes?.[0]?.IndexStatus];
    };
    expect(await seen(1)).toEqual(['UPDATING', 'CREATING']);
    await put(1);
    expect((await get(1)).Item).toBeDefined();
    expect(await refusal(router.update({ BillingMode: 'PAY_PER_REQUEST' }, at(1)))).toBe(inUse('updated'));
    expect(await refusal(remove(1))).toBe(inUse('updated'));
    await router.built();
    expect(await seen(DELAY_MS)).toEqual(['ACTIVE', 'ACTIVE']);

    await router.update({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'by-a' } }] }, at(DELAY_MS));
    expect(await seen(DELAY_MS + 1)).toEqual(['UPDATING', 'DELETING']);
    expect(await seen(2 * DELAY_MS)).toEqual(['ACTIVE', undefined]);
  });
});

describe('a table that is deleted', () => {
  beforeEach(async () => {
    await newRouter(client).create();
    await newRouter(client).execute('PutItem', { TableName: 'Music', Item: ITEM });
    expect((await remove(0)).TableDescription.TableStatus).toBe('DELETING');
  });

  test('is DELETING, without items, and then gone with them', async () => {
    expect(await status(DELAY_MS - 1)).toBe('DELETING');
    expect(await names(DELAY_MS - 1)).toEqual(['Music']);
    expect(await refusal(get(1))).toBe(NOT_FOUND);
    expect(await refusal(scan(1))).toBe(NOT_FOUND);
    expect(await names(DELAY_MS)).toEqual([]);
    expect(await refusal(timeToLive(DELAY_MS))).toBe(NO_TABLE);
    expect(await refusal(expire(DELAY_MS))).toBe(NO_TABLE);
    expect(await refusal(status(DELAY_MS))).toBe(NO_TABLE);
    expect(await refusal(remove(DELAY_MS))).toBe(NO_TABLE);
    await router.execute('CreateTable', tableRequest(), at(DELAY_MS));
    expect((await get(2 * DELAY_MS)).Item).toBeUndefined();
  });

  test('is DELETING too for a request that came before that, and stays so for all others', async () => {
    expect(await status(-1)).toBe('DELETING');
    expect(await status(1)).toBe('DELETING');
  });

  test('can be deleted again meanwhile, which changes nothing, and neither changed nor made', async () => {
    expect((await remove(1_000)).TableDescription.TableStatus).toBe('DELETING');
    expect(await refusal(router.update({ DeletionProtectionEnabled: true }, at(1)))).toBe(inUse('deleted'));
    expect(await refusal(router.create())).toBe('ResourceInUseException: Table already exists: Music');
    expect(await refusal(status(DELAY_MS))).toBe(NO_TABLE);
  });

  test('can be made again when it is gone, also before anybody saw that', async () => {
    await router.execute('CreateTable', tableRequest(), at(DELAY_MS));
    expect(await status(DELAY_MS + 1)).toBe('CREATING');
  });

  test.each(['UpdateTable', 'DeleteTable', 'DescribeTable'] as const)(
    'is not found by %s when its time has come, after a restart too',
    async (operation) => {
      const request = { TableName: 'Music', DeletionProtectionEnabled: true };
      expect(await refusal(restart(0).execute(operation, request, at(DELAY_MS)))).toBe(NO_TABLE);
    },
  );

  test('goes at the end with its items also if nobody asks for it', async () => {
    const catalog = new TableCatalog(client);
    await catalog.finishDeletions(START_MS + DELAY_MS - 1);
    expect(client.forgotten).toEqual([]);
    await catalog.finishDeletions(START_MS + DELAY_MS);
    expect(client.forgotten).toHaveLength(1);
    expect((await catalog.list(undefined, undefined, 10)).tables).toEqual([]);
  });

  test('is in no snapshot', async () => {
    expect((await router.tables.snapshot()).tables).toEqual([]);
  });
});

test('a table of a snapshot is at rest', async () => {
  await router.create();
  const snapshot = await router.tables.snapshot();
  await router.tables.restore(snapshot);
  expect(await status(1)).toBe('ACTIVE');
});

test('a table that the server makes itself, of a seed, is ready at once', async () => {
  await router.executeIn('', 'CreateTable', tableRequest(), CONTEXT);
  expect(await status(0)).toBe('ACTIVE');
});

test('without a delay nothing is kept of it: ACTIVE at once, gone at once', async () => {
  router = newRouter(client);
  await router.create();
  expect(await status(0)).toBe('ACTIVE');
  await remove(0);
  expect(await refusal(status(0))).toBe(NO_TABLE);
});

describe('time to live that is changed', () => {
  const change = (ms: number, Enabled: boolean, AttributeName = 'until') =>
    router.execute(
      'UpdateTimeToLive',
      { TableName: 'Music', TimeToLiveSpecification: { AttributeName, Enabled } },
      at(ms),
    );
  const described = async (ms: number) => (await timeToLive(ms)).TimeToLiveDescription;

  beforeEach(async () => {
    await newRouter(client).create();
  });

  test('is ENABLING, then ENABLED; DISABLING, then DISABLED', async () => {
    await change(0, true);
    expect(await described(DELAY_MS - 1)).toEqual({ TimeToLiveStatus: 'ENABLING', AttributeName: 'until' });
    expect(await described(DELAY_MS)).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'until' });
    await change(DELAY_MS, false);
    expect(await described(DELAY_MS)).toEqual({ TimeToLiveStatus: 'DISABLING', AttributeName: 'until' });
    expect(await described(2 * DELAY_MS)).toEqual({ TimeToLiveStatus: 'DISABLED' });
  });

  // Recorded by a client that disables it and enables it for another attribute: aws-cdk pull request 13720.
  test('is not changed again meanwhile', async () => {
    const tooSoon = 'ValidationException: Time to live has been modified multiple times within a fixed interval';
    await change(0, true);
    expect(await refusal(change(1, false))).toBe(tooSoon);
    expect(await refusal(change(1, true))).toBe('ValidationException: TimeToLive is already enabled');
    await change(DELAY_MS, false);
    expect(await refusal(change(DELAY_MS + 1, true, 'other'))).toBe(tooSoon);
    await change(2 * DELAY_MS, true, 'other');
    expect(await described(3 * DELAY_MS)).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'other' });
  });

  test('is over by its time after a restart, and if the clock is set back', async () => {
    await change(0, true);
    router = restart(0);
    expect((await described(1)).TimeToLiveStatus).toBe('ENABLING');
    expect((await described(-3_600_000)).TimeToLiveStatus).toBe('ENABLED');
    expect((await described(DELAY_MS)).TimeToLiveStatus).toBe('ENABLED');
  });

  test('is whole in a snapshot', async () => {
    await change(0, true);
    const [table] = (await router.tables.snapshot()).tables;
    expect(table!.definition).toMatchObject({ expiryAttribute: 'until' });
    expect(table!.definition).not.toHaveProperty('expiryChange');
  });
});
