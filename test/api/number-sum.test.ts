import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normaliseNumber } from '../../src/api/number.ts';
import { addNumbers } from '../../src/api/number-sum.ts';

test.each([
  ['9007199254740993', 'plus', '1', '9007199254740994'],
  ['0.1', 'plus', '0.2', '0.3'],
  ['0.3', 'minus', '0.3', '0'],
  ['1.5', 'minus', '2', '-0.5'],
  ['-0.05', 'plus', '0.05', '0'],
  ['99999999999999999999999999999999999999', 'plus', '1', `1${'0'.repeat(38)}`],
] as const)('%s %s %s is %s', (left, operator, right, sum) => {
  expect(addNumbers(left, right, operator)).toBe(sum);
});

test('a result that has too many digits, or is too large or too small, is refused', () => {
  const largest = normaliseNumber('9e125');
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: `:big - :one` of 1e50 and 1 is an overflow.
  expect(() => addNumbers(normaliseNumber('1e50'), '1', 'minus')).toThrow('Number overflow');
  expect(() => addNumbers('1', normaliseNumber('1e-38'), 'plus')).toThrow('Number overflow');
  expect(() => addNumbers(largest, largest, 'plus')).toThrow('Number overflow');
  const [one, other] = [normaliseNumber('1.1e-130'), normaliseNumber('1e-130')].map((text) => text);
  expect(() => addNumbers(one!, other!, 'minus')).toThrow('Number underflow');
});

/** Numbers that lie close enough for all their sums to be exact. */
const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.integer({ min: -9, max: 9 }))
  .map(([digits, exponent]) => ({ digits, exponent, text: normaliseNumber(`${digits}e${exponent}`) }));

test('sums and differences are exact', () => {
  const property = fc.property(decimal, decimal, (left, right) => {
    const whole = (of: typeof left) => of.digits * 10n ** BigInt(of.exponent + 9);
    expect(addNumbers(left.text, right.text, 'plus')).toBe(normaliseNumber(`${whole(left) + whole(right)}e-9`));
    expect(addNumbers(left.text, right.text, 'minus')).toBe(normaliseNumber(`${whole(left) - whole(right)}e-9`));
  });
  fc.assert(property, { numRuns: 1_000 });
});
