import { expect, test } from 'vitest';
import { clientOf } from '../processes/server-process.ts';
import { foundCluster } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { beginPeer } from './peer-process.ts';

/** Each tier in processes of its own: clients know fronts alone, and nodes serve no clients. */
test('three fronts before three nodes: one front is killed, and one node: one history, by way of fronts alone', async () => {
  const cluster = await foundCluster(['a', 'b', 'c']);
  const { nodes } = cluster;
  const meeting = await Promise.all(nodes.map(({ process }) => process.peerAddress()));
  const begin = (at: number) => beginPeer(`front-${at}`, ['--role', 'front', '--join', meeting.join()]);
  const fronts = [0, 1, 2].map(begin);
  const endpoints = await Promise.all(fronts.map((front) => front.ready()));
  const clients = endpoints.map(clientOf);
  await createTables(clients[0]!);

  const load = new Load(clients);
  await load.goOn();
  await fronts[0]!.stop('SIGKILL');
  await load.goOn();
  await nodes[1]!.process.stop('SIGKILL');
  await load.goOn();
  // Each of the fronts that are left is asked, and asks nodes that are left.
  for (const client of clients.slice(1)) {
    const alone = new Load([client]);
    await alone.goOn();
    await alone.end();
    load.history.push(...alone.history);
    load.acknowledged.push(...alone.acknowledged);
  }
  await nodes[1]!.restart();
  const again = begin(0);
  clients[0] = clientOf(await again.ready());
  await load.goOn();
  await expectOneHistory({ nodes, clients }, load);
  // They store nothing, and are no members.
  const { nodes: members } = (await nodes[0]!.administer('GET', '/cluster')) as { nodes: readonly { id: string }[] };
  expect(members.map(({ id }) => id.split('.')[0]).sort()).toEqual(['a', 'b', 'c']);
});
