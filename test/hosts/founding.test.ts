import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { freePorts } from '../parts/free-ports.ts';
import { clientOf } from '../processes/server-process.ts';
import { HostNode } from './host-cluster.ts';
import { createTableInTime } from './load.ts';
import { initPeers } from './peer-process.ts';

const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];
const ORDERS: readonly (readonly Name[])[] = [
  ['a', 'b', 'c'],
  ['a', 'c', 'b'],
  ['b', 'a', 'c'],
  ['b', 'c', 'a'],
  ['c', 'a', 'b'],
  ['c', 'b', 'a'],
];
const TABLE = 'Things';

/** Founders that have not begun, each of which is told where all of them will be. */
async function founders(): Promise<Readonly<Record<Name, HostNode>>> {
  const root = temporaryDirectory();
  await initPeers(root, NAMES);
  const ports = await freePorts(NAMES.length);
  const joins = ports.map((port) => `127.0.0.1:${port}`).join();
  const nodes = NAMES.map((name, at) => {
    const place = { peerPort: String(ports[at]) };
    return [name, new HostNode(name, join(root, name), place, () => ['--join', joins])] as const;
  });
  return Object.fromEntries(nodes) as Record<Name, HostNode>;
}

/** What it says when it has heard from each of those that have begun, which are not all. */
function waitsAmong(name: Name, begun: readonly Name[]): RegExp {
  const missing = NAMES.filter((each) => !begun.includes(each)).join(', ');
  if (name === 'a') return new RegExp(`reason="waits for ${missing}"`);
  return begun.includes('a') ? /reason="waits until a has heard from a, b, c"/ : /reason="waits for a"/;
}

async function healthOf({ process }: HostNode): Promise<number> {
  const [, endpoint] = /listens for clients .*endpoint=(\S+)/.exec(process.stderr())!;
  return (await fetch(`${endpoint}/health`, { headers: { connection: 'close' } })).status;
}

async function write({ endpoint }: HostNode, id: string): Promise<string> {
  await clientOf(endpoint).send(new PutItemCommand({ TableName: TABLE, Item: { id: { S: id } } }));
  return 'written';
}

const clusterOf = ({ process }: HostNode) => /cluster ([0-9a-f-]{36})/.exec(process.stdout())?.[1];

test.each(ORDERS)(
  'founders that start in the order %s, %s, %s form nothing before the last, and one cluster then',
  async (...order) => {
    const nodes = await founders();
    for (const count of [1, 2]) {
      nodes[order[count - 1]!].begin();
      const begun = order.slice(0, count);
      for (const name of begun) {
        const { process } = nodes[name];
        await expect.poll(() => process.stderr()).toMatch(waitsAmong(name, begun));
        expect(await healthOf(nodes[name])).toBe(503);
      }
    }
    nodes[order[2]!].begin();
    for (const name of order) await nodes[name].ready();
    const clusters = new Set(order.map((name) => clusterOf(nodes[name])));
    expect(clusters).toEqual(new Set([expect.stringMatching(/^[0-9a-f-]{36}$/)]));

    await createTableInTime(clientOf(nodes[order[2]!].endpoint), TABLE);
    for (const name of order) await write(nodes[name], name);
  },
);

test('once a cluster is founded, each of its nodes starts alone, and two of them serve', async () => {
  const { a, b, c } = await founders();
  for (const node of [c, b, a]) node.begin();
  for (const node of [a, b, c]) await node.ready();
  await createTableInTime(clientOf(a.endpoint), TABLE);
  await Promise.all([a, b, c].map(({ process }) => process.stop('SIGKILL')));
  const known = clusterOf(a);
  await c.restart();
  expect(clusterOf(c)).toBe(known);
  await b.restart();
  await expect.poll(() => write(c, 'x').catch((error: Error) => error.name)).toBe('written');
});

test('of three processes that start on one directory at once, one runs at most, and the others say why not', async () => {
  const { b, a, c } = await founders();
  for (const node of [a, b, c]) node.begin();
  for (const node of [a, b, c]) await node.ready();
  await createTableInTime(clientOf(a.endpoint), TABLE);
  await c.process.stop('SIGKILL');
  const twins = Array.from({ length: 3 }, () => new HostNode('c', c.dataDir, {}, () => ['--join', '127.0.0.1:1']));
  for (const twin of twins) twin.begin();
  const ended: string[] = [];
  for (const { process } of twins) void process.exited.then(({ stderr }) => ended.push(stderr));
  await expect.poll(() => ended.length).toBeGreaterThanOrEqual(2);
  for (const stderr of ended) {
    expect(stderr).toMatch(
      /^dynaring: (the data directory .* is in use by another process|another process runs on a copy .*)$/m,
    );
  }
  for (const { process } of twins) await process.stop('SIGKILL');
  await c.restart();
  expect(await write(c, 'x')).toBe('written');
});
