import { expect, test } from 'vitest';
import { CLI } from '../processes/server-process.ts';
import { foundCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { buildOlder, whyNoOlderBuild } from './older-build.ts';

const noOlderBuild = whyNoOlderBuild();
const because = noOlderBuild === undefined ? '' : ` (skipped: ${noOlderBuild})`;

async function isHealthy(node: HostNode): Promise<boolean> {
  const { healthy } = (await node.administer('GET', '/cluster')) as { healthy: boolean };
  return healthy;
}

test.skipIf(noOlderBuild)(
  `a cluster of the release before becomes one of this release node by node, under load: one history${because}`,
  async () => {
    const cluster = await foundCluster(['a', 'b', 'c'], { cli: buildOlder() });
    const { nodes, clients } = cluster;
    await createTables(clients[0]!);
    const load = new Load(clients);
    await load.goOn();
    for (const node of nodes) {
      expect((await node.process.stop('SIGTERM')).status).toBe(0);
      await load.goOn();
      node.move({ cli: CLI });
      await node.restart();
      // Each of them coordinates for the others: an old one for a new one, and the other way round.
      await load.goOn();
      for (const each of nodes) await expect.poll(() => isHealthy(each)).toBe(true);
    }
    await expectOneHistory(cluster, load);
  },
);
