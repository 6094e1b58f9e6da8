import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { readAll } from '../processes/register-clients.ts';
import { checkLinearizability } from '../simulation/linearizability.ts';
import { foundCluster, type HostCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectAll, expectOneHistory, LOG, Load } from './load.ts';

async function foundWithTables(): Promise<HostCluster> {
  const cluster = await foundCluster(['a', 'b', 'c']);
  await createTables(cluster.clients[0]!);
  return cluster;
}

/** How long before a node is stopped clients are told not to go there. */
const BALANCER_MS = 1_000;

async function killAll(nodes: readonly HostNode[]): Promise<void> {
  await Promise.all(nodes.map(({ process }) => process.stop('SIGKILL')));
}

test('each node is killed in turn, then all at once, one is frozen for 10 s: one history, and no write is lost', async () => {
  const cluster = await foundWithTables();
  const { nodes } = cluster;
  const load = new Load(cluster.clients);
  await load.goOn();
  for (const node of nodes) {
    await killAll([node]);
    await load.goOn();
    await node.restart();
    await load.goOn();
  }
  await killAll(nodes);
  for (const node of nodes) node.begin();
  for (const node of nodes) await node.ready();
  await load.goOn();
  nodes[1]!.process.signal('SIGSTOP');
  await sleep(10_000);
  nodes[1]!.process.signal('SIGCONT');
  await load.goOn();
  await expectOneHistory(cluster, load);
});

test('while nodes are restarted one after the other, no request of an SDK with its default retries fails', async () => {
  const cluster = await foundWithTables();
  const { nodes, clients } = cluster;
  const patient = nodes.map(({ endpoint }) => {
    const client = new DynamoDBClient({
      endpoint,
      region: 'local',
      credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    });
    onTestFinished(() => client.destroy());
    return client;
  });
  const written: string[] = [];
  const failures: unknown[] = [];
  let isOver = false;
  let restarted: HostNode | undefined;
  // As a balancer does it: no new request goes to the node that is to be restarted, and those on their way arrive.
  const writers = patient.map(async (_, writer) => {
    for (let count = 0; !isOver; count++) {
      const at = (writer + count) % nodes.length;
      if (nodes[at] === restarted) continue;
      const id = `${writer}-${count}`;
      try {
        await patient[at]!.send(new PutItemCommand({ TableName: LOG, Item: { id: { S: id } } }));
        written.push(id);
      } catch (error) {
        failures.push({ at, id, error });
      }
    }
  });
  for (const node of nodes) {
    const before = written.length;
    restarted = node;
    await sleep(BALANCER_MS);
    expect((await node.process.stop('SIGTERM')).status).toBe(0);
    await node.restart();
    restarted = undefined;
    await expect.poll(() => written.length - before).toBeGreaterThan(nodes.length);
  }
  isOver = true;
  await Promise.all(writers);
  expect(failures).toEqual([]);
  await expectAll(clients[2]!, written);
});

test('a node whose store is overwritten says what to do and does not start; the others go on', async () => {
  const cluster = await foundWithTables();
  const { nodes } = cluster;
  const load = new Load(cluster.clients.slice(0, 2));
  await load.goOn();
  const c = nodes[2]!;
  await killAll([c]);
  writeFileSync(join(c.dataDir, 'node', 'data.mdb'), Buffer.alloc(64 * 1024, 'garbage'));
  c.begin();
  const { status, stderr } = await c.process.exited;
  expect(status).toBe(1);
  expect(stderr).toMatch(/^dynaring: the disk of c in .* is damaged \(.*\): .* dynaring admin replace c$/m);
  await load.goOn();
  await load.end();
  for (const client of cluster.clients.slice(0, 2)) await readAll(client, load.history);
  await expectAll(cluster.clients[0]!, load.acknowledged);
  expect(checkLinearizability(load.history)).toEqual({ kind: 'linearizable' });
});
