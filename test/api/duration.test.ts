import fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationOf } from '../../src/api/duration.ts';

test.each([
  ['49h', 176_400_000],
  ['90s', 90_000],
  ['5m', 300_000],
  ['2d', 172_800_000],
  ['250ms', 250],
  ['1h30m', 5_400_000],
  ['1.5s', 1_500],
  ['-1h', -3_600_000],
  ['+1h', 3_600_000],
  ['-0s', 0],
])('%s', (text, ms) => expect(durationOf(text)).toBe(ms));

test.each(['', '49', 'h', '1 h', '1h 30m', '1y', '-', '1h-30m', '1e3s', '1.s', 'Infinityh', `${'9'.repeat(40)}d`])(
  '%j is none',
  (text) => expect(durationOf(text)).toBeUndefined(),
);

test('parts add up, and a minus is for all of them', () => {
  fc.assert(
    fc.property(fc.nat(999), fc.nat(99), fc.nat(99_999), (days, minutes, ms) => {
      const sum = days * 86_400_000 + minutes * 60_000 + ms;
      expect(durationOf(`${days}d${minutes}m${ms}ms`)).toBe(sum);
      expect(durationOf(`-${days}d${minutes}m${ms}ms`)).toBe(sum === 0 ? 0 : -sum);
    }),
  );
});
