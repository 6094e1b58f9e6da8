import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DAMAGED,
  isCutShort,
  type KeyRange,
  type RangeQuery,
  STORE_NAMES,
  type Store,
  type StoreKey,
  type StoreName,
} from '../../src/env/store.ts';
import { flush } from './flush.ts';

/** One kind of store, as the suite makes and ends it. */
export interface StoreUnderTest {
  /** A fresh, empty store. */
  open(): Store;
  /** The same store again after `close`; undefined where nothing outlives it. */
  reopen: (() => Store) | undefined;
  /** Changes a bit of what is stored of a key, whose value is `text`. @returns the store, another one if it had to be closed */
  rot(store: Store, key: StoreKey, text: string): Promise<Store>;
  /** Removes what the last `open` made. The store is closed. */
  dispose(): void;
}

const MAX_KEY_BYTES = 1_978;

/** What every `Store` must do, whoever implements it. */
export function storeSuite(name: string, under: StoreUnderTest): void {
  describe(name, () => {
    let store: Store;

    beforeEach(() => {
      store = under.open();
    });

    afterEach(async () => {
      await store.close();
      under.dispose();
    });

    test('has nothing at first', () => {
      expect(store.get('items', 'a')).toBeUndefined();
      expect(store.range('items', { from: 'a', to: 'z', limit: 10 })).toEqual([]);
    });

    test('reads a write before it is flushed, and after', async () => {
      store.put('items', 'k', bytes('one'));
      expect(text(store.get('items', 'k'))).toBe('one');
      expect(texts(store.range('items', { from: 'a', to: 'z', limit: 10 }))).toEqual(['k=one']);
      await flush(store);
      expect(text(store.get('items', 'k'))).toBe('one');
      expect(texts(store.range('items', { from: 'a', to: 'z', limit: 10 }))).toEqual(['k=one']);
    });

    test('reads the newest of several writes, while each of them is on its way', async () => {
      store.put('items', 'k', bytes('one'));
      const first = flush(store);
      store.put('items', 'k', bytes('two'));
      await new Promise(setImmediate);
      store.put('items', 'k', bytes('three'));
      expect(text(store.get('items', 'k'))).toBe('three');
      await first;
      expect(text(store.get('items', 'k'))).toBe('three');
      await flush(store);
      expect(text(store.get('items', 'k'))).toBe('three');
    });

    test('does not see what was removed, in any state of the write before', async () => {
      store.put('items', 'unwritten', bytes('x'));
      store.remove('items', 'unwritten');
      expect(store.get('items', 'unwritten')).toBeUndefined();
      store.put('items', 'written', bytes('x'));
      await flush(store);
      store.remove('items', 'written');
      expect(store.get('items', 'written')).toBeUndefined();
      expect(store.range('items', { from: 'a', to: 'z', limit: 10 })).toEqual([]);
      await flush(store);
      expect(store.get('items', 'unwritten')).toBeUndefined();
      expect(store.get('items', 'written')).toBeUndefined();
    });

    test('brings back a key that was removed while it was written', async () => {
      store.put('paxos', 'k', bytes('one'));
      const first = flush(store);
      await new Promise(setImmediate);
      store.remove('paxos', 'k');
      store.put('paxos', 'k', bytes('two'));
      store.remove('paxos', 'k');
      await first;
      expect(store.get('paxos', 'k')).toBeUndefined();
      await flush(store);
      expect(store.get('paxos', 'k')).toBeUndefined();
      store.put('paxos', 'k', bytes('three'));
      await flush(store);
      expect(text(store.get('paxos', 'k'))).toBe('three');
    });

    test('ignores the removal of a key that is not there', async () => {
      store.remove('items', 'nothing');
      await flush(store);
      expect(store.get('items', 'nothing')).toBeUndefined();
    });

    test('keeps its tables apart', async () => {
      for (const name of STORE_NAMES) if (name !== 'meta') store.put(name, 'k', bytes(name));
      await flush(store);
      store.remove('paxos', 'k');
      await flush(store);
      const found = STORE_NAMES.filter((name) => store.get(name, 'k') !== undefined);
      expect(found).toEqual(STORE_NAMES.filter((name) => name !== 'meta' && name !== 'paxos'));
      for (const name of found) expect(text(store.get(name, 'k'))).toBe(name);
    });

    test('orders keys by their bytes, the shorter first', async () => {
      const keys = ['\x00', '\x00\x00', '\x00\xff', '\x01', '\x7f', '\x80', '\xfe\xff', '\xff', '\xff\x00', '\xff\xff'];
      const halves = [keys.filter((_, at) => at % 2 === 0), keys.filter((_, at) => at % 2 === 1)];
      for (const key of halves[0]!.toReversed()) store.put('items', key, bytes('x'));
      await flush(store);
      for (const key of halves[1]!.toReversed()) store.put('items', key, bytes('x'));
      expect(store.range('items', { from: '\x00', to: '\xff\xff\xff', limit: 100 }).map(({ key }) => key)).toEqual(
        keys,
      );
      await flush(store);
      expect(store.range('items', { from: '\x00', to: '\xff\xff\xff', limit: 100 }).map(({ key }) => key)).toEqual(
        keys,
      );
    });

    test('takes the longest keys, and bounds that are longer still', async () => {
      const prefix = 'p'.repeat(MAX_KEY_BYTES - 1);
      for (const last of ['\x00', 'a', '\xff']) store.put('items', prefix + last, bytes(last));
      await flush(store);
      expect(text(store.get('items', `${prefix}a`))).toBe('a');
      const between = (from: StoreKey, to: StoreKey) =>
        store.range('items', { from, to, limit: 9 }).map(({ key }) => key.slice(MAX_KEY_BYTES - 1));
      expect(between(`${prefix}\x00`, `${prefix}\xff`)).toEqual(['\x00', 'a']);
      expect(between(`${prefix}\x00\x00`, `${prefix}\xff\x00`)).toEqual(['a', '\xff']);
      const backward = (range: KeyRange) =>
        store.range('items', { ...range, limit: 9, order: 'backward' }).map(({ key }) => key.slice(MAX_KEY_BYTES - 1));
      expect(backward({ from: `${prefix}\x00`, to: `${prefix}\xff` })).toEqual(['a', '\x00']);
      expect(backward({ after: `${prefix}\x00`, through: `${prefix}\xff` })).toEqual(['\xff', 'a']);
      expect(backward({ from: `${prefix}\x00\x00`, to: `${prefix}\xff\x00` })).toEqual(['\xff', 'a']);
      expect(backward({ after: `${prefix}a\xff`, through: `${prefix}\xff\xff` })).toEqual(['\xff']);
    });

    test('keeps values from none to a megabyte, byte for byte', async () => {
      const sizes = [0, 1, 100, 4_000, 4_096, 16_384, 32_768, 70_000, 420_000, 1_048_576];
      const patternOf = (size: number) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + size) & 0xff);
      for (const size of sizes) store.put('items', `size ${size}`, patternOf(size));
      await flush(store);
      const kept = sizes.map((size) => store.get('items', `size ${size}`)!);
      const listed = new Map(
        store.range('items', { from: 'size', to: 'sizf', limit: 99 }).map(({ key, value }) => [key, value]),
      );
      for (const [at, size] of sizes.entries()) {
        expect(Buffer.compare(kept[at]!, patternOf(size)), `get ${size}`).toBe(0);
        expect(Buffer.compare(listed.get(`size ${size}`)!, patternOf(size)), `range ${size}`).toBe(0);
      }
    });

    test('never changes bytes that it has handed out', async () => {
      store.put('items', 'a', bytes('first'));
      store.put('items', 'b', bytes('other'));
      await flush(store);
      const read = store.get('items', 'a')!;
      const ranged = store.range('items', { from: 'a', to: 'b', limit: 1 })[0]!.value;
      const backward = store.range('items', { from: 'a', through: 'b', limit: 2, order: 'backward' });
      store.get('items', 'b');
      store.range('items', { from: 'b', to: 'c', limit: 1 });
      store.range('items', { from: 'a', to: 'c', limit: 2, order: 'backward' });
      store.put('items', 'a', bytes('later'));
      await flush(store);
      store.get('items', 'a');
      expect([text(read), text(ranged)]).toEqual(['first', 'first']);
      expect(texts(backward)).toEqual(['b=other', 'a=first']);
    });

    test('reads DAMAGED in place of other bytes than were written, until the key is written again', async () => {
      for (const key of ['a', 'b', 'c']) store.put('items', key, bytes(`the value of ${key}`));
      await flush(store);
      store = await under.rot(store, 'b', 'the value of b');
      expect(store.get('items', 'b')).toBe(DAMAGED);
      expect(
        store.range('items', { from: 'a', to: 'z', limit: 10 }).map(({ key, value }) => [key, value === DAMAGED]),
      ).toEqual([
        ['a', false],
        ['b', true],
        ['c', false],
      ]);
      expect(text(store.get('items', 'a'))).toBe('the value of a');
      store.put('items', 'b', bytes('again'));
      expect(text(store.get('items', 'b'))).toBe('again');
      await flush(store);
      store.remove('items', 'b');
      expect(store.get('items', 'b')).toBeUndefined();
    });

    test('ends a range below its upper bound and at its limit', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) store.put('items', key, bytes(key));
      await flush(store);
      store.remove('items', 'b');
      store.put('items', 'bb', bytes('bb'));
      const keys = (from: StoreKey, to: StoreKey, limit: number) =>
        store.range('items', { from, to, limit }).map(({ key }) => key);
      expect(keys('a', 'e', 9)).toEqual(['a', 'bb', 'c', 'd']);
      expect(keys('a', 'e', 3)).toEqual(['a', 'bb', 'c']);
      expect(keys('a', 'e', 1)).toEqual(['a']);
      expect(keys('a', 'e', 0)).toEqual([]);
      expect(keys('b', 'bb', 9)).toEqual([]);
      expect(keys('d', 'b', 9)).toEqual([]);
      expect(keys('c', 'c', 9)).toEqual([]);
    });

    test('ends a range with the entry with which the values have as many bytes as wanted', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) store.put('items', key, bytes(key.repeat(10)));
      await flush(store);
      store.remove('items', 'b');
      store.put('items', 'bb', bytes('bb'.repeat(10)));
      const query = { from: 'a', to: 'e', limit: 9 };
      const keys = (more: Partial<RangeQuery>) =>
        store.range('items', { ...query, ...more } as RangeQuery).map(({ key }) => key);
      expect(keys({ bytesLimit: 1 })).toEqual(['a']);
      expect(keys({ bytesLimit: 10 })).toEqual(['a']);
      expect(keys({ bytesLimit: 11 })).toEqual(['a', 'bb']);
      expect(keys({ bytesLimit: 31, order: 'backward' })).toEqual(['d', 'c', 'bb']);
      expect(keys({ bytesLimit: 31, limit: 2 })).toEqual(['a', 'bb']);
      expect(keys({ bytesLimit: 1_000 })).toEqual(['a', 'bb', 'c', 'd']);
      expect(keys({})).toEqual(['a', 'bb', 'c', 'd']);
    });

    test('says of a page whether more may follow', async () => {
      for (const key of ['a', 'b', 'c']) store.put('items', key, bytes(key.repeat(10)));
      await flush(store);
      const isCut = (query: { limit: number; bytesLimit?: number }) =>
        isCutShort(store.range('items', { from: 'a', to: 'c', ...query }), query);
      expect(isCut({ limit: 3 })).toBe(false);
      expect(isCut({ limit: 2 })).toBe(true);
      expect(isCut({ limit: 3, bytesLimit: 21 })).toBe(false);
      expect(isCut({ limit: 3, bytesLimit: 20 })).toBe(true);
    });

    test('reads a range backward from its upper bound down, each bound as it is named', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) store.put('items', key, bytes(key));
      await flush(store);
      store.remove('items', 'b');
      store.put('items', 'bb', bytes('bb'));
      const keys = (range: KeyRange, limit: number) =>
        store.range('items', { ...range, limit, order: 'backward' }).map(({ key }) => key);
      expect(keys({ from: 'a', to: 'e' }, 9)).toEqual(['d', 'c', 'bb', 'a']);
      expect(keys({ from: 'a', through: 'e' }, 9)).toEqual(['e', 'd', 'c', 'bb', 'a']);
      expect(keys({ after: 'a', to: 'e' }, 9)).toEqual(['d', 'c', 'bb']);
      expect(keys({ after: 'bb', through: 'zz' }, 9)).toEqual(['e', 'd', 'c']);
      expect(keys({ from: 'a', to: 'e' }, 3)).toEqual(['d', 'c', 'bb']);
      expect(keys({ from: 'a', to: 'e' }, 1)).toEqual(['d']);
      expect(keys({ from: 'a', to: 'e' }, 0)).toEqual([]);
      expect(keys({ after: 'a', through: 'b' }, 9)).toEqual([]);
      expect(keys({ from: 'd', to: 'b' }, 9)).toEqual([]);
      expect(keys({ from: 'c', through: 'c' }, 9)).toEqual(['c']);
      expect(keys({ from: 'c', to: 'c' }, 9)).toEqual([]);
      expect(keys({ after: 'c', through: 'c' }, 9)).toEqual([]);
    });

    test('reads a range page by page, either way, while it is written to', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.nat(199), { maxLength: 80 }),
          fc.uniqueArray(fc.nat(199), { maxLength: 40 }),
          fc.integer({ min: 1, max: 30 }),
          async (settled, changed, limit) => {
            const keyOf = (at: number) => `page ${at.toString().padStart(3, '0')}`;
            const model = new Set(settled.map(keyOf));
            for (let at = 0; at < 200; at++) store.remove('items', keyOf(at));
            for (const at of settled) store.put('items', keyOf(at), bytes('settled'));
            await flush(store);
            for (const [index, at] of changed.entries()) {
              // A few are taken up into the next batch while the range is read.
              if (index === changed.length >> 1) store.flush(() => {});
              if (at % 2 === 0) store.put('items', keyOf(at), bytes('changed'));
              else store.remove('items', keyOf(at));
              if (at % 2 === 0) model.add(keyOf(at));
              else model.delete(keyOf(at));
            }
            const forward: StoreKey[] = [];
            for (let after = 'page'; ; ) {
              const page = store.range('items', { after, to: 'pagf', limit });
              forward.push(...page.map(({ key }) => key));
              if (page.length < limit) break;
              after = page.at(-1)!.key;
            }
            const backward: StoreKey[] = [];
            for (let to = 'pagf'; ; ) {
              const page = store.range('items', { after: 'page', to, limit, order: 'backward' });
              backward.push(...page.map(({ key }) => key));
              if (page.length < limit) break;
              to = page.at(-1)!.key;
            }
            expect(forward).toEqual([...model].sort());
            expect(backward).toEqual(forward.toReversed());
          },
        ),
        { numRuns: 40 },
      );
    });

    test('gives DAMAGED back in its place, whatever the range', async () => {
      const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
      for (const key of keys) store.put('items', key, bytes(`the value of ${key}`));
      await flush(store);
      store = await under.rot(store, 'b', 'the value of b');
      store = await under.rot(store, 'd', 'the value of d');
      store.remove('items', 'e');
      store.put('items', 'd', bytes('again'));
      store.put('items', 'cc', bytes('new'));
      const model: [StoreKey, string][] = [
        ['a', 'the value of a'],
        ['b', 'damaged'],
        ['c', 'the value of c'],
        ['cc', 'new'],
        ['d', 'again'],
        ['f', 'the value of f'],
      ];
      fc.assert(
        fc.property(query(fc.constantFrom(...keys, 'bb', 'cc', 'g')), (asked) => {
          const found = store
            .range('items', asked)
            .map(({ key, value }) => [key, value === DAMAGED ? 'damaged' : text(value)]);
          expect(found).toEqual(pageOf(model, asked));
        }),
        { numRuns: 500 },
      );
    });

    test('calls back every flush exactly once', async () => {
      const called: number[] = [];
      const flushes = Array.from({ length: 20 }, async (_, at) => {
        store.put('items', `k${at}`, bytes('x'));
        if (at % 7 === 0) await new Promise(setImmediate);
        await flush(store);
        called.push(at);
      });
      await Promise.all(flushes);
      await new Promise(setImmediate);
      expect(called.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, at) => at));
    });

    test('flushes at once when there is nothing to flush', () => {
      let isDone = false;
      store.flush(() => {
        isDone = true;
      });
      expect(isDone).toBe(true);
    });

    test('behaves as a sorted map, whatever is done to it', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
          for (const name of NAMES) {
            for (const { key } of store.range(name, EVERYTHING)) store.remove(name, key);
          }
          const model = new Map<string, number>();
          const flushes: Promise<void>[] = [];
          for (const each of steps) {
            if (each.kind === 'reopen' && under.reopen !== undefined) {
              await store.close();
              store = under.reopen();
            } else await run(store, model, each, flushes);
          }
          await Promise.all(flushes);
          for (const name of NAMES) {
            expect(rangeOf(store, name, EVERYTHING)).toEqual(modelRange(model, name, EVERYTHING));
          }
        }),
        { numRuns: 60 },
      );
    });

    if (under.reopen !== undefined) {
      const { reopen } = under;
      test('finds everything again after a clean close, flushed or not', async () => {
        for (let at = 0; at < 500; at++) store.put('items', `k${at}`, bytes(`${at}`));
        await flush(store);
        store.put('meta', 'last', bytes('unflushed'));
        store.remove('items', 'k7');
        await store.close();
        store = reopen();
        expect(text(store.get('items', 'k499'))).toBe('499');
        expect(store.get('items', 'k7')).toBeUndefined();
        expect(text(store.get('meta', 'last'))).toBe('unflushed');
      });
    }
  });
}

type Step =
  | { readonly kind: 'put'; readonly name: StoreName; readonly key: StoreKey; readonly size: number }
  | { readonly kind: 'remove' | 'get'; readonly name: StoreName; readonly key: StoreKey }
  | { readonly kind: 'range'; readonly name: StoreName; readonly query: RangeQuery }
  | { readonly kind: 'flush' | 'turn' | 'await' | 'reopen' };

/** All keys of the steps. */
const EVERYTHING: RangeQuery = { from: '\x00', to: '\xff\xff\xff\xff', limit: 1_000 };
const NAMES: readonly StoreName[] = ['items', 'paxos', 'meta'];
const name = fc.constantFrom(...NAMES);
/** Few keys, so that they meet; with the bytes that are special somewhere. */
const key = fc
  .array(fc.constantFrom('\x00', '\x01', 'a', '\x80', '\xff'), { minLength: 1, maxLength: 3 })
  .map((units) => units.join(''));
/** Any range with bounds among these keys, either way; limits may be longer than the range. */
const query = (bound: fc.Arbitrary<StoreKey>): fc.Arbitrary<RangeQuery> =>
  fc
    .tuple(
      fc.oneof(fc.record({ from: bound }), fc.record({ after: bound })),
      fc.oneof(fc.record({ to: bound }), fc.record({ through: bound })),
      fc.record({ limit: fc.nat(12), order: fc.constantFrom('forward' as const, 'backward' as const) }),
    )
    .map(([lower, upper, page]) => ({ ...lower, ...upper, ...page }));
/** Told apart by their sizes; some on an overflow page. */
const size = fc.oneof(fc.nat(20), fc.nat(70_000));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), name, key, size }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'get' as const), name, key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('range' as const), name, query: query(key) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('await' as const, 'reopen' as const) }) },
);

async function run(store: Store, model: Map<string, number>, each: Step, flushes: Promise<void>[]): Promise<void> {
  switch (each.kind) {
    case 'put':
      store.put(each.name, each.key, new Uint8Array(each.size).fill(each.size & 0xff));
      model.set(`${each.name} ${each.key}`, each.size);
      return;
    case 'remove':
      store.remove(each.name, each.key);
      model.delete(`${each.name} ${each.key}`);
      return;
    case 'get':
      expect(shape(store.get(each.name, each.key))).toBe(model.get(`${each.name} ${each.key}`));
      return;
    case 'range':
      expect(rangeOf(store, each.name, each.query)).toEqual(modelRange(model, each.name, each.query));
      return;
    case 'flush':
      flushes.push(flush(store));
      return;
    case 'turn':
      return new Promise(setImmediate);
    default:
      await Promise.all(flushes);
  }
}

function rangeOf(store: Store, name: StoreName, query: RangeQuery): string[] {
  return store.range(name, query).map(({ key, value }) => `${JSON.stringify(key)} ${shape(value)}`);
}

function modelRange(model: Map<string, number>, name: StoreName, query: RangeQuery): string[] {
  const entries = [...model]
    .filter(([at]) => at.startsWith(`${name} `))
    .map(([at, size]) => [at.slice(name.length + 1), size] as const);
  return pageOf(entries, query).map(([key, size]) => `${JSON.stringify(key)} ${size}`);
}

/** What a range is, said in the most naive way. */
function pageOf<Each extends readonly [StoreKey, unknown]>(entries: readonly Each[], query: RangeQuery): Each[] {
  const found = entries
    .filter(([key]) => (query.from === undefined ? key > query.after : key >= query.from))
    .filter(([key]) => (query.to === undefined ? key <= query.through : key < query.to))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (query.order === 'backward') found.reverse();
  return found.slice(0, query.limit);
}

/** The size of a value that is as a step made it. */
function shape(value: Uint8Array | undefined): number | string | undefined {
  if (value === undefined) return undefined;
  return value.every((byte) => byte === (value.length & 0xff)) ? value.length : `${value.length}, spoilt`;
}

function bytes(from: string): Uint8Array {
  return Buffer.from(from, 'latin1');
}

function text(from: Uint8Array | undefined): string | undefined {
  return from && Buffer.from(from).toString('latin1');
}

function texts(entries: readonly { key: StoreKey; value: Uint8Array }[]): string[] {
  return entries.map(({ key, value }) => `${key}=${text(value)}`);
}
