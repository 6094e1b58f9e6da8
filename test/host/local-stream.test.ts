import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Derivation, DerivedStream } from '../../src/api/derivation.ts';
import { fromImage, type ItemImage, toImage } from '../../src/api/item.ts';
import type { Writer } from '../../src/dynamo/client.ts';
import type { LogEndsOutcome, LoggedChange, LogPosition } from '../../src/dynamo/stream-client.ts';
import { startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { type InsideDynaring, insideOf } from '../parts/inside.ts';

/* The logs of streams on a whole ring of this process, with stores of LMDB. */

const STREAM: DerivedStream = { storageId: 'a stream', view: 'NEW_AND_OLD_IMAGES', shards: 1 };
const derivation = (stream: Partial<DerivedStream> = {}): Derivation => ({
  table: 'a table.',
  version: 1,
  key: { partition: { name: 'p', type: 'S' }, sort: undefined },
  indexes: [],
  stream: { ...STREAM, ...stream },
});

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

interface Written {
  readonly p: string;
  /** Undefined: the item is deleted. */
  readonly n: number | undefined;
}

const imageOf = ({ p, n }: Written) => (n === undefined ? undefined : toImage({ p: { S: p }, n: { N: String(n) } }));
const numberOf = (image: ItemImage | undefined) =>
  image === undefined ? undefined : Number((fromImage(image).n as { N: string }).N);
const nameOf = (image: ItemImage) => (fromImage(image).p as { S: string }).S;

async function write(written: Written, of = derivation(), by?: Writer): Promise<void> {
  const item = imageOf(written);
  const key = { table: of.table, partitionKey: written.p, sortKey: '' };
  const options = { consistency: 'strict', wantsOld: false, derivation: of, by } as const;
  const mutation = item === undefined ? ({ kind: 'delete' } as const) : ({ kind: 'put', item } as const);
  const outcome = await db.ring.client.write(key, mutation, options);
  if (outcome.kind !== 'applied') throw new Error(`a write ended as ${outcome.kind}`);
}

async function endsOf(shard = 0, shards = 1): Promise<Extract<LogEndsOutcome, { kind: 'log-ends' }>> {
  const ends = await db.ring.client.logEnds({ stream: STREAM.storageId, shard, shards });
  if (ends.kind !== 'log-ends') throw new Error(`the ends are ${ends.kind}`);
  return ends;
}

/** Reads a log from a position to its end, a few changes at a time. */
async function readAll(from: LogPosition, { shard = 0, shards = 1, limit = 100 } = {}): Promise<LoggedChange[]> {
  const all: LoggedChange[] = [];
  for (let position = from; ; ) {
    const read = await db.ring.client.readLog({ stream: STREAM.storageId, shard, shards, from: position, limit });
    if (read.kind !== 'changes') throw new Error(`a read of the log ended as ${read.kind}`);
    if (read.changes.length === 0) return all;
    all.push(...read.changes);
    position = read.next;
  }
}

const BEGINNING: LogPosition = { cell: 0, offset: 0 };

/** What was written to one item, one after the other, as its stream should show it. */
function changesOf(values: readonly (number | undefined)[]) {
  let old: number | undefined;
  const changes: { readonly event: string; readonly old: number | undefined; readonly next: number | undefined }[] = [];
  for (const next of values) {
    if (next !== old) {
      changes.push({ event: old === undefined ? 'INSERT' : next === undefined ? 'REMOVE' : 'MODIFY', old, next });
    }
    old = next;
  }
  return changes;
}

/**
 * Writes to twelve items at the same time, to each one after the other.
 * @param isFaulty whether some writes may fail
 * @returns what was written to each
 */
async function writeAtRandom(
  count: number,
  of = derivation(),
  first = 0,
  isFaulty = false,
): Promise<Map<string, (number | undefined)[]>> {
  const written = new Map(Array.from({ length: 12 }, (_, i) => [`p${i}`, [] as (number | undefined)[]]));
  let left = count;
  const writeOne = async ([p, values]: [string, (number | undefined)[]]) => {
    while (left-- > 0) {
      const chance = Math.random();
      // Some delete, and some leave the item as it is.
      const n = chance < 0.15 ? undefined : chance < 0.3 ? values.at(-1) : first + values.length;
      values.push(n);
      const done = write({ p, n }, of);
      await (isFaulty ? done.catch(() => {}) : done);
    }
  };
  await Promise.all([...written].map(writeOne));
  return written;
}

function expectAll(log: readonly LoggedChange[], written: ReadonlyMap<string, readonly (number | undefined)[]>): void {
  for (const [p, values] of written) {
    const shown = log
      .filter(({ key }) => nameOf(key) === p)
      .map(({ event, old, next }) => ({ event, old: numberOf(old), next: numberOf(next) }));
    expect(shown).toEqual(changesOf(values));
  }
}

describe('the log of a stream', () => {
  test('has each of a thousand changes once, those of an item in order, with both images', async () => {
    const written = await writeAtRandom(1_000);
    const { next } = await endsOf();
    const log = await readAll(BEGINNING);
    expectAll(log, written);
    expect(next).toEqual({ cell: log.at(-1)!.position.cell + 1, offset: 0 });
    const places = log.map(({ position: { cell, offset } }) => cell * 2 ** 20 + offset);
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
    expect(log.every(({ atMs }) => Math.abs(atMs - Date.now()) < 60_000)).toBe(true);
    expect(log.every(({ key }) => Object.keys(fromImage(key)).join() === 'p')).toBe(true);
  }, 60_000);
});

describe('a stream', () => {
  test('goes on after a restart where it was', async () => {
    const first = await writeAtRandom(150);
    await db.stop();
    await start();
    const second = await writeAtRandom(150, derivation(), 1_000);
    await endsOf();
    const written = new Map([...first].map(([p, values]) => [p, [...values, ...second.get(p)!]]));
    expectAll(await readAll(BEGINNING), written);
  }, 60_000);

  test('has every change once although nodes stop, come, go and lose their disks while it is written', async () => {
    const moving = (async () => {
      await db.ring.stop('node-2');
      await db.ring.start('node-2');
      await db.ring.addNode();
      await db.ring.settled();
      await db.ring.wipe('node-1');
      await db.ring.settled();
    })();
    // A write whose coordinator was stopped has an unknown outcome: its item is written by nobody else.
    const written = await writeAtRandom(600, derivation(), 0, true);
    await moving;
    await db.ring.waitUntilConsistent();
    const log = await readAll(BEGINNING);
    for (const [p, values] of written) {
      const shown = log.filter(({ key }) => nameOf(key) === p);
      // Each new image is the old one of the next change, and the last one is what the item holds.
      for (const [at, { old }] of shown.entries()) expect(numberOf(old)).toBe(numberOf(shown[at - 1]?.next));
      const numbers = shown.flatMap(({ next }) => (next === undefined ? [] : [numberOf(next)]));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers.every((n) => values.includes(n))).toBe(true);
      const key = { table: derivation().table, partitionKey: p, sortKey: '' };
      const read = await db.ring.client.read({ key, from: 'latest', consistency: 'strict', derivation: derivation() });
      expect(numberOf(read.kind === 'found' ? read.item : undefined)).toBe(numberOf(shown.at(-1)?.next));
    }
  }, 120_000);

  test('is cut into shards, each of which has the changes of its slice of the ring', async () => {
    const of = derivation({ shards: 4 });
    const written = await writeAtRandom(300, of);
    const logs = await Promise.all(
      [0, 1, 2, 3].map(async (shard) => {
        await endsOf(shard, 4);
        return readAll(BEGINNING, { shard, shards: 4, limit: 7 });
      }),
    );
    expectAll(logs.flat(), written);
    const shardsOf = (p: string) => logs.flatMap((log, i) => (log.some(({ key }) => nameOf(key) === p) ? [i] : []));
    for (const p of written.keys()) expect(shardsOf(p).length).toBeLessThanOrEqual(1);
    expect(new Set([...written.keys()].flatMap(shardsOf)).size).toBeGreaterThan(1);
  }, 60_000);

  test.for([
    ['KEYS_ONLY', false, false],
    ['NEW_IMAGE', false, true],
    ['OLD_IMAGE', true, false],
  ] as const)('of the view %s keeps no other images', async ([view, hasOld, hasNext]) => {
    const of = derivation({ view });
    for (const n of [1, 2, undefined]) await write({ p: 'p', n }, of);
    await endsOf();
    const log = await readAll(BEGINNING);
    expect(log.map(({ event }) => event)).toEqual(['INSERT', 'MODIFY', 'REMOVE']);
    expect(log.map(({ old }) => numberOf(old))).toEqual(hasOld ? [undefined, 1, 2] : [undefined, undefined, undefined]);
    expect(log.map(({ next }) => numberOf(next))).toEqual(
      hasNext ? [1, 2, undefined] : [undefined, undefined, undefined],
    );
    expect(log.every(({ key }) => nameOf(key) === 'p')).toBe(true);
  });

  test('shows no change where an item is written as it is, in whatever order of its attributes', async () => {
    const put = async (json: string) => {
      const item = { size: 4, json: Buffer.from(json) };
      const options = { consistency: 'strict', wantsOld: false, derivation: derivation() } as const;
      const key = { table: derivation().table, partitionKey: 'p', sortKey: '' };
      expect((await db.ring.client.write(key, { kind: 'put', item }, options)).kind).toBe('applied');
    };
    await put('{"p":{"S":"p"},"n":{"N":"1"}}');
    await put('{"n":{"N":"1"},"p":{"S":"p"}}');
    await put('{"n":{"N":"2"},"p":{"S":"p"}}');
    await endsOf();
    expect((await readAll(BEGINNING)).map(({ old, next }) => [numberOf(old), numberOf(next)])).toEqual([
      [undefined, 1],
      [1, 2],
    ]);
  });

  test('tells who has deleted an item that has expired', async () => {
    await write({ p: 'p', n: 1 });
    await write({ p: 'p', n: undefined }, derivation(), 'ttl');
    await endsOf();
    expect((await readAll(BEGINNING)).map(({ event, by }) => [event, by])).toEqual([
      ['INSERT', undefined],
      ['REMOVE', 'ttl'],
    ]);
  });
});

describe('old changes', () => {
  test('are trimmed but for the newest cell, which whoever asks for them is told, and are not written again', async () => {
    for (let n = 0; n < 6; n++) {
      await write({ p: 'p', n });
      await endsOf();
    }
    const { next } = await endsOf();
    const later = Date.now() + 60_000;
    const trim = { stream: STREAM.storageId, shard: 0, shards: 1, beforeMs: later };
    expect(await db.ring.client.trimLog(trim)).toEqual({ kind: 'cells-trimmed', cells: next.cell - 1, isDone: true });
    const lowest = { cell: next.cell - 1, offset: 0 };
    expect(await endsOf()).toEqual({ kind: 'log-ends', lowest, next, isEnded: false });
    const request = { stream: STREAM.storageId, shard: 0, shards: 1, from: BEGINNING, limit: 10 };
    expect(await db.ring.client.readLog(request)).toEqual({ kind: 'trimmed', lowest });
    expect((await readAll(lowest)).map((change) => numberOf(change.next))).toEqual([5]);
    await db.stop();
    await start();
    expect((await readAll(lowest)).map((change) => numberOf(change.next))).toEqual([5]);
  }, 60_000);

  test('stay if they are young enough', async () => {
    await write({ p: 'p', n: 1 });
    await write({ p: 'q', n: 1 });
    const trim = { stream: STREAM.storageId, shard: 0, shards: 1, beforeMs: Date.now() - 60_000 };
    expect(await db.ring.client.trimLog(trim)).toEqual({ kind: 'cells-trimmed', cells: 0, isDone: true });
    await endsOf();
    expect(await readAll(BEGINNING)).toHaveLength(2);
  });
});

describe('a stream that is disabled', () => {
  test('ends behind its last change, and one that is enabled anew begins with the next change', async () => {
    await write({ p: 'p', n: 1 });
    const without: Derivation = { ...derivation(), version: 2, stream: undefined };
    await db.ring.client.useDerivation(without);
    await expect.poll(() => db.ring.client.due(without.table)).toBe(0);
    expect(await db.ring.client.endStream({ stream: STREAM.storageId, shards: 1 })).toEqual({ kind: 'log-ended' });
    expect(await db.ring.client.endStream({ stream: STREAM.storageId, shards: 1 })).toEqual({ kind: 'log-ended' });
    await write({ p: 'p', n: 2 }, without);
    const again: Derivation = { ...derivation({ storageId: 'b stream' }), version: 3 };
    await write({ p: 'p', n: 3 }, again);
    const read = await db.ring.client.readLog({
      stream: STREAM.storageId,
      shard: 0,
      shards: 1,
      from: BEGINNING,
      limit: 10,
    });
    expect(read).toMatchObject({ kind: 'changes', isEnded: true });
    expect(await readAll(BEGINNING)).toHaveLength(1);
    expect(await endsOf()).toMatchObject({ isEnded: true });
    const anew = { stream: 'b stream', shard: 0, shards: 1 };
    await db.ring.client.logEnds(anew);
    const next = await db.ring.client.readLog({ ...anew, from: BEGINNING, limit: 10 });
    expect(
      next.kind === 'changes' && next.changes.map((change) => [numberOf(change.old), numberOf(change.next)]),
    ).toEqual([[2, 3]]);
  });

  test('is gone when it is forgotten', async () => {
    await write({ p: 'p', n: 1 });
    await endsOf();
    expect(await db.ring.client.tables()).toContain(STREAM.storageId);
    await db.ring.client.forgetStream(STREAM.storageId);
    await expect.poll(() => db.ring.client.tables()).not.toContain(STREAM.storageId);
    expect(await readAll(BEGINNING)).toEqual([]);
  });
});

describe('a rule of lag for a stream', () => {
  test('holds its changes back, until they are too many for their item', async () => {
    const place = { kind: 'propagation', index: STREAM.storageId } as const;
    db.ring.setLags([{ id: 'lag', scope: [place], release: { kind: 'never' } }]);
    for (let n = 1; n <= 8; n++) await write({ p: 'p', n });
    await endsOf();
    expect(await readAll(BEGINNING)).toEqual([]);
    expect(await db.ring.client.due(derivation().table)).toBe(1);
    // There is no room for a ninth change.
    await write({ p: 'p', n: 9 });
    await endsOf();
    expect((await readAll(BEGINNING)).map(({ next }) => numberOf(next))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    db.ring.setLags([]);
    await expect.poll(() => readAll(BEGINNING)).toHaveLength(9);
    await expect.poll(() => db.ring.client.due(derivation().table)).toBe(0);
  });
});
