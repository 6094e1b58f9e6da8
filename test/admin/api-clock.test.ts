import { beforeEach, describe, expect, test } from 'vitest';
import { ApiClock } from '../../src/admin/api-clock.ts';
import { AdminError } from '../../src/api/fault-rule.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
let source: ManualClock;
let clock: ApiClock;
beforeEach(() => {
  source = new ManualClock(START);
  clock = new ApiClock(source);
});

test('is the clock of the computer until it is moved, and runs on from there', () => {
  expect(clock.view()).toEqual({ now: '2026-01-31T12:00:00.000Z', nowMs: START, offsetMs: 0 });
  expect(clock.move({ advance: '49h' })).toEqual({
    now: '2026-02-02T13:00:00.000Z',
    nowMs: START + 176_400_000,
    offsetMs: 176_400_000,
  });
  source.advance(1_000);
  expect(clock.now()).toBe(START + 176_401_000);
  expect(clock.elapsedMs()).toBe(176_401_000);
});

test('is set to a time, and moved back', () => {
  expect(clock.move({ set: '2030-01-01' }).now).toBe('2030-01-01T00:00:00.000Z');
  expect(clock.move({ advance: '-1d' }).now).toBe('2029-12-31T00:00:00.000Z');
  expect(clock.move({ set: 1.4 }).nowMs).toBe(1);
  expect(clock.move({ advance: 1_000 }).nowMs).toBe(1_001);
});

test('is put back to its start', () => {
  const ahead = new ApiClock(source, 5_000);
  expect(ahead.now()).toBe(START + 5_000);
  ahead.move({ advance: '1d' });
  source.advance(10);
  expect(ahead.reset()).toMatchObject({ nowMs: START + 5_010, offsetMs: 5_000 });
});

describe('refuses', () => {
  test.each([
    [{ advance: 'soon' }, 'advance'],
    [{ advance: Number.NaN }, 'advance'],
    [{ advance: Number.POSITIVE_INFINITY }, 'advance'],
    [{ advance: '999999d999999999d' }, 'advance'],
    [{ advance: '-21000d' }, 'advance'],
    [{ set: '2030-02-30' }, 'set'],
    [{ set: -1 }, 'set'],
    [{ set: 253_402_300_800_000 }, 'set'],
  ])('%j, and stays as it was', (move, field) => {
    const refused = expect.objectContaining({ status: 400, field });
    expect(() => clock.move(move)).toThrow(AdminError);
    expect(() => clock.move(move)).toThrow(refused);
    expect(clock.now()).toBe(START);
  });
});

test('never shows a time that has no date, whatever it starts with', () => {
  expect(new ApiClock(source, -1e15).view().now).toBe('1970-01-01T00:00:00.000Z');
  expect(new ApiClock(source, 1e15).view().now).toBe('9999-12-31T23:59:59.999Z');
});
