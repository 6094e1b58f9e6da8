import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Derivation } from '../../src/api/derivation.ts';
import { grouped, localSortKey } from '../../src/api/entry-place.ts';
import { fromImage, toImage } from '../../src/api/item.ts';
import type { ReadFrom, ScanStart } from '../../src/dynamo/client.ts';
import { startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { type InsideDynaring, insideOf } from '../parts/inside.ts';

/* Local indexes on stores of LMDB, over a restart, moves of partitions and a lost disk. */

const DERIVATION: Derivation = {
  table: 'a table.',
  version: 1,
  key: { partition: { name: 'p', type: 'S' }, sort: { name: 's', type: 'S' } },
  // The second index has each item, by its other key.
  indexes: ['x', 's'].map((name) => ({
    name,
    kind: 'local',
    key: { partition: [{ name: 'p', type: 'S' }], sort: [{ name, type: 'S' }] },
    projection: { ProjectionType: 'ALL' },
  })),
};
const OF_TABLE = { table: DERIVATION.table, consistency: 'strict', derivation: DERIVATION } as const;
const COLLECTIONS = Array.from({ length: 12 }, (_, i) => `p${i}`);
const SORT_KEYS = Array.from({ length: 15 }, (_, i) => `s${String(i).padStart(2, '0')}`);

interface Item {
  readonly p: string;
  readonly s: string;
  /** Its sort key in the index; undefined: it is not there. */
  readonly x: string | undefined;
}

const ITEMS: readonly Item[] = COLLECTIONS.flatMap((p, i) =>
  SORT_KEYS.map((s, j) => ({ p, s, x: (i + j) % 5 === 0 ? undefined : `x${(i * 7 + j * 11) % 9}` })),
);
const inOrder = (items: readonly Item[]) =>
  items.filter(({ x }) => x !== undefined).sort((a, b) => (`${a.x} ${a.s}` < `${b.x} ${b.s}` ? -1 : 1));

let dataDir: string;
let db: InsideDynaring;

beforeEach(async () => {
  dataDir = temporaryDirectory();
  await start();
});

afterEach(() => db.stop());

async function start(): Promise<void> {
  db = insideOf(await startDynaring({ partitions: 8, dataDir, port: 0 }));
}

async function write(items: readonly Item[]): Promise<void> {
  const put = async ({ p, s, x }: Item) => {
    const item = toImage({ p: { S: p }, s: { S: s }, ...(x !== undefined && { x: { S: x } }) });
    const key = { table: DERIVATION.table, partitionKey: p, sortKey: s };
    const options = { ...OF_TABLE, wantsOld: false };
    expect((await db.ring.client.write(key, { kind: 'put', item }, options)).kind).toBe('applied');
  };
  await Promise.all(items.map(put));
}

async function query(p: string, from: ReadFrom, low: string): Promise<readonly Item[]> {
  const lower = { sortKey: grouped(low), isInclusive: true };
  const request = { ...OF_TABLE, partitionKey: p, localIndex: 0, lower, order: 'forward', limit: 100, from } as const;
  const outcome = await db.ring.client.range(request);
  if (outcome.kind !== 'items') throw new Error(`the query ended as ${outcome.kind}`);
  return outcome.items.map((image) => itemOf(fromImage(image)));
}

/** A walk through the index, 7 items at a time. */
async function scan(): Promise<readonly Item[]> {
  const found: Item[] = [];
  for (let start: ScanStart | undefined = { kind: 'partition', partition: 0 }; start !== undefined; ) {
    const outcome = await db.ring.client.scan({ ...OF_TABLE, localIndex: 0, start, limit: 7, from: 'latest' });
    if (outcome.kind !== 'items') throw new Error(`the scan ended as ${outcome.kind}`);
    const items = outcome.items.map((image) => itemOf(fromImage(image)));
    found.push(...items);
    const last = items.at(-1);
    const next: number = outcome.partition + 1;
    if (outcome.more && last !== undefined) start = behind(last);
    else start = next < db.ring.client.partitions ? { kind: 'partition', partition: next } : undefined;
  }
  return found;
}

function behind({ p, s, x }: Item): ScanStart {
  const place = localSortKey(DERIVATION.indexes[0]!, { x: { S: x! } }, { partitionKey: p, sortKey: s });
  return { kind: 'after', partitionKey: p, sortKey: place };
}

function itemOf(attributes: ReturnType<typeof fromImage>): Item {
  const text = (name: string) => (attributes[name] as { S: string } | undefined)?.S;
  return { p: text('p')!, s: text('s')!, x: text('x') };
}

async function expectItems(items: readonly Item[]): Promise<void> {
  for (const p of COLLECTIONS) {
    const ofCollection = inOrder(items.filter((item) => item.p === p));
    const high = ofCollection.filter(({ x }) => x! >= 'x3');
    for (const from of ['latest', 'committed', 'laggard'] as const) {
      expect(await query(p, from, 'x3'), `${p}, ${from}`).toEqual(high);
    }
  }
  const scanned = await scan();
  const order = [...new Set(scanned.map(({ p }) => p))];
  expect(scanned).toEqual(order.flatMap((p) => inOrder(items.filter((item) => item.p === p))));
  expect(order.toSorted()).toEqual(COLLECTIONS.toSorted());
}

test('they are found after a restart, in another order after changes, and are as large as they are', async () => {
  await write(ITEMS);
  await expectItems(ITEMS);
  await db.stop();
  await start();
  await expectItems(ITEMS);
  const changed = ITEMS.map((item, i) => (i % 3 === 0 ? { ...item, x: `x${i % 8}` } : item));
  await write(changed);
  await expectItems(changed);
  const bytes = changed
    .filter(({ p }) => p === 'p0')
    .map(({ p, s, x }) => (x ? 3 : 2) * (2 + p.length + s.length + (x ? 1 + x.length : 0)));
  const sum = bytes.reduce((all, each) => all + each, 0);
  expect(await db.ring.client.collectionBytes({ table: DERIVATION.table, partitionKey: 'p0' })).toBe(sum);
});

test('they move with their partitions, and come back to a disk that was lost', async () => {
  await write(ITEMS);
  await db.ring.addNode();
  await db.ring.settled();
  await expectItems(ITEMS);
  await db.ring.wipe('node-1');
  await db.ring.settled();
  await db.ring.waitUntilConsistent();
  await expectItems(ITEMS);
  await db.ring.removeNode('node-2');
  await db.ring.settled();
  await expectItems(ITEMS);
});
