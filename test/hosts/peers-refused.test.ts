import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { runToExit } from '../processes/server-process.ts';
import { createTableInTime } from './load.ts';
import { beginPeer, initPeers, type PeerProcess } from './peer-process.ts';

const TABLE = 'Things';

/** Waits until a process has said something that matches. */
async function hasSaid(peer: PeerProcess, pattern: RegExp): Promise<void> {
  await expect.poll(() => peer.stderr(), { timeout: 60_000 }).toMatch(pattern);
}

async function healthOf(peer: PeerProcess): Promise<number> {
  const [, endpoint] = /listens for clients .*endpoint=(\S+)/.exec(peer.stderr())!;
  return (await fetch(`${endpoint}/health`, { headers: { connection: 'close' } })).status;
}

test('founders form nothing until the last is there; one directory runs once; an empty disk serves as a front', async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  const secret = join(root, 'secret');
  writeFileSync(secret, 'a secret that all three of them have\n');
  const begin = (name: string, joins: string) =>
    beginPeer(name, [
      '--data-dir',
      join(root, name),
      '--cluster-secret-file',
      secret,
      ...(joins ? ['--join', joins] : []),
    ]);
  const b = begin('b', '');
  const meeting = await b.peerAddress();
  const a = begin('a', meeting);
  await hasSaid(a, /reason="waits for c"/);
  expect([await healthOf(a), await healthOf(b)]).toEqual([503, 503]);

  const twice = await runToExit(['serve', '--node-id', 'a', '--data-dir', join(root, 'a'), '--port', '0']);
  expect(twice.stderr).toMatch(/^dynaring: the data directory .* is in use by another process\n$/);
  expect(twice.status).toBe(1);
  cpSync(join(root, 'a', 'dynaring-peer.json'), join(root, 'copy', 'dynaring-peer.json'));
  const copy = await runToExit(['serve', '--node-id', 'a', '--data-dir', join(root, 'copy'), '--port', '0']);
  expect(copy.stderr).toMatch(/^dynaring: another process runs on a copy of the data directory .*\n$/);

  // Without the secret nobody gets as far as saying who it is.
  const stranger = beginPeer('front', ['--role', 'front', '--join', meeting]);
  await hasSaid(stranger, /nobody was met/);
  expect((await stranger.stop('SIGTERM')).stdout).toBe('');

  const c = begin('c', meeting);
  await createTableInTime(await c.client(), TABLE);
  await Promise.all([a.ready(), b.ready()]);
  expect([await healthOf(a), await healthOf(b), await healthOf(c)]).toEqual([200, 200, 200]);
  await (await a.client()).send(new PutItemCommand({ TableName: TABLE, Item: { id: { S: 'kept' } } }));

  await c.stop('SIGTERM');
  rmSync(join(root, 'c'), { recursive: true });
  const renewed = begin('c', meeting);
  const get = new GetItemCommand({ TableName: TABLE, Key: { id: { S: 'kept' } }, ConsistentRead: true });
  expect((await (await renewed.client()).send(get)).Item).toEqual({ id: { S: 'kept' } });
  expect(renewed.stderr()).toMatch(/disk of this node is empty.*admin replace c/);
  expect(renewed.stdout()).toContain('c, an empty disk of cluster');
});

test('two clusters refuse each other, and go on', async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['x']);
  await initPeers(root, ['y']);
  const x = beginPeer('x', ['--data-dir', join(root, 'x')]);
  await x.ready();
  const y = beginPeer('y', ['--data-dir', join(root, 'y')]);
  await y.ready();
  await y.stop('SIGTERM');
  const again = beginPeer('y', ['--data-dir', join(root, 'y'), '--join', await x.peerAddress()]);
  await again.ready();
  await hasSaid(again, /code=other-cluster|y is of cluster/);
  await createTableInTime(await again.client(), TABLE);
  await createTableInTime(await x.client(), TABLE);
});

test.each([
  [['--peer-listen', '0.0.0.0:0'], /^dynaring: --peer-listen 0\.0\.0\.0:0 lets other hosts in: peers need .*\n$/],
  [['--cluster-secret-file', '/does/not/exist'], /^dynaring: --cluster-secret-file .* cannot be read: ENOENT\n$/],
  [
    ['--peer-listen', '203.0.113.1:8100', '--cluster-secret-file', 'SECRET'],
    /^dynaring: --peer-listen 203\.0\.113\.1:8100 is no address of this machine\n$/,
  ],
])('a process with %j says in one line why it does not start', async (args, line) => {
  const root = temporaryDirectory();
  const secret = join(root, 'secret');
  writeFileSync(secret, 'a secret of more than sixteen bytes');
  const given = args.map((each) => (each === 'SECRET' ? secret : each));
  const exit = await runToExit(['serve', '--node-id', 'a', '--data-dir', join(root, 'd'), '--port', '0', ...given]);
  expect(exit.stderr.replace(/^\d{4}-.*\n/gm, '')).toMatch(line);
  expect(exit.status).toBe(1);
});
