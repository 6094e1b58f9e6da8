import { describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../../src/api/attribute-value.ts';
import { ApiError } from '../../../src/api/errors.ts';
import { evaluateCondition } from '../../../src/api/expression/condition.ts';
import { resolveExpressions } from '../../../src/api/expression/resolve.ts';
import type { ExpectedAttributeValue, ExpressionParameters } from '../../../src/api/operations.ts';

const item: AttributeMap = {
  s: { S: 'hello' },
  n: { N: '5' },
  b: { B: 'AQID' },
  ss: { SS: ['a', 'b'] },
  ns: { NS: ['1', '2'] },
  l: { L: [{ S: 'a' }, { N: '1' }] },
  m: { M: { x: { S: 'a' } } },
  nil: { NULL: true },
};

function holds(request: ExpressionParameters): boolean {
  return evaluateCondition(resolveExpressions(request).condition!, item);
}

function errorOf(request: ExpressionParameters): string {
  try {
    resolveExpressions(request);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'no error';
}

const S = (text: string): AttributeValue => ({ S: text });
const N = (text: string): AttributeValue => ({ N: text });
const compared = (operator: string, ...list: AttributeValue[]): ExpectedAttributeValue => ({
  ComparisonOperator: operator,
  AttributeValueList: list,
});

describe('what is expected of an attribute', () => {
  test.each<[string, ExpectedAttributeValue, boolean]>([
    ['s', { Value: S('hello') }, true],
    ['s', { Value: S('hello'), Exists: true }, true],
    ['s', { Value: S('other') }, false],
    ['n', { Value: N('5.0') }, true],
    ['m', { Value: { M: { x: S('a') } } }, true],
    ['gone', { Value: S('x') }, false],
    ['gone', { Exists: false }, true],
    ['s', { Exists: false }, false],
    ['s', { ComparisonOperator: 'EQ', Value: S('hello') }, true],
    ['ns', compared('EQ', { NS: ['2', '1'] }), true],
    ['l', compared('EQ', { L: [S('a'), N('1')] }), true],
    ['s', compared('EQ', N('5')), false],
    ['s', compared('NE', S('other')), true],
    ['s', compared('NE', S('hello')), false],
    ['s', compared('NE', N('5')), true],
    ['gone', compared('NE', N('5')), true],
    ['n', compared('LE', N('5')), true],
    ['n', compared('LT', N('5')), false],
    ['n', compared('GE', N('5')), true],
    ['n', compared('GT', N('4')), true],
    ['n', compared('GT', S('4')), false],
    ['gone', compared('GT', N('4')), false],
    ['nil', { ComparisonOperator: 'NOT_NULL' }, true],
    ['gone', { ComparisonOperator: 'NOT_NULL' }, false],
    ['gone', { ComparisonOperator: 'NULL' }, true],
    ['nil', compared('NULL'), false],
    ['s', compared('CONTAINS', S('ell')), true],
    ['ss', compared('CONTAINS', S('a')), true],
    ['ns', compared('CONTAINS', N('2.0')), true],
    ['l', compared('CONTAINS', N('1')), true],
    ['gone', compared('CONTAINS', S('a')), false],
    ['s', compared('NOT_CONTAINS', S('xyz')), true],
    ['s', compared('NOT_CONTAINS', S('ell')), false],
    ['n', compared('NOT_CONTAINS', S('a')), true],
    ['gone', compared('NOT_CONTAINS', S('a')), false],
    ['s', compared('BEGINS_WITH', S('he')), true],
    ['b', compared('BEGINS_WITH', { B: 'AQI=' }), true],
    ['n', compared('BEGINS_WITH', S('5')), false],
    ['n', compared('IN', N('1'), N('5')), true],
    ['n', compared('IN', S('5')), false],
    ['n', compared('BETWEEN', N('5'), N('9')), true],
    ['n', compared('BETWEEN', N('6'), N('9')), false],
    ['n', compared('BETWEEN', S('0'), S('9')), false],
  ])('%s %j: %s', (name, expected, answer) => {
    expect(holds({ Expected: { [name]: structuredClone(expected) } })).toBe(answer);
  });

  test('a dot in a name is part of it', () => {
    expect(resolveExpressions({ Expected: { 'm.x': { Exists: false } } }).condition).toEqual({
      kind: 'not-exists',
      path: ['m.x'],
    });
  });
});

describe('several expectations', () => {
  const met = { Value: S('hello') };
  const unmet = { Value: N('9') };
  const third = { Exists: false };

  test('must all be met, unless the operator is OR', () => {
    expect(holds({ Expected: { s: met, n: unmet } })).toBe(false);
    expect(holds({ Expected: { s: met, gone: third }, ConditionalOperator: 'AND' })).toBe(true);
    expect(holds({ Expected: { n: unmet, s: met, m: third }, ConditionalOperator: 'OR' })).toBe(true);
    expect(holds({ Expected: { n: unmet, m: third }, ConditionalOperator: 'OR' })).toBe(false);
  });

  test('may be very many', () => {
    const expected = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`a${i}`, { Exists: false }]));
    expect(holds({ Expected: expected })).toBe(true);
  });

  test('that are none are no condition', () => {
    expect(resolveExpressions({ Expected: {} }).condition).toBeUndefined();
  });
});

describe('an expectation is refused', () => {
  const invalid = 'One or more parameter values were invalid: ';
  test.each<[ExpectedAttributeValue, string]>([
    [{}, `${invalid}Value must be provided when Exists is null for Attribute: a`],
    [{ Exists: true }, `${invalid}Value must be provided when Exists is true for Attribute: a`],
    [{ Exists: false, Value: S('x') }, `${invalid}Value cannot be used when Exists is false for Attribute: a`],
    [
      { Value: S('x'), AttributeValueList: [] },
      `${invalid}Value and AttributeValueList cannot be used together for Attribute: a`,
    ],
    [
      { Exists: true, ComparisonOperator: 'EQ' },
      `${invalid}Exists and ComparisonOperator cannot be used together for Attribute: a`,
    ],
    [
      { ComparisonOperator: 'LT' },
      `${invalid}Value or AttributeValueList must be used with ComparisonOperator: LT for Attribute: a`,
    ],
    [
      { AttributeValueList: [S('x')] },
      `${invalid}AttributeValueList can only be used with a ComparisonOperator for Attribute: a`,
    ],
    [compared('EQ'), `${invalid}Invalid number of argument(s) for the EQ ComparisonOperator`],
    [compared('NE', S('a'), S('b')), `${invalid}Invalid number of argument(s) for the NE ComparisonOperator`],
    [compared('NULL', S('a')), `${invalid}Invalid number of argument(s) for the NULL ComparisonOperator`],
    [
      { ComparisonOperator: 'NOT_NULL', Value: S('a') },
      `${invalid}Invalid number of argument(s) for the NOT_NULL ComparisonOperator`,
    ],
    [compared('IN'), `${invalid}Invalid number of argument(s) for the IN ComparisonOperator`],
    [compared('BETWEEN', N('1')), `${invalid}Invalid number of argument(s) for the BETWEEN ComparisonOperator`],
    [compared('IN', S('a'), N('1')), `${invalid}AttributeValues inside AttributeValueList must be of same type`],
    [
      compared('BEGINS_WITH', N('1')),
      `${invalid}ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type`,
    ],
    [compared('LT', { BOOL: true }), `${invalid}ComparisonOperator LT is not valid for BOOL AttributeValue type`],
    [
      compared('CONTAINS', { SS: ['a'] }),
      `${invalid}ComparisonOperator CONTAINS is not valid for SS AttributeValue type`,
    ],
    [
      compared('BETWEEN', N('2'), N('1.5')),
      'The BETWEEN condition was provided a range where the lower bound is greater than the upper bound',
    ],
    [{ Value: N('x') }, 'The parameter cannot be converted to a numeric value: x'],
  ])('%j', (expected, problem) => {
    expect(errorOf({ Expected: { a: structuredClone(expected) } })).toBe(problem);
  });

  test('with an operator between fewer than two', () => {
    const without = 'ConditionalOperator cannot be used without Filter or Expected';
    expect(errorOf({ ConditionalOperator: 'OR' })).toBe(without);
    expect(errorOf({ ConditionalOperator: 'OR', Expected: {} })).toBe(without);
    expect(errorOf({ ConditionalOperator: 'AND', Expected: { a: { Exists: false } } })).toBe(
      'ConditionalOperator can only be used when Filter or Expected has two or more elements',
    );
  });
});

describe('AttributesToGet', () => {
  test('names top-level attributes', () => {
    expect(resolveExpressions({ AttributesToGet: ['a.b', '__proto__'] }).projection).toEqual([['a.b'], ['__proto__']]);
  });

  test('must not repeat itself', () => {
    expect(errorOf({ AttributesToGet: ['a', 'b', 'a'] })).toBe(
      'One or more parameter values were invalid: Duplicate value in attribute name: a',
    );
  });
});
