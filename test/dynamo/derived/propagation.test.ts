import { describe, expect, test } from 'vitest';
import { tableOf, tableRange } from '../../../src/dynamo/keyspace.ts';
import { DAMAGED } from '../../../src/env/store.ts';
import { readOf } from '../coordination-requests.ts';
import type { Message, NodeName } from '../three-nodes.ts';
import { BY_COLOUR, BY_SIZE, derivationOfTable, IndexedRing, keyOfItem, putOf, TABLE } from './indexed-ring.ts';

const NODES: readonly NodeName[] = ['A', 'B', 'C'];

describe('in calm', () => {
  test('every node shows an entry when its write is answered, and nothing is owed soon after', () => {
    const ring = new IndexedRing({ flushMs: 2 });
    const write = ring.begin('A', 'apple', putOf('apple', { colour: 'red' }));
    while (write.result === undefined) ring.settle(1);
    expect(write.result).toMatchObject({ kind: 'applied' });
    expect(NODES.map((node) => ring.entries(node))).toEqual([['apple=red'], ['apple=red'], ['apple=red']]);
    ring.settle(100);
    expect(ring.owed).toEqual([0, 0, 0]);
  });

  test('an item that moves within an index leaves its place, and one that is deleted, too', () => {
    const ring = new IndexedRing();
    ring.put('A', 'apple', { colour: 'red' });
    ring.put('A', 'pear', { colour: 'green' });
    ring.put('B', 'apple', { colour: 'green' });
    expect(ring.entries('C')).toEqual(['apple=green', 'pear=green']);
    ring.put('C', 'pear', {});
    ring.delete('A', 'apple');
    expect(NODES.map((node) => ring.entries(node))).toEqual([[], [], []]);
    expect(ring.owed).toEqual([0, 0, 0]);
  });

  test('each index has its own entries', () => {
    const ring = new IndexedRing();
    ring.derivation = derivationOfTable(1, BY_COLOUR, BY_SIZE);
    ring.put('A', 'apple', { colour: 'red', size: 'small' });
    ring.put('A', 'pear', { size: 'large' });
    expect(ring.entries('B')).toEqual(['apple=red']);
    expect(ring.entries('B', BY_SIZE)).toEqual(['apple=small', 'pear=large']);
  });

  test('a write that changes nothing an index projects sends no entry', () => {
    const ring = new IndexedRing();
    ring.derivation = derivationOfTable(1, BY_SIZE);
    ring.put('A', 'apple', { size: 'small', note: '1' });
    ring.sent.length = 0;
    ring.put('A', 'apple', { size: 'small', note: '2' });
    const learned = ring.sent.filter(({ request }) => request.kind === 'learn').map(({ request }) => request);
    expect(learned.every((request) => 'key' in request && tableOf(request.key) !== BY_SIZE.storageId)).toBe(true);
    expect(ring.sent.some(({ kind }) => kind === 'mark-settled')).toBe(false);
  });
});

/** Whether a message tells a home replica of an entry. */
const isOfEntry = (ring: IndexedRing['sent'][number]) =>
  ring.request.kind === 'learn' && tableOf(ring.request.key) === BY_COLOUR.storageId;

describe('while the homes of entries take nothing', () => {
  test('a write is answered within the wait, and its item stays due until they do', () => {
    const ring = new IndexedRing();
    ring.isLost = isOfEntry;
    const write = ring.begin('A', 'apple', putOf('apple', { colour: 'red' }));
    ring.settle(99);
    expect(write.result).toBeUndefined();
    ring.settle(1);
    expect(write.result).toMatchObject({ kind: 'applied' });
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.isLost = () => false;
    ring.settle(1_000);
    expect(ring.owed).toEqual([0, 0, 0]);
    expect(ring.entries('C')).toEqual(['apple=red']);
  });

  test('what their coordinator has left is settled from the outbox', () => {
    const ring = new IndexedRing();
    ring.register(ring.derivation);
    ring.put('A', 'apple', { colour: 'red' });
    ring.isLost = isOfEntry;
    ring.begin('A', 'apple', putOf('apple', { colour: 'green' }));
    ring.settle(200);
    ring.restart('A');
    ring.isLost = () => false;
    ring.settle(200);
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.node('B').startBackground();
    ring.settle(6_000);
    expect(ring.owed).toEqual([0, 0, 0]);
    expect(ring.entries('A')).toEqual(['apple=green']);
  });

  test('nothing is settled by a derivation that is older than the record', () => {
    const ring = new IndexedRing();
    ring.register(ring.derivation);
    ring.derivation = derivationOfTable(2, BY_COLOUR, BY_SIZE);
    ring.isLost = ({ request }) => request.kind === 'learn' && tableOf(request.key) !== TABLE;
    ring.begin('A', 'apple', putOf('apple', { colour: 'red', size: 'small' }));
    ring.settle(200);
    for (const name of NODES) ring.restart(name);
    ring.isLost = () => false;
    ring.node('B').startBackground();
    ring.settle(6_000);
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.register(ring.derivation);
    ring.settle(6_000);
    expect(ring.owed).toEqual([0, 0, 0]);
    expect(ring.entries('A', BY_SIZE)).toEqual(['apple=small']);
    ring.node('B').stop();
  });

  test('an item moves as often as it may owe, and is then refused until there is room', () => {
    const ring = new IndexedRing({ limits: { owedKept: 2 } });
    ring.put('A', 'apple', { colour: 'red' });
    ring.isLost = isOfEntry;
    for (const colour of ['green', 'blue']) {
      expect(ring.put('A', 'apple', { colour }, 10_000)).toMatchObject({ kind: 'applied' });
    }
    const refused = ring.put('A', 'apple', { colour: 'black' }, 10_000);
    expect(refused).toEqual({ kind: 'index-behind', index: BY_COLOUR.storageId });
    // What stays in its place owes no more than before.
    expect(ring.put('A', 'apple', { colour: 'blue', note: 'new' }, 10_000)).toMatchObject({ kind: 'applied' });
    ring.isLost = () => false;
    expect(ring.put('A', 'apple', { colour: 'black' })).toMatchObject({ kind: 'applied' });
    expect(ring.entries('B')).toEqual(['apple=black']);
  });

  test('a home that is down gets its entries as hints', () => {
    const ring = new IndexedRing();
    ring.isLost = ({ to }) => to === 'C';
    ring.put('A', 'apple', { colour: 'red' }, 3_000);
    expect(ring.entries('C')).toEqual([]);
    ring.isLost = () => false;
    ring.node('A').startBackground();
    ring.settle(2_000);
    expect(ring.entries('C')).toEqual(['apple=red']);
  });
});

test('a replica that was away learns by its strong read that an item is settled, and sends no entry again', () => {
  const ring = new IndexedRing();
  ring.register(ring.derivation);
  ring.put('A', 'apple', { colour: 'red' });
  ring.isLost = ({ to }) => to === 'C';
  ring.put('A', 'apple', { colour: 'green' }, 5_000);
  ring.isLost = ({ request }) => request.kind === 'mark-settled';
  for (const name of NODES) ring.node(name).startBackground();
  for (let i = 0; i < 300 && ring.owed[2] === 0; i++) ring.settle(10);
  expect(ring.owed).toEqual([0, 0, 1]);
  for (let i = 0; i < 100 && ring.entries('C')[0] !== 'apple=green'; i++) ring.settle(10);
  ring.sent.length = 0;
  ring.settle(10_000);
  expect(ring.owed).toEqual([0, 0, 0]);
  expect(ring.sent.filter(isOfEntry)).toEqual([]);
  expect(ring.entries('C')).toEqual(['apple=green']);
  for (const name of NODES) ring.node(name).stop();
});

describe('an entry is confirmed', () => {
  test('by disks: not before a majority has flushed it', () => {
    const ring = new IndexedRing({ flushMs: 50 });
    ring.put('A', 'pear', {});
    ring.begin('A', 'apple', putOf('apple', { colour: 'red' }));
    const isMarked = () => ring.sent.some(({ kind }) => kind === 'mark-settled');
    // Once for the accept, then for the entry.
    ring.settle(99);
    expect(isMarked()).toBe(false);
    ring.settle(5);
    expect(isMarked()).toBe(true);
  });

  test('by a majority: one home is not enough', () => {
    const ring = new IndexedRing();
    ring.isLost = (message) => isOfEntry(message) && message.to !== 'A';
    ring.put('A', 'apple', { colour: 'red' }, 400);
    expect(ring.sent.some(({ kind }) => kind === 'mark-settled')).toBe(false);
    expect(ring.owed).toEqual([1, 1, 1]);
  });
});

describe('a rule of lag', () => {
  const holding = (release: { readonly kind: 'never' } | { readonly kind: 'versions'; readonly count: number }) => [
    { id: 'r', scope: [{ kind: 'propagation', index: BY_COLOUR.storageId } as const], release },
  ];
  const setLags = (ring: IndexedRing, rules: ReturnType<typeof holding>) => {
    for (const name of NODES) ring.node(name).setLags(rules);
  };

  test('keeps one index behind, and not the others, until it is over', () => {
    const ring = new IndexedRing();
    ring.derivation = derivationOfTable(1, BY_COLOUR, BY_SIZE);
    ring.register(ring.derivation);
    setLags(ring, holding({ kind: 'never' }));
    for (const name of NODES) ring.node(name).startBackground();
    ring.put('A', 'apple', { colour: 'red', size: 'small' }, 20_000);
    expect(ring.entries('A')).toEqual([]);
    expect(ring.entries('A', BY_SIZE)).toEqual(['apple=small']);
    expect(ring.owed).toEqual([1, 1, 1]);
    setLags(ring, []);
    ring.settle(100);
    expect(ring.entries('A')).toEqual(['apple=red']);
    expect(ring.owed).toEqual([0, 0, 0]);
  });

  test('does not keep another index of the item from being told again, and that only once', () => {
    const ring = new IndexedRing();
    ring.derivation = derivationOfTable(1, BY_COLOUR, BY_SIZE);
    ring.register(ring.derivation);
    setLags(ring, holding({ kind: 'never' }));
    const isOfSize = ({ request }: Message) => request.kind === 'learn' && tableOf(request.key) === BY_SIZE.storageId;
    ring.isLost = isOfSize;
    ring.put('A', 'apple', { colour: 'red', size: 'small' }, 10_000);
    ring.isLost = () => false;
    for (const name of NODES) ring.node(name).startBackground();
    ring.settle(20_000);
    for (const name of NODES) expect(ring.entries(name, BY_SIZE), name).toEqual(['apple=small']);
    expect(ring.entries('B')).toEqual([]);
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.sent.length = 0;
    ring.settle(20_000);
    expect(ring.sent.filter(isOfSize)).toEqual([]);
    setLags(ring, []);
    ring.settle(100);
    expect(ring.entries('B')).toEqual(['apple=red']);
    for (const name of NODES) ring.node(name).stop();
  });

  test('keeps an index some versions behind', () => {
    const ring = new IndexedRing();
    setLags(ring, holding({ kind: 'versions', count: 1 }));
    ring.put('A', 'apple', { colour: 'red' });
    expect(ring.entries('B')).toEqual([]);
    ring.put('A', 'apple', { colour: 'green' });
    expect(ring.entries('B')).toEqual(['apple=red']);
    ring.put('A', 'apple', { colour: 'blue' });
    expect(ring.entries('B')).toEqual(['apple=green']);
    ring.node('A').releaseLags();
    ring.settle(100);
    expect(ring.entries('B')).toEqual(['apple=blue']);
  });

  test('gives way to a write that would owe too much', () => {
    const ring = new IndexedRing({ limits: { owedKept: 1 } });
    setLags(ring, holding({ kind: 'never' }));
    for (const colour of ['red', 'green', 'blue']) ring.put('A', 'apple', { colour });
    expect(ring.entries('B')).toEqual(['apple=green']);
  });
});

describe('a newer derivation', () => {
  test('is fetched by a coordinator that meets a record made by it', () => {
    const ring = new IndexedRing();
    const newer = derivationOfTable(2, BY_COLOUR, BY_SIZE);
    ring.register(newer);
    ring.derivation = newer;
    ring.put('A', 'apple', { colour: 'red', size: 'small' });
    ring.derivation = derivationOfTable(1, BY_COLOUR);
    expect(ring.put('B', 'apple', { colour: 'red', size: 'large' })).toMatchObject({ kind: 'applied' });
    expect(ring.entries('C', BY_SIZE)).toEqual(['apple=large']);
  });

  test('is nowhere to be found: then the table is gone, and the write is not done', () => {
    const ring = new IndexedRing();
    ring.put('A', 'apple', { colour: 'red' });
    ring.derivation = derivationOfTable(0, BY_COLOUR);
    expect(ring.put('B', 'apple', { colour: 'green' }, 10_000)).toMatchObject({ kind: 'unavailable' });
    expect(ring.node('A').stateOf(keyOfItem('apple')).committed?.derived?.version).toBe(1);
  });
});

test('a purge leaves the tombstone of an item that owes something to an index, and takes it afterwards', () => {
  const HOUR_MS = 60 * 60_000;
  const ring = new IndexedRing();
  ring.register(ring.derivation);
  ring.put('A', 'apple', { colour: 'red' });
  ring.isLost = isOfEntry;
  ring.delete('A', 'apple');
  for (const name of NODES) ring.node(name).startBackground();
  ring.settle(3 * HOUR_MS);
  const committedBy = (name: NodeName) => ring.node(name).stateOf(keyOfItem('apple')).committed;
  expect(NODES.map((name) => committedBy(name)?.item)).toEqual([undefined, undefined, undefined]);
  expect(NODES.map((name) => committedBy(name)?.derived?.owed.length)).toEqual([1, 1, 1]);
  ring.isLost = () => false;
  ring.settle(HOUR_MS);
  expect(NODES.map(committedBy)).toEqual([undefined, undefined, undefined]);
  expect(NODES.map((name) => ring.entries(name))).toEqual([[], [], []]);
  for (const name of NODES) ring.node(name).stop();
});

describe('a damaged entry', () => {
  test('is restored under its own ballot, so that the next one still wins', () => {
    const ring = new IndexedRing();
    ring.put('A', 'apple', { colour: 'red', note: '1' });
    const [row] = ring.stores.C.range('items', { ...tableRange(0, BY_COLOUR.storageId), limit: 1 });
    const { ballot } = ring.node('A').stateOf(row!.key).committed!;
    ring.stores.C.put('items', row!.key, DAMAGED);
    ring.start<unknown>((done) => ring.node('C').scrub(done));
    ring.settle(10_000);
    expect(ring.node('C').stateOf(row!.key).committed!.ballot).toEqual(ballot);
    expect(ring.node('A').stateOf(row!.key).committed!.ballot).toEqual(ballot);
    ring.put('A', 'apple', { colour: 'red', note: '2' });
    expect(ring.node('C').stateOf(row!.key).committed!.ballot.hlc).toBeGreaterThan(ballot.hlc);
  });
});

describe('a table that gets an index while it has items', () => {
  test('finds each of them in it once it was read strongly, by whomever', () => {
    const ring = new IndexedRing();
    ring.beginBy('A', 'apple', putOf('apple', { colour: 'red' }), undefined);
    // Accepted by one replica that is then away, and chosen only when somebody finds it.
    ring.isLost = ({ kind, to, isReply }) => !isReply && ((kind === 'accept' && to !== 'C') || kind === 'learn');
    ring.settle(1_000);
    ring.beginBy('A', 'pear', putOf('pear', { colour: 'green' }), undefined);
    ring.settle(400);
    ring.restart('A');
    ring.isLost = () => false;
    ring.register(ring.derivation);
    for (const name of ['apple', 'pear']) {
      const request = { ...readOf(keyOfItem(name), 'latest'), derivation: ring.derivation };
      ring.start<unknown>((done) => ring.node('B').coordinate(request, done));
    }
    ring.node('C').startBackground();
    ring.settle(10_000);
    expect(ring.entries('A')).toEqual(['apple=red', 'pear=green']);
  });
});
