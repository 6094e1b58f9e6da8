import { expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { expiresAt, expiryOf, isExpired, mayExpire } from '../../src/api/expiry.ts';
import { evaluateCondition } from '../../src/api/expression/condition.ts';
import { toImage } from '../../src/api/item.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const DAY_MS = 86_400_000;

// Developer guide, "Using DynamoDB Time to Live (TTL)", "Formatting an item's TTL attribute".
test('an item expires by a number at its top, in seconds', () => {
  expect(expiryOf('ttl', { ttl: { N: '1645119622' } })).toEqual({ seconds: '1645119622', atMs: 1_645_119_622_000 });
  expect(expiryOf('ttl', { ttl: { N: '1.5' } })?.atMs).toBe(1_500);
  const never: AttributeMap[] = [
    {},
    { ttl: { S: '1645119622' } },
    { ttl: { NS: ['1645119622'] } },
    { m: { M: { ttl: { N: '1645119622' } } } },
    { ttl: { M: { ttl: { N: '1645119622' } } } },
  ];
  for (const item of never) expect(expiryOf('ttl', item)).toBeUndefined();
});

test('an attribute called as a member of every object is none', () => {
  expect(expiryOf('constructor', {})).toBeUndefined();
  expect(expiryOf('__proto__', JSON.parse('{"__proto__":{"N":"7"}}'))?.seconds).toBe('7');
});

test('it is deleted once its time is over, and not if that was five years ago', () => {
  expect(isExpired(NOW, NOW)).toBe(false);
  expect(isExpired(NOW - 1, NOW)).toBe(true);
  expect(isExpired(NOW - 4.9 * 365 * DAY_MS, NOW)).toBe(true);
  expect(isExpired(NOW - 5.1 * 365 * DAY_MS, NOW)).toBe(false);
  expect(isExpired(0, NOW)).toBe(false);
  // Milliseconds in place of seconds are tens of thousands of years ahead.
  expect(isExpired((NOW - DAY_MS) * 1_000, NOW)).toBe(false);
});

test.each(['ttl', 'a "quoted" name', 'é𝄞', '__proto__'])(
  'stored items that have %s are told from those that have not',
  (name) => {
    const item = Object.fromEntries([
      ['id', { S: name }],
      [name, { N: '7' }],
    ]);
    expect(mayExpire(name, toImage(item))).toBe(true);
    expect(mayExpire(name, toImage({ id: { S: name } }))).toBe(false);
    expect(mayExpire(name, toImage(Object.fromEntries([[name, { S: '7' }]])))).toBe(false);
  },
);

test('the condition of a deletion is that it expires as it did', () => {
  const condition = expiresAt('ttl', { seconds: '7', atMs: 7_000 });
  expect(evaluateCondition(condition, { ttl: { N: '7' } })).toBe(true);
  for (const item of [undefined, {}, { ttl: { N: '8' } }, { ttl: { S: '7' } }]) {
    expect(evaluateCondition(condition, item as AttributeMap | undefined)).toBe(false);
  }
});
