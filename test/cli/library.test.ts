import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError, type DynaringOptions, startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../processes/server-process.ts';

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

  const dataDir = await temporaryDirectory();
  await expect(startDynaring({ dataDir, port: blocker.port })).rejects.toThrow(/EADDRINUSE/);
  await using next = await startDynaring({ dataDir });
  expect(await listTables(next.clientConfig())).toEqual([]);
});
