import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBallots, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { MerkleForest } from '../../src/dynamo/healing/merkle-forest.ts';
import type { ComparisonReport } from '../../src/dynamo/healing/repair-report.ts';
import { compareWithPeer, type Direction } from '../../src/dynamo/healing/replica-comparison.ts';
import { collectionPrefix, leafOf, leafRange, partitionOf, tableOf } from '../../src/dynamo/keyspace.ts';
import type { MerkleRequest, Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { decodeRecord, ItemRecord } from '../../src/dynamo/record.ts';
import { runTask, wait } from '../../src/dynamo/task.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { DAMAGED, type StoreKey } from '../../src/env/store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { fieldsOf } from './record-fields.ts';

const NOW_MS = 100_000_000;
/** An answer has two records: the rest of a batch is asked for again. */
const LIMITS = { ...DEFAULT_NODE_LIMITS, merkleDepth: 2, repairBatch: 3, repairBytes: record(1).stored.length + 1 };
const LEAVES = 16;
const keyOf = (name: string, table = 'table-01') => collectionPrefix(table, name, 1);

/** Version 0 is a tombstone. */
function record(version: number, atMs = NOW_MS): ItemRecord {
  const item = version === 0 ? undefined : { size: 1, json: Buffer.from(String(version)) };
  const ballot = { hlc: atMs * TICKS_PER_MS + version, coordinator: 1, boot: 1 };
  return new ItemRecord({ ballot, item, partitionKey: 'k', lineage: [] });
}

/** Two replicas of one partition, and a wire between them. */
function replicas() {
  const clock = new ManualClock(NOW_MS);
  const damaged: StoreKey[] = [];
  const conflicts: StoreKey[] = [];
  const make = (self: string) => {
    const store = new MemoryStore();
    const forest = new MerkleForest({
      store,
      clock,
      limits: LIMITS,
      partitions: 1,
      onDamaged: (key) => damaged.push(key),
    });
    const learn = (key: StoreKey, learned: ItemRecord) => {
      const present = store.get('items', key);
      if (
        present !== undefined &&
        present !== DAMAGED &&
        compareBallots(decodeRecord(present).ballot, learned.ballot) >= 0
      )
        return;
      store.put('items', key, learned.stored);
      forest.touch(key);
    };
    return { self, store, forest, learn };
  };
  const a = make('a');
  const b = make('b');
  const sent: Request['kind'][] = [];
  let isDead = false;
  let isHolding = false;
  let isSealed = false;
  const transport = {
    send: (_to: string, request: Request, onReply: (reply: Reply) => void) => {
      sent.push(request.kind);
      if (isDead) return;
      clock.after(1, () => {
        if (request.kind === 'learn') {
          if (isHolding) return onReply({ kind: 'learned', from: 'b', vote: undefined, isHeld: true });
          b.learn(request.key, request.record);
          onReply({ kind: 'learned', from: 'b', vote: { epoch: 0, isSealed } });
        } else b.forest.receive(request as MerkleRequest, 'b', (reply) => clock.after(1, () => onReply(reply)));
      });
    },
  };
  const run = (
    direction: Direction,
    onExtra?: (key: StoreKey) => void,
    needsAll = false,
  ): ComparisonReport | undefined => {
    let outcome: ComparisonReport | undefined;
    const parts = {
      ...a,
      clock,
      limits: LIMITS,
      transport,
      learnHere: a.learn,
      isStopped: () => false,
      epochOf: () => 0,
      needsAll,
      settleConflict: (key: StoreKey) =>
        wait<boolean>(clock, (resume) => {
          conflicts.push(key);
          clock.after(1, () => resume(true));
        }),
    };
    runTask(compareWithPeer(parts, { partition: 0, peer: 'b', direction, onExtra }), (report) => {
      outcome = report;
    });
    clock.advance(20_000);
    return outcome;
  };
  const contents = ({ store }: typeof a) =>
    store
      .range('items', { from: '\0', to: '\xff', limit: 1_000 })
      .map(({ key, value }) => [key, decodeRecord(value).ballot.hlc]);
  const kill = () => {
    isDead = true;
  };
  /** From now on a rule of lag holds back what b is told. */
  const lag = () => {
    isHolding = true;
  };
  /** From now on b waits for its next epoch. */
  const seal = () => {
    isSealed = true;
  };
  return { a, b, clock, sent, run, contents, kill, lag, seal, damaged, conflicts };
}

describe('a leaf', () => {
  test('is a range of the ring that has exactly the keys whose hash falls into it', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1_024 }), fc.constantFrom(4, 16, 1_024), (name, q, leaves) => {
        const key = collectionPrefix('table-01', name, q);
        const leaf = leafOf(key, q, leaves);
        expect(leaf).toBeGreaterThanOrEqual(0);
        expect(leaf).toBeLessThan(leaves);
        const { from, to } = leafRange(tableOf(key), { partition: partitionOf(key), partitions: q, leaf, leaves });
        expect(from <= key && key < to).toBe(true);
      }),
    );
  });
});

describe('two replicas that compare what they have', () => {
  const contents = fc.array(fc.tuple(fc.nat(30), fc.nat(3), fc.boolean()), { maxLength: 40 });

  test('agree afterwards on the newest record of every key, whatever each had, and their roots are equal', () => {
    fc.assert(
      fc.property(contents, contents, (atA, atB) => {
        const { a, b, clock, run, contents: read } = replicas();
        const newest = new Map<StoreKey, number>();
        for (const [replica, records] of [
          [a, atA],
          [b, atB],
        ] as const) {
          for (const [name, version, isOther] of records) {
            const key = keyOf(`k${name}`, isOther ? 'table-02' : 'table-01');
            replica.learn(key, record(version));
            newest.set(key, Math.max(newest.get(key) ?? 0, record(version).ballot.hlc));
          }
        }
        expect(run('both')).toBeDefined();
        expect(read(a)).toEqual(read(b));
        expect(new Map(read(a) as [StoreKey, number][])).toEqual(newest);
        for (const { forest } of [a, b]) forest.refresh(0, () => {});
        clock.advance(1_000);
        expect(a.forest.hashes(0, 0, [0])).toEqual(b.forest.hashes(0, 0, [0]));
        expect(run('both')).toMatchObject({ hashesExchanged: 1, recordsRepaired: 0, bytesExchanged: 16 });
      }),
      { numRuns: 50 },
    );
  });

  test('ask again for what one message does not hold', () => {
    const { b, sent, run, contents: read, a } = replicas();
    for (const name of ['one', 'two', 'three']) b.learn(keyOf(name), record(1));
    expect(run('pull')).toMatchObject({ recordsRepaired: 3 });
    expect(read(a)).toEqual(read(b));
    const leaves = new Set(['one', 'two', 'three'].map((name) => leafOf(keyOf(name), 1, LEAVES))).size;
    expect(sent.filter((kind) => kind === 'fetch').length).toBeGreaterThanOrEqual(leaves);
    const keys = Array.from({ length: 3 }, (_, i) => keyOf(`${i}`));
    for (const key of keys) b.learn(key, record(1));
    const replies: Reply[] = [];
    b.forest.receive({ kind: 'fetch', epoch: 0, keys }, 'b', (reply) => replies.push(reply));
    expect(replies).toMatchObject([{ kind: 'records', records: [{}, {}] }]);
  });

  test('pull only: the other side is told nothing, and what only this one has is named', () => {
    const { a, b, sent, run, contents: read } = replicas();
    a.learn(keyOf('mine'), record(1));
    b.learn(keyOf('theirs'), record(1));
    const extra: StoreKey[] = [];
    run('pull', (key) => extra.push(key));
    expect(extra).toEqual([keyOf('mine')]);
    expect(sent).not.toContain('learn');
    expect(read(a)).toHaveLength(2);
    expect(read(b)).toHaveLength(1);
  });

  test('hand off only what is young enough not to have been purged', () => {
    const { a, run, b, contents: read } = replicas();
    a.learn(keyOf('young'), record(1));
    a.learn(keyOf('old'), record(1, NOW_MS - LIMITS.hintLifeMs - 1));
    b.learn(keyOf('theirs'), record(1));
    run('hand-off');
    expect(
      read(b)
        .map(([key]) => key)
        .sort(),
    ).toEqual([keyOf('young'), keyOf('theirs')].sort());
    expect(read(a)).toHaveLength(2);
  });

  test('hand nothing off to one that holds it back in memory: what is handed off is erased', () => {
    const { a, run, lag } = replicas();
    a.learn(keyOf('mine'), record(1));
    lag();
    expect(run('hand-off')).toBeUndefined();
    expect(run('both')).toBeDefined();
  });

  test('is not done where the other waits for its next epoch, which may begin without what comes now', () => {
    const { a, b, run, contents, seal } = replicas();
    a.learn(keyOf('young'), record(1));
    seal();
    expect(run('hand-off')).toBeUndefined();
    // It has it all the same.
    expect(contents(b)).toHaveLength(1);
  });

  test('exchange hashes along the way to the one key that differs, and its leaf only', () => {
    const { a, b, sent, run } = replicas();
    for (let i = 0; i < 100; i++) for (const { learn } of [a, b]) learn(keyOf(`k${i}`), record(1));
    b.learn(keyOf('k7'), record(2));
    expect(run('both')).toMatchObject({ recordsRepaired: 1, hashesExchanged: 1 + 4 + 4 });
    expect(sent.filter((kind) => kind === 'fetch')).toHaveLength(1);
  });

  test('do not differ for a tombstone that one of them has purged', () => {
    const { a, b, run } = replicas();
    for (const { learn } of [a, b]) learn(keyOf('k'), record(1));
    a.learn(keyOf('gone'), record(0, NOW_MS - LIMITS.tombstoneGraceMs - 1));
    expect(run('both')).toMatchObject({ hashesExchanged: 1 });
  });

  test('bring back what one of them cannot read, whichever that is', () => {
    for (const name of ['a', 'b'] as const) {
      const { a, b, run, contents: read, damaged, [name]: rotten } = replicas();
      for (let i = 0; i < 100; i++) for (const { learn } of [a, b]) learn(keyOf(`k${i}`), record(1));
      rotten.store.damage('items', keyOf('k7'));
      // Also one that only it has: nobody can bring that back.
      rotten.learn(keyOf('mine'), record(1));
      rotten.store.damage('items', keyOf('mine'));
      expect(run('both')).toMatchObject({ recordsRepaired: 1 });
      expect(damaged).toContain(keyOf('k7'));
      rotten.store.remove('items', keyOf('mine'));
      expect(read(a)).toEqual(read(b));
    }
  });

  test('are not compared where all that a peer has is needed, and it cannot read some of it', () => {
    const { a, b, run } = replicas();
    for (let i = 0; i < 10; i++) for (const { learn } of [a, b]) learn(keyOf(`k${i}`), record(1));
    b.store.damage('items', keyOf('k7'));
    expect(run('pull', undefined, true)).toBeUndefined();
    expect(run('pull')).toBeDefined();
  });

  test('have one record chosen where they hold two of them under one ballot', () => {
    const { a, b, run, conflicts } = replicas();
    a.learn(keyOf('k'), record(1));
    const other = { size: 3, json: Buffer.from('{"k":{"S":"other"}}') };
    b.learn(keyOf('k'), new ItemRecord({ ...fieldsOf(record(1)), item: other }));
    expect(run('pull')).toMatchObject({ recordsRepaired: 0 });
    expect(conflicts).toEqual([]);
    expect(run('both')).toMatchObject({ recordsRepaired: 1 });
    expect(conflicts).toEqual([keyOf('k')]);
  });

  test('give up when one does not answer', () => {
    const { a, run, kill } = replicas();
    a.learn(keyOf('k'), record(1));
    kill();
    expect(run('both')).toBeUndefined();
  });
});

describe('a tree', () => {
  test('keeps a leaf dirty that is written while it is built', () => {
    const clock = new ManualClock(NOW_MS);
    const store = new MemoryStore();
    const forest = new MerkleForest({ store, clock, limits: LIMITS, partitions: 1, onDamaged() {} });
    const keys = Array.from({ length: 200 }, (_, i) => keyOf(`k${i}`)).sort();
    for (const key of keys) store.put('items', key, record(1).stored);
    let isDone = false;
    forest.refresh(0, () => {
      isDone = true;
    });
    // The first slice is read; its first key changes before the last is.
    expect(isDone).toBe(false);
    store.put('items', keys[0]!, record(2).stored);
    forest.touch(keys[0]!);
    clock.advance(100);
    expect(isDone).toBe(true);
    const before = forest.hashes(0, 0, [0]);
    forest.refresh(0, () => {});
    clock.advance(100);
    expect(forest.hashes(0, 0, [0])).not.toEqual(before);
    expect(forest.keys(0, leafOf(keys[0]!, 1, LEAVES), undefined, 100).entries.map(({ key }) => key)).toContain(
      keys[0],
    );
  });
});
