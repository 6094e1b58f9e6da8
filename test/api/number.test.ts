import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareNumbers, encodeNumber, normaliseNumber, numberSize } from '../../src/api/number.ts';
import { VALUE_TEXTS } from '../../src/api/value-texts.ts';

/** A number of the service's range: 1..38 digits without outer zeros, the first at 10^exponent. */
const number = fc
  .record({
    negative: fc.boolean(),
    digits: fc.bigInt({ min: 1n, max: 10n ** 38n - 1n }).map((value) => value.toString().replace(/0+$/, '')),
    exponent: fc.integer({ min: -130, max: 125 }),
  })
  .map(({ negative, digits, exponent }) => ({ sign: negative ? '-' : '', digits, exponent }));

type Parts = { sign: string; digits: string; exponent: number };

const scientific = ({ sign, digits, exponent }: Parts) => `${sign}${digits[0]}.${digits.slice(1)}e${exponent}`;

/** The exact value times 10^200, as the independent measure of order. */
const scaled = ({ sign, digits, exponent }: Parts) =>
  BigInt(`${sign}${digits}`) * 10n ** BigInt(200 + exponent - digits.length + 1);

describe('normaliseNumber', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['0.000', '0'],
    ['0e125', '0'],
    ['0e-130', '0'],
    ['0.0e126', '0'],
    ['00042', '42'],
    ['+5', '5'],
    ['+1e2', '100'],
    ['1.50', '1.5'],
    ['-1.0', '-1'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e2', '100'],
    ['1.5E+3', '1500'],
    ['0.0000001', '0.0000001'],
    ['123e-2', '1.23'],
    ['-12.340e1', '-123.4'],
    ['1e-130', `0.${'0'.repeat(129)}1`],
    ['1e125', `1${'0'.repeat(125)}`],
    [`${'9'.repeat(38)}E+88`, `${'9'.repeat(38)}${'0'.repeat(88)}`],
    [`${'9'.repeat(38)}00`, `${'9'.repeat(38)}00`],
    [`0.${'0'.repeat(130)}`, '0'],
    [`${'0'.repeat(500)}7`, '7'],
  ])('writes %s as %s', (text, canonical) => {
    expect(normaliseNumber(text)).toBe(canonical);
  });

  test.each([
    'a',
    '1a',
    ' 1',
    '1 ',
    '1_000',
    '0x10',
    '1e',
    '1e+',
    'e2',
    '+',
    '-',
    '.',
    '1.2.3',
    '--1',
    '1,5',
    'NaN',
    '١',
  ])('refuses %j as not numeric', (text) => {
    expect(() => normaliseNumber(text)).toThrow(`The parameter cannot be converted to a numeric value: ${text}`);
  });

  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1, as are the ranges of exponents and of zero below.
  test('refuses empty text, in BatchWriteItem without colon and blank', () => {
    expect(() => normaliseNumber('')).toThrow(/^The parameter cannot be converted to a numeric value: $/);
    expect(() => normaliseNumber('', VALUE_TEXTS.BatchWriteItem)).toThrow(
      /^The parameter cannot be converted to a numeric value$/,
    );
  });

  test.each([
    ['1e2147483647', 'Number overflow'],
    ['1e2147483648', 'Number overflow'],
    ['1e9223372036854775807', 'Number overflow'],
    ['1e00000009223372036854775807', 'Number overflow'],
    ['1e9223372036854775808', 'The parameter cannot be converted to a numeric value: 1e9223372036854775808'],
    ['1e-2147483649', 'Number underflow'],
    ['1e-9223372036854775808', 'Number underflow'],
    ['1e-9223372036854775809', 'The parameter cannot be converted to a numeric value: 1e-9223372036854775809'],
  ])('says of an exponent of 64 bits in which direction it is too large: %s', (text, message) => {
    expect(() => normaliseNumber(text)).toThrow(message);
  });

  test.each([
    ['1e2147483646', 'Number overflow'],
    ['12e2147483646', 'Number underflow'],
    ['0.1e2147483647', 'Number overflow'],
    ['1e2147483647', 'Number underflow'],
    ['1e2147483648', 'The parameter cannot be converted to a numeric value: 1e2147483648'],
    ['1e-2147483647', 'Number underflow'],
  ])('in BatchWriteItem adds up exponents in 32 bits: %s', (text, message) => {
    expect(() => normaliseNumber(text, VALUE_TEXTS.BatchWriteItem)).toThrow(message);
  });

  test.each(['1e126', '-1e126', '10e125', '0e126', '-0e126', `${'9'.repeat(127)}`])(
    'refuses %s as overflow',
    (text) => {
      expect(() => normaliseNumber(text)).toThrow(
        'Number overflow. Attempting to store a number with magnitude larger than supported range',
      );
    },
  );

  test.each(['1e-131', '-1e-131', '0.1e-130', '0e-131', `0.${'0'.repeat(131)}`])('refuses %s as underflow', (text) => {
    expect(() => normaliseNumber(text)).toThrow(
      'Number underflow. Attempting to store a number with magnitude smaller than supported range',
    );
  });

  test.each(['1'.repeat(39), `0.${'1'.repeat(39)}`, `1${'0'.repeat(37)}1`])('refuses the 39 digits of %s', (text) => {
    expect(() => normaliseNumber(text)).toThrow('Attempting to store more than 38 significant digits in a Number');
  });

  test('keeps the value, and its own texts as they are', () => {
    fc.assert(
      fc.property(number, (parts) => {
        const canonical = normaliseNumber(scientific(parts));
        expect(normaliseNumber(canonical)).toBe(canonical);
        const [integer, fraction = ''] = canonical.split('.');
        expect(BigInt(integer + fraction) * 10n ** BigInt(200 - fraction.length)).toBe(scaled(parts));
      }),
    );
  });
});

describe('the order of numbers', () => {
  const canonical = (parts: Parts) => normaliseNumber(scientific(parts));

  test('is that of their values, for texts and for encodings', () => {
    const near = fc.tuple(number, number, fc.boolean()).map(([left, right, sameScale]) => ({
      left,
      right: sameScale ? { ...right, exponent: left.exponent, sign: left.sign } : right,
    }));
    fc.assert(
      fc.property(near, ({ left, right }) => {
        const a = canonical(left);
        const b = canonical(right);
        const expected = scaled(left) < scaled(right) ? -1 : scaled(left) > scaled(right) ? 1 : 0;
        const bytesA = encodeNumber(a);
        const bytesB = encodeNumber(b);
        expect(Math.sign(compareNumbers(a, b))).toBe(expected);
        expect(bytesA < bytesB ? -1 : bytesA > bytesB ? 1 : 0).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('holds around zero, prefixes and the ends of the range', () => {
    const ascending = [
      '-9.9e125',
      '-1e125',
      '-10',
      '-1.21',
      '-1.2',
      '-1.19',
      '-1',
      '-1e-130',
      '0',
      '1e-130',
      '0.1',
      '1',
      '1.19',
      '1.2',
      '1.21',
      '2',
      '9',
      '10',
      '99',
      '100',
      '1e125',
      '9.9e125',
    ].map((text) => normaliseNumber(text));
    const encodings = ascending.map(encodeNumber);
    expect([...encodings].sort()).toEqual(encodings);
    expect(new Set(encodings).size).toBe(encodings.length);
    expect([...ascending].reverse().sort(compareNumbers)).toEqual(ascending);
  });

  test('gives every spelling of a number one encoding of bytes', () => {
    for (const text of ['100', '1e2', '1.00E2', '+100.0', '0100']) {
      expect(encodeNumber(normaliseNumber(text))).toBe(encodeNumber('100'));
    }
    fc.assert(
      fc.property(number, (parts) => {
        const bytes = encodeNumber(canonical(parts));
        expect(Buffer.from(bytes, 'latin1').toString('latin1')).toBe(bytes);
      }),
    );
  });
});

describe('numberSize', () => {
  test.each([
    ['0', 1],
    ['1', 2],
    ['12', 2],
    ['123', 3],
    ['1.2', 3],
    ['100', 2],
    ['-1', 3],
    ['-100', 3],
    ['1010', 3],
    ['10100', 3],
    ['0.01', 2],
    ['0.1', 2],
    ['123.45', 4],
    ['-1.001', 5],
    ['1234567890', 6],
    ['9'.repeat(38), 20],
    [`-${'9'.repeat(38)}`, 21],
  ])('counts %s as %i bytes', (text, size) => {
    expect(numberSize(text)).toBe(size);
  });
});
