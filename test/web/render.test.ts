import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RawJson } from '../../src/api/operations.ts';
import { toJson } from '../../src/web/render.ts';

const raw = (text: string) => new RawJson(Buffer.from(text));

test('bytes are sent as they are, at any depth', () => {
  const answer = {
    Item: raw('{"a":{"S":"ü"}}'),
    Nothing: undefined,
    Reasons: [{ Code: 'None' }, { Item: raw('{"b":1}') }],
    Count: 2,
  };
  expect(toJson(answer).toString()).toBe(
    '{"Item":{"a":{"S":"ü"}},"Reasons":[{"Code":"None"},{"Item":{"b":1}}],"Count":2}',
  );
});

test('an object whose first members are left out is still well-formed', () => {
  expect(toJson({ a: undefined, b: raw('1') }).toString()).toBe('{"b":1}');
});

test('plain data is written as JSON.stringify would, raw parts or not', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (plain) => {
      expect(toJson(plain).toString()).toBe(JSON.stringify(plain));
      expect(JSON.parse(toJson({ raw: raw('[]'), plain }).toString())).toEqual(
        JSON.parse(JSON.stringify({ raw: [], plain })),
      );
    }),
  );
});
