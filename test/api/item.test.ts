import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { fromImage, sizeOf, toImage } from '../../src/api/item.ts';

describe('the size of an item', () => {
  // By the rules of the developer guide, "DynamoDB item sizes and formats".
  test.each<[string, AttributeMap, number]>([
    ['a string counts its name and its UTF-8', { name: { S: 'é€😀' } }, 4 + 2 + 3 + 4],
    ['a name counts its UTF-8', { é: { S: '' } }, 2],
    ['a number counts a byte for each two digits and one more', { n: { N: '1234567890' } }, 1 + 5 + 1],
    ['a negative number counts one more', { n: { N: '-12' } }, 1 + 1 + 1 + 1],
    ['a binary counts its raw bytes', { b: { B: 'AQIDBA==' } }, 1 + 4],
    ['an empty binary counts nothing', { b: { B: '' } }, 1],
    ['a boolean counts one', { b: { BOOL: false } }, 2],
    ['a null counts one', { n: { NULL: true } }, 2],
    ['a string set counts its members', { s: { SS: ['ab', 'é'] } }, 1 + 2 + 2],
    ['a number set counts its members', { s: { NS: ['1', '100'] } }, 1 + 2 + 2],
    ['a binary set counts its members', { s: { BS: ['AQ==', 'AQID'] } }, 1 + 1 + 3],
    ['an empty list counts three', { l: { L: [] } }, 1 + 3],
    ['an empty map counts three', { m: { M: {} } }, 1 + 3],
    ['a list counts one more for each element', { l: { L: [{ S: 'ab' }, { NULL: true }] } }, 1 + 3 + (1 + 2) + (1 + 1)],
    ['a map counts one more for each member', { m: { M: { k: { S: 'ab' } } } }, 1 + 3 + (1 + 1 + 2)],
    ['documents nest', { m: { M: { k: { L: [{ M: {} }] } } } }, 1 + 3 + (1 + 1) + 3 + (1 + 3)],
    ['attributes add up', { pk: { S: 'abc' }, n: { N: '7' } }, 2 + 3 + 1 + 2],
  ])('%s', (_, item, size) => {
    expect(sizeOf(item)).toBe(size);
  });
});

describe('the stored image', () => {
  test('may count 409600 bytes and not one more', () => {
    expect(toImage({ a: { S: 'x'.repeat(409_599) } }).size).toBe(409_600);
    expect(() => toImage({ a: { S: 'x'.repeat(409_600) } })).toThrow(
      expect.objectContaining({
        name: 'ValidationException',
        message: 'Item size has exceeded the maximum allowed size',
      }),
    );
  });

  test('gives the item back, hostile names and all', () => {
    const names = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', '1'), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.uniqueArray(names, { maxLength: 6 }), fc.string({ unit: 'binary' }), (keys, text) => {
        const item = Object.fromEntries(keys.map((key) => [key, { S: text }]));
        const image = toImage(item);
        const back = fromImage(image);
        expect(Object.keys(back).sort()).toEqual([...keys].sort());
        expect(keys.every((key) => (back[key] as { S: string }).S === text)).toBe(true);
        expect(image.size).toBe(keys.reduce((sum, key) => sum + Buffer.byteLength(key) + Buffer.byteLength(text), 0));
      }),
    );
  });

  test('is read where it lies inside a larger buffer', () => {
    const { json, size } = toImage({ a: { N: '1' } });
    const larger = Buffer.concat([Buffer.from('xx'), json, Buffer.from('yy')]);
    expect(fromImage({ size, json: larger.subarray(2, 2 + json.length) })).toEqual({ a: { N: '1' } });
  });
});
