import { once } from 'node:events';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import { ConnectionDropped } from '../../src/api/connection-dropped.ts';
import { ApiError } from '../../src/api/errors.ts';
import type { Execute } from '../../src/api/operations.ts';
import type { RequestEntry } from '../../src/web/request-log.ts';
import type { WebServerOptions } from '../../src/web/server.ts';
import type { WebLimits } from '../../src/web/web-limits.ts';
import { adminServer } from './fake-admin.ts';
import { GET_ITEM, REQUEST_ID } from './fixtures.ts';
import { client, GOOD, headers, post, start } from './web-server.ts';

async function startWithLog(execute?: Execute, limits?: Partial<WebLimits>, options: Partial<WebServerOptions> = {}) {
  const entries: RequestEntry[] = [];
  const { port } = await start(execute, limits, { onRequest: (entry) => entries.push(entry), ...options });
  return { port, entries };
}

test('an operation is told by name, table, status, time, id and bytes', async () => {
  let now = 1000;
  const { port, entries } = await startWithLog(
    async () => {
      now += 12.3456789;
      return { Item: { id: { S: '1' } } };
    },
    {},
    {
      requestId: () => REQUEST_ID,
      operator: {
        figures: { nodes: () => [], faults: () => [], expiry: () => ({ deleted: 0, scheduled: 0 }), builds: () => [] },
        elapsedMs: () => now,
        onAction() {},
        isApart: true,
      },
    },
  );
  await post(port);
  expect(entries).toEqual([
    {
      operation: 'GetItem',
      table: 'orders',
      status: 200,
      error: undefined,
      ms: 12.346,
      requestId: REQUEST_ID,
      receivedBytes: JSON.stringify(GET_ITEM).length,
      sentBytes: '{"Item":{"id":{"S":"1"}}}'.length,
    },
  ]);
});

test('errors are told by their name, and nothing of their text', async () => {
  const { port, entries } = await startWithLog(async (_, request) => {
    const { TableName } = request as { TableName: string };
    if (TableName === 'dropped') throw new ConnectionDropped();
    if (TableName === 'bug') throw new Error('secret');
    throw ApiError.conditionalCheckFailed({ password: { S: 'secret' } });
  });
  const ask = (body: unknown, extra = {}) => post(port, JSON.stringify(body), extra).catch(() => undefined);
  await ask(GET_ITEM);
  await ask({ ...GET_ITEM, TableName: 'bug' });
  await ask({ ...GET_ITEM, TableName: 'dropped' });
  await ask({ TableName: 'orders', Key: 'secret' });
  await ask(GET_ITEM, { authorization: 'AWS4-HMAC-SHA256 Credential=secret' });
  await post(port, '{"TableName":"secret');
  await ask({ TableName: 'orders' }, { 'x-amz-target': 'DynamoDB_20120810.CreateBackup' });
  await ask({ TableName: 'orders' }, { 'x-amz-target': `\u009bFly` });
  await ask(GET_ITEM, { 'content-type': 'text/plain' });
  const told = entries.map(({ operation, table, status, error }) => [operation, table, status, error]);
  expect(told).toEqual([
    ['GetItem', 'orders', 400, 'ConditionalCheckFailedException'],
    ['GetItem', 'bug', 500, 'InternalServerError'],
    ['GetItem', 'dropped', 0, 'dropped-connection'],
    ['GetItem', 'orders', 400, 'SerializationException'],
    ['GetItem', 'orders', 400, 'IncompleteSignatureException'],
    ['GetItem', undefined, 400, 'SerializationException'],
    ['CreateBackup', undefined, 400, 'UnknownOperationException'],
    ['\\u{9b}Fly', undefined, 400, 'UnknownOperationException'],
    ['GetItem', undefined, 404, 'UnknownOperationException'],
  ]);
  expect(JSON.stringify(entries)).not.toContain('secret');
});

test.each([
  [
    'PutItem',
    { TableName: 'arn:aws:dynamodb:local:000000000000:table/a', Item: {} },
    'arn:aws:dynamodb:local:000000000000:table/a',
  ],
  ['BatchGetItem', { RequestItems: { a: {}, b: {} } }, 'a,b'],
  ['BatchWriteItem', { RequestItems: { a: [], b: [], c: [], d: [] } }, 'a,b,c,...'],
  ['TagResource', { ResourceArn: 'arn:x', Tags: [] }, 'arn:x'],
  ['ListTables', { TableName: 'no' }, undefined],
  ['GetItem', { TableName: 7 }, undefined],
  ['GetItem', [], undefined],
  ['GetItem', null, undefined],
  ['GetItem', { TableName: `\u202ea\n${'x'.repeat(1000)}` }, `\\u{202e}a\\u{a}${'x'.repeat(252)}...`],
])('of %s with %j the tables are %j', async (operation, body, table) => {
  const { port, entries } = await startWithLog();
  // An answer may be empty.
  await post(port, JSON.stringify(body), { 'x-amz-target': `DynamoDB_20120810.${operation}` }).catch(() => {});
  expect(entries.map((entry) => [entry.operation, entry.table])).toEqual([[operation, table]]);
});

test('requests that are shed or refused are told too', async () => {
  const { port, entries } = await startWithLog(undefined, { maxBodyBytes: 100, maxRequestsInFlight: 0 });
  await post(port);
  await post(port, 'x'.repeat(150));
  expect(entries.map(({ operation, status, error }) => [operation, status, error])).toEqual([
    ['GetItem', 503, 'ServiceUnavailableException'],
    ['GetItem', 413, 'RequestEntityTooLargeException'],
  ]);
});

test('a client that is gone before its answer is told of all the same', async () => {
  const doors: (() => void)[] = [];
  const { port, entries } = await startWithLog(() => new Promise((resolve) => doors.push(() => resolve({}))));
  const { socket } = await client(port);
  socket.write(GOOD);
  await expect.poll(() => doors.length).toBe(1);
  socket.destroy();
  await once(socket, 'close');
  await new Promise((resolve) => setTimeout(resolve, 20));
  doors[0]!();
  await expect.poll(() => entries.length).toBe(1);
  expect(entries).toMatchObject([{ operation: 'GetItem', table: 'orders', status: 200 }]);
});

test('an operation that was asked for at a path has it beside its name', async () => {
  const { port, entries } = await startWithLog();
  await (await fetch(`http://127.0.0.1:${port}/v1?secret`, { method: 'POST', headers, body: '{}' })).text();
  await post(port);
  expect(entries.map(({ operation, path, status }) => [operation, path, status])).toEqual([
    ['GetItem', '/v1', 404],
    ['GetItem', undefined, 200],
  ]);
});

describe('what is no operation is told by method and path, without the query', () => {
  test('of the front', async () => {
    const { port, entries } = await startWithLog();
    const ask = async (method: string, path: string, extra = {}) =>
      void (await (await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: extra })).text());
    await ask('GET', '/health?secret');
    await ask('GET', '/?secret');
    await ask('HEAD', '/');
    await ask('OPTIONS', '/', { origin: 'http://a.example' });
    await ask('POST', '/path', { 'content-type': 'application/json' });
    await ask('GET', '/\u202e');
    expect(
      entries.map(({ method, path, status, error, sentBytes }) => [method, path, status, error, sentBytes! > 0]),
    ).toEqual([
      ['GET', '/health', 200, undefined, true],
      ['GET', '/', 400, 'MissingAuthenticationToken', true],
      ['HEAD', '/', 400, 'MissingAuthenticationToken', false],
      ['OPTIONS', '/', 200, undefined, false],
      ['POST', '/path', 404, 'UnknownOperationException', true],
      ['GET', '/%E2%80%AE', 404, 'UnknownOperationException', true],
    ]);
    for (const { requestId } of entries) expect(requestId).toMatch(/^[0-9A-F]{52}$/);
  });

  test('of the administrator', async () => {
    const entries: RequestEntry[] = [];
    const { server, operator } = adminServer({ isApart: true, onRequest: (entry) => entries.push(entry) });
    const front = supertest(server);
    const back = supertest(operator);
    await back.get('/_dynaring/faults?namespace=secret');
    await back.post('/_dynaring/faults').send({ kind: 'latency', ms: 5 });
    await back.get('/metrics');
    await back.get('/health');
    await back.post('/').set('X-Amz-Target', 'DynamoDB_20120810.ListTables').send({});
    await front.get('/_dynaring/faults');
    await expect.poll(() => entries.length).toBe(6);
    expect(entries.map(({ operation, method, path, status }) => [operation ?? method, path, status])).toEqual([
      ['GET', '/_dynaring/faults', 400],
      ['POST', '/_dynaring/faults', 201],
      ['GET', '/metrics', 200],
      ['GET', '/health', 200],
      ['ListTables', undefined, 404],
      ['GET', '/_dynaring/faults', 404],
    ]);
    expect(entries[1]).toMatchObject({ ms: 3, receivedBytes: 25, sentBytes: expect.any(Number) });
  });
});
