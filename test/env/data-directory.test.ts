import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DataDirectoryError } from '../../src/env/cluster-file.ts';
import { openDataDirectory } from '../../src/env/data-directory.ts';
import { isHeld, lockDirectory } from '../../src/env/directory-lock.ts';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { openTemporaryDirectory, removeLeftovers } from '../../src/env/temporary-directory.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { linesOf, startChild, whenGone } from './start-child.ts';

const EXPECTED = { partitions: 64, replication: 3, nodes: 3 };
const NODES = ['node-1', 'node-2', 'node-3'].map((node, i) => ({ node, diskId: i + 1 }));
const SHAPE = {
  clusterId: 'this-cluster',
  partitions: 64,
  replication: 3,
  firstNodes: 3,
  lastNode: 3,
  lastAttempt: 0,
  nodes: NODES,
  configs: Array.from({ length: 64 }, (_, partition) => ({ partition, epoch: 0, members: NODES, attempt: 0 })),
};

let parent: string;
let path: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  parent = temporaryDirectory();
  path = join(parent, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

async function start(command: string, at: string): Promise<{ child: ChildProcess; firstLine: string | undefined }> {
  const child = startChild(command, at);
  children.push(child);
  const { value } = await linesOf(child).next();
  return { child, firstLine: value };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await whenGone(child);
}

async function refusalOf(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => new Error('it was opened'),
    (error: unknown) => error as Error,
  );
  expect(error).toBeInstanceOf(DataDirectoryError);
  expect(error.message).not.toContain('\n');
  return error.message.replaceAll(parent, 'PARENT');
}

describe('a persistent directory', () => {
  test('is made with its parents, and knows its cluster at the next opening', async () => {
    const deep = join(path, 'a', 'b');
    const first = await openDataDirectory(deep, EXPECTED);
    expect(first.cluster).toBeUndefined();
    mkdirSync(first.nodePath('node-1'), { recursive: true });
    first.saveCluster(SHAPE);
    await first.close();
    const second = await openDataDirectory(deep, EXPECTED);
    expect(second.cluster).toEqual(SHAPE);
    expect(existsSync(second.nodePath('node-1'))).toBe(true);
    expect(JSON.parse(readFileSync(join(deep, 'dynaring.json'), 'utf8')).formatVersion).toBe(4);
    await second.close();
    expect(readdirSync(deep).sort()).toEqual(['dynaring.json', 'nodes']);
  });

  test('is for its owner alone, and one that is there stays as it is', async () => {
    const modeOf = (...parts: string[]) => (statSync(join(path, ...parts)).mode & 0o777).toString(8);
    const first = await openDataDirectory(path, EXPECTED);
    const store = new LmdbStore(first.nodePath('node-1'), { durability: 'process' });
    first.saveCluster(SHAPE);
    await store.close();
    await first.close();
    expect([modeOf(), modeOf('nodes'), modeOf('nodes', 'node-1')]).toEqual(['700', '700', '700']);
    const files = ['dynaring.json', ...readdirSync(first.nodePath('node-1')).map((name) => `nodes/node-1/${name}`)];
    expect(files.map((file) => `${file} ${modeOf(file)}`)).toEqual([
      'dynaring.json 600',
      'nodes/node-1/data.mdb 600',
      'nodes/node-1/journal-0 600',
      'nodes/node-1/journal-1 600',
      'nodes/node-1/lock.mdb 600',
    ]);
    chmodSync(path, 0o755);
    await (await openDataDirectory(path, EXPECTED)).close();
    expect(modeOf()).toBe('755');
  });

  test('without its nodes has none', async () => {
    const first = await openDataDirectory(path, EXPECTED);
    first.saveCluster(SHAPE);
    expect(first.nodeIds()).toEqual([]);
    await first.close();
  });

  test('may hold files of others', async () => {
    mkdirSync(join(path, 'lost+found'), { recursive: true });
    writeFileSync(join(path, 'notes.txt'), 'mine');
    const directory = await openDataDirectory(path, EXPECTED);
    directory.saveCluster(SHAPE);
    await directory.close();
    expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('whose bootstrap was cut off starts afresh', async () => {
    const first = await openDataDirectory(path, EXPECTED);
    mkdirSync(first.nodePath('node-1'), { recursive: true });
    await first.close();
    const second = await openDataDirectory(path, EXPECTED);
    expect(second.cluster).toBeUndefined();
    expect(existsSync(second.nodePath('node-1'))).toBe(false);
    await second.close();
  });

  test('that has lost its cluster file is refused, and its nodes are left alone', async () => {
    mkdirSync(join(path, 'nodes', 'node-1'), { recursive: true });
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toBe(
      'the data directory PARENT/data has nodes but no dynaring.json: it is incomplete',
    );
    expect(existsSync(join(path, 'nodes', 'node-1'))).toBe(true);
  });

  test('of another shape is refused, with what would fit', async () => {
    const first = await openDataDirectory(path, EXPECTED);
    first.saveCluster(SHAPE);
    await first.close();
    expect(await refusalOf(openDataDirectory(path, { partitions: 32, replication: 3, nodes: 5 }))).toBe(
      'the data directory PARENT/data was made with --partitions 64 --nodes 3: it cannot be opened with --partitions 32 --nodes 5',
    );
    expect(await refusalOf(openDataDirectory(path, { ...EXPECTED, replication: 1 }))).toBe(
      'the data directory PARENT/data was made with --replication 3: it cannot be opened with --replication 1',
    );
    // A refusal holds nothing.
    await (await openDataDirectory(path, EXPECTED)).close();
  });

  test('whose ring has grown opens with the nodes it was made with, and with those it has', async () => {
    const first = await openDataDirectory(path, EXPECTED);
    first.saveCluster({ ...SHAPE, lastNode: 4, nodes: [...NODES, { node: 'node-4', diskId: 4 }] });
    await first.close();
    await (await openDataDirectory(path, EXPECTED)).close();
    await (await openDataDirectory(path, { ...EXPECTED, nodes: 4 })).close();
    expect(await refusalOf(openDataDirectory(path, { ...EXPECTED, nodes: 5 }))).toMatch(/--nodes 3: .* --nodes 5$/);
  });

  test.each([
    ['{"formatVersion":5,"shards":7}', /has format 5, of a newer version; this version knows 4$/],
    ['{"formatVersion":1,"partitions":64}', /has format 1, of an earlier version; this version knows 4$/],
    ['{"formatVersion":2,"partit', /dynaring\.json is damaged/],
    ['null', /dynaring\.json is damaged/],
    [JSON.stringify({ formatVersion: 2, ...SHAPE, nodes: [{ node: 7 }] }), /dynaring\.json is damaged/],
    [JSON.stringify({ formatVersion: 2, ...SHAPE, configs: SHAPE.configs.slice(1) }), /dynaring\.json is damaged/],
  ])('whose cluster file says %s is refused', async (content, message) => {
    mkdirSync(path);
    writeFileSync(join(path, 'dynaring.json'), content);
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toMatch(message);
  });

  test('whose cluster file has another digit than was written is refused', async () => {
    const first = await openDataDirectory(path, EXPECTED);
    first.saveCluster(SHAPE);
    await first.close();
    const file = join(path, 'dynaring.json');
    const written = readFileSync(file, 'utf8');
    await (await openDataDirectory(path, EXPECTED)).close();
    // All that would be read as another record that makes sense.
    for (const [was, is] of [
      ['"epoch":0', '"epoch":1'],
      ['"diskId":3', '"diskId":7'],
      ['"checksum"', '"checksul"'],
      ['this-cluster', 'this-cluster2'],
    ] as const) {
      writeFileSync(file, written.replace(was, is));
      expect(await refusalOf(openDataDirectory(path, EXPECTED)), is).toMatch(/dynaring\.json is damaged/);
    }
    writeFileSync(file, written);
    await (await openDataDirectory(path, EXPECTED)).close();
  });

  test('that is a file, or below one, is refused', async () => {
    writeFileSync(path, '');
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toBe(
      'the data directory PARENT/data is not a directory',
    );
    expect(await refusalOf(openDataDirectory(join(path, 'below'), EXPECTED))).toBe(
      'the data directory PARENT/data/below is not a directory',
    );
  });

  // Nothing is forbidden to root.
  test.skipIf(process.getuid?.() === 0)('that may not be written is refused', async () => {
    mkdirSync(path);
    chmodSync(path, 0o500);
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toBe(
      'cannot write in the data directory PARENT/data: EACCES: permission denied',
    );
    expect(await refusalOf(openDataDirectory(join(path, 'below'), EXPECTED))).toBe(
      'cannot create the data directory PARENT/data/below: EACCES: permission denied',
    );
  });

  test('where nothing can be made is refused', async () => {
    expect(await refusalOf(openDataDirectory('/proc/dynaring', EXPECTED))).toMatch(
      /^cannot create the data directory \/proc\/dynaring: E/,
    );
  });
});

describe('the lock', () => {
  test('keeps a second process out, and lets go when the first is killed', async () => {
    const { child, firstLine } = await start('hold', path);
    expect(firstLine).toBe('held');
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toBe(
      'the data directory PARENT/data is in use by another process',
    );
    await kill(child);
    const directory = await openDataDirectory(path, EXPECTED);
    await directory.close();
    expect(readdirSync(path)).toEqual(['dynaring-bootstrap']);
  });

  test('keeps a second opening of the same process out, by any name of the directory', async () => {
    const directory = await openDataDirectory(path, EXPECTED);
    expect(await refusalOf(openDataDirectory(join(path, '..', 'data'), EXPECTED))).toMatch(
      /in use by another process$/,
    );
    await directory.close();
    await (await openDataDirectory(path, EXPECTED)).close();
  });

  test('works in a directory whose path is longer than a socket address', async () => {
    const long = join(parent, 'x'.repeat(100), 'y'.repeat(100));
    const { child, firstLine } = await start('hold', long);
    expect(firstLine).toBe('held');
    expect(await refusalOf(openDataDirectory(long, EXPECTED))).toMatch(/in use by another process$/);
    await kill(child);
    await (await openDataDirectory(long, EXPECTED)).close();
  });

  test('is held although its socket was removed, which is made again', async () => {
    const directory = await openDataDirectory(path, EXPECTED);
    directory.saveCluster(SHAPE);
    const sockets = () => readdirSync(path).filter((name) => name.endsWith('.sock'));
    for (const name of sockets()) rmSync(join(path, name));
    // Elsewhere than on Linux it is free until then.
    if (process.platform !== 'linux') await expect.poll(sockets, { timeout: 3_000 }).toHaveLength(1);
    expect(await refusalOf(openDataDirectory(path, EXPECTED))).toMatch(/in use by another process$/);
    await expect.poll(sockets, { timeout: 3_000 }).toHaveLength(1);
    expect(await isHeld(path)).toBe(true);
    await directory.close();
    expect(sockets()).toEqual([]);
    await (await openDataDirectory(path, EXPECTED)).close();
  });

  // Only root may give a file to somebody else.
  test.skipIf(process.getuid?.() !== 0)(
    'is not taken by somebody else’s socket in the temporary directory',
    async () => {
      mkdirSync(path, { mode: 0o700 });
      const { dev, ino } = statSync(path);
      const inode = createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 16);
      const socket = join(tmpdir(), `dynaring-lock-${inode}-0123456789abcdef.sock`);
      const stranger = createServer().listen(socket);
      await once(stranger, 'listening');
      try {
        expect(await isHeld(path)).toBe(true);
        chownSync(socket, 12_345, 12_345);
        expect(await isHeld(path)).toBe(false);
        await (await openDataDirectory(path, EXPECTED)).close();
        // Whoever may write in the directory may lock it.
        chmodSync(path, 0o777);
        expect(await isHeld(path)).toBe(true);
      } finally {
        stranger.close();
      }
    },
  );

  test('has at most one holder among many contenders', async () => {
    for (let round = 0; round < 4; round++) {
      const locks = await Promise.all(Array.from({ length: 6 }, () => lockDirectory(parent)));
      const held = locks.filter((lock) => lock !== undefined);
      expect(held.length).toBeLessThanOrEqual(1);
      expect(await isHeld(parent)).toBe(held.length === 1);
      for (const lock of held) await lock.release();
      expect(await isHeld(parent)).toBe(false);
    }
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('a temporary directory', () => {
  test('is fresh, and gone after it is closed', async () => {
    const directory = await openTemporaryDirectory([parent]);
    expect(directory.cluster).toBeUndefined();
    mkdirSync(directory.nodePath('node-1'), { recursive: true });
    writeFileSync(join(directory.nodePath('node-1'), 'data.mdb'), 'x');
    directory.saveCluster(SHAPE);
    await directory.close();
    expect(readdirSync(parent)).toEqual([]);
  });

  test('of a killed process is removed by the next one, those of the living are not', async () => {
    const killed = await start('hold-temporary', parent);
    const living = await start('hold-temporary', parent);
    const own = await openTemporaryDirectory([parent]);
    await kill(killed.child);
    expect(await removeLeftovers(own, Date.now())).toEqual([killed.firstLine]);
    expect(readdirSync(parent).sort()).toEqual(
      [own.path, living.firstLine!].map((each) => each.slice(parent.length + 1)).sort(),
    );
    await own.close();
  });

  test('that was left unfinished is removed when it is old', async () => {
    const own = await openTemporaryDirectory([parent]);
    const unfinished = join(parent, '.dynaring-data-abcdef');
    mkdirSync(unfinished);
    writeFileSync(join(unfinished, 'dynaring-temporary'), '');
    utimesSync(unfinished, 1_000, 1_000);
    expect(await removeLeftovers(own, 1_000_000 + 59_000)).toEqual([]);
    expect(await removeLeftovers(own, 1_000_000 + 61_000)).toEqual([unfinished]);
    await own.close();
  });

  test('is not taken for one by its name alone', async () => {
    const own = await openTemporaryDirectory([parent]);
    mkdirSync(join(parent, 'dynaring-data-of-mine'));
    writeFileSync(join(parent, 'dynaring-data-file'), 'mine');
    expect(await removeLeftovers(own, Date.now())).toEqual([]);
    await own.close();
    expect(readdirSync(parent).sort()).toEqual(['dynaring-data-file', 'dynaring-data-of-mine']);
  });

  test('cannot be made where there is no room for it', async () => {
    expect(await refusalOf(openTemporaryDirectory([join(parent, 'nowhere')]))).toMatch(
      /^cannot make a temporary data directory in PARENT\/nowhere: ENOENT/,
    );
  });
});
