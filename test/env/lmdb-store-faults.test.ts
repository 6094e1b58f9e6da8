import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, type write } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LmdbEnvironment } from '../../src/env/lmdb-environment.ts';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import type { LmdbStoreOptions } from '../../src/env/lmdb-store-options.ts';
import type { Store } from '../../src/env/store.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { flush } from '../suites/flush.ts';
import { linesOf, whenGone } from './start-child.ts';

/** How appends to a journal are done from now on. */
const disk = vi.hoisted((): { delayMs: number; error: Error | null } => ({ delayMs: 0, error: null }));

vi.mock(import('node:fs'), async (original) => {
  const fs = await original();
  const faultyWrite = (
    file: number,
    bytes: Buffer,
    from: number,
    length: number,
    at: number,
    done: (error: Error | null, count: number) => void,
  ) => {
    const { delayMs, error } = disk;
    const start = () => {
      if (error !== null) setImmediate(done, error, 0);
      else fs.write(file, bytes, from, length, at, done);
    };
    if (delayMs === 0) start();
    else setTimeout(start, delayMs);
  };
  return { ...fs, write: faultyWrite as unknown as typeof write };
});

const realCommit = LmdbEnvironment.prototype.commit;
const NO_ROOM = new Error('MDB_MAP_FULL');

let path: string;
let stores: LmdbStore[];

beforeEach(() => {
  path = temporaryDirectory();
  stores = [];
});

afterEach(async () => {
  vi.restoreAllMocks();
  Object.assign(disk, { delayMs: 0, error: null });
  for (const store of stores) await store.close();
});

/** Opened, and closed after the test unless it closes it. */
function open(options: LmdbStoreOptions, at = path): LmdbStore {
  const store = new LmdbStore(at, options);
  stores.push(store);
  return store;
}

async function close(store: LmdbStore): Promise<void> {
  stores.splice(stores.indexOf(store), 1);
  await store.close();
}

/** What a kill would leave now, provided that LMDB is not writing. The journal may be half written. */
function copy(from = path): string {
  const to = mkdtempSync(join(path, 'copy-'));
  for (const name of ['journal-0', 'journal-1', 'data.mdb']) copyFileSync(join(from, name), join(to, name));
  return to;
}

function refuseCommits() {
  return vi.spyOn(LmdbEnvironment.prototype, 'commit').mockRejectedValue(NO_ROOM);
}

function put(store: Store, key: string, value = key): void {
  store.put('items', key, Buffer.from(value));
}

function all(store: Store): Record<string, string> {
  const found = store.range('items', { from: '\x00', to: '\xff', limit: 100_000 });
  return Object.fromEntries(found.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

const turn = () => new Promise(setImmediate);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: Error) => error.message,
  );
}

describe('LMDB that refuses a batch', () => {
  test('makes flushes fail once another batch is full, and is asked again', async () => {
    const commit = refuseCommits();
    const store = open({ durability: 'process', batchEntries: 4 });
    const lost = vi.fn();
    store.onLost = lost;
    const kept: Record<string, string> = {};
    for (let at = 0; at < 20; at++) {
      put(store, `k${at}`);
      if ((await outcome(flush(store))) === 'done') kept[`k${at}`] = `k${at}`;
      else expect(store.get('items', `k${at}`)).toBeUndefined();
    }
    expect(Object.keys(kept).length).toBeGreaterThanOrEqual(7);
    expect(Object.keys(kept).length).toBeLessThan(10);
    expect(lost).toHaveBeenCalledTimes(20 - Object.keys(kept).length);
    expect(all(store)).toEqual(kept);
    const killed = open({ durability: 'process' }, copy());
    expect(all(killed)).toEqual(kept);

    commit.mockImplementation(realCommit);
    const tryAgain = () => {
      put(store, 'again');
      return outcome(flush(store));
    };
    await expect.poll(tryAgain, { timeout: 2_000 }).toBe('done');
    expect(all(store)).toEqual({ ...kept, again: 'again' });
    await close(store);
    expect(all(open({ durability: 'process' }))).toEqual({ ...kept, again: 'again' });
  });

  test('tells of lost writes before it fails their flushes', async () => {
    disk.error = new Error('ENOSPC');
    const store = open({ durability: 'process' });
    const said: string[] = [];
    store.onLost = () => said.push(`lost, reads ${store.get('items', 'a')}`);
    put(store, 'a');
    store.flush((error) => said.push(error!.message));
    store.flush((error) => said.push(error!.message));
    await expect.poll(() => said.length).toBe(3);
    const message = 'the store could not be written, is the disk full? (ENOSPC)';
    expect(said).toEqual(['lost, reads undefined', message, message]);
    disk.error = null;
  });

  test('loses nothing acknowledged with durability memory while the process lives, and then says so', async () => {
    const commit = refuseCommits();
    const store = open({ durability: 'memory', batchEntries: 4 });
    const kept: Record<string, string> = {};
    for (let at = 0; at < 20; at++) {
      put(store, `k${at}`);
      if ((await outcome(flush(store))) === 'done') kept[`k${at}`] = `k${at}`;
      await turn();
    }
    expect(Object.keys(kept).length).toBeLessThan(10);
    expect(all(store)).toMatchObject(kept);
    put(store, 'full');
    expect(await outcome(flush(store))).toMatch(/could not be written.*MDB_MAP_FULL/);
    commit.mockImplementation(realCommit);
    await close(store);
    expect(all(open({ durability: 'memory' }))).toMatchObject(kept);
  });

  test.each(['process', 'disk'] as const)('until the end leaves it to the next start (%s)', async (durability) => {
    const commit = refuseCommits();
    const store = open({ durability, batchEntries: 3 });
    for (const key of 'abcde') {
      put(store, key);
      await flush(store);
    }
    put(store, 'last');
    expect(await outcome(close(store))).toMatch(/MDB_MAP_FULL/);
    commit.mockImplementation(realCommit);
    expect(Object.keys(all(open({ durability })))).toEqual(expect.arrayContaining(['a', 'b', 'c', 'd', 'e']));
  });
});

describe('a store that is closed', () => {
  test('with an append under way waits for it, although LMDB refuses', async () => {
    refuseCommits();
    const store = open({ durability: 'process', batchEntries: 2 });
    put(store, 'a');
    put(store, 'b');
    await flush(store);
    await sleep(10);
    disk.delayMs = 100;
    put(store, 'c');
    const flushed = outcome(flush(store));
    await turn();
    expect(await outcome(close(store))).toBe('MDB_MAP_FULL');
    expect(await flushed).toBe('done');
    vi.restoreAllMocks();
    disk.delayMs = 0;
    expect(Object.keys(all(open({ durability: 'process' })))).toEqual(['a', 'b', 'c']);
  });

  test('with a commit under way waits for it', async () => {
    let isDone = false;
    vi.spyOn(LmdbEnvironment.prototype, 'commit').mockImplementation(async function (this: LmdbEnvironment, ...args) {
      await sleep(100);
      await realCommit.apply(this, args);
      isDone = true;
    });
    const store = open({ durability: 'process', batchEntries: 1 });
    put(store, 'a');
    await flush(store);
    await close(store);
    expect(isDone).toBe(true);
  });

  test('while the journal refuses says so, and keeps what it had promised', async () => {
    const store = open({ durability: 'process' });
    put(store, 'a');
    await flush(store);
    disk.error = new Error('ENOSPC');
    put(store, 'b');
    expect(await outcome(close(store))).toMatch(/ENOSPC/);
    disk.error = null;
    expect(all(open({ durability: 'process' }))).toEqual({ a: 'a' });
  });

  test('does not bring back what was removed without a flush', async () => {
    const store = open({ durability: 'process' });
    put(store, 'a');
    await flush(store);
    store.remove('items', 'a');
    await close(store);
    expect(all(open({ durability: 'process' }))).toEqual({});
  });
});

describe('a journal that refuses an append', () => {
  test('that was to complete a batch gives up the writes made meanwhile too, and no others', async () => {
    const store = open({ durability: 'process', batchEntries: 3, lazyFlushMs: 10_000 });
    put(store, 'a', 'kept');
    put(store, 'b', 'kept');
    await flush(store);
    disk.error = new Error('EIO');
    put(store, 'a', 'refused');
    store.remove('items', 'b');
    put(store, 'c', 'refused');
    const first = outcome(flush(store));
    await turn();
    put(store, 'a', 'later');
    put(store, 'd', 'later');
    expect(await first).toMatch(/EIO/);
    disk.error = null;
    expect(all(store)).toEqual({ a: 'kept', b: 'kept' });
    put(store, 'e', 'kept');
    await flush(store);
    expect(all(open({ durability: 'process' }, copy()))).toEqual({ a: 'kept', b: 'kept', e: 'kept' });
  });
});

test('a write whose lazy time runs out during an append is appended after it', async () => {
  const store = open({ durability: 'process', lazyFlushMs: 20, settleAfterMs: 60_000 });
  disk.delayMs = 100;
  put(store, 'a');
  const first = flush(store);
  await turn();
  put(store, 'b');
  await first;
  await sleep(200);
  expect(all(open({ durability: 'process' }, copy()))).toEqual({ a: 'a', b: 'b' });
});

test('a removal by a key that LMDB would refuse is refused at once', () => {
  const store = open({ durability: 'process' });
  expect(() => store.remove('items', '')).toThrow('a store key of 0 bytes');
});

test('a store that cannot be opened holds no file', async () => {
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  for (let at = 0; at < 5; at++) {
    const obstacle = join(path, `node-${at}`, 'journal-1');
    mkdirSync(obstacle, { recursive: true });
    expect(() => open({ durability: 'process' }, join(path, `node-${at}`))).toThrow(/EISDIR/);
  }
  await expect.poll(openFiles).toBeLessThan(before + 5);
  rmSync(join(path, 'node-0', 'journal-1'), { recursive: true });
  put(open({ durability: 'process' }, join(path, 'node-0')), 'works');
});

describe('a killed store that is opened', () => {
  const durabilities = ['memory', 'process', 'disk'] as const;
  const pairs = (['process', 'disk'] as const).flatMap((first) =>
    durabilities.map((second) => [first, second] as const),
  );

  test.each(pairs)('with %s, and then with %s, has everything, and again after that', async (first, second) => {
    const store = open({ durability: first });
    put(store, 'a', 'first');
    put(store, 'b', 'first');
    await flush(store);
    const killed = copy();
    const next = open({ durability: second }, killed);
    expect(all(next)).toEqual({ a: 'first', b: 'first' });
    put(next, 'b', 'second');
    await flush(next);
    await close(next);
    const last = open({ durability: first }, killed);
    expect(all(last)).toEqual({ a: 'first', b: 'second' });
    put(last, 'a', 'third');
    await flush(last);
    await close(last);
    expect(all(open({ durability: second }, killed))).toEqual({ a: 'third', b: 'second' });
  });

  test('where there is no room to settle is refused, and loses nothing', async () => {
    const store = open({ durability: 'process', settleAfterMs: 60_000 });
    for (let at = 0; at < 30; at++) store.put('items', `k${at}`, Buffer.alloc(50_000, at));
    await flush(store);
    const killed = copy();
    // Files of at most 512 KB; `ulimit` counts blocks of 512 bytes.
    const command = `ulimit -f 1024 && exec "${process.execPath}" --import tsx test/env/child.ts open "${killed}"`;
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    const said: string[] = [];
    for await (const line of linesOf(child)) said.push(line);
    await whenGone(child);
    expect(said).toEqual([expect.stringMatching(/^refused ./)]);
    const roomy = open({ durability: 'process' }, killed);
    expect(roomy.range('items', { from: 'k', to: 'l', limit: 100 })).toHaveLength(30);
  });
});

describe('a store that dies at any moment', () => {
  type Step =
    | { readonly kind: 'write'; readonly key: string; readonly isRemoval: boolean }
    | { readonly kind: 'flush' | 'turn' | 'wait' | 'refuse' | 'accept' | 'refuse-append' | 'accept-append' | 'die' };

  const key = fc.constantFrom(...'abcdefg');
  const steps = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), key, isRemoval: fc.boolean() }) },
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'turn' as const, 'turn' as const) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('wait' as const, 'die' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom('refuse', 'accept', 'accept', 'refuse-append', 'accept-append', 'accept-append'),
        }) as fc.Arbitrary<Step>,
      },
    ),
    { minLength: 10, maxLength: 80 },
  );

  test('has a beginning of what was done to it, with all that was flushed', async () => {
    let runs = 0;
    let deaths = 0;
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(0, 8), async (steps, commitDelayMs) => {
        runs++;
        const home = mkdtempSync(join(path, 'home-'));
        let isRefusing = false;
        let committing: Promise<void> = Promise.resolve();
        vi.spyOn(LmdbEnvironment.prototype, 'commit').mockImplementation(function (this: LmdbEnvironment, ...args) {
          if (isRefusing) return Promise.reject(NO_ROOM);
          const begin = () => {
            const result = realCommit.apply(this, args);
            committing = result.catch(() => {});
            return result;
          };
          return sleep(commitDelayMs).then(begin);
        });
        const store = open({ durability: 'process', batchEntries: 3, settleAfterMs: 5, lazyFlushMs: 2 }, home);
        /** All states since the last loss; `written` tells each from the others. */
        let history = [all(store)];
        let flushed = 0;
        let losses = 0;
        store.onLost = () => {
          losses++;
          history = [all(store)];
          flushed = 0;
        };
        for (const [at, step] of steps.entries()) {
          if (step.kind === 'write') {
            if (step.isRemoval) store.remove('items', step.key);
            else put(store, step.key, String(at));
            store.put('items', 'written', Buffer.from(String(at)));
            history.push(all(store));
          } else if (step.kind === 'flush') {
            const target = history.length - 1;
            const before = losses;
            store.flush((error) => {
              if (error === undefined && losses === before) flushed = Math.max(flushed, target);
            });
          } else if (step.kind === 'turn') await turn();
          else if (step.kind === 'wait') await sleep(6);
          else if (step.kind === 'refuse' || step.kind === 'accept') isRefusing = step.kind === 'refuse';
          else if (step.kind === 'die') {
            await committing;
            const possible = history.slice(flushed);
            const dead = new LmdbStore(copy(home), { durability: 'process' });
            deaths++;
            const found = all(dead);
            await dead.close();
            expect(possible).toContainEqual(found);
          } else disk.error = step.kind === 'refuse-append' ? new Error('EIO') : null;
        }
        isRefusing = false;
        disk.error = null;
        // An append that was refused before may be under way.
        await outcome(close(store));
        const reopened = open({ durability: 'process' }, home);
        expect(all(reopened)).toEqual(history.at(-1));
        await close(reopened);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 8_000 },
    );
    // A run has two or three on average; how many runs there are is a matter of the machine.
    expect(deaths).toBeGreaterThan(runs / 2);
  }, 20_000);
});
