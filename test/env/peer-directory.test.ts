import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataDirectory } from '../../src/env/data-directory.ts';
import { initPeerDirectory, openPeerDirectory } from '../../src/env/peer-directory.ts';
import { temporaryDirectory } from '../parts/directory.ts';

const RIGHT = { founders: ['a', 'b'], partitions: 8, replication: 2 };
const SHAPE = { partitions: 8, replication: 2, nodes: 2 };
const CLUSTER = {
  clusterId: '6f3b8a52-8f6e-4f5f-8d38-0b8f8d9d4a11',
  partitions: 8,
  replication: 2,
  layout: 1,
  members: [
    { name: 'a', diskId: 7 },
    { name: 'b', diskId: 8 },
  ],
};

test('a directory keeps what a disk is, and counts its starts', async () => {
  const path = temporaryDirectory();
  await initPeerDirectory(path, 'a', RIGHT);
  const first = await openPeerDirectory(path, 'a');
  expect(first.record).toMatchObject({ name: 'a', boot: 1, right: RIGHT, state: 'new' });
  first.save({ ...first.record, state: 'bound', cluster: CLUSTER });
  void first.writeNotes([{ some: 'other thing' }]);
  void first.writeNotes([{ some: 'thing' }]);
  await first.close();
  const second = await openPeerDirectory(path, 'a');
  expect(second.record).toEqual({ ...first.record, boot: 2 });
  expect(second.record.cluster).toEqual(CLUSTER);
  expect(second.readNotes()).toEqual([{ some: 'thing' }]);
  await second.close();
});

test('an empty directory becomes the empty disk of its node, which has no right to found', async () => {
  const directory = await openPeerDirectory(join(temporaryDirectory(), 'new'), 'c');
  expect(directory.record).toMatchObject({ name: 'c', boot: 1, state: 'new' });
  expect(directory.record.right).toBeUndefined();
  await directory.close();
});

test('init gives a right once: again the same is fine, anything else is refused', async () => {
  const path = temporaryDirectory();
  await initPeerDirectory(path, 'a', RIGHT);
  await initPeerDirectory(path, 'a', RIGHT);
  await expect(initPeerDirectory(path, 'a', { ...RIGHT, partitions: 16 })).rejects.toThrow('is that of node a already');
  await expect(openPeerDirectory(path, 'b')).rejects.toThrow('is that of node a, not of b');
});

test('a directory that a process has, or a copy of it, is refused', async () => {
  const path = temporaryDirectory();
  const directory = await openPeerDirectory(path, 'a');
  await expect(openPeerDirectory(path, 'a')).rejects.toThrow('is in use by another process');
  const copy = temporaryDirectory();
  cpSync(join(path, 'dynaring-peer.json'), join(copy, 'dynaring-peer.json'));
  await expect(openPeerDirectory(copy, 'a')).rejects.toThrow('another process runs on a copy');
  await directory.close();
});

test('the directory of a server with all nodes, and that of one node, are not taken for each other', async () => {
  const [one, all, other] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
  await initPeerDirectory(one, 'a', RIGHT);
  await expect(openDataDirectory(one, SHAPE)).rejects.toThrow('it is started with dynaring serve');
  writeFileSync(join(all, 'dynaring.json'), '{}');
  await expect(openPeerDirectory(all, 'a')).rejects.toThrow('is started with dynaring --data-dir, without serve');
  mkdirSync(join(other, 'photos'));
  await expect(openPeerDirectory(other, 'a')).rejects.toThrow('has photos, but no dynaring-peer.json');
});

test('a disk that has lost its store does not begin again as if nothing had happened', async () => {
  const path = temporaryDirectory();
  const directory = await openPeerDirectory(path, 'a');
  mkdirSync(directory.storePath);
  writeFileSync(join(directory.storePath, 'data.mdb'), '');
  directory.save({ ...directory.record, storeBoot: 1 });
  await directory.close();
  await (await openPeerDirectory(path, 'a')).close();
  rmSync(directory.storePath, { recursive: true });
  await expect(openPeerDirectory(path, 'a')).rejects.toThrow('has lost node');
});

test('a record with a changed digit, of another format or of nonsense is refused', async () => {
  const path = temporaryDirectory();
  await initPeerDirectory(path, 'a', RIGHT);
  const file = join(path, 'dynaring-peer.json');
  const text = readFileSync(file, 'utf8');
  for (const [changed, reason] of [
    [text.replace('"partitions":8', '"partitions":9'), 'is damaged'],
    [text.replace('"formatVersion":1', '"formatVersion":2'), 'of a newer version'],
    [text.slice(0, 40), 'is damaged'],
  ] as const) {
    writeFileSync(file, changed);
    await expect(openPeerDirectory(path, 'a')).rejects.toThrow(reason);
  }
  writeFileSync(file, text);
  await (await openPeerDirectory(path, 'a')).close();
});
