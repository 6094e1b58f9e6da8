import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetItemCommand, PutItemCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const TableName = 'Things';
const POLL = { timeout: 60_000, interval: 200 };

const SEED = {
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  Items: Array.from({ length: 30 }, (_, i) => ({ id: { S: `seed ${i}` } })),
};

/** Three nodes and a front, all of which seed the same tables as they start, at the same time. */
async function cluster() {
  const root = temporaryDirectory();
  const seeds = join(root, 'seeds');
  mkdirSync(seeds);
  writeFileSync(join(seeds, 'things.json'), JSON.stringify(SEED));
  await initPeers(root, ['a', 'b', 'c']);
  const begin = (name: string, ...args: string[]) => beginPeer(name, [...args, '--seed-dir', seeds]);
  const a = begin('a', '--data-dir', join(root, 'a'));
  const meeting = await a.peerAddress();
  const b = begin('b', '--data-dir', join(root, 'b'), '--join', meeting);
  const c = begin('c', '--data-dir', join(root, 'c'), '--join', meeting);
  const front = begin('front', '--role', 'front', '--join', meeting);
  const all = [a, b, c, front] as const;
  await Promise.all(all.map((peer) => peer.ready()));
  return { a, b, c, front, all };
}

/** Asks a route of an administrator. @returns the status, and the JSON or the text of the answer */
async function ask(peer: PeerProcess, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${await peer.ready()}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await answer.text();
  return { status: answer.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}

test('the doors of administrators are those of the cluster, at each process', { timeout: 300_000 }, async () => {
  const { a, b, c, front, all } = await cluster();
  const itemsAt = async (peer: PeerProcess) => {
    const { json } = await ask(peer, 'GET', '/_dynaring/snapshot');
    return (json.tables as { items: unknown[] }[]).map(({ items }) => items.length);
  };
  const has = async (peer: PeerProcess, id: string) => {
    const get = new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true });
    return (await (await peer.client()).send(get)).Item !== undefined;
  };

  // One of them has made the table, and put its items; the others have found it.
  await expect.poll(() => Promise.all(all.map(itemsAt)), POLL).toEqual(all.map(() => [30]));

  const snapshot = (await ask(b, 'GET', '/_dynaring/snapshot')).json;
  await (await c.client()).send(new PutItemCommand({ TableName, Item: { id: { S: 'later' } } }));
  for (const peer of all) expect(await has(peer, 'later')).toBe(true);
  expect(await ask(front, 'POST', '/_dynaring/snapshot', snapshot)).toMatchObject({
    status: 200,
    json: { done: 'brought back 1 table with 30 items' },
  });
  for (const peer of all) {
    expect(await has(peer, 'later')).toBe(false);
    expect(await has(peer, 'seed 29')).toBe(true);
  }

  // The clock is the process's: what has expired by it is deleted for all. A front sweeps only when it is told to.
  const ttl = { Enabled: true, AttributeName: 'until' };
  await (await a.client()).send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: ttl }));
  const until = { N: String(Math.floor(Date.now() / 1_000) + 3_600) };
  await (await a.client()).send(new PutItemCommand({ TableName, Item: { id: { S: 'mayfly' }, until } }));
  expect((await ask(front, 'POST', '/_dynaring/clock', { advance: '2h' })).json.offsetMs).toBe(7_200_000);
  expect((await ask(b, 'GET', '/_dynaring/clock')).json.offsetMs).toBe(0);
  expect((await ask(b, 'POST', '/_dynaring/sweep')).json).toEqual({ deleted: 0 });
  expect(await has(b, 'mayfly')).toBe(true);
  expect((await ask(front, 'POST', '/_dynaring/sweep')).json).toEqual({ deleted: 1 });
  for (const peer of all) await expect.poll(() => has(peer, 'mayfly'), POLL).toBe(false);
  expect((await ask(c, 'DELETE', '/_aws/dynamodb/expired')).json).toEqual({ ExpiredItems: 0 });
  expect((await ask(front, 'DELETE', '/_dynaring/clock')).json.offsetMs).toBe(0);

  // What is done to all nodes is done by all, whoever is asked.
  expect((await ask(front, 'POST', '/_dynaring/wait-until-consistent')).status).toBe(200);
  expect((await ask(front, 'POST', '/_dynaring/repair')).json).toMatchObject({ partitions: 96, recordsRepaired: 0 });
  expect((await ask(front, 'POST', '/_dynaring/scrub')).json.records).toBeGreaterThanOrEqual(90);
  const metrics = (await ask(front, 'GET', '/metrics')).text;
  for (const name of ['a', 'b', 'c']) {
    expect(metrics).toMatch(new RegExp(`dynaring_node_state\\{node="${name}\\.\\w+",state="up"\\} 1`));
    expect(metrics).toMatch(new RegExp(`dynaring_peer_up\\{node="${name}\\.\\w+"\\} 1`));
  }

  // What a process of another host would have to do to itself is refused, and says why.
  const elsewhere = 'nodes of other processes are stopped and started where they run';
  for (const action of ['stop', 'start', 'wipe']) {
    const refused = await ask(a, 'POST', `/_dynaring/nodes/b/${action}`);
    expect(refused).toMatchObject({ status: 409, json: { error: elsewhere } });
  }
  expect((await ask(a, 'POST', '/_dynaring/nodes')).json.error).toContain('dynaring serve --node-id');

  expect((await ask(c, 'POST', '/_dynaring/reset')).json).toEqual({ done: 'all tables are deleted' });
  expect(await Promise.all(all.map(itemsAt))).toEqual(all.map(() => []));
  for (const peer of all) await expect(has(peer, 'seed 1')).rejects.toThrow('Requested resource not found');
});
