import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../../src/api/attribute-value.ts';
import { valueAt } from '../../../src/api/expression/condition.ts';
import { applyProjection } from '../../../src/api/expression/projection.ts';
import { resolveExpressions } from '../../../src/api/expression/resolve.ts';

const item: AttributeMap = JSON.parse(`{
  "a": {"S": "x"}, "b": {"N": "1"}, "bare": {"M": {}},
  "m": {"M": {"p": {"S": "1"}, "q": {"M": {"r": {"S": "2"}, "s": {"S": "3"}}}, "e": {"L": []}}},
  "l": {"L": [{"S": "0"}, {"M": {"x": {"S": "x1"}, "y": {"S": "y1"}}}, {"S": "2"}, {"L": [{"S": "30"}, {"S": "31"}]}]},
  "__proto__": {"M": {"__proto__": {"S": "deep"}, "constructor": {"S": "c"}}}
}`);

function project(text: string): unknown {
  const names = { '#proto': '__proto__', '#ctor': 'constructor' };
  const used = Object.entries(names).filter(([reference]) => text.includes(reference));
  const { projection } = resolveExpressions({
    ProjectionExpression: text,
    ExpressionAttributeNames: used.length > 0 ? Object.fromEntries(used) : undefined,
  });
  return JSON.parse(JSON.stringify(applyProjection(projection!, item)));
}

describe('a projection keeps', () => {
  test.each([
    ['a', '{"a":{"S":"x"}}'],
    ['b, a', '{"b":{"N":"1"},"a":{"S":"x"}}'],
    ['a, none1', '{"a":{"S":"x"}}'],
    ['none1.x, none2[0]', '{}'],
    ['bare', '{"bare":{"M":{}}}'],
    ['bare.x', '{}'],
    ['m.p', '{"m":{"M":{"p":{"S":"1"}}}}'],
    ['m.p, m.q.s', '{"m":{"M":{"p":{"S":"1"},"q":{"M":{"s":{"S":"3"}}}}}}'],
    ['m.e', '{"m":{"M":{"e":{"L":[]}}}}'],
    ['m.e[0]', '{}'],
    ['m.q.none1, m.p', '{"m":{"M":{"p":{"S":"1"}}}}'],
    ['a.x, m[0], l.x', '{}'],
    ['a[0]', '{}'],
    ['l[2]', '{"l":{"L":[{"S":"2"}]}}'],
    ['l[3], l[0]', '{"l":{"L":[{"S":"0"},{"L":[{"S":"30"},{"S":"31"}]}]}}'],
    ['l[1].y, l[1].x, l[9]', '{"l":{"L":[{"M":{"y":{"S":"y1"},"x":{"S":"x1"}}}]}}'],
    ['l[3][1], l[1].none1, l[2]', '{"l":{"L":[{"S":"2"},{"L":[{"S":"31"}]}]}}'],
    ['#proto', '{"__proto__":{"M":{"__proto__":{"S":"deep"},"constructor":{"S":"c"}}}}'],
    ['#proto.#proto, a', '{"__proto__":{"M":{"__proto__":{"S":"deep"}}},"a":{"S":"x"}}'],
    ['#proto.#ctor', '{"__proto__":{"M":{"constructor":{"S":"c"}}}}'],
    ['#ctor, m.#ctor', '{}'],
  ])('%s', (text, kept) => {
    expect(project(text)).toEqual(JSON.parse(kept));
  });
});

test('a projection leaves the item as it was, and its answer can be changed at the places it merged', () => {
  const before = JSON.stringify(item);
  const kept = applyProjection(
    [
      ['m', 'p'],
      ['l', 1, 'x'],
    ],
    item,
  );
  (kept.m as { M: AttributeMap }).M.added = { S: 'new' };
  (kept.l as { L: unknown[] }).L.push({ S: 'new' });
  expect(JSON.stringify(item)).toBe(before);
});

test('every kept path leads to the value it had, and nothing else is kept', () => {
  const leaves = [['a'], ['b'], ['m', 'p'], ['m', 'q', 'r'], ['m', 'q', 's'], ['m', 'e'], ['__proto__', '__proto__']];
  fc.assert(
    fc.property(fc.subarray(leaves), (paths) => {
      const kept = applyProjection(paths, item);
      for (const leaf of leaves) {
        expect(valueAt(leaf, kept)).toEqual(paths.includes(leaf) ? valueAt(leaf, item) : undefined);
      }
    }),
  );
});
