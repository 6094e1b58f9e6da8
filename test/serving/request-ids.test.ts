import { expect, test } from 'vitest';
import { createRequestIds, diskOfRequest } from '../../src/serving/request-ids.ts';

test('ids have the form of the service, and no two are the same', () => {
  const [one, other] = [createRequestIds(), createRequestIds(5)];
  const ids = [one(), one(), other(), other(), createRequestIds(5)()];
  for (const id of ids) expect(id).toMatch(/^[A-Z0-9]{52}$/);
  expect(new Set(ids).size).toBe(ids.length);
});

test.each([0, 1, 2 ** 47 + 12_345, 2 ** 48 - 1])('an id of a process of several tells its disk: %d', (disk) => {
  const next = createRequestIds(disk);
  expect([diskOfRequest(next()), diskOfRequest(next())]).toEqual([disk, disk]);
});

test.each(['', 'short', '../../../../', 'abcdefghijklmn', '..........AAAA'])('%j names no disk', (text) => {
  expect(diskOfRequest(text)).toBeNaN();
});
