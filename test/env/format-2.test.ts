import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { type Database, open } from 'lmdb';
import { beforeEach, describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/env/data-directory.ts';
import { migrateFromFormat2 } from '../../src/env/format-2.ts';
import { LATIN1_KEYS } from '../../src/env/lmdb-environment.ts';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { DAMAGED, STORE_NAMES, type StoreName } from '../../src/env/store.ts';
import { StoreDamagedError } from '../../src/env/store-damage.ts';
import { startDynaring } from '../../src/index.ts';
import { storedDirectory } from '../parts/stored-directory.ts';
import { flipBits } from '../rotten-disk.ts';

/*
 * A directory as the code of 2026-11-29 left it (commit 8122898, format 2): three nodes, four partitions, one table of 44
 * items; of the last writes before the kill only the journals know.
 */
const FORMAT_2 = 'format-2.json.gz';
const EXPECTED = { partitions: 4, replication: 3, nodes: 3 };
const NODE_IDS = ['node-1', 'node-2', 'node-3'] as const;

let path: string;

beforeEach(() => {
  path = storedDirectory(FORMAT_2);
});

const nodePath = (node: string) => join(path, 'nodes', node);
const formatVersion = () => JSON.parse(readFileSync(join(path, 'dynaring.json'), 'utf8')).formatVersion as number;

async function migrate(): Promise<void> {
  await (await openDataDirectory(path, EXPECTED)).close();
}

/** Starts the ring as it is, and looks whether every node answers for every partition in the end. */
async function expectThreeMembers(): Promise<void> {
  const db = await startDynaring({ dataDir: path, partitions: 4, logLevel: 'silent' });
  try {
    await db.ring.settled();
    expect(db.ring.describe().nodes.map(({ status }) => status?.partitions.length)).toEqual([4, 4, 4]);
  } finally {
    await db.stop();
  }
}

/** All that a node has, and how many values of it are damaged. */
async function contentsOf(node: string): Promise<{ readonly rows: Record<string, string>; readonly damaged: number }> {
  const store = new LmdbStore(nodePath(node), { durability: 'process' });
  const rows: Record<string, string> = {};
  let damaged = 0;
  for (const name of STORE_NAMES) {
    for (const { key, value } of store.range(name, { from: '\0', to: '\xff\xff', limit: 10_000 })) {
      if (value === DAMAGED) damaged++;
      rows[`${name} ${key}`] = Buffer.from(value).toString('latin1');
    }
  }
  await store.close();
  return { rows, damaged };
}

/** The texts of the items that a node has committed. */
async function textsOf(node: string): Promise<string[]> {
  const { rows } = await contentsOf(node);
  const texts = Object.entries(rows).flatMap(([row, value]) => {
    const text = /"text":\{"S":"([^"]*)"/.exec(value)?.[1];
    return row.startsWith('items ') && text !== undefined ? [text] : [];
  });
  return texts.sort();
}

/** Works on the environment of a node as the code of that time would find it. */
async function inside<T>(node: string, work: (table: (name: string) => Database<Buffer, string>) => T): Promise<T> {
  const root = open<Buffer, string>({
    path: nodePath(node),
    noSubdir: false,
    maxDbs: 9,
    encoding: 'binary',
    keyEncoder: LATIN1_KEYS,
  });
  const table = (name: string) =>
    root.openDB<Buffer, string>({ name, encoding: 'binary', ...{ keyEncoder: LATIN1_KEYS } });
  const result = root.transactionSync(() => work(table));
  await root.close();
  return result;
}

describe('a data directory of format 2', () => {
  test('is rewritten at its opening, with what only its journals had', async () => {
    await migrate();
    expect(formatVersion()).toBe(4);
    const texts = [
      ...Array.from({ length: 29 }, (_, i) => `settled of ${i + 11}`),
      ...[5, 6, 7, 8, 9, 40, 41, 42, 43, 44].map((i) => `journalled of ${i}`),
    ].sort();
    for (const node of NODE_IDS) {
      // Two of three answered each write: a node may lack what was on its way to it.
      const { damaged, rows } = await contentsOf(node);
      expect(damaged).toBe(0);
      expect(Object.keys(rows)).toEqual(expect.arrayContaining(['meta identity', 'meta boot', 'meta ceiling']));
      for (const text of await textsOf(node)) if (!text.startsWith('settled')) expect(texts).toContain(text);
    }
    expect([...new Set((await Promise.all(NODE_IDS.map(textsOf))).flat())]).toEqual(expect.arrayContaining(texts));
  });

  test('has nothing of the old form left, and is not rewritten twice', async () => {
    await migrate();
    for (const node of NODE_IDS) {
      expect(readdirSync(nodePath(node)).filter((name) => name.startsWith('journal'))).toEqual([]);
      const old = await inside(node, (table) =>
        STORE_NAMES.map((name) => [...table(name).getKeys({ start: '\0' })].length),
      );
      expect(old).toEqual(STORE_NAMES.map(() => 0));
    }
    const before = await contentsOf('node-1');
    await migrate();
    expect(await contentsOf('node-1')).toEqual(before);
  });

  describe('is rewritten to the end when that was broken off', () => {
    const moveRows = async (node: string, names: readonly StoreName[], share: number) => {
      // As the code does it: into the new database and out of the old one in one transaction.
      await inside(node, (table) => {
        for (const name of names) {
          const rows = [...table(name).getRange({ start: '\0' })];
          for (const { key, value } of rows.slice(0, rows.length * share)) {
            table(`sealed-${name}`).put(key, sealedRows.get(`${node} ${name} ${key}`) ?? value);
            table(name).remove(key);
          }
        }
      });
    };
    const sealedRows = new Map<string, Buffer>();

    test.each([
      ['in the middle of a store', 0.5],
      ['with all rows moved and the journal still there', 1],
    ])('%s', async (_, share) => {
      const files = new Map(
        NODE_IDS.flatMap((node) =>
          readdirSync(nodePath(node)).map((name) => [
            join(nodePath(node), name),
            readFileSync(join(nodePath(node), name)),
          ]),
        ),
      );
      await migrate();
      const whole = await Promise.all(NODE_IDS.map(contentsOf));
      for (const node of NODE_IDS) {
        await inside(node, (table) => {
          for (const name of STORE_NAMES)
            for (const { key, value } of table(`sealed-${name}`).getRange({ start: '\0' }))
              sealedRows.set(`${node} ${name} ${key}`, Buffer.from(value));
        });
      }
      // Back to the beginning, and as far as it had come.
      for (const node of NODE_IDS) rmSync(nodePath(node), { recursive: true });
      for (const [file, content] of files) {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content);
      }
      writeFileSync(
        join(path, 'dynaring.json'),
        readFileSync(join(path, 'dynaring.json'), 'utf8').replace(/:4,/, ':2,'),
      );
      for (const node of NODE_IDS) await moveRows(node, STORE_NAMES, share);
      expect(formatVersion()).toBe(2);
      await migrate();
      expect(formatVersion()).toBe(4);
      expect(await Promise.all(NODE_IDS.map(contentsOf))).toEqual(whole);
    });
  });

  test('is read as damaged where it cannot be what was written', async () => {
    // The brace behind the text of an item: what is left is no JSON.
    expect(flipBits(join(nodePath('node-2'), 'data.mdb'), ['settled of 20"}'])).toBeGreaterThan(0);
    await migrate();
    expect((await contentsOf('node-2')).damaged).toBe(1);
    expect((await contentsOf('node-1')).damaged).toBe(0);
  });

  test('of another shape is refused before anything is rewritten', async () => {
    await expect(openDataDirectory(path, { ...EXPECTED, partitions: 8 })).rejects.toThrow(/made with --partitions 4/);
    expect(formatVersion()).toBe(2);
    expect(existsSync(join(nodePath('node-1'), 'journal-0'))).toBe(true);
  });
});

describe('a store that does not say what its journal holds', () => {
  test('because its folder is of format 2 and was put back by hand is damaged, and filled again', async () => {
    const old = join(path, 'old');
    cpSync(nodePath('node-2'), old, { recursive: true });
    await migrate();
    rmSync(nodePath('node-2'), { recursive: true });
    cpSync(old, nodePath('node-2'), { recursive: true });
    await expectThreeMembers();
  });

  test.each(['', 'x', 'null', '7', '{"generation":1,"link":2,"sequence":3}', '{"generation":1,"link":2,"run":null}'])(
    'is damaged, with a reason: %j',
    async (settled) => {
      await migrate();
      await inside('node-1', (table) => {
        table('journal').putSync('settled', Buffer.from(settled));
      });
      expect(() => new LmdbStore(nodePath('node-1'), { durability: 'process' })).toThrow(
        new StoreDamagedError('data.mdb does not say what its journal holds: it is damaged, or of an older directory'),
      );
    },
  );
});

describe('the journals of a store of format 2 that was killed', () => {
  const GENERATION_AT = 8;
  const HEADER_BYTES = 14;
  const META = 2;

  function frame(generation: number, link: number, key: string, value: string): Buffer {
    const entry = Buffer.alloc(8);
    entry[0] = META;
    entry.writeUInt16BE(key.length, 2);
    entry.writeUInt32BE(value.length, 4);
    const content = Buffer.concat([entry, Buffer.from(key + value)]);
    const bytes = Buffer.concat([Buffer.alloc(HEADER_BYTES), content]);
    bytes.writeUInt32BE(content.length, 0);
    bytes.writeUIntBE(generation, GENERATION_AT, 6);
    bytes.writeUInt32BE(crc32(bytes.subarray(GENERATION_AT), link), 4);
    return bytes;
  }

  const textOf = (store: LmdbStore, key: string) => Buffer.from(store.get('meta', key) ?? '').toString();

  test.each(['memory', 'process', 'disk'] as const)(
    'are read once, in the order of generations (%s)',
    async (durability) => {
      const folder = nodePath('node-9');
      mkdirSync(folder);
      // LMDB has generation 4, and the journal the next two.
      const settled = { generation: 4, link: 77 };
      const root = open({ path: folder, noSubdir: false, encoding: 'binary', maxDbs: 5 });
      const rows = root.openDB<Buffer, Buffer>({ name: 'journal', encoding: 'binary', keyEncoding: 'binary' });
      await rows.put(Buffer.from('settled'), Buffer.from(JSON.stringify(settled)));
      await root.close();
      const first = frame(5, settled.link, 'a', '"first"');
      const second = frame(5, first.readUInt32BE(4), 'b', '"second"');
      const third = frame(6, second.readUInt32BE(4), 'a', '"third"');
      const left = frame(4, 1, 'old', '"of an earlier generation"');
      writeFileSync(join(folder, 'journal-1'), Buffer.concat([first, second]));
      writeFileSync(join(folder, 'journal-0'), Buffer.concat([third, left]));
      await migrateFromFormat2(folder);
      for (let time = 0; time < 2; time++) {
        const store = new LmdbStore(folder, { durability });
        expect([textOf(store, 'a'), textOf(store, 'b'), textOf(store, 'old')]).toEqual(['"third"', '"second"', '']);
        expect(store.loss).toBeUndefined();
        await store.close();
      }
    },
  );
});

test('pages that are damaged are refused before they are rewritten, and a node whose folder is removed is filled again', async () => {
  const file = join(nodePath('node-2'), 'data.mdb');
  truncateSync(file, 8_192);
  await expect(migrate()).rejects.toThrow(
    /^cannot rewrite the data in \S+node-2 in format 4: data\.mdb is damaged: .+; put it back, or remove that folder for/,
  );
  expect(formatVersion()).toBe(2);
  rmSync(nodePath('node-2'), { recursive: true });
  await expectThreeMembers();
});

test('is served as it was left, and what was rotten by then is restored from the others', async () => {
  // No JSON any more; and, in another item, another text: whose checksum will be right.
  expect(flipBits(join(nodePath('node-2'), 'data.mdb'), ['settled of 20"}', 'settled of 21'])).toBeGreaterThan(1);
  const db = await startDynaring({ dataDir: path, partitions: 4, antiEntropyIntervalMs: 0, logLevel: 'silent' });
  try {
    const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
    const textOf = async (i: number) => {
      const Key = { id: { S: `item-${i}` } };
      const { Item } = await client.send(new GetItemCommand({ TableName: 'kept', Key, ConsistentRead: true }));
      return Item?.text?.S;
    };
    expect((await db.ring.repair()).recordsRepaired).toBeGreaterThan(0);
    for (let i = 0; i <= 45; i++) {
      const isThere = i >= 5 && i !== 10 && i <= 44;
      const text = i < 10 || i >= 40 ? `journalled of ${i}` : `settled of ${i}`;
      expect(await textOf(i), `${i}`).toBe(isThere ? text : undefined);
    }
    const damage = db.ring.describe().nodes.map(({ status }) => status!.damage.left);
    expect(damage).toEqual([0, 0, 0]);
    client.destroy();
  } finally {
    await db.stop();
  }
});
