import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime, timeOfIso } from '../../src/api/iso-time.ts';

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

test('reads every time up to the year 9999 that it writes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(10_000, 0) - 1 }), (timeMs) => {
      expect(timeOfIso(isoTime(timeMs))).toBe(timeMs);
    }),
    { numRuns: 2_000 },
  );
});

test.each(['2030-01-31', '2030-01-31T12:30:59Z', '2000-02-29T00:00:00.5Z'])('reads %s as Date does', (text) => {
  expect(timeOfIso(text)).toBe(Date.parse(text));
});

test.each([
  '2030-02-30',
  '2100-02-29',
  '2030-13-01',
  '2030-00-10',
  '2030-01-31T24:00:00Z',
  '2030-01-31T12:60:00Z',
  '2030-01-31T12:00:00',
  '2030-01-31T12:00:00+01:00',
  '1969-12-31',
  '2030-1-31',
  '',
])('%j is no time', (text) => expect(timeOfIso(text)).toBeUndefined());
