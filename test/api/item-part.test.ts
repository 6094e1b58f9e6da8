import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import { fromImage, type ItemImage, toImage } from '../../src/api/item.ts';
import { PartReader } from '../../src/api/item-part.ts';

const part = (item: AttributeMap, ...names: string[]) => new PartReader(names).read(toImage(item));

describe('a part of a stored item', () => {
  const item: AttributeMap = {
    id: { S: 'a' },
    list: { L: [{ S: ']}' }, { M: { id: { S: 'inner' }, n: { N: '1' } } }, { L: [] }] },
    'a "quoted" \\ name': { S: 'x' },
    'é\u{1d11e}\n': { BOOL: true },
    n: { N: '12' },
  };

  test('has the named attributes, whatever is in the others', () => {
    expect(part(item, 'n', 'list')).toEqual({ n: item.n, list: item.list });
    expect(part(item, 'id')).toEqual({ id: { S: 'a' } });
  });

  test('knows names with quotes, backslashes and other alphabets', () => {
    expect(part(item, 'a "quoted" \\ name')).toEqual({ 'a "quoted" \\ name': { S: 'x' } });
    expect(part(item, 'é\u{1d11e}\n')).toEqual({ 'é\u{1d11e}\n': { BOOL: true } });
  });

  test('lacks what the item lacks, and what it has only within another attribute', () => {
    expect(part(item, 'inner', 'S', 'missing')).toEqual({});
    expect(part({}, 'id')).toEqual({});
    expect(part(item)).toEqual({});
  });

  test('takes no name for a property of objects', () => {
    const odd = Object.fromEntries([
      ['__proto__', { S: 'own' }],
      ['constructor', { S: 'own, too' }],
    ]) as AttributeMap;
    const found = part(odd, '__proto__');
    expect(Object.hasOwn(found, '__proto__')).toBe(true);
    expect(Object.keys(found)).toEqual(['__proto__']);
    expect(part({ id: { S: 'a' } }, 'toString')).toEqual({});
  });

  test('is found behind long texts that end with backslashes and quotes', () => {
    for (const end of ['"', '\\', '\\"', '\\\\', '"\\', '\\\\"', '\\\\\\"']) {
      for (const length of [0, 1, 45, 46, 47, 48, 49, 50, 300]) {
        const text = `${'x'.repeat(length)}${end}`;
        expect(part({ long: { S: text }, [text]: { S: text }, id: { S: '1' } }, 'id')).toEqual({ id: { S: '1' } });
        expect(part({ long: { S: text }, [text]: { S: text } }, text)).toEqual({ [text]: { S: text } });
      }
    }
  });

  test('is read from bytes in the middle of others', () => {
    const { size, json } = toImage(item);
    const among = new Uint8Array(json.length + 9).fill(0x22);
    among.set(json, 5);
    const image: ItemImage = { size, json: among.subarray(5, 5 + json.length) };
    expect(new PartReader(['n']).read(image)).toEqual({ n: { N: '12' } });
  });

  test('is that of the item as it is parsed, of any item', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'é', '\u{1d11e}', '"', '\\', '\n', '{', ']'), maxLength: 60 });
    const value: fc.Arbitrary<AttributeValue> = fc.letrec<{ value: AttributeValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 2 },
        name.map((S) => ({ S })),
        fc.string({ minLength: 40, maxLength: 60, unit: fc.constantFrom('\\', '"', 'a') }).map((S) => ({ S })),
        fc.constant({ NULL: true as const }),
        fc.array(name, { minLength: 1 }).map((SS) => ({ SS })),
        fc.array(tie('value'), { maxLength: 3 }).map((L) => ({ L })),
        fc.dictionary(name, tie('value'), { maxKeys: 3 }).map((M) => ({ M })),
      ),
    })).value;
    const items = fc.array(fc.tuple(name, value), { maxLength: 8 });
    const check = (entries: [string, AttributeValue][], other: string, wanted: readonly boolean[]) => {
      const all = Object.fromEntries(entries) as AttributeMap;
      const names = [...Object.keys(all).filter((_, at) => wanted[at % wanted.length]), other];
      const whole = fromImage(toImage(all));
      const expected = Object.fromEntries(Object.entries(whole).filter(([key]) => names.includes(key)));
      expect(Object.entries(part(all, ...names))).toEqual(Object.entries(expected));
    };
    fc.assert(fc.property(items, name, fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }), check));
  });
});
