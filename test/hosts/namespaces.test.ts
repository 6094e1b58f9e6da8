import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { initPeers } from '../processes/peer-process.ts';
import { clientOf } from '../processes/server-process.ts';
import { type HostCluster, HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { Hosts, whyNoDisturbance, whyNoHosts } from './namespaces.ts';

const NAMES = ['a', 'b', 'c'];
/** How long a connection to a host that is silent is kept, and a little. */
const SILENT_MS = 10_000;
const FLAPS = 8;
const FLAP_MS = 400;

/** Why not, if there are none; then the tests are skipped. */
const noHosts = whyNoHosts();
const noDisturbance = noHosts ?? whyNoDisturbance();

/** Three hosts, with a secret in common: other hosts could reach them. */
async function foundOnHosts(): Promise<HostCluster & { readonly hosts: Hosts }> {
  const hosts = new Hosts(NAMES);
  const root = temporaryDirectory();
  await initPeers(root, NAMES);
  const secret = join(root, 'secret');
  writeFileSync(secret, 'a secret that these three hosts have in common\n', { mode: 0o600 });
  const join_ = NAMES.map((name) => `${hosts.addressOf(name)}:8100`).join();
  const args = ['--join', join_, '--cluster-secret-file', secret];
  const nodes = NAMES.map((name) => new HostNode(name, join(root, name), hosts.placeOf(name), () => args));
  for (const node of nodes) node.begin();
  for (const node of nodes) await node.ready();
  const clients = nodes.map(({ endpoint }) => clientOf(endpoint));
  await createTables(clients[0]!);
  return { hosts, nodes, clients };
}

test.skipIf(noHosts)(
  `hosts that are cut off from one another, one way and both: one history${because(noHosts)}`,
  async () => {
    const cluster = await foundOnHosts();
    const { hosts, clients } = cluster;
    const load = new Load(clients);
    await load.goOn();
    // One way: for a while a hears b, which does not hear a.
    hosts.cut('a', 'b');
    await sleep(SILENT_MS);
    await load.goOn();
    // Now both ways; c reaches both.
    hosts.cut('b', 'a');
    await load.goOn();
    hosts.heal('a', 'b');
    hosts.heal('b', 'a');
    await load.goOn();
    for (let flap = 0; flap < FLAPS; flap++) {
      hosts.cut('c', 'b');
      await sleep(FLAP_MS);
      hosts.heal('c', 'b');
      await sleep(FLAP_MS);
    }
    await load.goOn();
    await expectOneHistory(cluster, load);
  },
);

test.skipIf(noHosts)(`a host that falls silent: the others go on, and it catches up${because(noHosts)}`, async () => {
  const cluster = await foundOnHosts();
  const { hosts, clients } = cluster;
  // Clients of the third would wait as long as their operating system lets them.
  const load = new Load(clients.slice(0, 2));
  await load.goOn();
  hosts.unplug('c');
  await sleep(SILENT_MS);
  await load.goOn();
  hosts.plug('c');
  await load.goOn();
  await expectOneHistory(cluster, load);
});

test.skipIf(noDisturbance)(
  `hosts whose packets are late, and lost now and then: one history${because(noDisturbance)}`,
  async () => {
    const cluster = await foundOnHosts();
    for (const name of NAMES) cluster.hosts.disturb(name);
    const load = new Load(cluster.clients);
    for (let round = 0; round < 3; round++) await load.goOn();
    await expectOneHistory(cluster, load);
  },
);

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}
