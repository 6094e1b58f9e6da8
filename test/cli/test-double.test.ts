import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AdminError, type Dynaring, startDynaring } from '../../src/index.ts';

let db: Dynaring;
let client: DynamoDBClient;

beforeEach(async () => {
  db = await startDynaring();
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  await createTable(client);
});

afterEach(async () => {
  client.destroy();
  await db.stop();
});

function createTable(by: DynamoDBClient) {
  return by.send(
    new CreateTableCommand({
      TableName: 'Music',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    }),
  );
}

const put = (v: string) =>
  client.send(new PutItemCommand({ TableName: 'Music', Item: { k: { S: 'a' }, v: { S: v } } }));

async function get(ConsistentRead = false): Promise<string | undefined> {
  const { Item } = await client.send(
    new GetItemCommand({ TableName: 'Music', Key: { k: { S: 'a' } }, ConsistentRead }),
  );
  return Item?.v?.S;
}

/** Sends JSON to the door for administrators. */
async function admin(method: string, path: string, body?: object) {
  const response = await fetch(`${db.endpoint}/_dynaring/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as object };
}

describe('a stale read', () => {
  test('is as old as the rule that began before the write, while a consistent read is right', async () => {
    await put('1');
    const { id } = db.faults.add({ kind: 'staleness', worst: true, table: 'Music' });
    await put('2');
    expect([await get(), await get(true)]).toEqual(['1', '2']);
    db.faults.remove(id);
    expect(await get()).toBe('2');
  });

  test.each(['repair', 'waitUntilConsistent'] as const)('ends with %s(), for what was written before', async (end) => {
    await put('1');
    db.faults.add({ kind: 'staleness', worst: true });
    await put('2');
    expect(await get()).toBe('1');
    await db[end]();
    expect(await get()).toBe('2');
    await put('3');
    expect(await get()).toBe('2');
  });

  test('is not of a table in another namespace', async () => {
    const other = new DynamoDBClient(db.namespace('other'));
    await createTable(other);
    db.faults.add({ kind: 'staleness', worst: true, namespace: 'other' });
    await put('1');
    await put('2');
    expect(await get()).toBe('2');
    other.destroy();
  });

  test('is the same each time with one seed', async () => {
    const drawn: (string | undefined)[][] = [];
    for (let run = 0; run < 2; run++) {
      await put('old');
      const { id } = db.faults.add({ kind: 'staleness', worst: true, probability: 0.5, seed: 7 });
      await put('new');
      const seen: (string | undefined)[] = [];
      for (let i = 0; i < 20; i++) seen.push(await get());
      drawn.push(seen);
      db.faults.remove(id);
    }
    expect(drawn[1]).toEqual(drawn[0]);
    expect(new Set(drawn[0])).toEqual(new Set(['old', 'new']));
  });
});

test('a rule that came over HTTP is the same as one of the library', async () => {
  const added = await admin('POST', 'faults', { kind: 'error', error: 'InternalServerError', when: 'after', times: 1 });
  expect(added).toMatchObject({ status: 201, body: { id: db.faults.list()[0]!.id } });
  await expect(put('1')).rejects.toMatchObject({ name: 'InternalServerError' });
  expect(await get()).toBe('1');
  expect(db.faults.list()).toEqual([]);
  expect(await admin('POST', 'faults', { kind: 'latency', ms: -1 })).toMatchObject({
    status: 400,
    body: { field: 'ms' },
  });
});

test('rules may be cleared after the server, and none may be added', async () => {
  const other = await startDynaring();
  other.faults.add({ kind: 'staleness', worst: true, forMs: 60_000 });
  await other.stop();
  other.faults.clear();
  expect(() => other.faults.add({ kind: 'staleness', worst: true, forMs: 60_000 })).toThrow(AdminError);
  expect(other.faults.list()).toEqual([]);
});

test('a rule that cannot be in this ring is refused', async () => {
  await using whole = await startDynaring({ writeQuorum: 3 });
  expect(() => whole.faults.add({ kind: 'staleness', worst: true })).toThrow(AdminError);
});

test('a trace tells who was asked, by the answer of the SDK or its error, and which rule fired', async () => {
  const trace = db.trace(await put('1'))!;
  expect(trace).toMatchObject({ operation: 'PutItem', coordinator: expect.stringMatching(/^node-[123]$/) });
  expect(new Set(trace.events.filter(({ what }) => what === 'asked').map(({ node }) => node))).toEqual(
    new Set(['node-1', 'node-2', 'node-3']),
  );
  const { id } = db.faults.add({ kind: 'error', error: 'ThrottlingException', when: 'before' });
  const error = await put('2').catch((thrown) => thrown);
  expect(db.trace(error)?.events).toMatchObject([{ what: 'fault', detail: expect.stringContaining(id) }]);
  expect(db.trace('none')).toBeUndefined();
});

test('a snapshot brings back what a reset took', async () => {
  await put('1');
  const snapshot = await db.snapshot();
  await db.reset();
  expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([]);
  await db.restore(JSON.parse(JSON.stringify(snapshot)));
  expect(await get()).toBe('1');
});
