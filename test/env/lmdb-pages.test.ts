import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkPages } from '../../src/env/lmdb-pages.ts';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { StoreDamagedError } from '../../src/env/store-damage.ts';
import { flush } from '../suites/flush.ts';

const PAGE = 4_096;
const LEAF = 2;
const KEYS = 300;

let path: string;
/** Of a store that has been written for a while: with branches, long values, and pages that are free. */
let whole: string;
let copy: string;

beforeAll(async () => {
  path = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
  whole = join(path, 'data.mdb');
  copy = join(path, 'copy.mdb');
  const store = new LmdbStore(path, { durability: 'process', settleAfterMs: 5, batchEntries: 200 });
  for (let round = 0; round < 6; round++) {
    for (let at = 0; at < KEYS; at++) {
      const key = `key-${(at * 7_919) % KEYS}`.padEnd(8 + (at % 150), '.');
      if ((at + round) % 5 === 0) store.remove('items', key);
      else store.put('items', key, Buffer.alloc(at % 20 === 0 ? 10_000 : 100 + at, round));
      if (at % 3 === 0) store.put('paxos', key, Buffer.alloc(50));
    }
    await flush(store);
    await store.settle();
    // While it is in use, as a killed process would leave it.
    checkPages(whole);
  }
  await store.close();
});

afterAll(() => {
  rmSync(path, { recursive: true });
});

/** What is said of a copy that was changed. */
function damageOf(change: (bytes: Buffer) => void): string | undefined {
  const bytes = readFileSync(whole);
  change(bytes);
  copyFileSync(whole, copy);
  const file = openSync(copy, 'r+');
  writeSync(file, bytes);
  closeSync(file);
  return saidOf(copy);
}

function saidOf(file: string): string | undefined {
  try {
    checkPages(file);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(StoreDamagedError);
    return (error as Error).message;
  }
}

/** The pages without which the file is damaged. */
function pagesInUse(kind?: number): number[] {
  const bytes = readFileSync(whole);
  const pages = Array.from({ length: bytes.length / PAGE - 2 }, (_, at) => at + 2);
  return pages.filter((page) => {
    const isOfKind = kind === undefined || bytes.readUInt16LE(page * PAGE + 18) === kind;
    return isOfKind && damageOf((changed) => changed.fill(0, page * PAGE, (page + 1) * PAGE)) !== undefined;
  });
}

test('a file that is not there, or new and empty, is whole', () => {
  checkPages(join(path, 'none.mdb'));
  copyFileSync(whole, copy);
  truncateSync(copy, 0);
  checkPages(copy);
});

describe('the pages of a store are not whole', () => {
  test('when the file was cut anywhere before its last page in use', () => {
    const last = Math.max(...pagesInUse());
    for (let pages = 0; pages <= last; pages++) {
      copyFileSync(whole, copy);
      truncateSync(copy, pages * PAGE + 100);
      expect(saidOf(copy), `${pages} pages`).toMatch(/^data\.mdb is damaged: /);
    }
  });

  test('when a leaf is somebody else’s, is of another time, or has a node that leads out of it', () => {
    const leaves = pagesInUse(LEAF);
    expect(leaves.length).toBeGreaterThan(10);
    for (const [at, leaf] of leaves.entries()) {
      const start = leaf * PAGE;
      const other = leaves[(at + 1) % leaves.length]! * PAGE;
      expect(damageOf((bytes) => bytes.copy(bytes, start, other, other + PAGE))).toMatch(/is not what it should be$/);
      expect(damageOf((bytes) => bytes.writeUInt8(9, start + 12))).toMatch(/is not what it should be$/);
      expect(damageOf((bytes) => bytes.writeUInt16LE(PAGE, start + 24))).toMatch(/has a node beyond its nodes$/);
      const node = start + 24 + readFileSync(whole).readUInt16LE(start + 24);
      expect(damageOf((bytes) => bytes.writeUInt16LE(PAGE, node + 6))).toMatch(/has a key beyond its end$/);
      expect(damageOf((bytes) => bytes.writeUInt8(bytes[node + 4]! | 4, node + 4))).toMatch(/has a value of no kind$/);
    }
  });

  test('when keys are in disorder', () => {
    const bytes = readFileSync(whole);
    const at = bytes.indexOf('key-2', 2 * PAGE);
    const found = new Set<string | undefined>();
    for (let key = at; key >= 0; key = bytes.indexOf('key-2', key + 1)) {
      found.add(damageOf((changed) => changed.writeUInt8(0xff, key))?.replace(/\d+/, 'N'));
    }
    expect(found).toContain('data.mdb is damaged: keys of page N are in disorder');
  });

  test('or make no difference, whichever bit was changed: nothing else is ever thrown', () => {
    const used = pagesInUse();
    fc.assert(
      fc.property(fc.constantFrom(...used), fc.nat(63), fc.nat(7), (page, at, bit) => {
        damageOf((bytes) => bytes.writeUInt8(bytes[page * PAGE + at]! ^ (1 << bit), page * PAGE + at));
      }),
      { numRuns: 100 },
    );
  });
});
