import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareScalars, plain, scaled } from './values.ts';

/*
 * The model is only as good as its order. Here the order is said a second time, by other means: code points for texts,
 * hexadecimal digits for binaries, and for numbers the digits that are written, as one learns to compare them at school.
 * "The sort order of strings is by their UTF-8 bytes", "DynamoDB treats each byte of the binary data as unsigned"
 * (developer guide, "Supported data types and naming rules in Amazon DynamoDB"), "the results are returned in numeric
 * order" (API reference, Query).
 */

/** Strings without lone surrogates: UTF-8 has none. Its order is that of code points. */
function compareCodePoints(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)].map((chars) => chars.map((each) => each.codePointAt(0)!));
  for (let at = 0; at < Math.min(a!.length, b!.length); at++) if (a![at] !== b![at]) return a![at]! - b![at]!;
  return a!.length - b!.length;
}

/** Compares two numbers in scientific notation: sign, then exponent, then digits. */
function compareWritten(left: Written, right: Written): number {
  const zeros = [left, right].map(({ digits }) => /^0+$/.test(digits));
  const signOf = ({ sign }: Written, isZero: boolean) => (isZero ? 0 : sign === '-' ? -1 : 1);
  const [a, b] = [signOf(left, zeros[0]!), signOf(right, zeros[1]!)];
  if (a !== b) return a - b;
  if (a === 0) return 0;
  const magnitude =
    left.exponent - right.exponent || (left.digits.padEnd(38, '0') < right.digits.padEnd(38, '0') ? -1 : 1);
  return left.digits.padEnd(38, '0') === right.digits.padEnd(38, '0') && left.exponent === right.exponent
    ? 0
    : a * magnitude;
}

interface Written {
  readonly sign: '' | '+' | '-';
  /** The first one is not zero, unless all are. */
  readonly digits: string;
  readonly exponent: number;
}

const written: fc.Arbitrary<Written> = fc.record({
  sign: fc.constantFrom('', '+', '-'),
  digits: fc.oneof(
    fc.constant('0'),
    fc.integer({ min: 1, max: 130 }).map(String),
    fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 37 }))
      .map(([first, rest]) => `${first}${rest.join('')}`),
  ),
  exponent: fc.oneof(fc.integer({ min: -130, max: 125 }), fc.integer({ min: -3, max: 3 })),
});
const textOf = ({ sign, digits, exponent }: Written) => `${sign}${digits[0]}.${digits.slice(1)}e${exponent}`;

describe('the order of the model', () => {
  test('of texts is that of their code points', () => {
    // Not the surrogates.
    const codePoint = fc.oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }));
    const edge = fc.constantFrom(0, 0x61, 0xe9, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff);
    const text = fc.array(fc.oneof(edge, codePoint), { maxLength: 5 }).map((all) => String.fromCodePoint(...all));
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(Math.sign(compareScalars({ S: left }, { S: right }))).toBe(Math.sign(compareCodePoints(left, right)));
      }),
      { numRuns: 1_000 },
    );
    expect(compareScalars({ S: '\uffff' }, { S: '\u{10000}' })).toBeLessThan(0);
    expect(compareScalars({ S: 'a' }, { S: 'a\0' })).toBeLessThan(0);
  });

  test('of binaries is that of their bytes, without signs', () => {
    const bytes = fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { maxLength: 5 });
    const base64 = (of: number[]) => ({ B: Buffer.from(of).toString('base64') });
    // Two digits a byte, so that texts of them compare as the bytes do.
    const hex = (of: number[]) => of.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const order = hex(left) < hex(right) ? -1 : hex(left) > hex(right) ? 1 : 0;
        expect(Math.sign(compareScalars(base64(left), base64(right)))).toBe(order);
      }),
    );
  });

  test('of numbers is that of their written digits', () => {
    fc.assert(
      fc.property(written, written, (left, right) => {
        const order = compareScalars({ N: textOf(left) }, { N: textOf(right) });
        expect(Math.sign(order)).toBe(Math.sign(compareWritten(left, right)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('of numbers does not depend on how they are written', () => {
    fc.assert(
      fc.property(written, (number) => {
        const canonical = plain(textOf(number));
        expect(canonical).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
        expect(canonical).not.toBe('-0');
        expect(scaled(canonical)).toBe(scaled(textOf(number)));
      }),
    );
    expect(['1.50', '+1e2', '-0.0', '.5', '120e-1', '1E-3'].map(plain)).toEqual([
      '1.5',
      '100',
      '0',
      '0.5',
      '12',
      '0.001',
    ]);
  });
});
