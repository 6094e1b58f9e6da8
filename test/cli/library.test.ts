import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DescribeTableCommand, DynamoDBClient, ListBackupsCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import express from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ConfigError, type DynaringOptions, startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable } from '../processes/server-process.ts';

async function listTables(config: ConstructorParameters<typeof DynamoDBClient>[0]): Promise<string[] | undefined> {
  const client = new DynamoDBClient({ maxAttempts: 1, ...config });
  onTestFinished(() => client.destroy());
  return (await client.send(new ListTablesCommand({}))).TableNames;
}

test('two servers in one process have ports of their own and answer at once', async () => {
  const [one, two] = await Promise.all([startDynaring(), startDynaring({ nodes: 1 })]);
  expect(one.port).not.toBe(two.port);
  expect(await listTables(one.clientConfig())).toEqual([]);
  expect(await listTables(two.clientConfig())).toEqual([]);
  await Promise.all([one.stop(), two.stop(), one.stop()]);
  await expect(fetch(one.endpoint)).rejects.toThrow();
});

test('it is its own disposable', async () => {
  let endpoint: string;
  {
    await using dynaring = await startDynaring();
    endpoint = dynaring.endpoint;
    expect((await fetch(`${endpoint}/health`)).status).toBe(200);
  }
  await expect(fetch(endpoint)).rejects.toThrow();
});

test('it can be mounted in an Express application, behind a body parser too', async () => {
  await using dynaring = await startDynaring();
  const app = express();
  app.use(express.json({ type: 'application/x-amz-json-1.0' }));
  app.get('/', (_, response) => {
    response.send('mine');
  });
  app.use(dynaring.middleware);
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await (await fetch(endpoint)).text()).toBe('mine');
  expect(await listTables({ ...dynaring.clientConfig(), endpoint })).toEqual([]);
});

test('settings that do not fit together reject with what is wrong', async () => {
  await expect(startDynaring({ writeQuorum: 3, nodes: 2 })).rejects.toThrow(
    new ConfigError('--write-quorum 3 is more than --replication 2 (the default)'),
  );
});

test.each([
  [{ nodes: 2.5 }, 'nodes must be what --nodes may be, a whole number from 1 to 64, not 2.5'],
  [{ replication: 0 }, 'replication must be what --replication may be, a whole number from 1 to 64, not 0'],
  [{ consistency: 'eventual' }, 'consistency must be what --consistency may be, one of strict, dynamo, not "eventual"'],
  [{ readRepair: 'off' }, 'readRepair must be what --read-repair may be, on or off, not "off"'],
  [{ antiEntropyIntervalMs: Number.NaN }, 'antiEntropyIntervalMs must be .*'],
  [{ limits: { node: { hints: 3 } } }, 'there is no limits.node.hints'],
  [{ datadir: './data' }, String.raw`there is no setting datadir; did you mean dataDir\?`],
  [{ inMemory: true }, 'there is no setting inMemory'],
  [{ limits: { stopGraceMs: Number.NaN } }, 'limits.stopGraceMs must be a number from 0, not NaN'],
  [{ limits: { node: { hintsKept: -1 } } }, 'limits.node.hintsKept must be a number from 0, not -1'],
  [
    { limits: { node: { tombstoneGraceMs: 1_000 } } },
    'limits.node.hintLifeMs must be below limits.node.tombstoneGraceMs',
  ],
])('what no setting may be rejects, types or not: %j', async (options, message) => {
  await expect(startDynaring(options as DynaringOptions)).rejects.toThrow(new RegExp(`^${message}$`));
});

test('of limits, too, any may be left out', async () => {
  await using dynaring = await startDynaring({ limits: { node: { hintsKept: 5 }, web: { maxConnections: 7 } } });
  expect(await listTables(dynaring.clientConfig())).toEqual([]);
});

test('a start that fails leaves nothing behind: the data directory is free for the next', async () => {
  await using blocker = await startDynaring();

  const dataDir = temporaryDirectory();
  await expect(startDynaring({ dataDir, port: blocker.port })).rejects.toThrow(/EADDRINUSE/);
  await using next = await startDynaring({ dataDir });
  expect(await listTables(next.clientConfig())).toEqual([]);
});

test('the library has the settings of the command line: pages that may use it', async () => {
  await using dynaring = await startDynaring({ corsOrigins: ['http://a.example'] });
  const allowed = async (origin: string) =>
    (await fetch(`${dynaring.endpoint}/health`, { headers: { origin } })).headers.get('access-control-allow-origin');
  expect([await allowed('http://a.example'), await allowed('http://b.example')]).toEqual(['http://a.example', null]);
});

// One of these times is too long for any machine, and the other one is over at once.
test.each([
  [600_000, 'CREATING'],
  [1, 'ACTIVE'],
])(
  'statuses are delayed by as much as is asked for: with %i ms a new table is %s',
  async (transientStatusMs, expected) => {
    await using dynaring = await startDynaring({ delayTransientStatuses: true, limits: { transientStatusMs } });
    const client = new DynamoDBClient({ maxAttempts: 1, ...dynaring.clientConfig() });
    onTestFinished(() => client.destroy());
    await createTable(client, 'Things');
    const status = async () =>
      (await client.send(new DescribeTableCommand({ TableName: 'Things' }))).Table?.TableStatus;
    await expect.poll(status, { timeout: 10_000 }).toBe(expected);
  },
);

test.each([
  [{}, 0],
  [{ logRequests: true }, 1],
  [{ logLevel: 'debug' as const }, 1],
  [{ logRequests: true, logLevel: 'warn' as const }, 0],
])('with %j it writes a line to standard error for each of %i requests', async (options, count) => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => written.mockRestore());
  await using dynaring = await startDynaring(options);
  expect(await listTables(dynaring.clientConfig())).toEqual([]);
  const lines = written.mock.calls.flat().filter((line) => / request operation=ListTables status=200 /.test(line));
  expect(lines.length).toBe(count);
});

test('any credentials, region and signature reach the same tables', async () => {
  await using dynaring = await startDynaring();
  const { endpoint } = dynaring;
  const names = (region: string, accessKeyId: string, secretAccessKey: string, sessionToken?: string) =>
    listTables({
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
    });
  const client = new DynamoDBClient(dynaring.clientConfig());
  onTestFinished(() => client.destroy());
  await createTable(client, 'Things');
  expect(await names('eu-central-1', 'AKIAIOSFODNN7EXAMPLE', 'x')).toEqual(['Things']);
  expect(await names('no-such-region', 'a-b_c', 'y', 'token')).toEqual(['Things']);
  const unsigned = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'DynamoDB_20120810.ListTables',
    'x-amz-date': '20010101T000000Z',
    authorization: 'AWS4-HMAC-SHA256 Credential=k/20010101/mars/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  };
  const answer = await fetch(endpoint, { method: 'POST', headers: unsigned, body: '{}' });
  expect([answer.status, await answer.json()]).toEqual([200, { TableNames: ['Things'] }]);
});

test("what tools look at: GET and HEAD / answer 400, and an SDK shows an unknown operation's name", async () => {
  await using dynaring = await startDynaring();
  const root = await fetch(dynaring.endpoint);
  expect([root.status, ((await root.json()) as { __type: string }).__type]).toEqual([
    400,
    'com.amazonaws.dynamodb.v20120810#MissingAuthenticationToken',
  ]);
  expect((await fetch(dynaring.endpoint, { method: 'HEAD' })).status).toBe(400);
  const client = new DynamoDBClient({ maxAttempts: 1, ...dynaring.clientConfig() });
  onTestFinished(() => client.destroy());
  await expect(client.send(new ListBackupsCommand({}))).rejects.toMatchObject({
    name: 'UnknownOperationException',
    message: 'Unknown operation: DynamoDB_20120810.ListBackups',
    $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[A-Z0-9]{52}$/) },
  });
});
