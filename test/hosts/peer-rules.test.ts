import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import type { ActiveFault, FaultRule } from '../../src/api/fault-rule.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable } from '../processes/server-process.ts';
import { administer, beginNode, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const TableName = 'Things';

/** Three nodes and a front, which serve; and how to begin the third node again. */
async function startPeers() {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  const a = beginNode(root, 'a');
  const meeting = [await a.peerAddress()];
  const [b, c] = [beginNode(root, 'b', meeting), beginNode(root, 'c', meeting)];
  const front = beginPeer('front', ['--role', 'front', '--join', meeting[0]!]);
  const peers = [a, b, c, front];
  for (const peer of peers) await peer.ready();
  await createTable(await a.client(), TableName);
  return { peers, beginAgain: (name: string) => beginNode(root, name, meeting) };
}

async function post(peer: PeerProcess, rule: FaultRule): Promise<ActiveFault> {
  const answer = await fetch(`${await peer.ready()}/_dynaring/faults`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(rule),
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as ActiveFault;
}

async function rulesAt(peer: PeerProcess): Promise<readonly ActiveFault[]> {
  return ((await administer(await peer.ready(), 'GET', '/faults')) as { faults: ActiveFault[] }).faults;
}

/** `done`, or the name of the error. */
function outcomeOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'done',
    (error: Error) => error.name,
  );
}

const put = (client: DynamoDBClient, id: string, value = 'x') =>
  outcomeOf(client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, value: { S: value } } })));

async function valueAt(client: DynamoDBClient, id: string, ConsistentRead: boolean): Promise<string | undefined> {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead }));
  return Item?.value?.S;
}

const ERROR = { kind: 'error', error: 'InternalServerError', when: 'before', operation: 'PutItem' } as const;

test('a rule that is set at one process holds at all, survives that one, and is removed at any', async () => {
  const { peers, beginAgain } = await startPeers();
  const [a, b, c, front] = peers as [PeerProcess, PeerProcess, PeerProcess, PeerProcess];
  for (const [at, setter] of peers.entries()) {
    const { id } = await post(setter, ERROR);
    for (const peer of peers) expect(await put(await peer.client(), 'x')).toBe('InternalServerError');
    for (const peer of peers) expect(await rulesAt(peer)).toMatchObject([{ id, fired: 4 }]);
    await administer(await peers[(at + 1) % 4]!.ready(), 'DELETE', `/faults/${id}`);
    for (const peer of peers) expect(await put(await peer.client(), 'x')).toBe('done');
  }

  const { id } = await post(c, ERROR);
  await c.stop('SIGKILL');
  for (const peer of [a, b, front]) expect(await put(await peer.client(), 'x')).toBe('InternalServerError');
  const again = beginAgain('c');
  await again.ready();
  // It has read them before it serves.
  expect(await put(await again.client(), 'x')).toBe('InternalServerError');
  await administer(await front.ready(), 'DELETE', `/faults/${id}`);
  for (const peer of [a, b, again, front]) expect(await put(await peer.client(), 'x')).toBe('done');
});

test('times: 3 fires three times, whatever all processes are asked at once', async () => {
  const { peers } = await startPeers();
  for (const setter of peers) {
    await post(setter, { ...ERROR, times: 3 });
    const asked = peers.flatMap((peer) =>
      Array.from({ length: 4 }, (_, i) => peer.client().then((c) => put(c, `${i}`))),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome !== 'done')).toEqual(Array(3).fill('InternalServerError'));
    await expect.poll(() => Promise.all(peers.map(rulesAt))).toEqual([[], [], [], []]);
  }
});

test('a rule of lag makes eventually consistent reads stale at each process, and no strong one, until it ends', async () => {
  const { peers } = await startPeers();
  const clients = await Promise.all(peers.map((peer) => peer.client()));
  const ids = ['i', 'j', 'k'];
  const valuesAt = async (client: DynamoDBClient, isStrong: boolean) =>
    Promise.all(ids.map((id) => valueAt(client, id, isStrong)));
  // The front has not the table at hand.
  const { id } = await post(peers[3]!, { kind: 'staleness', worst: true, table: TableName });
  // A replica that suspects another for a moment, as on a busy machine it may, keeps nothing back: a write needs it then.
  let turn = 0;
  const whileNobodyIsSuspected = async (writers: readonly DynamoDBClient[]) => {
    const before = `${turn++}`;
    // At one process that has no node: all are made alike, and late again afterwards.
    await administer(await peers[3]!.ready(), 'POST', '/wait-until-consistent');
    for (const id of ids) expect(await put(clients[0]!, id, before)).toBe('done');
    await administer(await peers[3]!.ready(), 'POST', '/wait-until-consistent');
    for (const client of clients) expect(await valuesAt(client, false)).toEqual(ids.map(() => before));
    const after = `${turn++}`;
    for (const [at, id] of ids.entries()) expect(await put(writers[at]!, id, after)).toBe('done');
    for (const client of clients) expect(await valuesAt(client, true)).toEqual(ids.map(() => after));
    const seen = await Promise.all(clients.map((client) => valuesAt(client, false)));
    return seen.flat().every((value) => value === before);
  };
  const retried = { timeout: 60_000 };
  await expect.poll(() => whileNobodyIsSuspected(clients.slice(1)), retried).toBe(true);
  await expect.poll(() => whileNobodyIsSuspected(Array(3).fill(clients[3])), retried).toBe(true);
  await administer(await peers[0]!.ready(), 'DELETE', `/faults/${id}`);
  for (const client of clients) {
    await expect.poll(() => valuesAt(client, false)).toEqual(ids.map(() => `${turn - 1}`));
  }
});

interface NodeView {
  readonly name: string;
  readonly state: string;
  readonly suspects: readonly string[];
}

test('links are cut and nodes paused by their own processes, whichever is asked; all go on without them', async () => {
  const { peers } = await startPeers();
  const front = await peers[3]!.ready();
  const nodes = async () => ((await administer(front, 'GET', '/cluster')) as { nodes: NodeView[] }).nodes;
  const nodeOf = async (name: string) => (await nodes()).find((node) => node.name === name)!;
  const suspectsAt = async (name: string) => (await nodeOf(name)).suspects.map((id) => id.split('.')[0]);
  const setLink = async (link: string, setting: object) => {
    const headers = { 'Content-Type': 'application/json' };
    const request = { method: 'PUT', headers, body: JSON.stringify(setting) };
    return fetch(`${front}/_dynaring/links/${link}`, request);
  };
  expect((await setLink('a/b', { delayMs: 60_001 })).status).toBe(400);
  for (const to of ['b', 'c']) expect((await setLink(`a/${to}`, { cut: true })).status).toBe(200);
  // What a says arrives nowhere.
  for (const name of ['b', 'c']) await expect.poll(() => suspectsAt(name)).toEqual(['a']);
  expect(await put(await peers[3]!.client(), 'x', 'cut')).toBe('done');
  for (const to of ['b', 'c']) await administer(await peers[1]!.ready(), 'DELETE', `/links/a/${to}`);
  for (const name of ['b', 'c']) await expect.poll(() => suspectsAt(name)).toEqual([]);

  await administer(front, 'POST', '/nodes/b/pause');
  expect((await nodeOf('b')).state).toBe('paused');
  await expect.poll(() => suspectsAt('a')).toEqual(['b']);
  expect(await put(await peers[1]!.client(), 'x', 'paused')).toBe('done');
  await administer(await peers[0]!.ready(), 'POST', '/nodes/b/resume');
  await expect.poll(() => suspectsAt('a')).toEqual([]);
  expect((await nodeOf('b')).state).toBe('up');
  const stop = await fetch(`${front}/_dynaring/nodes/b/stop`, { method: 'POST' });
  expect([stop.status, ((await stop.json()) as { error: string }).error]).toEqual([
    409,
    'nodes of other processes are stopped and started where they run',
  ]);
});
