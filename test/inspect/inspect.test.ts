import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteItemCommand, DeleteTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import type { Inspection } from '../../src/inspect/inspect.ts';
import { runInspect } from '../../src/inspect/inspect-command.ts';
import type { NodeSummary } from '../../src/inspect/node-summary.ts';
import { createTable, keysOf } from '../parts/tables.ts';

const KEY = '{"id":{"S":"a"}}';
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dynaring-test-inspect-'));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function startServer(dataDir: string) {
  const db = await startDynaring({ dataDir });
  const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  let isRunning = true;
  const stop = async () => {
    if (!isRunning) return;
    isRunning = false;
    client.destroy();
    await db.stop();
  };
  undo.push(stop);
  return { db, client, stop };
}

async function createMusic(client: DynamoDBClient): Promise<void> {
  await createTable(client, 'Music', keysOf('id'));
}

const put = (client: DynamoDBClient, id: string, v: string) =>
  client.send(new PutItemCommand({ TableName: 'Music', Item: { id: { S: id }, v: { S: v } } }));

async function run(...argv: string[]) {
  let text = '';
  let errors = '';
  const status = await runInspect(argv, {
    print: (more) => {
      text += more;
    },
    printError: (line) => {
      errors += `${line}\n`;
    },
  });
  return { status, text, errors };
}

async function inspected(...argv: string[]): Promise<Inspection> {
  const { status, text, errors } = await run(...argv, '--json');
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return JSON.parse(text) as Inspection;
}

/** What was committed is on disk some 50 ms after it was acknowledged; until then the accepted record is. */
const onDisk = <T>(check: () => Promise<T>) => vi.waitFor(check, { timeout: 5_000, interval: 50 });

const damageOf = (db: Dynaring) => db.ring.describe().nodes.map(({ status }) => status!.damage);

describe('a directory in use', () => {
  test('shows disks, votes, tables and records, and the server does not notice', async () => {
    const directory = makeDirectory();
    const { db, client } = await startServer(directory);
    await createMusic(client);
    for (let i = 0; i < 20; i++) await put(client, `k${i}`, 'x');
    await client.send(new DeleteItemCommand({ TableName: 'Music', Key: { id: { S: 'k3' } } }));
    const disks = db.ring.describe().nodes.map(({ status }) => status!.diskId);

    const found = await onDisk(async () => {
      const seen = await inspected(directory);
      for (const node of seen.nodes) expect(node).toMatchObject({ accepted: 0 });
      return seen;
    });
    expect(found).toMatchObject({ formatVersion: 4, isInUse: true, tables: [{ namespace: '', name: 'Music' }] });
    expect(found.nodes.map(({ node }) => node)).toEqual(['node-1', 'node-2', 'node-3']);
    for (const [i, node] of (found.nodes as NodeSummary[]).entries()) {
      expect(node).toMatchObject({ diskId: disks[i], boots: 1, accepted: 0, hints: {}, damagedKeys: 0 });
      expect(node.votes).toHaveLength(64);
      const music = node.tables.find(({ storageId }) => storageId === found.tables[0]!.storageId);
      expect(music).toMatchObject({ items: 19, tombstones: 1, damaged: 0 });
    }
    await put(client, 'later', 'x');
    expect(db.ring.describe().nodes.map(({ status }) => status!.diskId)).toEqual(disks);
    for (const damage of damageOf(db)) expect(Object.values(damage).every((count) => count === 0)).toBe(true);
  });

  test('names the entries of an index by it', async () => {
    const directory = makeDirectory();
    const { client } = await startServer(directory);
    const GlobalSecondaryIndexes = [
      { IndexName: 'by-v', KeySchema: keysOf('v').KeySchema, Projection: { ProjectionType: 'ALL' as const } },
    ];
    const { AttributeDefinitions } = keysOf('id', 'v');
    const { KeySchema } = keysOf('id');
    await createTable(client, 'Music', { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes });
    for (const id of ['a', 'b', 'c']) await put(client, id, 'x');
    await onDisk(async () => {
      const { tables, nodes } = await inspected(directory);
      expect(tables).toMatchObject([{ name: 'Music' }, { name: 'Music', index: 'by-v' }]);
      for (const node of nodes as NodeSummary[]) {
        const entries = node.tables.find(({ storageId }) => storageId === tables[1]!.storageId);
        expect(entries).toMatchObject({ items: 3, damaged: 0 });
      }
      const { text } = await run(directory);
      expect(text).toContain('table     Music, index by-v: 3 items');
      expect(text).not.toContain('deleted table');
    });
  });

  test('names the log of a stream by it, also when its table is gone', async () => {
    const directory = makeDirectory();
    const { client } = await startServer(directory);
    const StreamSpecification = { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } as const;
    const { TableDescription } = await createTable(client, 'Music', { ...keysOf('id'), StreamSpecification });
    await put(client, 'a', 'x');
    const stream = TableDescription!.LatestStreamLabel!;
    await onDisk(async () => expect((await run(directory)).text).toContain(`Music, stream ${stream}: 1 items`));
    await client.send(new DeleteTableCommand({ TableName: 'Music' }));
    await onDisk(async () => {
      expect((await inspected(directory)).tables).toMatchObject([{ name: 'Music', stream }]);
      expect((await run(directory)).text).toContain(`Music, stream ${stream}: 2 items`);
    });
  });

  test('is read while it is written to, again and again', async () => {
    const directory = makeDirectory();
    const { db, client } = await startServer(directory);
    await createMusic(client);
    let isOver = false;
    let written = 0;
    const writing = (async () => {
      while (!isOver) await put(client, `k${written++}`, 'x'.repeat(2_000));
    })();
    const counts: number[] = [];
    for (let i = 0; i < 8; i++) {
      const { nodes, tables } = await inspected(directory, '--node', 'node-2');
      const music = (nodes[0] as NodeSummary).tables.find(({ storageId }) => storageId === tables[0]!.storageId);
      counts.push(music?.items ?? 0);
    }
    isOver = true;
    await writing;
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBeGreaterThan(counts[0]!);
    expect(db.ring.describe().nodes.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  });

  test('shows the versions of an item, and a hint for a node that is down', async () => {
    const directory = makeDirectory();
    const { db, client } = await startServer(directory);
    await createMusic(client);
    await put(client, 'a', 'old');
    const { preferenceList } = await db.locate('Music', { id: { S: 'a' } });
    const last = preferenceList.at(-1)!;
    await db.ring.stop(last);
    await put(client, 'a', 'new');

    const expected = (node: string) => ({ id: { S: 'a' }, v: { S: node === last ? 'old' : 'new' } });
    const item = await onDisk(async () => {
      const { item: seen } = await inspected(directory, '--table', 'Music', '--key', KEY);
      for (const { node, committed } of seen!.copies) expect(committed).toMatchObject({ item: expected(node) });
      // A coordinator keeps it once it no longer expects the node to answer.
      expect(seen!.copies.flatMap((copy) => copy.hints)).toHaveLength(1);
      return seen;
    });
    expect(item).toMatchObject({ epoch: 0, members: preferenceList });
    const texts = item!.copies.map(({ node, committed }) => [node, (committed as { item: unknown }).item]);
    expect(texts).toEqual(['node-1', 'node-2', 'node-3'].map((node) => [node, expected(node)]));
    const hints = item!.copies.flatMap((copy) => copy.hints);
    expect(hints).toMatchObject([{ home: last, version: { kind: 'item', item: expected('another') } }]);
    const { text } = await run(directory, '--table', 'Music', '--key', KEY, '--node', last);
    expect(text).toMatch(
      /committed \S+Z by node-\d, boot 1, strict, lineage of \d.*: \{"id":\{"S":"a"\},"v":\{"S":"old"\}\}/,
    );
  });
});

describe('a directory that nobody has', () => {
  test('is not changed', async () => {
    const directory = makeDirectory();
    const { client, stop } = await startServer(directory);
    await createMusic(client);
    await put(client, 'a', 'x');
    await stop();
    const before = fingerprint(directory);
    const { isInUse, nodes } = await inspected(directory);
    expect(isInUse).toBe(false);
    expect((nodes[0] as NodeSummary).journal.pendingRows).toBe(0);
    await run(directory, '--table', 'Music', '--key', KEY);
    expect(fingerprint(directory)).toEqual(before);
  });

  test('shows what is damaged', async () => {
    const directory = makeDirectory();
    const { client, stop } = await startServer(directory);
    await createMusic(client);
    await put(client, 'a', 'here-it-is');
    await stop();
    const file = join(directory, 'nodes/node-1/data.mdb');
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf('here-it-is'); at >= 0; at = bytes.indexOf('here-it-is', at + 1)) bytes[at]! ^= 1;
    writeFileSync(file, bytes);
    writeFileSync(join(directory, 'nodes/node-2/data.mdb'), 'no database');

    const { nodes } = await inspected(directory);
    expect((nodes[0] as NodeSummary).tables).toEqual(
      expect.arrayContaining([expect.objectContaining({ items: 0, damaged: 1 })]),
    );
    expect(nodes[1]).toMatchObject({ node: 'node-2', unreadable: expect.stringContaining('data.mdb is damaged') });
    const { item } = await inspected(directory, '--table', 'Music', '--key', KEY, '--node', 'node-1');
    expect(item!.copies[0]!.committed).toMatchObject({ kind: 'damaged' });
  });
});

describe('one line says what is wrong', () => {
  test.each([
    [[], 'inspect needs a data directory: dynaring inspect DIR'],
    [['/nowhere/at/all'], 'there is no data directory /nowhere/at/all'],
    [[tmpdir()], `${tmpdir()} is no data directory: it has no dynaring.json`],
    [['a', 'b'], 'inspect takes one data directory, and b is another argument'],
    [['a', '--tabel', 'x'], 'unknown option "--tabel"; did you mean --table?'],
    [['a', '--table', 'x'], '--table and --key belong together'],
  ])('%j', async (argv, message) => {
    expect(await run(...argv)).toEqual({ status: 1, text: '', errors: `dynaring: ${message}\n` });
  });

  test('of the table, the key and the node', async () => {
    const directory = makeDirectory();
    const { client, stop } = await startServer(directory);
    await createMusic(client);
    await stop();
    const errorOf = async (...argv: string[]) => (await run(directory, ...argv)).errors;
    expect(await errorOf('--table', 'Musik', '--key', KEY)).toContain('there is no table Musik: there are Music');
    expect(await errorOf('--table', 'Music', '--key', '{"id":{"N":"1"}}')).toContain('--key is no key of Music: ');
    expect(await errorOf('--table', 'Music', '--key', 'id=a')).toContain('--key must be JSON such as ');
    expect(await errorOf('--node', 'node-9')).toContain('there is no node-9 in');
    const file = join(directory, 'dynaring.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"formatVersion":4', '"formatVersion":2'));
    expect(await errorOf()).toContain('has format 2: start a server on it once, which rewrites it');
  });

  test('help', async () => {
    expect((await run('--help')).text).toMatch(/^Usage: dynaring inspect DIR/);
  });
});

/** Every file with what is in it and when it was changed. */
function fingerprint(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map(
      (path) => `${path} ${statSync(path).mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`,
    );
}
