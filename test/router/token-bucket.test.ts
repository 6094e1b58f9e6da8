import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from '../../src/router/token-bucket.ts';

test('it begins with a second, keeps what is not used, and no more than it may keep', () => {
  const bucket = new TokenBucket(10, 3, 0);
  expect(bucket.has(10, 0)).toBe(true);
  expect(bucket.has(10.5, 0)).toBe(false);
  expect(bucket.has(20, 999)).toBe(false);
  expect(bucket.has(20, 1_000)).toBe(true);
  expect(bucket.has(30, 60_000)).toBe(true);
  bucket.take(30);
  expect(bucket.has(0.5, 60_000)).toBe(false);
});

test('an amount that it can never have is given when it is full, and owed', () => {
  const bucket = new TokenBucket(1, 2, 0);
  expect(bucket.has(5, 999)).toBe(false);
  expect(bucket.has(5, 1_000)).toBe(true);
  bucket.take(5);
  expect(bucket.has(1, 4_999)).toBe(false);
  expect(bucket.has(1, 5_000)).toBe(true);
});

test('a new rate holds from its time on', () => {
  const bucket = new TokenBucket(1, 300, 0);
  bucket.take(1);
  bucket.setRate(100, 10_000);
  expect(bucket.has(10.1, 10_000)).toBe(false);
  expect(bucket.has(20, 10_100)).toBe(true);
  bucket.setRate(0.01, 60_000);
  // Of what it had, it keeps what the new rate lets it keep.
  expect(bucket.has(2.9, 60_000)).toBe(true);
  bucket.take(3);
  expect(bucket.has(0.02, 61_000)).toBe(false);
});

test('what was given back can be taken again', () => {
  const bucket = new TokenBucket(5, 1, 0);
  bucket.take(5);
  bucket.take(-3);
  expect(bucket.has(3, 0)).toBe(true);
  bucket.take(-100);
  expect(bucket.has(5, 0)).toBe(true);
  bucket.take(5);
  expect(bucket.has(1, 0)).toBe(false);
});

test('time that goes back gives nothing', () => {
  const bucket = new TokenBucket(1, 300, 10_000);
  bucket.take(1);
  expect(bucket.has(1, 0)).toBe(false);
  expect(bucket.has(1, 1_000)).toBe(true);
});

test('in any interval it gives no more than its rate and what it may keep', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(3_000), units: fc.double({ min: 0.5, max: 40, noNaN: true }) }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5 }), asks, (rate, keptS, requests) => {
      const bucket = new TokenBucket(rate, keptS, 0);
      const given: { atMs: number; units: number }[] = [];
      let nowMs = 0;
      for (const { afterMs, units } of requests) {
        nowMs += afterMs;
        if (!bucket.has(units, nowMs)) continue;
        bucket.take(units);
        given.push({ atMs: nowMs, units });
      }
      for (let from = 0; from < given.length; from++) {
        let sum = 0;
        let largest = 0;
        for (const { atMs, units } of given.slice(from)) {
          sum += units;
          largest = Math.max(largest, units);
          const most = (rate * (atMs - given[from]!.atMs)) / 1_000 + Math.max(rate * keptS, largest);
          expect(sum).toBeLessThanOrEqual(most + 1e-6);
        }
      }
    }),
  );
});
