import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AttributeMap,
  type AttributeValue,
  binaryLength,
  compareTexts,
  compareValues,
  equalValues,
  normaliseMap,
  normaliseValue,
  typeOf,
} from '../../src/api/attribute-value.ts';
import { VALUE_TEXTS } from '../../src/api/value-texts.ts';

/** Values as they arrive: parsed JSON, not yet checked. */
const parsed = (json: string) => JSON.parse(json) as AttributeValue;
const normalised = (value: unknown) => {
  const copy = structuredClone(value) as AttributeValue;
  normaliseValue(copy);
  return copy;
};
const nested = (wraps: number, kind: 'M' | 'L') =>
  parsed(
    kind === 'M'
      ? `${'{"M":{"a":'.repeat(wraps)}{"S":"x"}${'}}'.repeat(wraps)}`
      : `${'{"L":['.repeat(wraps)}{"S":"x"}${']}'.repeat(wraps)}`,
  );

describe('a value that is sent', () => {
  test.each([
    [{ N: '1e2' }, { N: '100' }],
    [{ SS: ['b', 'a', ''] }, { SS: ['', 'a', 'b'] }],
    [{ SS: ['\u{1f600}', '\uffff', 'é'] }, { SS: ['é', '\uffff', '\u{1f600}'] }],
    [{ NS: ['10', '9.0', '-1e1'] }, { NS: ['-10', '9', '10'] }],
    [{ BS: ['/w==', 'AA==', '', 'AAA='] }, { BS: ['', 'AA==', 'AAA=', '/w=='] }],
    [{ L: [{ N: '1.0' }, { M: { a: { NS: ['2', '1'] } } }] }, { L: [{ N: '1' }, { M: { a: { NS: ['1', '2'] } } }] }],
    [{ S: '' }, { S: '' }],
    [{ B: '' }, { B: '' }],
    [{ L: [] }, { L: [] }],
    [{ M: {} }, { M: {} }],
    [{ NULL: true }, { NULL: true }],
    [{ BOOL: false }, { BOOL: false }],
  ])('%j becomes %j', (value, canonical) => {
    expect(normalised(value)).toEqual(canonical);
  });

  test('loses members that are no types, and absent ones', () => {
    expect(normalised({ S: 'a', X: 1, N: null })).toEqual({ S: 'a' });
    const hostile = parsed('{"__proto__":{"N":"1"},"S":"a","constructor":2}');
    normaliseValue(hostile);
    expect(Object.keys(hostile)).toEqual(['S']);
    expect(typeOf(hostile)).toBe('S');
  });

  test.each([
    [{}, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'],
    [{ S: null }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'],
    [{ X: 'a' }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'],
    [{ L: [null] }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'],
    [
      { S: 'a', N: '1' },
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    ],
    [{ S: 'a', N: 'b' }, 'The parameter cannot be converted to a numeric value: b'],
    [
      { NULL: false },
      'One or more parameter values were invalid: Null attribute value types must have the value of true',
    ],
    [{ SS: [] }, 'One or more parameter values were invalid: An string set  may not be empty'],
    [{ NS: [] }, 'One or more parameter values were invalid: An number set  may not be empty'],
    [{ BS: [] }, 'One or more parameter values were invalid: Binary sets should not be empty'],
    // The texts of duplicates and empty numbers: recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
    [
      { SS: ['b', 'a', 'b'] },
      'One or more parameter values were invalid: Input collection ["a", "b", "b"] contains duplicates.',
    ],
    [{ NS: ['1', '1.0'] }, 'One or more parameter values were invalid: Input collection contains duplicates.'],
    [
      { BS: ['AA==', '/w==', 'AA=='] },
      'One or more parameter values were invalid: Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
    ],
    [{ NS: ['1', ''] }, 'The parameter cannot be converted to a numeric value: '],
    [{ M: { a: { L: [{ N: 'x' }] } } }, 'The parameter cannot be converted to a numeric value: x'],
    [{ M: { '': { S: 'x' } } }, 'One or more parameter values were invalid: Empty attribute name'],
  ])('%j is refused', (value, message) => {
    expect(() => normalised(value)).toThrow(expect.objectContaining({ name: 'ValidationException', message }));
  });

  // Recorded at the same time: BatchWriteItem and Scan answer as all operations did before.
  test.each(['BatchWriteItem', 'Scan'] as const)('is refused by %s in the order given', (operation) => {
    const refusal = (value: AttributeValue) => () => normaliseValue(value, VALUE_TEXTS[operation]);
    expect(refusal({ SS: ['b', 'a', 'b'] })).toThrow(
      /^One or more parameter values were invalid: Input collection \[b, a, b\] contains duplicates\.$/,
    );
    expect(refusal({ NS: ['1', '1.0'] })).toThrow(/^Input collection contains duplicates$/);
    expect(refusal({ BS: ['AA==', '/w==', 'AA=='] })).toThrow('Input collection [AA==, /w==, AA==]of type BS contains');
  });

  test.each(['M', 'L'] as const)('may stand inside 31 levels of %s, not 32', (kind) => {
    expect(() => normaliseValue(nested(31, kind))).not.toThrow();
    expect(() => normaliseValue(nested(32, kind))).toThrow(
      'Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit',
    );
    expect(() => normaliseValue(nested(5000, kind))).toThrow('Nesting Levels');
  });
});

describe('an item that is sent', () => {
  test('reports the error of its first wrong attribute', () => {
    const item = JSON.parse('{"a":{"S":"x"},"b":{"N":"one"},"c":{"SS":[]}}');
    expect(() => normaliseMap(item)).toThrow('numeric value: one');
  });

  test('keeps an attribute named __proto__ as an attribute', () => {
    const item = JSON.parse('{"__proto__":{"N":"1.0"},"m":{"M":{"__proto__":{"NS":["2","1"]}}}}') as AttributeMap;
    normaliseMap(item);
    expect(JSON.stringify(item)).toBe('{"__proto__":{"N":"1"},"m":{"M":{"__proto__":{"NS":["1","2"]}}}}');
    expect(Object.getPrototypeOf(item)).toBe(Object.prototype);
  });

  test('may have names of 65535 bytes', () => {
    expect(() => normaliseMap({ ['é'.repeat(32767)]: { S: '' } })).not.toThrow();
    expect(() => normaliseMap({ m: { M: { ['é'.repeat(32768)]: { S: '' } } } })).toThrow(
      'Attribute name is too large, must be less than 65536 bytes',
    );
  });
});

describe('binaryLength', () => {
  test('is the number of bytes that the base64 text encodes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(binaryLength(Buffer.from(bytes).toString('base64'))).toBe(bytes.length);
      }),
    );
  });
});

describe('comparing values', () => {
  test('orders texts by their UTF-8 bytes', () => {
    const unit = fc.constantFrom('a', 'z', 'é', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}');
    const text = fc.string({ unit, maxLength: 5 });
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(Math.sign(compareTexts(left, right))).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)));
      }),
    );
  });

  test('orders numbers by value, binaries by bytes, and nothing else', () => {
    expect(compareValues({ N: '9' }, { N: '10' })).toBeLessThan(0);
    expect(compareValues({ B: '/w==' }, { B: 'AA==' })).toBeGreaterThan(0);
    expect(compareValues({ S: 'a' }, { S: 'a' })).toBe(0);
    expect(compareValues({ S: '1' }, { N: '1' })).toBeUndefined();
    expect(compareValues({ BOOL: true }, { BOOL: true })).toBeUndefined();
  });

  test('finds values equal that differ in spelling or order only', () => {
    const equal = (left: unknown, right: unknown) => equalValues(normalised(left), normalised(right));
    expect(equal({ N: '1.0' }, { N: '1' })).toBe(true);
    expect(equal({ SS: ['a', 'b'] }, { SS: ['b', 'a'] })).toBe(true);
    expect(equal({ SS: ['a', 'b'] }, { SS: ['a'] })).toBe(false);
    expect(equal({ L: [{ S: 'a' }, { S: 'b' }] }, { L: [{ S: 'b' }, { S: 'a' }] })).toBe(false);
    expect(equal({ M: { a: { N: '1' }, b: { NULL: true } } }, { M: { b: { NULL: true }, a: { N: '1e0' } } })).toBe(
      true,
    );
    expect(equal({ M: { a: { N: '1' } } }, { M: { b: { N: '1' } } })).toBe(false);
    expect(equal({ S: '1' }, { N: '1' })).toBe(false);
  });

  test('does not take inherited properties for attributes', () => {
    const own = { M: JSON.parse('{"__proto__":{"S":"a"}}') } as AttributeValue;
    expect(equalValues(own, { M: { a: { S: 'a' } } })).toBe(false);
    expect(equalValues({ M: { toString: { S: 'a' } } }, { M: { other: { S: 'a' } } })).toBe(false);
    expect(equalValues(own, { M: JSON.parse('{"__proto__":{"S":"a"}}') })).toBe(true);
  });
});
