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

/** Writes to twelve items at the same time, to each one after the other. @returns what was written to each */
async function writeAtRandom(
  count: number,
  of = derivation(),
  first = 0,
): Promise<Map<string, (number | undefined)[]>> {
  const written = new Map(Array.from({ length: 12 }, (_, i) => [`p${i}`, [] as (number | undefined)[]]));
  let left = count;
  const writeOne = async ([p, values]: [string, (number | undefined)[]]) => {
    while (left-- > 0) {
      const chance = Math.random();
      // Some delete, and some leave the item as it is.
      const n = chance < 0.15 ? undefined : chance < 0.3 ? values.at(-1) : first + values.length;
      values.push(n);
      await write({ p, n }, of);
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
