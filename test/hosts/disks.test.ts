import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { foundCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectHistoryOfRest, expectOneHistory, Load } from './load.ts';

const MIB = 1024 * 1024;
/** LMDB reads the first two pages once. */
const METAS_BYTES = 2 * 4_096;
const DAMAGED = /^dynaring: the disk of c in .* is damaged \(.*\): .* dynaring admin replace c$/m;

const fileOf = ({ dataDir }: HostNode) => join(dataDir, 'node', 'data.mdb');

/** Writes from an offset on, over what is there. */
function overwrite(path: string, from: number): void {
  const file = openSync(path, 'r+');
  const bytes = Buffer.alloc(statSync(path).size - from, 'garbage');
  writeSync(file, bytes, 0, bytes.length, from);
  closeSync(file);
}

const WOUNDS: Readonly<Record<string, (path: string) => void>> = {
  'overwritten from its beginning': (path) => overwrite(path, 0),
  'overwritten behind its head': (path) => overwrite(path, METAS_BYTES),
  'cut in half': (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  emptied: (path) => truncateSync(path, 0),
};

test('a node whose store is damaged while it is down does not start, and says what to do; put back, it does', async () => {
  const cluster = await foundCluster(['a', 'b', 'c']);
  await createTables(cluster.clients[0]!);
  const load = new Load(cluster.clients);
  await load.goOn();
  const c = cluster.nodes[2]!;
  await c.process.stop('SIGKILL');
  const newest = readFileSync(fileOf(c));
  for (const [name, wound] of Object.entries(WOUNDS)) {
    wound(fileOf(c));
    c.begin();
    const { status, stderr } = await c.process.exited;
    expect({ name, status, stderr }).toEqual({ name, status: 1, stderr: expect.stringMatching(DAMAGED) });
    writeFileSync(fileOf(c), newest);
  }
  await load.goOn();
  await c.restart();
  await load.goOn();
  await expectOneHistory(cluster, load);
});

test.each(['overwritten behind its head', 'cut in half', 'emptied'])(
  'a node whose store is %s while it runs harms nobody: one history, and it does not start again',
  async (name) => {
    const cluster = await foundCluster(['a', 'b', 'c']);
    await createTables(cluster.clients[0]!);
    const load = new Load(cluster.clients);
    await load.goOn();
    const c = cluster.nodes[2]!;
    WOUNDS[name]!(fileOf(c));
    await load.goOn();
    await load.goOn();
    // Some wounds are noticed only when what is wounded is read.
    await c.process.stop('SIGKILL');
    c.begin();
    const { status, stderr } = await c.process.exited;
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(DAMAGED) });
    await expectHistoryOfRest(cluster.clients.slice(0, 2), load);
  },
);

/** A disk of so many bytes; undefined where mounting is not allowed. */
function mountDisk(bytes: number): string | undefined {
  const path = temporaryDirectory();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
  if (status !== 0) return undefined;
  onTestFinished(() => {
    spawnSync('umount', ['--lazy', path]);
  });
  return path;
}

test('a node whose disk is full goes on as far as it can, and as before once there is room: one history', async (context) => {
  const disk = mountDisk(96 * MIB);
  if (disk === undefined) return context.skip('a file system cannot be mounted here: that takes root');
  const cluster = await foundCluster(['a', 'b', 'c'], { directories: { c: join(disk, 'c') } });
  await createTables(cluster.clients[0]!);
  const load = new Load(cluster.clients);
  await load.goOn();
  const ballast = join(disk, 'ballast');
  expect(spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096']).stderr.toString()).toContain('No space left');
  const c = cluster.nodes[2]!;
  await expect.poll(() => c.process.stderr()).toContain('the disk is full: writes fail, reads go on');
  await load.goOn();
  rmSync(ballast);
  await expect.poll(() => c.process.stderr()).toContain('the disk takes writes again');
  await load.goOn();
  await expectOneHistory(cluster, load);
});
