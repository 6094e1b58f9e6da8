import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { foundCluster } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';

test('of five nodes each is killed in turn, then two, then all, one is frozen for 10 s: one history', {
  timeout: 480_000,
}, async () => {
  const cluster = await foundCluster(['a', 'b', 'c', 'd', 'e']);
  const { nodes, clients } = cluster;
  await createTables(clients[0]!);
  const load = new Load(clients);
  await load.goOn();
  for (const node of nodes) {
    await node.process.stop('SIGKILL');
    await load.goOn();
    await node.restart();
  }
  // Partitions that have both of them among their three lose the majority: what is asked of these fails meanwhile.
  const two = [nodes[1]!, nodes[3]!];
  await Promise.all(two.map(({ process }) => process.stop('SIGKILL')));
  await load.goOn();
  await Promise.all(two.map((node) => node.restart()));
  await Promise.all(nodes.map(({ process }) => process.stop('SIGKILL')));
  for (const node of nodes) node.begin();
  for (const node of nodes) await node.ready();
  await load.goOn();
  nodes[4]!.process.signal('SIGSTOP');
  await sleep(10_000);
  nodes[4]!.process.signal('SIGCONT');
  await load.goOn();
  await expectOneHistory(cluster, load);
});
