import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { foundCluster, type HostCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';

async function foundWithTables(): Promise<HostCluster> {
  const cluster = await foundCluster(['a', 'b', 'c']);
  await createTables(cluster.clients[0]!);
  return cluster;
}

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
