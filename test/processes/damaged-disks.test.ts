import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, runToExit, type Server, startServer } from './server-process.ts';

const TABLE = 'Versions';
const IDS = Array.from({ length: 60 }, (_, id) => String(id));

/** The files of a journal are looked for when they were last seen a tenth of a second ago. */
const NOTICED_MS = 200;
/** LMDB reads the first two pages once. */
const METAS_BYTES = 2 * 4_096;

let directory: string;
let args: string[];

const folder = (node: string) => join(directory, 'nodes', node);
const journalsOf = (node: string) => ['journal-0', 'journal-1'].map((name) => join(folder(node), name));

async function putAll(client: DynamoDBClient, version: string): Promise<void> {
  const put = (id: string) =>
    new PutItemCommand({ TableName: TABLE, Item: { id: { S: id }, version: { S: version } } });
  await Promise.all(IDS.map((id) => client.send(put(id))));
}

/** By strong reads. */
async function versions(server: Server): Promise<(string | undefined)[]> {
  const client = server.client();
  const get = (id: string) => new GetItemCommand({ TableName: TABLE, Key: { id: { S: id } }, ConsistentRead: true });
  const found = await Promise.all(IDS.map((id) => client.send(get(id))));
  return [...new Set(found.map(({ Item }) => Item?.version?.S))];
}

/** Entries of a log of JSON. */
function entries(stderr: string): Record<string, unknown>[] {
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const halve = (node: string) => {
  for (const path of journalsOf(node)) truncateSync(path, Math.floor(statSync(path).size / 2));
};
const remove = (node: string) => {
  for (const path of journalsOf(node)) rmSync(path);
};

beforeEach(async () => {
  directory = temporaryDirectory();
  args = ['--data-dir', directory, '--partitions', '16', '--log-format', 'json'];
});

describe('after kill -9 of a server that had acknowledged writes', () => {
  beforeEach(async () => {
    const server = await startServer(args);
    await createTable(server.client(), TABLE);
    await putAll(server.client(), 'old');
    await putAll(server.client(), 'new');
    await server.stop('SIGKILL');
  });

  // With the journals of two nodes gone in this way, 69 to 134 of 400 strong reads were old, and nothing was said.
  test.each([
    ['halved', halve],
    ['removed', remove],
  ])('two nodes whose journals were %s are not believed: the start names them and the remedy', async (_, damage) => {
    cpSync(join(directory, 'nodes'), join(directory, 'kept'), { recursive: true });
    damage('node-2');
    damage('node-3');
    for (let time = 0; time < 2; time++) {
      const { status, stderr } = await runToExit(args);
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /^dynaring: too few copies are left in \S+: data was lost by node-2 \(journal-0 .+\), node-3 \(journal-0 .+\); put it back, or make an empty file accept-loss in the folder of each to go on with what is left\n$/,
      );
    }
    rmSync(join(directory, 'nodes'), { recursive: true });
    renameSync(join(directory, 'kept'), join(directory, 'nodes'));
    expect(await versions(await startServer(args))).toEqual(['new']);
  });

  test('one such node has no vote until the others have brought it back', async () => {
    halve('node-2');
    const server = await startServer(args);
    expect(await versions(server)).toEqual(['new']);
    const movesLeft = async () => {
      const cluster = await fetch(`${server.endpoint}/_dynaring/cluster`);
      return ((await cluster.json()) as { movesLeft: number }).movesLeft;
    };
    await expect.poll(movesLeft, { timeout: 20_000 }).toBe(0);
    const { stderr } = await server.stop('SIGTERM');
    expect(entries(stderr)).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: 'a node has lost its disk, and begins on an empty one: the others bring it back',
        node: 'node-2',
        path: folder('node-2'),
        reason: expect.stringMatching(/^journal-0 .+/),
        setAside: `${folder('node-2')}.damaged`,
      }),
    );
    expect(existsSync(join(`${folder('node-2')}.damaged`, 'data.mdb'))).toBe(true);
    // It is whole again, and the others can do without the next one.
    remove('node-1');
    truncateSync(join(folder('node-1'), 'data.mdb'), 0);
    expect(await versions(await startServer(args))).toEqual(['new']);
  });

  test('what is left is taken where the owner says so, once', async () => {
    for (const node of ['node-1', 'node-2']) {
      halve(node);
      writeFileSync(join(folder(node), 'accept-loss'), '');
    }
    const server = await startServer(args);
    expect(['old', 'new']).toEqual(expect.arrayContaining(await versions(server)));
    const { stderr } = await server.stop('SIGTERM');
    const warnings = entries(stderr).filter(({ message }) => /may have lost writes/.test(String(message)));
    expect(warnings.map(({ node }) => node)).toEqual(['node-1', 'node-2']);
    expect(readdirSync(folder('node-1'))).not.toContain('accept-loss');
  });

  test('journals and disks that were exchanged are refused, and welcome when they are put back', async () => {
    const exchange = (one: string, other: string) => {
      renameSync(one, `${one}.moved`);
      renameSync(other, one);
      renameSync(`${one}.moved`, other);
    };
    const [first] = journalsOf('node-1');
    const [second] = journalsOf('node-2');
    exchange(first!, second!);
    const { status, stderr } = await runToExit(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^dynaring: cannot open the data in \S+node-1: journal-0 is the journal of node-2 of cluster \S+, not of node-1 of cluster \S+\n$/,
    );
    exchange(first!, second!);
    exchange(folder('node-1'), folder('node-2'));
    expect((await runToExit(args)).stderr).toMatch(/^dynaring: .* not of node-1 of cluster \S+\n$/);
    exchange(folder('node-1'), folder('node-2'));
    expect(await versions(await startServer(args))).toEqual(['new']);
  });
});

// LMDB maps the file: what is written over its pages is what a running server reads next.
test('a node whose pages are damaged while it runs loses its disk, and the ring goes on', async () => {
  const server = await startServer(args);
  await createTable(server.client(), TABLE);
  await putAll(server.client(), 'new');
  const path = join(folder('node-2'), 'data.mdb');
  // After a second what is written is in LMDB; until then it is in memory.
  const inLmdb = () => readFileSync(path, 'latin1').split('{"S":"new"}').length - 1;
  await vi.waitFor(() => expect(inLmdb()).toBeGreaterThanOrEqual(IDS.length), { timeout: 20_000, interval: 100 });
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(statSync(path).size - METAS_BYTES), 0, undefined, METAS_BYTES);
  closeSync(file);
  for (let time = 0; time < 3; time++) expect(await versions(server)).toEqual(['new']);
  await putAll(server.client(), 'newer');
  expect(await versions(server)).toEqual(['newer']);
  const { status, stderr } = await server.stop('SIGTERM');
  expect(status).toBe(0);
  expect(stderr).toMatch(
    new RegExp(`"a node has lost its disk, and begins on an empty one: .+"node":"node-2","path":"${folder('node-2')}"`),
  );
  expect(await versions(await startServer(args))).toEqual(['newer']);
});

test.each(['process', 'disk'])(
  'a data directory that is removed under a server takes no writes (%s)',
  async (durability) => {
    const server = await startServer([...args, '--durability', durability]);
    await createTable(server.client(), TABLE);
    await putAll(server.client(), 'old');
    rmSync(directory, { recursive: true });
    await sleep(NOTICED_MS);
    await expect(putAll(server.client(), 'new')).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } });
    expect(await versions(server)).toEqual(['old']);
    const { stderr } = await server.stop('SIGTERM');
    const refusals = entries(stderr).filter(({ level }) => level === 'error');
    expect(refusals[0]).toMatchObject({
      message: 'the disk refuses writes: they fail, reads go on',
      reason: expect.stringMatching(/\/node-\d\/journal-[01] was removed or replaced while it was in use$/),
    });
    expect(existsSync(directory)).toBe(false);
  },
);

test('a disk that is an old copy of itself is not believed', async () => {
  const first = await startServer(args);
  await createTable(first.client(), TABLE);
  await putAll(first.client(), 'old');
  await first.stop('SIGTERM');
  const copyOf = (node: string) => join(directory, `copy of ${node}`);
  for (const node of ['node-1', 'node-2']) cpSync(folder(node), copyOf(node), { recursive: true });
  const second = await startServer(args);
  await putAll(second.client(), 'new');
  await second.stop('SIGTERM');

  const current = join(directory, 'current');
  renameSync(folder('node-1'), current);
  renameSync(copyOf('node-1'), folder('node-1'));
  rmSync(folder('node-2'), { recursive: true });
  renameSync(copyOf('node-2'), folder('node-2'));
  const old = 'is an old copy of itself: it was last used with start 1 of 2';
  expect((await runToExit(args)).stderr).toContain(
    `data was lost by node-1 (${old}), node-2 (${old}); put it back, or make`,
  );
  rmSync(folder('node-1'), { recursive: true });
  renameSync(current, folder('node-1'));
  const third = await startServer(args);
  expect(await versions(third)).toEqual(['new']);
  const { stderr } = await third.stop('SIGTERM');
  expect(entries(stderr)).toContainEqual(expect.objectContaining({ level: 'error', node: 'node-2', reason: old }));
});

test('a second server does not end the first, even if the lock of the directory was deleted', async () => {
  const server = await startServer(args);
  await createTable(server.client(), TABLE);
  await putAll(server.client(), 'old');
  const locks = readdirSync(directory).filter((name) => name.startsWith('lock-'));
  expect(locks).toHaveLength(1);
  for (const name of locks) rmSync(join(directory, name));
  expect(await runToExit(args)).toMatchObject({
    status: 1,
    stderr: `dynaring: the data directory ${directory} is in use by another process\n`,
  });
  await putAll(server.client(), 'new');
  expect(await versions(server)).toEqual(['new']);
});

test('a data directory without nodes is refused in one line', async () => {
  await (await startServer(args)).stop('SIGTERM');
  rmSync(join(directory, 'nodes'), { recursive: true });
  const lost = ['node-1', 'node-2', 'node-3'].map((node) => `${node} (is missing or empty)`).join(', ');
  expect(await runToExit(args)).toMatchObject({
    status: 1,
    stderr: `dynaring: too few copies are left in ${directory}: data was lost by ${lost}; put it back or begin a new data directory\n`,
  });
});
