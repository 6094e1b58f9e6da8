import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AttributeMap, type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';
import { openClient } from '../parts/whole-server.ts';

/** Developer guide, "Using time to live (TTL) in DynamoDB", apart from what names another source. */

let db: Dynaring;
let client: DynamoDBClient;
let made = 0;
beforeAll(async () => {
  // Nothing is deleted unless a test asks for it.
  db = await startDynaring({ ttlIntervalMs: 0 });
  client = openClient(db);
});
afterEach(async () => {
  db.faults.clear();
  await db.reset();
});
afterAll(async () => {
  client.destroy();
  await db.stop();
});

/** Seconds since 1970 by the server's clock, as the attribute has them. */
const secondsFromNow = (seconds: number) => ({ N: String(Math.floor(db.clock.now() / 1_000) + seconds) });

async function expiringTable(changes: object = {}, by = client): Promise<string> {
  const TableName = `Table${made++}`;
  await createTable(by, TableName, changes);
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'expires' };
  await by.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  return TableName;
}

const put = (TableName: string, pk: string, expires: AttributeValue, by = client) =>
  by.send(new PutItemCommand({ TableName, Item: { pk: { S: pk }, expires } }));

async function get(TableName: string, pk: string): Promise<Record<string, AttributeValue> | undefined> {
  return (await client.send(new GetItemCommand({ TableName, Key: { pk: { S: pk } }, ConsistentRead: true }))).Item;
}

async function names(TableName: string, more: object = {}, by = client): Promise<string[]> {
  const { Items } = await by.send(new ScanCommand({ TableName, ConsistentRead: true, ...more }));
  return Items!.map(({ pk }) => pk!.S!).sort();
}

test('an item that has expired is seen by reads and writes until it is deleted', async () => {
  const TableName = await expiringTable();
  await put(TableName, 'a', secondsFromNow(60));
  db.clock.advance('2m');
  expect(await get(TableName, 'a')).toBeDefined();
  expect(await names(TableName)).toEqual(['a']);
  await client.send(
    new UpdateItemCommand({
      TableName,
      Key: { pk: { S: 'a' } },
      UpdateExpression: 'SET n = :n',
      ConditionExpression: 'attribute_exists(expires)',
      ExpressionAttributeValues: { ':n': { N: '1' } },
    }),
  );
  expect(await db.sweep()).toBe(1);
  expect(await get(TableName, 'a')).toBeUndefined();
  expect(await db.sweep()).toBe(0);
});

test('only a number at the top of an item counts, of seconds of the last five years', async () => {
  const TableName = await expiringTable();
  const now = Math.floor(db.clock.now() / 1_000);
  const year = 365 * 86_400;
  const values: Record<string, AttributeValue> = {
    expired: { N: String(now - 1) },
    fouryears: { N: String(now - 4 * year) },
    sixyears: { N: String(now - 6 * year) },
    zero: { N: '0' },
    later: { N: String(now + 1_000) },
    milliseconds: { N: String((now - 1) * 1_000) },
    text: { S: String(now - 1) },
    set: { NS: [String(now - 1)] },
    map: { M: { expires: { N: String(now - 1) } } },
  };
  for (const [pk, expires] of Object.entries(values)) await put(TableName, pk, expires);
  await client.send(new PutItemCommand({ TableName, Item: { pk: { S: 'none' } } }));
  expect(await db.sweep()).toBe(2);
  expect(await names(TableName)).toEqual(['later', 'map', 'milliseconds', 'none', 'set', 'sixyears', 'text', 'zero']);
});

test('an update of an expired item that comes before the sweep keeps it', async () => {
  const TableName = await expiringTable();
  for (const pk of ['more', 'never', 'gone']) await put(TableName, pk, secondsFromNow(-10));
  const update = (pk: string, UpdateExpression: string, values?: Record<string, AttributeValue>) =>
    client.send(
      new UpdateItemCommand({
        TableName,
        Key: { pk: { S: pk } },
        UpdateExpression,
        ...(values && { ExpressionAttributeValues: values }),
      }),
    );
  await update('more', 'SET expires = :t', { ':t': secondsFromNow(60) });
  await update('never', 'REMOVE expires');
  expect(await db.sweep()).toBe(1);
  expect(await names(TableName)).toEqual(['more', 'never']);
  db.clock.advance('90s');
  expect(await db.sweep()).toBe(1);
  expect(await names(TableName)).toEqual(['never']);
});

test('items with a sort key, binary and numeric keys, and those of a batch go as well', async () => {
  const TableName = await expiringTable({
    ...keysOf('pk', 'sk'),
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'B' },
      { AttributeName: 'sk', AttributeType: 'N' },
    ],
  });
  const requests = Array.from({ length: 25 }, (_, i) => ({
    PutRequest: {
      Item: { pk: { B: Buffer.from([i % 3]) }, sk: { N: String(i - 12.5) }, expires: secondsFromNow(i - 10) },
    },
  }));
  await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
  db.clock.advance('5s');
  expect(await db.sweep()).toBeGreaterThanOrEqual(15);
  expect((await client.send(new ScanCommand({ TableName }))).Count).toBeLessThanOrEqual(10);
});

// As with a standard delete operation: API reference, UpdateTimeToLive.
test('a deletion takes the item out of secondary indexes', async () => {
  const TableName = await expiringTable({
    KeySchema: keysOf('pk', 'sk').KeySchema,
    AttributeDefinitions: ['pk', 'sk', 'x'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    LocalSecondaryIndexes: [
      { IndexName: 'local', KeySchema: keysOf('pk', 'x').KeySchema, Projection: { ProjectionType: 'ALL' } },
    ],
    GlobalSecondaryIndexes: [
      { IndexName: 'global', KeySchema: keysOf('x').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  });
  const item = (pk: string, seconds: number): AttributeMap =>
    ({ pk: { S: pk }, sk: { S: 's' }, x: { S: 'x' }, expires: secondsFromNow(seconds) }) as AttributeMap;
  await client.send(new PutItemCommand({ TableName, Item: item('a', -5) as never }));
  await client.send(new PutItemCommand({ TableName, Item: item('b', 500) as never }));
  expect(await db.sweep()).toBe(1);
  const eventual = { ConsistentRead: false };
  await expect.poll(() => names(TableName, { ...eventual, IndexName: 'global' })).toEqual(['b']);
  expect(await names(TableName, { IndexName: 'local' })).toEqual(['b']);
});

test('tables of the other consistency, and of all namespaces, are swept', async () => {
  const other = openClient(db, db.namespace('worker-1'));
  const Tags = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
  const [sloppy, elsewhere] = [await expiringTable({ Tags }), await expiringTable({}, other)];
  await put(sloppy, 'a', secondsFromNow(-5));
  await put(elsewhere, 'a', secondsFromNow(-5), other);
  expect(await db.sweep()).toBe(2);
  expect(await names(sloppy)).toEqual([]);
  expect(await names(elsewhere, {}, other)).toEqual([]);
  other.destroy();
});

test('items that came by a seed or a snapshot expire too', async () => {
  const TableName = await expiringTable();
  await put(TableName, 'a', secondsFromNow(60));
  const snapshot = await db.snapshot();
  db.clock.advance('2m');
  expect(await db.sweep()).toBe(1);
  await db.restore(snapshot);
  expect(await names(TableName)).toEqual(['a']);
  expect(await db.sweep()).toBe(1);
  expect(await names(TableName)).toEqual([]);
});

test('it is not charged to the table', async () => {
  const throttled = await startDynaring({ ttlIntervalMs: 0, throttle: true });
  const user = openClient(throttled);
  const units = { ReadCapacityUnits: 1, WriteCapacityUnits: 1 };
  const TableName = await expiringTable({ BillingMode: 'PROVISIONED', ProvisionedThroughput: units }, user);
  await put(TableName, 'first', secondsFromNow(600), user);
  throttled.clock.advance('5m');
  for (let i = 0; i < 40; i++) await put(TableName, `k${i}`, secondsFromNow(-5), user);
  // The burst of five minutes is 300 units.
  expect(await throttled.sweep()).toBe(40);
  for (let i = 0; i < 255; i++) await put(TableName, 'k', secondsFromNow(600), user);
  user.destroy();
  await throttled.stop();
});

describe('a rule of kind expiry', () => {
  test('keeps expired items for up to 48 hours, as the service may', async () => {
    const [TableName, other] = [await expiringTable(), await expiringTable()];
    db.faults.add({ kind: 'expiry', lingerMs: 48 * 3_600_000, table: TableName });
    for (const name of [TableName, other]) await put(name, 'a', secondsFromNow(60));
    db.clock.advance('47h');
    expect(await db.sweep()).toBe(1);
    expect(await names(other)).toEqual([]);
    expect(await get(TableName, 'a')).toBeDefined();
    expect(db.faults.list()[0]).toMatchObject({ fired: 1 });
    db.clock.advance('2h');
    expect(await db.sweep()).toBe(1);
    expect(await get(TableName, 'a')).toBeUndefined();
  });

  test('holds nothing back any more once it is gone', async () => {
    const TableName = await expiringTable();
    db.faults.add({ kind: 'expiry', withinMs: 3_600_000, seed: 7 });
    for (let i = 0; i < 20; i++) await put(TableName, `k${i}`, secondsFromNow(-1));
    const gone = await db.sweep();
    expect(gone).toBeLessThan(20);
    db.clock.advance('30m');
    expect(await db.sweep()).toBeGreaterThan(0);
    db.faults.clear();
    await db.sweep();
    expect(await names(TableName)).toEqual([]);
  });
});

describe('over HTTP', () => {
  const call = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${db.endpoint}${path}`, { method, headers });
    return { status: answer.status, body: (await answer.json()) as unknown };
  };

  test('a sweep tells how many items it has deleted', async () => {
    const TableName = await expiringTable();
    for (const pk of ['a', 'b']) await put(TableName, pk, secondsFromNow(-1));
    expect(await call('POST', '/_dynaring/sweep')).toEqual({ status: 200, body: { deleted: 2 } });
    expect(await call('POST', '/_dynaring/sweep')).toEqual({ status: 200, body: { deleted: 0 } });
    const metrics = await (await fetch(`${db.endpoint}/metrics`)).text();
    expect(metrics).toMatch(/^dynaring_expired_items_deleted_total [1-9]\d*$/m);
    expect(metrics).toMatch(/^dynaring_expiring_items_scheduled \d+$/m);
  });

  // LocalStack's documentation of DynamoDB, "Time To Live".
  test("LocalStack's request does it as well", async () => {
    const TableName = await expiringTable();
    for (const pk of ['a', 'b', 'c']) await put(TableName, pk, secondsFromNow(-1));
    const path = '/_aws/dynamodb/expired';
    expect(await call('DELETE', path, { Origin: 'https://another.example' })).toMatchObject({ status: 403 });
    expect(await call('DELETE', path)).toEqual({ status: 200, body: { ExpiredItems: 3 } });
    expect(await call('GET', path)).toMatchObject({ status: 405 });
    expect(await call('DELETE', '/_aws/ses')).toMatchObject({ status: 404 });
  });
});

test('in the background, an item goes within seconds of its expiry', async () => {
  const own = await startDynaring();
  const user = openClient(own);
  const TableName = await expiringTable({}, user);
  const expires = { N: String(Math.floor(own.clock.now() / 1_000) + 3_600) };
  await put(TableName, 'a', expires, user);
  own.clock.advance('61m');
  await expect.poll(() => names(TableName, {}, user)).toEqual([]);
  user.destroy();
  await own.stop();
});
