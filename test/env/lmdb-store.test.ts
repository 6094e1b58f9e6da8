import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { flush } from '../suites/flush.ts';
import { linesOf, startChild, whenGone } from './start-child.ts';

let path: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  path = temporaryDirectory();
});

afterEach(async () => {
  child?.kill('SIGKILL');
  if (child !== undefined) await whenGone(child);
  child = undefined;
});

for (const durability of ['process', 'disk'] as const) {
  describe(`durability ${durability}, the process killed in the middle of its writes`, () => {
    test.each([40, 400])('keeps the first writes without a gap, past %i acknowledged', async (until) => {
      child = startChild(`write-${durability}`, path);
      let acknowledged = -1;
      for await (const line of linesOf(child)) {
        acknowledged = Number(line);
        if (acknowledged >= until) break;
      }
      child.kill('SIGKILL');
      // What it said before it died counts, too.
      for await (const line of linesOf(child)) acknowledged = Math.max(acknowledged, Number(line));
      await whenGone(child);

      const store = new LmdbStore(path, { durability });
      const keys = (['items', 'paxos'] as const).flatMap((name) =>
        store.range(name, { from: '0', to: ':', limit: 1_000_000 }),
      );
      const numbers = keys.map(({ key }) => Number(key)).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from(numbers, (_, at) => at));
      expect(numbers.length).toBeGreaterThan(acknowledged);
      for (const { key, value } of keys) {
        expect(Buffer.compare(value, Buffer.alloc(300, Number(key) & 0xff)), key).toBe(0);
      }
      store.put('items', 'next', Buffer.from('works'));
      await flush(store);
      await store.close();
    });
  });
}

describe('a disk without room', () => {
  // A process that may not make files longer than 4 MB; of blocks of 512 bytes, by POSIX.
  const startLimited = () => {
    const command = `ulimit -f 8192 && exec "${process.execPath}" --import tsx test/env/child.ts fill "${path}"`;
    return spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
  };

  test('fails the flush, gives the writes up, keeps what was there, and goes on when there is room', async () => {
    child = startLimited();
    const said: string[] = [];
    for await (const line of linesOf(child)) said.push(line);
    expect(await whenGone(child)).toBe(0);
    expect(said).toEqual([
      expect.stringMatching(/^refused the store could not be written.+/),
      'lost 1, reads undefined and undefined',
      expect.stringMatching(/^refused the store could not be written/),
      'room for more',
      expect.stringMatching(/^kept \d+$/),
    ]);

    const kept = Number(said.at(-1)!.slice('kept '.length));
    const store = new LmdbStore(path, { durability: 'process' });
    for (let at = 0; at < kept; at++) {
      const expected = at >= 10 && at < 30 ? undefined : Buffer.alloc(50_000, at & 0xff);
      const found = store.get('items', `k${at}`);
      expect(found && Buffer.from(found).equals(expected ?? Buffer.alloc(0)), `k${at}`).toBe(expected && true);
      expect(Buffer.from(store.get('paxos', `k${at}`)!).toString()).toBe('with it');
    }
    expect(store.get('items', `k${kept}`)).toBeUndefined();
    for (let at = 0; at < 100; at++) store.put('items', `more${at}`, Buffer.alloc(50_000, at));
    await flush(store);
    expect(store.range('items', { from: 'more', to: 'morf', limit: 1_000 })).toHaveLength(100);
    await store.close();
  });
});

describe('the durability memory', () => {
  test('answers a flush at once, until writes have outrun the disk by a whole batch', async () => {
    const store = new LmdbStore(path, { durability: 'memory', batchEntries: 10 });
    const flushed: number[] = [];
    for (let at = 0; at < 9; at++) store.put('items', `a${at}`, Buffer.alloc(10));
    store.flush(() => flushed.push(1));
    expect(flushed).toEqual([1]);
    store.put('items', 'a9', Buffer.alloc(10));
    await new Promise(setImmediate);
    for (let at = 0; at < 10; at++) store.put('items', `b${at}`, Buffer.alloc(10));
    store.flush(() => flushed.push(2));
    expect(flushed).toEqual([1]);
    await store.close();
    expect(flushed).toEqual([1, 2]);
  });
});

describe('a write that nobody flushes', () => {
  test('is on disk after the lazy time', async () => {
    const store = new LmdbStore(path, { durability: 'process', lazyFlushMs: 10 });
    store.put('items', 'k', Buffer.from('lazy'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    // A flush is answered within the call only if nothing is left to be written.
    let isAnswered = false;
    store.flush(() => {
      isAnswered = true;
    });
    expect(isAnswered).toBe(true);
    await store.close();
  });
});

test('a key that LMDB would refuse is refused at once, and not with a whole batch', async () => {
  const store = new LmdbStore(path, { durability: 'process' });
  expect(() => store.put('items', '', Buffer.alloc(1))).toThrow('a store key of 0 bytes');
  expect(() => store.put('items', 'k'.repeat(1_979), Buffer.alloc(1))).toThrow('a store key of 1979 bytes');
  await store.close();
});
