import {
  BillingMode,
  CreateTableCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let unlimited: TestServer;
beforeAll(async () => {
  server = await startServer({ throttle: true });
  unlimited = await startServer();
});
afterAll(async () => {
  await server.stop();
  await unlimited.stop();
});

const units = (read: number, write: number) => ({ ReadCapacityUnits: read, WriteCapacityUnits: write });

async function createTable(on: TestServer, TableName: string, settings: object): Promise<void> {
  await on.client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [
        { AttributeName: 'id', AttributeType: 'S' },
        { AttributeName: 'tag', AttributeType: 'S' },
      ],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'byTag',
          KeySchema: [{ AttributeName: 'tag', KeyType: 'HASH' }],
          Projection: { ProjectionType: 'ALL' },
          ...('ProvisionedThroughput' in settings ? { ProvisionedThroughput: units(1, 2) } : {}),
        },
      ],
      ...settings,
    }),
  );
}

/** Sends so many at a time, since capacity comes back while a slow machine sends one after the other. */
async function flood(count: number, send: (i: number) => Promise<unknown>) {
  const settled = await Promise.allSettled(Array.from({ length: count }, (_, i) => send(i)));
  const errors = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  return {
    served: count - errors.length,
    errors,
    refused: settled.flatMap((each, i) => (each.status === 'rejected' ? [i] : [])),
  };
}

const PROVISIONED = 'ProvisionedThroughputExceededException';
const arnOf = (resource: string) => `arn:aws:dynamodb:eu-west-1:000000000000:table/${resource}`;

test('a table serves what is provisioned, and says with which reason it refuses the rest', async () => {
  const TableName = 'Small';
  await createTable(server, TableName, { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(1, 4) });
  const writes = await flood(60, (i) =>
    server.client.send(new PutItemCommand({ TableName, Item: { id: { S: `id-${i}` } } })),
  );
  expect(writes.served).toBeGreaterThanOrEqual(4);
  expect(writes.served).toBeLessThan(60);
  for (const error of writes.errors) {
    expect(error).toMatchObject({
      name: PROVISIONED,
      ThrottlingReasons: [{ reason: 'TableWriteProvisionedThroughputExceeded', resource: arnOf(TableName) }],
    });
  }
  // Half a unit each.
  const reads = await flood(60, () => server.client.send(new GetItemCommand({ TableName, Key: { id: { S: 'a' } } })));
  expect(reads.served).toBeGreaterThanOrEqual(2);
  expect(reads.errors[0]).toMatchObject({
    name: PROVISIONED,
    ThrottlingReasons: [{ reason: 'TableReadProvisionedThroughputExceeded', resource: arnOf(TableName) }],
  });
});

test('a refused write has not happened, and one that the SDK tries again has, once there is capacity', async () => {
  const TableName = 'Retried';
  await createTable(server, TableName, { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(99, 2) });
  const put = (client: DynamoDBClient, i: number) =>
    client.send(new PutItemCommand({ TableName, Item: { id: { S: `id-${i}` }, much: { S: 'x'.repeat(1_900) } } }));
  const { refused } = await flood(20, (i) => put(server.client, i));
  const [id] = refused;
  const Key = { id: { S: `id-${id}` } };
  const read = () => server.client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  expect((await read()).Item).toBeUndefined();
  expect((await put(server.connect({ maxAttempts: 20 }), id!)).$metadata.httpStatusCode).toBe(200);
  expect((await read()).Item).toBeDefined();
});

test('UpdateTable gives it more at once', async () => {
  const TableName = 'Raised';
  await createTable(server, TableName, { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(1, 1) });
  const put = () => server.client.send(new PutItemCommand({ TableName, Item: { id: { S: 'a' } } }));
  expect((await flood(20, put)).errors).not.toEqual([]);
  await server.client.send(new UpdateTableCommand({ TableName, ProvisionedThroughput: units(1, 500) }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect((await flood(20, put)).errors).toEqual([]);
});

test('an index that has no capacity left refuses the writes that change it, and no others', async () => {
  const TableName = 'Indexed';
  await createTable(server, TableName, { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(99, 99) });
  const put = (Item: object) =>
    server.client.send(new PutItemCommand({ TableName, Item: { id: { S: 'a' }, ...Item } }));
  // The second and third change nothing in the index.
  for (let i = 0; i < 3; i++) await put({ tag: { S: 'x' } });
  const { errors } = await flood(40, (i) => put({ tag: { S: `tag-${i}` } }));
  expect(errors[0]).toMatchObject({
    name: PROVISIONED,
    message: expect.stringContaining('global secondary indexes'),
    ThrottlingReasons: [
      { reason: 'IndexWriteProvisionedThroughputExceeded', resource: arnOf(`${TableName}/index/byTag`) },
    ],
  });
  // Without the attribute there is nothing to put into the index.
  await put({});
  await server.client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'a' } } }));
});

describe('an update', () => {
  const update = (TableName: string, id: string, name: string, value: string) =>
    server.client.send(
      new UpdateItemCommand({
        TableName,
        Key: { id: { S: id } },
        UpdateExpression: `SET ${name} = :v`,
        ExpressionAttributeValues: { ':v': { S: value } },
      }),
    );
  const provisioned = { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(99, 99) };

  test('is refused where an index that it changes has no capacity left', async () => {
    const TableName = 'IndexUpdated';
    await createTable(server, TableName, provisioned);
    const { errors } = await flood(40, (i) => update(TableName, 'a', 'tag', `tag-${i}`));
    const reason = 'IndexWriteProvisionedThroughputExceeded';
    expect(errors[0]).toMatchObject({
      name: PROVISIONED,
      ThrottlingReasons: [{ reason, resource: arnOf(`${TableName}/index/byTag`) }],
    });
    await update(TableName, 'b', 'txt', 'nothing that the index holds');
  });

  test('is charged for the whole item, however small the change', async () => {
    const TableName = 'Updated';
    await createTable(server, TableName, provisioned);
    const many = async (id: string) => {
      let served = 0;
      for (; served < 50; served++) {
        const { errors } = await flood(1, (i) => update(TableName, id, 'txt', String(i)));
        if (errors.length > 0) break;
      }
      return served;
    };
    expect(await many('small')).toBe(50);
    const Item = { id: { S: 'large' }, much: { S: 'x'.repeat(40_000) } };
    await server.client.send(new PutItemCommand({ TableName, Item }));
    expect(await many('large')).toBeLessThan(50);
  });
});

test('a scan is charged what it read, of the table or of the global index, and is refused while that is owed', async () => {
  const TableName = 'Scanned';
  const provisioned = { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(40, 2_000) };
  await createTable(server, TableName, provisioned);
  const put = (i: number) =>
    server.client.send(
      new PutItemCommand({ TableName, Item: { id: { S: `id-${i}` }, much: { S: 'x'.repeat(90_000) } } }),
    );
  await Promise.all(Array.from({ length: 6 }, (_, i) => put(i)));
  const scan = (IndexName?: string) =>
    server.client.send(new ScanCommand({ TableName, IndexName, ReturnConsumedCapacity: 'TOTAL' }));
  expect((await scan()).ConsumedCapacity?.CapacityUnits).toBe(66);
  await expect(scan()).rejects.toMatchObject({
    name: PROVISIONED,
    ThrottlingReasons: [{ reason: 'TableReadProvisionedThroughputExceeded', resource: arnOf(TableName) }],
  });
  // Its own unit in a second is spent by two reads of half a one.
  const { errors } = await flood(60, () => scan('byTag'));
  expect(errors[0]).toMatchObject({
    name: PROVISIONED,
    ThrottlingReasons: [
      { reason: 'IndexReadProvisionedThroughputExceeded', resource: arnOf(`${TableName}/index/byTag`) },
    ],
  });
  await expect.poll(() => scan().then(({ Count }) => Count), { timeout: 5_000, interval: 200 }).toBe(6);
});

test('a query is charged what it read, of the table or of the global index, and is refused while that is owed', async () => {
  const TableName = 'Queried';
  const provisioned = { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(5, 2_000) };
  await createTable(server, TableName, provisioned);
  const Item = { id: { S: 'a' }, much: { S: 'x'.repeat(90_000) } };
  await server.client.send(new PutItemCommand({ TableName, Item }));
  const query = (IndexName?: string) =>
    server.client.send(
      new QueryCommand({
        TableName,
        IndexName,
        KeyConditionExpression: IndexName === undefined ? 'id = :v' : 'tag = :v',
        ExpressionAttributeValues: { ':v': { S: IndexName === undefined ? 'a' : 'x' } },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
  expect((await query()).ConsumedCapacity?.CapacityUnits).toBe(11);
  await expect(query()).rejects.toMatchObject({
    name: PROVISIONED,
    ThrottlingReasons: [{ reason: 'TableReadProvisionedThroughputExceeded', resource: arnOf(TableName) }],
  });
  // The index has a throughput of its own: its unit in a second is spent by two reads of half a one.
  const { errors } = await flood(60, () => query('byTag'));
  expect(errors[0]).toMatchObject({
    name: PROVISIONED,
    ThrottlingReasons: [
      { reason: 'IndexReadProvisionedThroughputExceeded', resource: arnOf(`${TableName}/index/byTag`) },
    ],
  });
  await expect.poll(() => query().then(({ Count }) => Count), { timeout: 5_000, interval: 200 }).toBe(1);
});

test('a hot partition key of an on-demand table is refused by its partition', async () => {
  const TableName = 'Hot';
  await createTable(server, TableName, { BillingMode: BillingMode.PAY_PER_REQUEST });
  const put = (id: string) =>
    server.client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, much: { S: 'x'.repeat(300_000) } } }));
  const { errors } = await flood(30, () => put('hot'));
  expect(errors[0]).toMatchObject({
    name: 'ThrottlingException',
    message: expect.stringContaining('check if you have a hot key'),
    throttlingReasons: [{ reason: 'TableWriteKeyRangeThroughputExceeded', resource: arnOf(TableName) }],
  });
  await put('cold');
});

test('without the option a table serves whatever comes', async () => {
  const TableName = 'Free';
  await createTable(unlimited, TableName, { BillingMode: BillingMode.PROVISIONED, ProvisionedThroughput: units(1, 1) });
  const put = () => unlimited.client.send(new PutItemCommand({ TableName, Item: { id: { S: 'a' }, tag: { S: 'x' } } }));
  expect((await flood(60, put)).errors).toEqual([]);
});
