import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clientOf, runToExit } from '../processes/server-process.ts';
import { foundCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';

/** Far above what it takes to move all partitions. */
const MOVED_MS = 120_000;

/** `dynaring admin` against a node. */
function admin(node: HostNode, ...args: string[]) {
  return runToExit(['admin', ...args, '--endpoint', node.endpoint]);
}

interface Status {
  readonly healthy: boolean;
  readonly nodes: readonly { readonly name: string }[];
}

async function untilMoved(node: HostNode, names: readonly string[]): Promise<void> {
  const seen = async () => {
    const { healthy, nodes } = JSON.parse((await admin(node, 'status', '--json')).stdout) as Status;
    return { healthy, names: nodes.map(({ name }) => name).sort() };
  };
  await expect.poll(seen, { timeout: MOVED_MS, interval: 500 }).toEqual({ healthy: true, names });
}

test('of five nodes one leaves, one joins and one gets another disk under load: one history', {
  timeout: 480_000,
}, async () => {
  const cluster = await foundCluster(['a', 'b', 'c', 'd', 'e']);
  const [a, b, , d, e] = cluster.nodes;
  await createTables(cluster.clients[0]!);
  // Those that stay.
  const load = new Load(cluster.clients.slice(0, 3));
  await load.goOn();

  const f = cluster.newNode('f');
  f.begin();
  await untilMoved(a!, ['a', 'b', 'c', 'd', 'e', 'f']);
  await load.goOn();

  expect((await admin(b!, 'remove', 'e')).status).toBe(0);
  expect((await e!.process.exited).status).toBe(0);
  await untilMoved(a!, ['a', 'b', 'c', 'd', 'f']);
  await load.goOn();

  await d!.process.stop('SIGKILL');
  await load.goOn();
  rmSync(d!.dataDir, { recursive: true });
  d!.begin();
  await expect.poll(async () => (await admin(b!, 'replace', 'd')).status, { timeout: MOVED_MS, interval: 500 }).toBe(0);
  await untilMoved(a!, ['a', 'b', 'c', 'd', 'f']);
  await load.goOn();

  const stayed = cluster.nodes.slice(0, 3);
  await expectOneHistory({ nodes: stayed, clients: [...cluster.clients.slice(0, 3), clientOf(endpointOf(f))] }, load);
});

/** A process that is taken in begins again, on other ports if the system chooses them: its last line says where. */
function endpointOf({ process }: HostNode): string {
  const lines = process.stdout().match(/^export AWS_ENDPOINT_URL_DYNAMODB=\S+$/gm);
  return lines!.at(-1)!.split('=')[1]!;
}
