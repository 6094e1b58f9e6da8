import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Derivation } from '../../src/api/derivation.ts';
import { toImage } from '../../src/api/item.ts';
import type { SecondaryIndex } from '../../src/api/table-definition.ts';
import { NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { TableCount } from '../../src/dynamo/client.ts';
import { countItems } from '../../src/dynamo/count-items.ts';
import { localBytesOf } from '../../src/dynamo/derived/places.ts';
import { partitionOf, storeKeyOf, tableOf } from '../../src/dynamo/keyspace.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { ReplicaRows } from '../../src/dynamo/registers/replica-rows.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { nodeSettings } from '../parts/node-settings.ts';

const PARTITIONS = 4;
const ALL = [0, 1, 2, 3];
const TABLES = ['\0\0\0\0\0\0\0\x01', '\0\0\0\0\0\0\0\x02'];

let store: MemoryStore;
let clock: ManualClock;
let rows: ReplicaRows;
let hlc: number;
beforeEach(() => {
  store = new MemoryStore();
  clock = new ManualClock();
  hlc = 1;
  open();
});

/** A start of the node. */
function open(): void {
  rows = new ReplicaRows(store, clock, nodeSettings({ id: 'A', diskId: 1, ring: [] }), () => {});
}

const keyOf = (table: string, name: string) => storeKeyOf({ table, partitionKey: name, sortKey: '' }, PARTITIONS);

/** @param size undefined: a tombstone. @param local in which local indexes the item is */
function recordOf(size: number | undefined, local?: readonly boolean[]): ItemRecord {
  hlc++;
  const ballot = { hlc, coordinator: 1, boot: 1 };
  const item = size === undefined ? undefined : { size, json: Buffer.from('{}') };
  const places = local?.map((isIn) => (isIn ? 'place' : undefined));
  const derived = places && {
    version: 1,
    valueBallot: ballot,
    due: NO_BALLOT,
    owed: [],
    entries: [],
    local: places,
    // Entries of half the size of the item.
    localBytes: (places.filter((place) => place !== undefined).length * (size ?? 0)) / 2,
  };
  return new ItemRecord({ ballot, item, partitionKey: 'p', lineage: [], derived });
}

function commit(table: string, name: string, size: number | undefined, local?: readonly boolean[]): void {
  const key = keyOf(table, name);
  rows.commit(key, recordOf(size, local), rows.state(key));
}

/** What is told of a table once the first count is complete. */
function counted(table: string): TableCount {
  let told: TableCount | undefined;
  rows.counts.begin(60_000, () => {
    told = rows.counts.of(table, ALL);
  });
  clock.advance(1_000);
  return told!;
}

test('items are counted with their size, tombstones are not, and each partition by itself', () => {
  for (const [i, size] of [10, 20, 30, 40].entries()) commit(TABLES[0]!, `k${i}`, size);
  commit(TABLES[0]!, 'k1', undefined);
  commit(TABLES[1]!, 'k1', 5);
  expect(counted(TABLES[0]!)).toEqual({ items: 3, bytes: 80, local: [] });
  expect(counted(TABLES[1]!)).toEqual({ items: 1, bytes: 5, local: [] });
  const parts = ALL.map((partition) => rows.counts.of(TABLES[0]!, [partition]));
  expect(parts.reduce((sum, { items }) => sum + items, 0)).toBe(3);
  expect(rows.counts.of('\0\0\0\0\0\0\0\x03', ALL)).toEqual({ items: 0, bytes: 0, local: [] });
});

test('items of local indexes are counted by the number of the index', () => {
  commit(TABLES[0]!, 'a', 10, [true, false, true]);
  commit(TABLES[0]!, 'b', 20, [false, false, true]);
  const local = [
    { items: 1, bytes: 5 },
    { items: 0, bytes: 0 },
    { items: 2, bytes: 15 },
  ];
  expect(counted(TABLES[0]!).local).toEqual(local);
  commit(TABLES[0]!, 'a', 16, [false, true, false]);
  expect(rows.counts.of(TABLES[0]!, ALL).local).toEqual([
    { items: 0, bytes: 0 },
    { items: 1, bytes: 8 },
    { items: 1, bytes: 10 },
  ]);
});

test('entries of local indexes that project differently are counted with their own sizes, once these are known', () => {
  const table = TABLES[0]!;
  const local = (name: string, projection: SecondaryIndex['projection']): SecondaryIndex => ({
    name,
    kind: 'local',
    key: { partition: [{ name: 'p', type: 'S' }], sort: [{ name: 'x', type: 'S' }] },
    projection,
  });
  const derivation: Derivation = {
    table,
    version: 1,
    key: { partition: { name: 'p', type: 'S' } },
    indexes: [
      local('all', { ProjectionType: 'ALL' }),
      local('keys', { ProjectionType: 'KEYS_ONLY' }),
      local('some', { ProjectionType: 'INCLUDE', NonKeyAttributes: ['note'] }),
    ],
  };
  const write = (name: string, note: string, more: string) => {
    const item = toImage({ p: { S: name }, x: { S: '1' }, note: { S: note }, more: { S: more } });
    hlc++;
    const ballot = { hlc, coordinator: 1, boot: 1 };
    const derived = {
      version: 1,
      valueBallot: ballot,
      due: NO_BALLOT,
      owed: [],
      entries: [],
      local: ['1', '1', '1'],
      localBytes: localBytesOf(item, derivation),
    };
    const key = keyOf(table, name);
    rows.commit(key, new ItemRecord({ ballot, item, partitionKey: name, lineage: [], derived }), rows.state(key));
  };
  // p and x with their values take 4 bytes, note 4 and its value, more 4 and its value.
  write('a', '12', '1234567');
  write('b', '1', '123');
  const [all, keys, some] = [4 + 6 + 11 + 4 + 5 + 7, 8, 4 + 6 + 4 + 5] as const;
  const estimate = counted(table).local.map(({ bytes }) => bytes);
  expect(estimate).toEqual(Array(3).fill(Math.round((all + keys + some) / 3)));
  expect(rows.counts.isEstimated(table)).toBe(true);
  rows.counts.define(derivation);
  clock.advance(1_000);
  expect(rows.counts.isEstimated(table)).toBe(false);
  const sizes = () => rows.counts.of(table, ALL).local.map(({ items, bytes }) => [items, bytes]);
  expect(sizes()).toEqual([
    [2, all],
    [2, keys],
    [2, some],
  ]);
  write('a', '', '12345678901');
  expect(sizes()).toEqual([
    [2, all + 2],
    [2, keys],
    [2, some - 2],
  ]);
  rows.reload();
  clock.advance(20_000);
  expect(sizes()[2]).toEqual([2, some - 2]);
});

test('nobody pays who does not ask, and a large store is counted in steps', () => {
  for (let i = 0; i < 1_000; i++) commit(TABLES[0]!, `k${i}`, 10);
  expect(clock.timers).toBe(0);
  let told: TableCount | undefined;
  rows.counts.begin(0, () => {
    told = rows.counts.of(TABLES[0]!, ALL);
  });
  expect(told).toBeUndefined();
  clock.runNext();
  // Whoever does not wait any longer gets what was counted so far.
  expect(told!.items).toBeGreaterThan(0);
  expect(told!.items).toBeLessThan(1_000);
  clock.advance(100);
  expect(rows.counts.of(TABLES[0]!, ALL).items).toBe(1_000);
  expect(clock.timers).toBe(0);
});

test('what is lost or damaged is counted again', () => {
  commit(TABLES[0]!, 'a', 10);
  expect(counted(TABLES[0]!).items).toBe(1);
  // As after writes that the disk has refused.
  store.remove('items', keyOf(TABLES[0]!, 'a'));
  rows.reload();
  clock.advance(20_000);
  expect(rows.counts.of(TABLES[0]!, ALL).items).toBe(0);
  expect(clock.timers).toBe(0);
});

test('a stopped count leaves nothing behind', () => {
  for (let i = 0; i < 1_000; i++) commit(TABLES[0]!, `k${i}`, 10);
  rows.counts.begin(10_000, () => expect.unreachable());
  rows.counts.stop();
  clock.advance(100_000);
  expect(clock.timers).toBe(0);
});

/** The obviously correct count is made of what the store holds. */
test('whatever is written while it counts, it counts right', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('commit' as const),
      table: fc.nat(1),
      name: fc.nat(400),
      size: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined, freq: 4 }),
      local: fc.array(fc.boolean(), { maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('remove' as const), table: fc.nat(1), name: fc.nat(400) }),
    fc.record({ kind: fc.constant('erase' as const), table: fc.nat(1), name: fc.nat(400) }),
    fc.record({ kind: fc.constant('later' as const), ms: fc.nat(6) }),
    fc.constant({ kind: 'disturb' as const }),
    fc.constant({ kind: 'restart' as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      store = new MemoryStore();
      clock = new ManualClock();
      open();
      // So many that counting takes several steps.
      for (let i = 0; i < 600; i++) commit(TABLES[i % 2]!, `k${i % 401}`, 1 + i);
      rows.counts.begin(0, () => {});
      for (const each of steps) {
        if (each.kind === 'later') clock.advance(each.ms);
        else if (each.kind === 'disturb') rows.counts.disturb();
        else if (each.kind === 'restart') {
          rows.counts.stop();
          open();
          rows.counts.begin(0, () => {});
        } else {
          const key = keyOf(TABLES[each.table]!, `k${each.name}`);
          if (each.kind === 'remove') rows.remove(key);
          else if (each.kind === 'erase') {
            const stored = store.get('items', key);
            store.remove('items', key);
            rows.noteRemoved(key, stored);
          } else commit(TABLES[each.table]!, `k${each.name}`, each.size, each.local);
        }
      }
      clock.advance(30_000);
      for (const table of TABLES) {
        const stored = store
          .range('items', { from: '', to: '\xff\xff', limit: 10_000 })
          .filter(({ key }) => tableOf(key) === table)
          .flatMap(({ key }) => rows.state(key).committed?.item?.size ?? []);
        const { items, bytes } = rows.counts.of(table, ALL);
        expect([items, bytes]).toEqual([stored.length, stored.reduce((sum, size) => sum + size, 0)]);
      }
      rows.counts.stop();
    }),
    { numRuns: 60 },
  );
});

describe('the counts of a ring', () => {
  const count = (items: number): TableCount => ({ items, bytes: 10 * items, local: [{ items, bytes: 1 }] });

  /** Three nodes, each the first member of the partitions with its number. */
  function ring(answers: Record<string, 'counts' | 'unavailable' | 'silent'>) {
    const asked: string[] = [];
    const nodes = new Map(
      Object.entries(answers).map(([id, answer]) => [
        id,
        {
          coordinate: (request: { readonly partitions: readonly number[] }, reply: (answer: never) => void) => {
            asked.push(`${id} ${request.partitions.join()}`);
            if (answer === 'counts') reply({ kind: 'counts', counts: [count(request.partitions.length)] } as never);
            if (answer === 'unavailable') reply({ kind: 'unavailable', needed: 1, got: 0 } as never);
          },
        },
      ]),
    );
    const names = [...nodes.keys()];
    const silent: (() => void)[] = [];
    const sum = countItems(
      {
        partitions: PARTITIONS,
        nodes: nodes as never,
        choice: {
          preferred: (partition, tried) =>
            names.map((_, i) => names[(partition + i) % names.length]!).find((id) => tried?.has(id) !== true),
        },
        whenSilent: (run) => {
          silent.push(run);
          return () => silent.splice(silent.indexOf(run), 1);
        },
      },
      [TABLES[0]!],
    );
    return { sum, asked, silent };
  }

  test('are those of one member of each partition', async () => {
    const { sum, asked, silent } = ring({ A: 'counts', B: 'counts', C: 'counts' });
    expect(await sum).toEqual([{ items: 4, bytes: 40, local: [{ items: 4, bytes: 3 }] }]);
    expect(asked).toEqual(['A 0,3', 'B 1', 'C 2']);
    expect(silent).toEqual([]);
  });

  test('are asked of another one, if that does not answer', async () => {
    const { sum, asked, silent } = ring({ A: 'silent', B: 'unavailable', C: 'counts' });
    for (const run of [...silent]) run();
    expect(await sum).toMatchObject([{ items: 4 }]);
    expect(asked).toEqual(['A 0,3', 'B 1', 'C 2', 'C 0,3,1']);
  });

  test('leave out what nobody answers', async () => {
    const { sum } = ring({ A: 'unavailable', B: 'unavailable' });
    expect(await sum).toEqual([{ items: 0, bytes: 0, local: [] }]);
  });
});

test('keys of the test are in all partitions', () => {
  const partitions = new Set(Array.from({ length: 100 }, (_, i) => partitionOf(keyOf(TABLES[0]!, `k${i}`))));
  expect([...partitions].sort()).toEqual(ALL);
});
