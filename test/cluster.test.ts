import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeEach, expect, test } from 'vitest';
import { startCluster } from '../src/cluster.ts';
import { endpointOf } from '../src/config/endpoint.ts';
import { completeConfig } from '../src/config.ts';
import { silentLog } from '../src/env/log.ts';
import { startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { insideOf } from './parts/inside.ts';
import { createTable } from './processes/server-process.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = temporaryDirectory();
});
test('a directory in which too many disks were lost is refused, instead of answering that nothing is there', async () => {
  await (await startDynaring({ dataDir })).stop();
  for (const node of ['node-1', 'node-2']) rmSync(join(dataDir, 'nodes', node), { recursive: true });
  const refusal =
    /^too few copies are left in .*: data was lost by node-1 \(is missing or empty\), node-2 \(is missing or empty\);/;
  await expect(startDynaring({ dataDir })).rejects.toThrow(refusal);
  // Nothing is left behind: the next try meets the same, not a locked directory.
  await expect(startDynaring({ dataDir })).rejects.toThrow(refusal);
});

test('administrators may have a port of their own, where the metrics of the nodes are', async () => {
  const config = completeConfig({ port: 0, adminPort: 0, hosts: ['127.0.0.1'] });
  const cluster = await startCluster(config, silentLog);
  const [main, apart] = [cluster.addresses, cluster.adminAddresses].map(([address]) => endpointOf(address!));
  const statusOf = async (url: string) => (await fetch(url)).status;
  try {
    expect(await statusOf(`${main}/metrics`)).toBe(404);
    expect([await statusOf(`${main}/health`), await statusOf(`${apart}/health`)]).toEqual([200, 200]);
    const metrics = await (await fetch(`${apart}/metrics`)).text();
    expect(metrics).toMatch(/^dynaring_node_partitions\{node="node-3"\} 64$/m);
    expect(metrics).toMatch(/^dynaring_node_hints\{node="node-1"\} 0$/m);
  } finally {
    await cluster.stop();
  }
  await expect(fetch(`${apart}/health`)).rejects.toThrow();
});

test('stopping while the items of a deleted table are erased ends in order', async () => {
  const dynaring = await startDynaring({ dataDir, partitions: 3 });
  const client = new DynamoDBClient(dynaring.clientConfig());
  await client.send(
    new CreateTableCommand({
      TableName: 'many',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    }),
  );
  const put = (i: number) => client.send(new PutItemCommand({ TableName: 'many', Item: { k: { S: `k${i}` } } }));
  for (let i = 0; i < 600; i += 50) await Promise.all(Array.from({ length: 50 }, (_, j) => put(i + j)));
  await client.send(new DeleteTableCommand({ TableName: 'many' }));
  await dynaring.stop();
  client.destroy();
  // A timer that met a closed store would throw now.
  await new Promise((resolve) => setTimeout(resolve, 50));
});

test('a table whose deletion was seen for its time goes with its items, though nobody asks for it again', async () => {
  await using dynaring = await startDynaring({
    delayTransientStatuses: true,
    limits: { transientStatusMs: 100, sweepIntervalMs: 50 },
  });
  const client = new DynamoDBClient(dynaring.clientConfig());
  const table = { TableName: 'Things' };
  await createTable(client, table.TableName);
  await expect.poll(() => client.send(new PutItemCommand({ ...table, Item: { id: { S: 'a' } } }))).toBeDefined();
  const tablesWithRecords = async () => (await insideOf(dynaring).ring.client.tables()).size;
  const before = await tablesWithRecords();
  await client.send(new DeleteTableCommand(table));
  client.destroy();
  expect(await tablesWithRecords()).toBe(before);
  await expect.poll(tablesWithRecords).toBe(before - 1);
});
