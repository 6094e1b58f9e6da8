import { join } from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { runToExit } from '../processes/server-process.ts';
import { createTableInTime } from './load.ts';
import { administer, beginNode, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const TABLE = 'Things';

async function put(peer: PeerProcess, id: string): Promise<void> {
  const client = await peer.client();
  await client.send(new PutItemCommand({ TableName: TABLE, Item: { id: { S: id } } }));
}

async function has(peer: PeerProcess, id: string): Promise<boolean> {
  const client = await peer.client();
  const get = new GetItemCommand({ TableName: TABLE, Key: { id: { S: id } }, ConsistentRead: true });
  return (await client.send(get)).Item !== undefined;
}

interface ReplicaView {
  readonly node: string;
  readonly isKnown: boolean;
  readonly committedAtMs?: number;
}

/** What a peer says of where an item is. */
async function replicasOf(peer: PeerProcess, id: string): Promise<readonly ReplicaView[]> {
  const key = encodeURIComponent(JSON.stringify({ id: { S: id } }));
  const view = await administer(await peer.ready(), 'GET', `/key?table=${TABLE}&key=${key}`);
  return (view as { replicas: readonly ReplicaView[] }).replicas;
}

test('three processes form a cluster and serve at each of them; one is killed, the others go on, and it catches up', async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  // The last of the founders first; it hears of the others by their joining.
  const c = beginNode(root, 'c');
  const meeting = await c.peerAddress();
  const [a, b] = [beginNode(root, 'a', [meeting]), beginNode(root, 'b', [meeting])];
  const front = beginPeer('front', ['--role', 'front', '--join', meeting]);

  await createTableInTime(await a.client(), TABLE);
  for (const [at, peer] of [a, b, c, front].entries()) await put(peer, `by ${at}`);
  for (const peer of [a, b, c, front]) {
    for (const at of [0, 1, 2, 3]) expect(await has(peer, `by ${at}`)).toBe(true);
  }

  expect((await b.stop('SIGKILL')).signal).toBe('SIGKILL');
  const missed = Array.from({ length: 12 }, (_, i) => `missed ${i}`);
  for (const [i, id] of missed.entries()) await put([a, c, front][i % 3]!, id);
  for (const [i, id] of missed.entries()) expect(await has([front, a, c][i % 3]!, id)).toBe(true);

  // It listens somewhere else now, and tells the others; they were not told where it is.
  const again = beginNode(root, 'b', [meeting]);
  await administer(await again.ready(), 'POST', '/wait-until-consistent');
  const nodes = new Set<string>();
  for (const id of missed) {
    const replicas = await replicasOf(again, id);
    expect(replicas.map(({ isKnown, committedAtMs }) => isKnown && committedAtMs !== undefined)).toEqual([
      true,
      true,
      true,
    ]);
    for (const { node } of replicas) nodes.add(node.split('.')[0]!);
  }
  expect([...nodes].sort()).toEqual(['a', 'b', 'c']);
  for (const id of missed) expect(await has(again, id)).toBe(true);

  for (const peer of [front, again, a, c]) expect((await peer.stop('SIGTERM')).status).toBe(0);

  const inspected = await runToExit(['inspect', join(root, 'b'), '--table', TABLE, '--key', '{"id":{"S":"missed 3"}}']);
  expect(inspected.stderr).toBe('');
  expect(inspected.stdout).toMatch(/cluster [0-9a-f-]{36}: 16 partitions, 3 replicas each, epochs 0, started 2 times/);
  expect(inspected.stdout).toMatch(/^ +a\.[0-9a-f]{12} on disk \d+$/m);
  expect(inspected.stdout).toContain('missed 3');
});
