import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  RequestLimitExceeded,
  type ThrottlingException,
} from '@aws-sdk/client-dynamodb';
import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FaultRule } from '../../src/api/fault-rule.ts';
import { type Cluster, startCluster } from '../../src/cluster.ts';
import { completeConfig } from '../../src/config.ts';
import { silentLog } from '../../src/env/log.ts';
import { createTable, keysOf } from '../parts/tables.ts';

const TableName = 'Orders';
const ARN = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Orders';
const clients: DynamoDBClient[] = [];
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(completeConfig({ port: 0, logLevel: 'silent' }), silentLog);
  await createTable(connect(), TableName, keysOf('id'));
});
afterEach(() => cluster.faults.clear());
afterAll(async () => {
  for (const client of clients) client.destroy();
  await cluster.stop();
});

/** An unmodified client of the official SDK, with its own retries unless told otherwise. */
function connect(config: DynamoDBClientConfig = {}): DynamoDBClient {
  const { port } = cluster.addresses[0]!;
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    ...config,
  });
  clients.push(client);
  return client;
}

const item = (id: string, n = '1') => ({ id: { S: id }, n: { N: n } });
const put = (client: DynamoDBClient, id: string, rest: object = {}) =>
  client.send(new PutItemCommand({ TableName, Item: item(id), ...rest }));
const get = async (client: DynamoDBClient, id: string) => {
  const { Item, $metadata } = await client.send(
    new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true }),
  );
  return { Item, attempts: $metadata.attempts };
};
const fired = () => cluster.faults.list().map((fault) => fault.fired);

describe.each([
  ['ProvisionedThroughputExceededException', 'TableWriteProvisionedThroughputExceeded'],
  ['RequestLimitExceeded', 'TableWriteAccountLimitExceeded'],
  ['ThrottlingException', 'TableWriteKeyRangeThroughputExceeded'],
] as const)('%s', (error, reason) => {
  const rule: FaultRule = { kind: 'error', error, when: 'before', operation: 'PutItem' };

  test('reaches the SDK as its exception, with the reasons of the service', async () => {
    cluster.faults.add(rule);
    const thrown = await put(connect({ maxAttempts: 1 }), 'throttled').catch((reason: unknown) => reason);
    expect(thrown).toMatchObject({ name: error, $metadata: { httpStatusCode: 400 } });
    const reasons =
      thrown instanceof ProvisionedThroughputExceededException || thrown instanceof RequestLimitExceeded
        ? thrown.ThrottlingReasons
        : (thrown as ThrottlingException).throttlingReasons;
    expect(reasons).toEqual([{ reason, resource: ARN }]);
    expect((await get(connect(), 'throttled')).Item).toBeUndefined();
  });

  test('is retried by the SDK until the rule has fired as often as it may', async () => {
    cluster.faults.add({ ...rule, times: 2 });
    const { $metadata } = await put(connect({ maxAttempts: 4 }), `retried-${error}`);
    expect($metadata.attempts).toBe(3);
    expect(cluster.faults.isEmpty).toBe(true);
  });
});

test.each([
  ['InternalServerError', 500],
  ['ServiceUnavailable', 503],
] as const)('%s is %i, and is retried', async (error, httpStatusCode) => {
  cluster.faults.add({ kind: 'error', error, when: 'before', times: 1 });
  const thrown = await put(connect({ maxAttempts: 1 }), 'a').catch((reason: unknown) => reason);
  expect(thrown).toMatchObject({ $metadata: { httpStatusCode } });
  cluster.faults.add({ kind: 'error', error, when: 'before', times: 1 });
  expect((await put(connect(), 'a')).$metadata.attempts).toBe(2);
});

test.each([
  ['ConditionalCheckFailedException', 'The conditional request failed'],
  ['TransactionConflictException', 'Transaction is ongoing for the item'],
] as const)('%s is thrown and not retried', async (error, message) => {
  cluster.faults.add({ kind: 'error', error, when: 'before' });
  const thrown = await put(connect(), 'a').catch((reason: unknown) => reason);
  expect(thrown).toMatchObject({ name: error, message, $metadata: { attempts: 1 } });
});

test('an error after the write: the client is told that it failed, and it was done', async () => {
  cluster.faults.add({ kind: 'error', error: 'InternalServerError', when: 'after', key: { id: { S: 'done' } } });
  await expect(put(connect({ maxAttempts: 1 }), 'done')).rejects.toMatchObject({ name: 'InternalServerError' });
  expect(fired()).toEqual([1]);
  cluster.faults.clear();
  expect((await get(connect(), 'done')).Item).toEqual(item('done'));
});

test('a conditional put whose answer is lost is refused when the SDK tries it again, though it was done', async () => {
  cluster.faults.add({ kind: 'error', error: 'InternalServerError', when: 'after', times: 1 });
  const once = put(connect(), 'once', { ConditionExpression: 'attribute_not_exists(id)' });
  await expect(once).rejects.toMatchObject({ name: 'ConditionalCheckFailedException', $metadata: { attempts: 2 } });
});

describe('a dropped connection', () => {
  test('is an error of the connection, without an answer', async () => {
    cluster.faults.add({ kind: 'drop-connection', when: 'before' });
    await expect(put(connect({ maxAttempts: 1 }), 'dropped')).rejects.toMatchObject({ code: 'ECONNRESET' });
    cluster.faults.clear();
    expect((await get(connect(), 'dropped')).Item).toBeUndefined();
  });

  test('is retried by the SDK on a new one', async () => {
    cluster.faults.add({ kind: 'drop-connection', when: 'before', times: 2 });
    expect((await put(connect(), 'again')).$metadata.attempts).toBe(3);
    expect((await get(connect(), 'again')).Item).toEqual(item('again'));
  });

  test('after the write: it was done', async () => {
    cluster.faults.add({ kind: 'drop-connection', when: 'after', operation: 'PutItem' });
    await expect(put(connect({ maxAttempts: 1 }), 'unheard')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await get(connect(), 'unheard')).Item).toEqual(item('unheard'));
  });

  test('leaves the other connections and requests alone, and its place to others', async () => {
    cluster.faults.add({ kind: 'drop-connection', when: 'before', key: { id: { S: 'bad' } } });
    const client = connect({ maxAttempts: 1 });
    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) => put(client, i % 2 === 0 ? 'bad' : `good-${i}`)),
    );
    expect(answers.map(({ status }) => status)).toEqual(
      answers.map((_, i) => (i % 2 === 0 ? 'rejected' : 'fulfilled')),
    );
    expect(fired()).toEqual([20]);
  });

  describe('in an express application that the server is mounted in', () => {
    let host: Server;
    beforeAll(async () => {
      const app = express();
      app.use(cluster.web.middleware);
      host = createServer(app).listen(0, '127.0.0.1');
      await once(host, 'listening');
    });
    afterAll(async () => {
      host.closeAllConnections();
      await new Promise((resolve) => host.close(resolve));
    });

    test('is the same', async () => {
      const endpoint = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
      cluster.faults.add({ kind: 'drop-connection', when: 'before', times: 1 });
      await expect(put(connect({ endpoint, maxAttempts: 1 }), 'mounted')).rejects.toMatchObject({ code: 'ECONNRESET' });
      cluster.faults.add({ kind: 'drop-connection', when: 'after', times: 1 });
      expect((await put(connect({ endpoint }), 'mounted')).$metadata.attempts).toBe(2);
    });
  });
});

test('latency is waited for', async () => {
  cluster.faults.add({ kind: 'latency', ms: 150, operation: 'GetItem' });
  const client = connect();
  await put(client, 'a');
  expect(fired()).toEqual([0]);
  const startMs = performance.now();
  await get(client, 'a');
  expect(performance.now() - startMs).toBeGreaterThan(145);
  expect(fired()).toEqual([1]);
});

test('a server that is stopped does not wait for requests that a rule makes wait', async () => {
  const own = await startCluster(completeConfig({ port: 0, logLevel: 'silent' }), silentLog);
  const endpoint = `http://127.0.0.1:${own.addresses[0]!.port}`;
  own.faults.add({ kind: 'latency', ms: 600_000, forMs: 600_000 });
  const waiting = get(connect({ endpoint, maxAttempts: 1 }), 'a').catch((reason: unknown) => reason);
  await expect.poll(() => own.faults.list()[0]!.fired).toBe(1);
  const startMs = performance.now();
  await own.stop();
  expect(performance.now() - startMs).toBeLessThan(5_000);
  expect(await waiting).toMatchObject({ $metadata: { httpStatusCode: 503 } });
});
