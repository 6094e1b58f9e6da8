import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RangeOutcome, ReadFrom, SortKeyBound } from '../../src/dynamo/client.ts';
import type { CoordinateRange } from '../../src/dynamo/coordination-messages.ts';
import { prefixEnd, sortKeyRange } from '../../src/dynamo/keyspace.ts';
import { type HalfOpenRange, type KeyOrder, keyAfter } from '../../src/env/store.ts';
import { rangeOf, writeOf } from './coordination-requests.ts';
import { KEY, type Message, type NodeName, put, STRICT, ThreeNodes, textOf } from './three-nodes.ts';

const WHOLE = { from: KEY, to: prefixEnd(KEY) };
const touches = (name: NodeName | undefined) => (message: Message) => message.from === name || message.to === name;
const suffixOf = (number: number) => `k${String(number).padStart(2, '0')}`;

function write(nodes: ThreeNodes, at: NodeName, suffix: string, kind: 'put' | 'delete' = 'put'): void {
  const mutation = kind === 'put' ? put(suffix) : ({ kind } as const);
  nodes.node(at).coordinate(writeOf(`${KEY}${suffix}`, mutation, STRICT), () => {});
  nodes.settle();
}

function read(nodes: ThreeNodes, at: NodeName, from: ReadFrom, more: Partial<CoordinateRange> = {}) {
  const request = rangeOf(more.range ?? WHOLE, from, more);
  const operation = nodes.start<RangeOutcome>((done) => nodes.node(at).coordinate(request, done));
  nodes.settle(8_000);
  if (operation.result?.kind !== 'items') throw new Error(`the range read ended as ${operation.result?.kind}`);
  return { texts: operation.result.items.map(textOf), more: operation.result.more };
}

describe('a range read backward', () => {
  test('sees writes that only some replicas have, from the highest key down, without deleted items', () => {
    const nodes = new ThreeNodes();
    for (const suffix of ['d', 'a', 'c', 'b']) write(nodes, 'A', suffix);
    nodes.isLost = touches('C');
    write(nodes, 'A', 'e');
    write(nodes, 'A', 'b', 'delete');
    nodes.isLost = touches('A');
    const order = 'backward';
    expect(read(nodes, 'C', 'latest', { order })).toEqual({ texts: ['e', 'd', 'c', 'a'], more: false });
    expect(read(nodes, 'C', 'latest', { order, limit: 2 })).toEqual({ texts: ['e', 'd'], more: true });
  });

  test('pages over more tombstones than it asks for at a time', () => {
    const nodes = new ThreeNodes();
    const suffixes = Array.from({ length: 60 }, (_, i) => suffixOf(i));
    for (const suffix of suffixes) write(nodes, 'A', suffix);
    for (const suffix of suffixes.slice(10)) write(nodes, 'A', suffix, 'delete');
    for (const from of ['latest', 'committed', 'laggard'] as const) {
      const order = 'backward';
      expect(read(nodes, 'A', from, { order, limit: 3 })).toEqual({ texts: ['k09', 'k08', 'k07'], more: true });
      const all = { texts: suffixes.slice(0, 10).toReversed(), more: false };
      expect(read(nodes, 'A', from, { order, limit: 10 })).toEqual(all);
    }
  });

  test('takes nothing from behind the end of any page: that replica may hold keys there that no other named', () => {
    const nodes = new ThreeNodes();
    for (let i = 0; i < 30; i++) if (i !== 28) write(nodes, 'A', suffixOf(i));
    // C knows nothing of these. The page of A is full of tombstones, and that of C goes far beyond, past an item of A.
    nodes.isLost = touches('C');
    write(nodes, 'A', suffixOf(28));
    for (let i = 40; i < 60; i++) write(nodes, 'A', suffixOf(i), 'delete');
    nodes.isLost = touches('B');
    const found = read(nodes, 'C', 'latest', { order: 'backward', limit: 2 });
    expect(found).toEqual({ texts: ['k29', 'k28'], more: true });
  });

  test('reads by itself each key that a replica cannot read', () => {
    const nodes = new ThreeNodes();
    for (const suffix of ['a', 'b', 'c', 'd']) write(nodes, 'A', suffix);
    for (const from of ['latest', 'committed', 'laggard'] as const) {
      nodes.stores.A.damage('items', `${KEY}b`);
      nodes.stores.B.damage('items', `${KEY}d`);
      const found = read(nodes, 'A', from, { order: 'backward', limit: 3 });
      expect(found, from).toEqual({ texts: ['d', 'c', 'b'], more: true });
    }
  });
});

test('an empty range needs no replica', () => {
  const nodes = new ThreeNodes();
  write(nodes, 'A', 'a');
  nodes.sent.length = 0;
  for (const order of ['forward', 'backward'] as const) {
    const range = { from: `${KEY}b`, to: `${KEY}a` };
    expect(read(nodes, 'A', 'latest', { order, range })).toEqual({ texts: [], more: false });
  }
  expect(nodes.sent).toEqual([]);
});

test('a read of one replica sends no message, unless tombstones fill the page or the page is too long for one', () => {
  const nodes = new ThreeNodes({ limits: { rangeEntries: 10, rangeSpareEntries: 2 } });
  for (let i = 0; i < 8; i++) write(nodes, 'A', suffixOf(i));
  const sentFor = (limit: number, from: ReadFrom, texts: readonly string[]) => {
    nodes.sent.length = 0;
    expect(read(nodes, 'A', from, { limit })).toEqual({ texts, more: true });
    return new Set(nodes.sent.map(({ kind }) => kind));
  };
  const first = ['k00', 'k01', 'k02'];
  for (const from of ['committed', 'laggard'] as const) expect(sentFor(3, from, first), from).toEqual(new Set());
  const seven = Array.from({ length: 7 }, (_, i) => suffixOf(i));
  expect(sentFor(7, 'committed', seven)).toEqual(new Set());
  for (let i = 8; i < 12; i++) write(nodes, 'A', suffixOf(i));
  expect(sentFor(9, 'committed', [...seven, 'k07', 'k08'])).toEqual(new Set(['read-range', 'range']));
  for (let i = 0; i < 4; i++) write(nodes, 'A', suffixOf(i), 'delete');
  expect(sentFor(2, 'committed', ['k04', 'k05'])).toEqual(new Set(['read-range', 'range']));
});

describe('range reads', () => {
  const KEYS = 60;
  const name = fc.constantFrom<NodeName>('A', 'B', 'C');
  const sortKey = fc.nat(KEYS - 1);
  /** Many keys that follow one another, while the same replica misses all of it: so pages of replicas end far apart. */
  const changes = fc.record({
    first: sortKey,
    count: fc.integer({ min: 1, max: 30 }),
    step: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom('put' as const, 'delete' as const, 'delete' as const),
    at: name,
    cut: name,
  });
  const bound = fc.option(fc.record({ sortKey: sortKey.map(suffixOf), isInclusive: fc.boolean() }), { nil: undefined });
  const query = fc.record({
    lower: bound,
    upper: bound,
    order: fc.constantFrom<KeyOrder>('forward', 'backward'),
    limit: fc.integer({ min: 1, max: 8 }),
    at: name,
    cut: name,
  });
  type Changes = typeof changes extends fc.Arbitrary<infer Each> ? Each : never;
  type Query = typeof query extends fc.Arbitrary<infer Each> ? Each : never;

  test('find what was written, whatever the bounds, the order and the limit, and which replicas missed what', () => {
    const histories = fc.array(changes, { minLength: 3, maxLength: 8 });
    const queries = fc.array(query, { minLength: 5, maxLength: 15 });
    fc.assert(
      fc.property(histories, queries, (history, asked) => run(history, asked, 'latest')),
      { numRuns: 60 },
    );
  });

  test('give pages that put together are what was written, however small their bytes', () => {
    const histories = fc.array(changes, { minLength: 2, maxLength: 6 });
    const limits = fc.record({
      rangeBytes: fc.integer({ min: 1, max: 500 }),
      rangeEntries: fc.integer({ min: 1, max: 9 }),
      rangeSpareEntries: fc.integer({ min: 1, max: 4 }),
    });
    const asked = fc.record({
      from: fc.constantFrom<ReadFrom>('latest', 'latest', 'committed', 'laggard'),
      order: fc.constantFrom<KeyOrder>('forward', 'backward'),
      limit: fc.constantFrom(1, 2, 3, 1_000),
    });
    fc.assert(
      fc.property(histories, limits, asked, (history, limits, { from, order, limit }) => {
        const nodes = new ThreeNodes({ limits });
        const model = new Set<string>();
        for (const each of history) change(nodes, model, from === 'latest' ? each : { ...each, cut: each.at });
        nodes.isLost = () => false;
        const found: string[] = [];
        for (let range: HalfOpenRange = WHOLE; ; ) {
          const page = read(nodes, 'B', from, { range, order, limit });
          found.push(...page.texts);
          expect(page.texts.length > 0 || !page.more).toBe(true);
          if (!page.more) break;
          const last = `${KEY}${found.at(-1)}`;
          range = order === 'forward' ? { ...range, from: keyAfter(last) } : { ...range, to: last };
        }
        const wanted = [...model].sort();
        expect(found).toEqual(order === 'forward' ? wanted : wanted.reverse());
      }),
      { numRuns: 60 },
    );
  });

  test('of one replica that has missed nothing find the same', () => {
    const histories = fc.array(changes, { minLength: 2, maxLength: 6 });
    const queries = fc.array(query, { minLength: 5, maxLength: 15 });
    const from = fc.constantFrom<ReadFrom>('committed', 'laggard');
    const whole = <Each extends Changes | Query>(each: Each) => ({ ...each, cut: each.at });
    fc.assert(
      fc.property(histories, queries, from, (history, asked, from) => run(history.map(whole), asked.map(whole), from)),
      { numRuns: 40 },
    );
  });

  /** One replica is cut off from each write and each read, unless that one coordinates it: then it reaches all. */
  function run(history: readonly Changes[], queries: readonly Query[], from: ReadFrom): void {
    const nodes = new ThreeNodes();
    const model = new Set<string>();
    for (const each of history) change(nodes, model, each);
    for (const { lower, upper, order, limit, at, cut } of queries) {
      nodes.isLost = touches(cut === at ? undefined : cut);
      const found = read(nodes, at, from, { range: sortKeyRange(KEY, lower, upper), order, limit });
      const wanted = [...model].filter((suffix) => isInside(suffix, lower, upper)).sort();
      if (order === 'backward') wanted.reverse();
      expect(found).toEqual({ texts: wanted.slice(0, limit), more: wanted.length > limit });
    }
  }

  function change(nodes: ThreeNodes, model: Set<string>, { first, count, step, kind, at, cut }: Changes): void {
    nodes.isLost = touches(cut === at ? undefined : cut);
    for (let i = first; i < Math.min(first + count * step, KEYS); i += step) {
      write(nodes, at, suffixOf(i), kind);
      if (kind === 'put') model.add(suffixOf(i));
      else model.delete(suffixOf(i));
    }
  }

  function isInside(suffix: string, lower: SortKeyBound | undefined, upper: SortKeyBound | undefined): boolean {
    const isAbove = lower === undefined || (lower.isInclusive ? suffix >= lower.sortKey : suffix > lower.sortKey);
    const isBelow = upper === undefined || (upper.isInclusive ? suffix <= upper.sortKey : suffix < upper.sortKey);
    return isAbove && isBelow;
  }
});
