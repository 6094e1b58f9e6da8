import {
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable } from '../processes/server-process.ts';
import { beginNode, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const TableName = 'Things';

/** `done`, or the name of the error. */
async function outcomeOf(peer: PeerProcess, ask: (client: DynamoDBClient) => Promise<unknown>): Promise<string> {
  return ask(await peer.client()).then(
    () => 'done',
    (error: Error) => error.name,
  );
}

const put = (peer: PeerProcess, id: string) =>
  outcomeOf(peer, (client) => client.send(new PutItemCommand({ TableName, Item: { id: { S: id } } })));
const deleteTable = (peer: PeerProcess) =>
  outcomeOf(peer, (client) => client.send(new DeleteTableCommand({ TableName })));
const describeTable = (peer: PeerProcess) =>
  outcomeOf(peer, (client) => client.send(new DescribeTableCommand({ TableName })));

async function has(peer: PeerProcess, id: string): Promise<boolean> {
  const get = new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true });
  return (await (await peer.client()).send(get)).Item !== undefined;
}

test('a table that one process deletes is gone at all of them, and another one of its name is another one', async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  const c = beginNode(root, 'c');
  const meeting = await c.peerAddress();
  const [a, b] = [beginNode(root, 'a', [meeting]), beginNode(root, 'b', [meeting])];
  const front = beginPeer('front', ['--role', 'front', '--join', meeting]);
  const peers = [a, b, c, front];

  for (const [round, by] of peers.entries()) {
    await createTable(await by.client(), TableName);
    // Each has the definition at hand.
    for (const peer of peers) expect(await put(peer, `round ${round}`)).toBe('done');
    const deleter = peers[(round + 1) % 4]!;
    expect(await deleteTable(deleter)).toBe('done');
    for (const peer of peers) {
      expect(await put(peer, 'lost')).toBe('ResourceNotFoundException');
      expect(await describeTable(peer)).toBe('ResourceNotFoundException');
    }
  }

  // A process that hears nothing meanwhile still has the definition when it goes on.
  await createTable(await a.client(), TableName);
  for (const peer of peers) expect(await put(peer, 'before')).toBe('done');
  front.signal('SIGSTOP');
  expect(await deleteTable(a)).toBe('done');
  await createTable(await b.client(), TableName);
  front.signal('SIGCONT');
  expect(await put(front, 'after')).toBe('done');
  for (const peer of peers) {
    expect(await has(peer, 'before')).toBe(false);
    expect(await has(peer, 'after')).toBe(true);
  }
  for (const peer of [front, b, a, c]) expect((await peer.stop('SIGTERM')).status).toBe(0);
});
