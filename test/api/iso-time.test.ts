import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime } from '../../src/api/iso-time.ts';

test('writes every time up to the year 9999 as Date does', () => {
  const yearTenThousand = Date.UTC(10_000, 0);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: yearTenThousand - 1 }), (timeMs) => {
      expect(isoTime(timeMs)).toBe(new Date(timeMs).toISOString());
    }),
    { numRuns: 2_000 },
  );
});

test('knows leap days', () => {
  for (const day of ['1970-01-01', '2000-02-29', '2000-03-01', '2100-02-28', '2100-03-01', '2024-12-31']) {
    expect(isoTime(Date.parse(day))).toBe(`${day}T00:00:00.000Z`);
  }
});
