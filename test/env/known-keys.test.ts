import { expect, test } from 'vitest';
import { KnownKeys } from '../../src/env/known-keys.ts';

test('a key is known to be missing until it is added, and again when it is removed', () => {
  const keys = new KnownKeys();
  expect(keys.isWithout('a')).toBe(true);
  keys.add('a');
  expect(keys.isWithout('a')).toBe(false);
  keys.remove('a');
  expect(keys.isWithout('a')).toBe(true);
});

test('of more keys than may be known, none is said to be missing any more, whatever is removed', () => {
  const keys = new KnownKeys(2);
  for (const key of ['a', 'b', 'c']) keys.add(key);
  for (const key of ['a', 'b', 'c']) keys.remove(key);
  expect(['a', 'd'].map((key) => keys.isWithout(key))).toEqual([false, false]);
});
