import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { DAMAGED, STORE_NAMES } from '../../src/env/store.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { flipBits } from '../rotten-disk.ts';

let path: string;

beforeEach(() => {
  path = temporaryDirectory();
});

test('a value of which a bit was flipped is read as damaged, by its key and in a range, until it is written again', async () => {
  const first = new LmdbStore(path, { durability: 'process' });
  // The last is so long that LMDB has pages of its own for it.
  const long = 'x'.repeat(20_000);
  for (const name of STORE_NAMES) {
    first.put(name, 'a', Buffer.from(`${name} is sound`));
    first.put(name, 'b', Buffer.from(`${name} is rotten`));
    first.put(name, 'c', Buffer.from(`${long} ${name} is long`));
  }
  await first.close();
  const texts = STORE_NAMES.flatMap((name) => [`${name} is rotten`, `${name} is long`]);
  expect(flipBits(join(path, 'data.mdb'), texts)).toBeGreaterThanOrEqual(texts.length);

  const store = new LmdbStore(path, { durability: 'process' });
  for (const name of STORE_NAMES) {
    expect(Buffer.from(store.get(name, 'a')!).toString()).toBe(`${name} is sound`);
    expect(store.get(name, 'b')).toBe(DAMAGED);
    // What was found once is not remembered as if it had been sound.
    expect(store.get(name, 'b')).toBe(DAMAGED);
    expect(store.get(name, 'c')).toBe(DAMAGED);
    const found = store.range(name, { from: 'a', to: 'd', limit: 10 });
    expect(found.map(({ key, value }) => [key, value === DAMAGED])).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
    ]);
    store.put(name, 'b', Buffer.from('written again'));
    store.remove(name, 'c');
  }
  await store.settle();
  for (const name of STORE_NAMES) {
    expect(Buffer.from(store.get(name, 'b')!).toString()).toBe('written again');
    expect(store.range(name, { from: 'a', to: 'd', limit: 10 }).map(({ value }) => value === DAMAGED)).toEqual([
      false,
      false,
    ]);
  }
  await store.close();
});
