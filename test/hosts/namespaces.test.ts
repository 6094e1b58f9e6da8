import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { clientOf } from '../processes/server-process.ts';
import { type HostCluster, HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { Hosts, whyNoDisturbance, whyNoHosts } from './namespaces.ts';
import { initPeers } from './peer-process.ts';

const NAMES = ['a', 'b', 'c'];
/** How long a connection to a host that is silent is kept, and a little. */
const SILENT_MS = 10_000;
const FLAPS = 8;
const FLAP_MS = 400;

/** Why not, if there are none; then the tests are skipped. */
const noHosts = whyNoHosts();
const noDisturbance = noHosts ?? whyNoDisturbance();

interface HostsCluster extends HostCluster {
  readonly hosts: Hosts;
  /** What each process is told besides where it listens. */
  readonly args: readonly string[];
  readonly clients: DynamoDBClient[];
}

/** Three hosts, with a secret in common: other hosts could reach them. @param others that have no node */
async function foundOnHosts(others: readonly string[] = []): Promise<HostsCluster> {
  const hosts = new Hosts([...NAMES, ...others]);
  const root = temporaryDirectory();
  await initPeers(root, NAMES);
  const secret = join(root, 'secret');
  writeFileSync(secret, 'a secret that these three hosts have in common\n', { mode: 0o600 });
  const args = ['--join', NAMES.map((name) => `${name}:8100`).join(), '--cluster-secret-file', secret];
  const nodes = NAMES.map((name) => new HostNode(name, join(root, name), hosts.placeOf(name), () => args));
  for (const node of nodes) node.begin();
  for (const node of nodes) await node.ready();
  const clients = nodes.map(({ endpoint }) => clientOf(endpoint));
  await createTables(clients[0]!);
  return { hosts, args, nodes, clients };
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

test.skipIf(noHosts)(
  `hosts that take one another's addresses, all at once, while they run: one history${because(noHosts)}`,
  async () => {
    const cluster = await foundOnHosts();
    const { hosts, nodes, clients } = cluster;
    const load = new Load(clients);
    await load.goOn();
    hosts.rotateAddresses();
    for (const [at, node] of nodes.entries()) {
      node.move({ host: hosts.addressOf(node.name) });
      clients[at] = clientOf(node.endpoint);
    }
    await load.goOn();
    await expectOneHistory(cluster, load);
  },
);

test.skipIf(noHosts)(
  `a host to which long packets get lost without a word: the others go on, and it catches up${because(noHosts)}`,
  async () => {
    const cluster = await foundOnHosts();
    const { hosts, clients } = cluster;
    const load = new Load(clients.slice(0, 2));
    await load.goOn();
    hosts.narrow('c');
    await load.goOn();
    await sleep(SILENT_MS);
    await load.goOn();
    hosts.widen('c');
    await load.goOn();
    await expectOneHistory(cluster, load);
  },
);

test.skipIf(noHosts)(
  `a copy of a disk on another host, made while its node runs, is ended for ever, and harms nobody${because(noHosts)}`,
  async () => {
    const cluster = await foundOnHosts(['d']);
    const { hosts, args, nodes } = cluster;
    const load = new Load(cluster.clients);
    await load.goOn();
    const copy = join(temporaryDirectory(), 'copy');
    cpSync(nodes[2]!.dataDir, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    const twin = new HostNode('c', copy, hosts.placeOf('d'), () => args);
    twin.begin();
    const { status, stderr } = await twin.process.exited;
    expect(stderr).toMatch(/^dynaring: other nodes refuse the disk of c: .*: this one came later$/m);
    expect(status).toBe(1);
    twin.begin();
    const line = /^dynaring: the data directory .* was refused \(.*\): put the newest one back, or /m;
    expect((await twin.process.exited).stderr).toMatch(line);
    await load.goOn();
    await expectOneHistory(cluster, load);
  },
);

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}
