import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExpirySchedule, type ScheduledItem, type ScheduleRoom } from '../../src/router/expiry-schedule.ts';

const room = (): ScheduleRoom => ({ bytesLeft: 1_000_000 });

function itemOf(partitionKey: string, atMs: number, dueMs = atMs): ScheduledItem {
  return { key: { partitionKey, sortKey: '' }, expiry: { seconds: String(atMs / 1_000), atMs }, dueMs };
}

/** A schedule that a pass has told these items. */
function passed(items: readonly ScheduledItem[], maxItems?: number, shared = room()): ExpirySchedule {
  const schedule = new ExpirySchedule(shared, maxItems);
  schedule.beginPass();
  for (const item of items) schedule.add(item);
  schedule.endPass(true);
  return schedule;
}

const takenAt = (schedule: ExpirySchedule, nowMs: number, limit = 1_000) =>
  schedule.takeDue(nowMs, limit).map(({ key }) => key.partitionKey);

test('gives each item once, when it is due', () => {
  const schedule = passed([itemOf('a', 1_000), itemOf('b', 3_000), itemOf('c', 2_000)]);
  expect(takenAt(schedule, 1_000)).toEqual([]);
  expect(takenAt(schedule, 2_001, 1)).toEqual(['a']);
  expect(takenAt(schedule, 2_001)).toEqual(['c']);
  expect(takenAt(schedule, 2_001)).toEqual([]);
  schedule.add(itemOf('b', 1_500));
  expect(takenAt(schedule, 2_001)).toEqual(['b']);
  expect(schedule.size).toBe(0);
});

test('keys whose parts together are the same text are two', () => {
  const schedule = passed([]);
  schedule.add({ ...itemOf('', 1_000), key: { partitionKey: 'ab', sortKey: 'c' } });
  schedule.add({ ...itemOf('', 1_000), key: { partitionKey: 'a', sortKey: 'bc' } });
  expect(schedule.size).toBe(2);
});

test('a new one has to be read, and again when something may be missing, also during a pass', () => {
  const schedule = new ExpirySchedule(room());
  expect(schedule.needsPass(0)).toBe(true);
  schedule.beginPass();
  schedule.endPass(false);
  expect(schedule.needsPass(0)).toBe(true);
  schedule.beginPass();
  schedule.disturb();
  schedule.endPass(true);
  expect(schedule.needsPass(0)).toBe(true);
  schedule.beginPass();
  schedule.endPass(true);
  expect(schedule.needsPass(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test('a delay is forgotten, and so is what was dropped because of one', () => {
  const schedule = passed([itemOf('a', 1_000, 9_000), itemOf('b', 2_000)]);
  expect(takenAt(schedule, 3_000)).toEqual(['b']);
  schedule.forgetDelays();
  expect(takenAt(schedule, 3_000)).toEqual(['a']);
  expect(schedule.needsPass(3_000)).toBe(false);
  const full = passed([itemOf('a', 1_000), itemOf('b', 2_000), itemOf('c', 1_500, 9_000)], 2);
  full.forgetDelays();
  expect(full.needsPass(0)).toBe(true);
});

test('the memory that all share is given back', () => {
  const shared: ScheduleRoom = { bytesLeft: 1_000 };
  const one = passed([itemOf('a', 1_000), itemOf('b', 2_000), itemOf('c', 3_000), itemOf('d', 4_000)], 100, shared);
  expect(shared.bytesLeft).toBe(1_000 - 4 * 201);
  // There is no room for it, so it is left to a pass.
  const other = passed([itemOf('e', 5_000)], 100, shared);
  expect([one.size, other.size]).toEqual([4, 0]);
  expect(other.needsPass(4_999)).toBe(false);
  expect(other.needsPass(5_000)).toBe(true);
  one.remove({ partitionKey: 'a', sortKey: '' });
  one.clear();
  expect(shared.bytesLeft).toBe(1_000);
});

/**
 * The obviously correct model: all items that there are. A schedule may know fewer, but never gives an item too early,
 * and asks for a pass before one is due that it does not know.
 */
test('no item is missed, however few are kept', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), name: fc.nat(30), atMs: fc.nat(1_000) }),
    fc.record({ kind: fc.constant('remove' as const), name: fc.nat(30) }),
    fc.record({ kind: fc.constant('later' as const), byMs: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 2, max: 12 }), (steps, maxItems) => {
      const items = new Map<string, ScheduledItem>();
      const shared = room();
      const schedule = new ExpirySchedule(shared, maxItems);
      let nowMs = 0;
      for (const each of steps) {
        if (each.kind === 'later') nowMs += each.byMs;
        else if (each.kind === 'remove') {
          items.delete(`k${each.name}`);
          schedule.remove({ partitionKey: `k${each.name}`, sortKey: '' });
        } else {
          const item = itemOf(`k${each.name}`, each.atMs);
          items.set(item.key.partitionKey, item);
          schedule.add(item);
        }
        const due = [...items.values()].filter(({ dueMs }) => dueMs < nowMs).map(({ key }) => key.partitionKey);
        const found = takenAt(schedule, nowMs);
        for (const name of found) expect(due).toContain(name);
        if (schedule.needsPass(nowMs)) {
          schedule.beginPass();
          for (const item of items.values()) schedule.add(item);
          schedule.endPass(true);
        } else expect(found.sort()).toEqual(due.sort());
        for (const name of due) {
          items.delete(name);
          schedule.remove({ partitionKey: name, sortKey: '' });
        }
        expect(schedule.size).toBeLessThanOrEqual(maxItems);
      }
      schedule.clear();
      expect(shared).toEqual(room());
    }),
    { numRuns: 1_000 },
  );
});
