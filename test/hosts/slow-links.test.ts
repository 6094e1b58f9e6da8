import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { freePorts } from '../parts/free-ports.ts';
import { clientOf } from '../processes/server-process.ts';
import { HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { initPeers } from './peer-process.ts';
import { SlowLink } from './slow-links.ts';

const NAMES = ['a', 'b', 'c'];
/** A peer that is not heard for so long is cut off, and a little. */
const SILENT_MS = 10_000;

/** Three nodes, which reach each other by way of links. */
async function foundBehindLinks() {
  const root = temporaryDirectory();
  await initPeers(root, NAMES);
  const ports = await freePorts(2 * NAMES.length);
  const doors = ports.slice(NAMES.length);
  const joins = doors.map((port) => `127.0.0.1:${port}`);
  const links: SlowLink[] = [];
  for (const [at, door] of doors.entries()) links.push(await SlowLink.before(door, ports[at]!));
  const nodes = NAMES.map((name, at) => {
    const args = ['--join', joins.join(), '--peer-address', joins[at]!];
    return new HostNode(name, join(root, name), { peerPort: String(ports[at]) }, () => args);
  });
  for (const node of nodes) node.begin();
  for (const node of nodes) await node.ready();
  return { nodes, links, clients: nodes.map(({ endpoint }) => clientOf(endpoint)) };
}

test('connections whose bytes are late, held up, lost with their connection, and silent one way: one history', async () => {
  const cluster = await foundBehindLinks();
  const { links, clients } = cluster;
  await createTables(clients[0]!);
  const load = new Load(clients);
  await load.goOn();
  for (const link of links) link.slowness = { delayMs: 30, lostPercent: 2, lossMs: 300 };
  await load.goOn();
  for (let flap = 0; flap < 10; flap++) {
    links[flap % links.length]!.reset();
    await sleep(200);
  }
  await load.goOn();
  // The others do not reach c, which reaches them.
  links[2]!.silence();
  await sleep(SILENT_MS);
  await load.goOn();
  links[2]!.heal();
  for (const link of links) link.slowness = { delayMs: 5, lostPercent: 0, lossMs: 0 };
  await load.goOn();
  await expectOneHistory(cluster, load);
});
