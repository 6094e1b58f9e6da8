import { expect, test } from 'vitest';
import { KeyLock } from '../../src/dynamo/registers/key-lock.ts';

const limits = { keyQueueLength: 20_000, queuedWrites: 20_000 };

test('writes of one key run one after the other, in the order they came', () => {
  const lock = new KeyLock(limits);
  const started: number[] = [];
  for (const each of [1, 2, 3]) lock.acquire('k', () => started.push(each));
  lock.acquire('other', () => started.push(4));
  expect(started).toEqual([1, 4]);
  lock.release('k');
  expect(started).toEqual([1, 4, 2]);
  lock.release('k');
  lock.release('k');
  expect(started).toEqual([1, 4, 2, 3]);
  lock.acquire('k', () => started.push(5));
  expect(started.at(-1)).toBe(5);
});

test('ten thousand that end as soon as they start do not nest', () => {
  const lock = new KeyLock(limits);
  let ended = 0;
  lock.acquire('k', () => {});
  for (let i = 0; i < 10_000; i++) {
    lock.acquire('k', () => {
      ended++;
      lock.release('k');
    });
  }
  lock.release('k');
  expect(ended).toBe(10_000);
});

test('a queue that is full refuses, by key and over all', () => {
  const lock = new KeyLock({ keyQueueLength: 1, queuedWrites: 2 });
  const start = () => {};
  for (const key of ['a', 'b', 'c']) expect(lock.acquire(key, start)).toBe(true);
  expect(lock.acquire('a', start)).toBe(true);
  expect(lock.acquire('a', start)).toBe(false);
  expect(lock.acquire('b', start)).toBe(true);
  expect(lock.acquire('c', start)).toBe(false);
});
