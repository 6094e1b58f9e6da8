import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { BatchWriteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { clientOf, createTable, runToExit } from '../processes/server-process.ts';
import { beginNode, initPeers, type PeerProcess } from './peer-process.ts';

const TABLE = 'Things';
const ITEMS = Array.from({ length: 25 }, (_, i) => `item ${i}`);

/** `dynaring admin` against one of the peers. */
async function admin(peer: PeerProcess, ...args: string[]) {
  return await runToExit(['admin', ...args, '--endpoint', await peer.ready()]);
}

interface Status {
  readonly healthy: boolean;
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
}

async function untilHealthy(peer: PeerProcess, names: readonly string[]): Promise<void> {
  const seen = async () => {
    const { status, stdout } = await admin(peer, 'status', '--json');
    const { healthy, nodes } = JSON.parse(stdout) as Status;
    expect(status).toBe(healthy ? 0 : 1);
    return { healthy, names: nodes.map(({ name }) => name).sort() };
  };
  await expect.poll(seen, { timeout: 90_000, interval: 500 }).toEqual({ healthy: true, names });
}

async function itemsAt(endpoint: string): Promise<number> {
  const { Count } = await clientOf(endpoint).send(new ScanCommand({ TableName: TABLE, ConsistentRead: true }));
  return Count!;
}

/** A process begins again when it is taken in, on other ports if the system chooses them: its last line says where. */
function lastEndpointOf(peer: PeerProcess): string {
  return peer
    .stdout()
    .match(/^export AWS_ENDPOINT_URL_DYNAMODB=\S+$/gm)!
    .at(-1)!
    .split('=')[1]!;
}

test('a node joins, one is removed, one gets another disk: what was written stays', { timeout: 300_000 }, async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  const a = beginNode(root, 'a');
  const meeting = await a.peerAddress();
  const [b, c] = [beginNode(root, 'b', [meeting]), beginNode(root, 'c', [meeting])];
  await Promise.all([b.ready(), c.ready()]);
  await createTable(await a.client(), TABLE);
  const writes = ITEMS.map((id) => ({ PutRequest: { Item: { id: { S: id } } } }));
  await (await a.client()).send(new BatchWriteItemCommand({ RequestItems: { [TABLE]: writes } }));

  const d = beginNode(root, 'd', [meeting]);
  await untilHealthy(a, ['a', 'b', 'c', 'd']);

  expect(await admin(a, 'remove', 'c')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^c is taken out /) });
  expect(await c.exited).toMatchObject({ status: 0, stderr: expect.stringMatching(/this node has left the cluster/) });
  await untilHealthy(a, ['a', 'b', 'd']);
  expect(await admin(a, 'remove', 'b')).toMatchObject({
    status: 1,
    stderr: 'dynaring: b cannot be removed: 2 nodes would be left for 3 copies\n',
  });

  await b.stop('SIGKILL');
  rmSync(join(root, 'b'), { recursive: true });
  expect(await admin(a, 'replace', 'b')).toMatchObject({
    status: 1,
    stderr: 'dynaring: no process waits to be b: start one with --node-id b on an empty directory\n',
  });
  const again = beginNode(root, 'b', [meeting]);
  await again.ready();
  await expect.poll(async () => (await admin(a, 'replace', 'b')).status, { timeout: 60_000, interval: 500 }).toBe(0);
  await untilHealthy(a, ['a', 'b', 'd']);

  for (const peer of [again, a, d]) expect(await itemsAt(lastEndpointOf(peer))).toBe(ITEMS.length);
  // A disk that has left is never taken in again.
  const back = beginNode(root, 'c', [meeting]);
  expect(await back.exited).toMatchObject({ status: 0, stderr: expect.stringMatching(/has left the cluster/) });
});
