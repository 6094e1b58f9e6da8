import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../../src/api/attribute-value.ts';
import { ApiError } from '../../../src/api/errors.ts';
import { checkExpressionParameters, resolveExpressions } from '../../../src/api/expression/resolve.ts';
import type { ExpressionParameters } from '../../../src/api/operations.ts';

function errorOf(request: ExpressionParameters): string {
  try {
    resolveExpressions(request);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'no error';
}

const S = (text: string) => ({ S: text });
const N = (text: string) => ({ N: text });

describe('a request is resolved', () => {
  test('to nothing without any of the parameters', () => {
    expect(resolveExpressions({})).toEqual({});
    expect(resolveExpressions({ ConditionExpression: undefined, Expected: undefined })).toEqual({});
  });

  test('with names and values in both of its expressions', () => {
    const resolved = resolveExpressions({
      ConditionExpression: '#a.b[1].#c = :v OR size(#a) < :w',
      ProjectionExpression: 'x, #a.#c',
      ExpressionAttributeNames: { '#a': 'name', '#c': '__proto__' },
      ExpressionAttributeValues: { ':v': { NS: ['2', '1.0'] }, ':w': N('1.50') },
    });
    expect(resolved).toEqual({
      condition: {
        kind: 'or',
        left: {
          kind: 'compare',
          comparator: '=',
          left: { kind: 'path', path: ['name', 'b', 1, '__proto__'] },
          right: { kind: 'value', value: { NS: ['1', '2'] } },
        },
        right: {
          kind: 'compare',
          comparator: '<',
          left: { kind: 'size', operand: { kind: 'path', path: ['name'] } },
          right: { kind: 'value', value: N('1.5') },
        },
      },
      projection: [['x'], ['name', '__proto__']],
    });
  });

  test('anew each time, though its text is kept', () => {
    const resolve = (name: string, value: string) =>
      resolveExpressions({
        ConditionExpression: '#n = :v',
        ExpressionAttributeNames: { '#n': name },
        ExpressionAttributeValues: { ':v': S(value) },
      }).condition;
    expect(resolve('a', 'x')).toMatchObject({ left: { path: ['a'] }, right: { value: S('x') } });
    expect(resolve('b', 'y')).toMatchObject({ left: { path: ['b'] }, right: { value: S('y') } });
  });

  test('after more different texts than are kept', () => {
    for (let i = 0; i < 1000; i++) {
      expect(resolveExpressions({ ProjectionExpression: `a${i}` }).projection).toEqual([[`a${i}`]]);
    }
    expect(resolveExpressions({ ProjectionExpression: 'a0' }).projection).toEqual([['a0']]);
  });
});

describe('parameters that do not go together', () => {
  const mixed = (others: string, expressions: string) =>
    'Can not use both expression and non-expression parameters in the same request: ' +
    `Non-expression parameters: {${others}} Expression parameters: {${expressions}}`;

  test.each<[ExpressionParameters, string]>([
    [{ ConditionExpression: 'a = b', Expected: {} }, mixed('Expected', 'ConditionExpression')],
    [
      { ConditionExpression: 'a = b', Expected: {}, ConditionalOperator: 'OR' },
      mixed('Expected, ConditionalOperator', 'ConditionExpression'),
    ],
    [{ ProjectionExpression: 'a', AttributesToGet: ['a'] }, mixed('AttributesToGet', 'ProjectionExpression')],
    [
      { ExpressionAttributeNames: { '#a': 'a' } },
      'ExpressionAttributeNames can only be specified when using expressions',
    ],
    [
      { ExpressionAttributeNames: {}, Expected: {} },
      'ExpressionAttributeNames can only be specified when using expressions',
    ],
    [
      { ExpressionAttributeValues: { ':a': S('a') } },
      'ExpressionAttributeValues can only be specified when using expressions',
    ],
    [
      { ProjectionExpression: 'a', ExpressionAttributeValues: { ':a': S('a') } },
      'ExpressionAttributeValues can only be specified when using expressions',
    ],
  ])('%j', (request, problem) => {
    expect(errorOf(request)).toBe(problem);
    expect(() => checkExpressionParameters(request)).toThrow(problem);
  });
});

describe('names and values that are wrong by themselves', () => {
  test.each<[Record<string, string>, string]>([
    [{}, 'ExpressionAttributeNames must not be empty'],
    [{ a: 'a' }, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'],
    [{ '#a': 'a', '#': 'a' }, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#"'],
    [{ '#a-b': 'a' }, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"'],
    [{ ':a': 'a' }, 'ExpressionAttributeNames contains invalid key: Syntax error; key: ":a"'],
    [{ '': 'a' }, 'ExpressionAttributeNames contains invalid key: The expression attribute map contains an empty key;'],
    [
      { [`#${'a'.repeat(255)}`]: 'a' },
      `ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; key: "#${'a'.repeat(255)}"`,
    ],
    [{ '#a': '' }, 'ExpressionAttributeNames contains invalid value: Empty attribute name for key #a'],
    [{ '#a': 'a'.repeat(2 ** 21) }, 'ExpressionAttributeNames exceeds max size'],
  ])('%.80j', (names, problem) => {
    expect(errorOf({ ConditionExpression: '#a = b', ExpressionAttributeNames: names })).toBe(problem);
  });

  test('names of 255 bytes are not too long', () => {
    const name = `#${'a'.repeat(254)}`;
    expect(errorOf({ ConditionExpression: `${name} = b`, ExpressionAttributeNames: { [name]: 'x' } })).toBe('no error');
  });

  test.each<[ExpressionParameters['ExpressionAttributeValues'], string]>([
    [{}, 'ExpressionAttributeValues must not be empty'],
    [{ v: S('a') }, 'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"'],
    [{ '#v': S('a') }, 'ExpressionAttributeValues contains invalid key: Syntax error; key: "#v"'],
    // No word of where it is: recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
    [{ ':v': N('x') }, 'The parameter cannot be converted to a numeric value: x'],
    [{ ':v': { SS: [] } }, 'One or more parameter values were invalid: An string set  may not be empty'],
    [{ ':v': S('a'.repeat(2 ** 21)) }, 'ExpressionAttributeValues exceeds max size'],
  ])('%.80j', (values, problem) => {
    expect(errorOf({ ConditionExpression: 'a = :v', ExpressionAttributeValues: values })).toBe(problem);
  });

  test('a document that is too deep is refused without its place', () => {
    let value: AttributeValue = S('x');
    for (let level = 1; level < 33; level++) value = { L: [value] };
    expect(errorOf({ ConditionExpression: 'a = :v', ExpressionAttributeValues: { ':v': value } })).toBe(
      'Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit',
    );
  });

  test('names come before values, and both before the expressions', () => {
    const request = {
      ConditionExpression: '!',
      ExpressionAttributeNames: { '#a': 'a' },
      ExpressionAttributeValues: { v: S('a') },
    };
    expect(errorOf(request)).toBe('ExpressionAttributeValues contains invalid key: Syntax error; key: "v"');
    expect(errorOf({ ...request, ExpressionAttributeNames: {} })).toBe('ExpressionAttributeNames must not be empty');
  });
});

const numberOf = (count: number, operator: string) =>
  `Incorrect number of operands for operator or function; operator or function: ${operator}, number of operands: ${count}`;
const typeOf = (type: string, operator: string) =>
  `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`;
const distinct = (operator: string, path: string) =>
  `The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: ${path}`;
const undefinedName = 'An expression attribute name used in the document path is not defined; attribute name: ';
const undefinedValue = 'An expression attribute value used in expression is not defined; attribute value: ';
const bounds = (rule: string, lower: string, upper: string) =>
  `The BETWEEN operator requires ${rule}; lower bound operand: AttributeValue: {${lower}}, upper bound operand: AttributeValue: {${upper}}`;

describe('a condition that does not fit its names and values', () => {
  const names = { '#a': 'a', '#b': 'b', '#c': 'a' };
  const values = {
    ':s': S('s'),
    ':n1': N('1'),
    ':n2': N('2'),
    ':b': { B: 'AQ==' },
    ':ss': { SS: ['x'] },
    ':ns': { NS: ['1'] },
    ':bs': { BS: ['AQ=='] },
    ':l': { L: [] },
    ':m': { M: {} },
    ':null': { NULL: true },
    ':bool': { BOOL: true },
  };

  test.each([
    ['#x = :s', `${undefinedName}#x`],
    ['a.#x = :s', `${undefinedName}#x`],
    ['a = :x', `${undefinedValue}:x`],
    ['#toString = :s', `${undefinedName}#toString`],
    ['a IN (:s, :x)', `${undefinedValue}:x`],
    ['size(:x) = #y', `${undefinedValue}:x`],
    ['attribute_exists(a, b)', numberOf(2, 'attribute_exists')],
    ['contains(a)', numberOf(1, 'contains')],
    ['begins_with(a, b, c)', numberOf(3, 'begins_with')],
    ['attribute_type(a)', numberOf(1, 'attribute_type')],
    ['size(a, b) = :n1', numberOf(2, 'size')],
    [
      `a IN (${Array(101).fill(':s').join()})`,
      'The IN operator is provided with too many operands; number of operands: 101',
    ],
    ['a = a', distinct('=', '[a]')],
    ['#a <> #c', distinct('<>', '[a]')],
    ['a.b[0] < #c.b[0]', distinct('<', '[a, b, [0]]')],
    ['contains(#a, #a)', distinct('contains', '[a]')],
    ['begins_with(a, a)', distinct('begins_with', '[a]')],
    ['a BETWEEN :n1 AND a', distinct('BETWEEN', '[a]')],
    ['a IN (:s, a)', distinct('IN', '[a]')],
    ['attribute_exists(:s)', 'Operator or function requires a document path; operator or function: attribute_exists'],
    [
      'attribute_not_exists(size(a))',
      'Operator or function requires a document path; operator or function: attribute_not_exists',
    ],
    ['begins_with(a, :n1)', typeOf('N', 'begins_with')],
    ['begins_with(:ss, a)', typeOf('SS', 'begins_with')],
    ['begins_with(size(a), :s)', typeOf('N', 'begins_with')],
    ['attribute_type(a, :n1)', typeOf('N', 'attribute_type')],
    ['attribute_type(a, b)', typeOf('{NS,SS,L,BS,N,M,B,BOOL,NULL,S}', 'attribute_type')],
    [
      'attribute_type(a, :s)',
      'Invalid attribute type name found; type: s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}',
    ],
    ['size(:n1) = :n1', typeOf('N', 'size')],
    ['size(:null) = :n1', typeOf('NULL', 'size')],
    ['size(:bool) = :n1', typeOf('BOOL', 'size')],
    ['size(size(a)) = :n1', typeOf('N', 'size')],
    ['contains(a, size(:n1))', typeOf('N', 'size')],
    ['a < :bool', typeOf('BOOL', '<')],
    ['a >= :null', typeOf('NULL', '>=')],
    [':ss <= a', typeOf('SS', '<=')],
    ['a > :m', typeOf('M', '>')],
    ['a BETWEEN :l AND b', typeOf('L', 'BETWEEN')],
    [':ns BETWEEN a AND b', typeOf('NS', 'BETWEEN')],
    ['a BETWEEN :s AND :n1', bounds('same data type for lower and upper bounds', 'S:s', 'N:1')],
    ['a BETWEEN :n2 AND :n1', bounds('upper bound to be greater than or equal to lower bound', 'N:2', 'N:1')],
  ])('%.70s', (text, problem) => {
    const message = errorOf({
      ConditionExpression: text,
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: structuredClone(values),
    });
    expect(message).toBe(`Invalid ConditionExpression: ${problem}`);
  });

  test.each([
    ['undefined before count', 'contains(#x)', `${undefinedName}#x`],
    ['count before repetition', 'contains(a, a, a)', numberOf(3, 'contains')],
    ['repetition before type', 'begins_with(a, a) AND a < :null', distinct('begins_with', '[a]')],
    ['one comparison after the other', 'a < :null AND b = :x', typeOf('NULL', '<')],
    ['reserved words before placeholders', '#x = name', 'Attribute name is a reserved keyword; reserved keyword: name'],
  ])('%s', (_order, text, problem) => {
    const message = errorOf({ ConditionExpression: text, ExpressionAttributeValues: { ':null': { NULL: true } } });
    expect(message).toBe(`Invalid ConditionExpression: ${problem}`);
  });

  test.each([
    'a IN (:s, :n1, :ss, :null)',
    'a = :m AND b <> :bool',
    'contains(a, :m)',
    'size(:l) < :n1',
    'a BETWEEN :n1 AND b',
    'a BETWEEN :n1 AND :n1',
    'begins_with(a, :b)',
    'a = a.b',
    'a.b IN (a.c, #a)',
  ])('%s is no such condition', (text) => {
    const message = errorOf({
      ConditionExpression: text,
      ExpressionAttributeNames: { '#a': 'a', '#none': 'x' },
      ExpressionAttributeValues: structuredClone(values),
    });
    expect(message).toMatch(/^Value provided in ExpressionAttributeNames unused/);
  });
});

describe('names and values that no expression uses', () => {
  test('are listed, names before values', () => {
    const request = {
      ConditionExpression: '#a = :v',
      ProjectionExpression: '#p',
      ExpressionAttributeNames: { '#a': 'a', '#x': 'x', '#p': 'p', '#y': 'y' },
      ExpressionAttributeValues: { ':v': S('v'), ':w': S('w') },
    };
    expect(errorOf(request)).toBe('Value provided in ExpressionAttributeNames unused in expressions: keys: {#x, #y}');
    expect(errorOf({ ...request, ExpressionAttributeNames: { '#a': 'a', '#p': 'p' } })).toBe(
      'Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}',
    );
  });

  test('are found for a projection alone', () => {
    expect(errorOf({ ProjectionExpression: 'a', ExpressionAttributeNames: { '#a': 'a' } })).toBe(
      'Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
    );
  });
});

describe('paths of a projection', () => {
  const clash = (kind: string, one: string, two: string) =>
    `Invalid ProjectionExpression: Two document paths ${kind} with each other; ` +
    `must remove or rewrite one of these paths; path one: ${one}, path two: ${two}`;

  test.each([
    ['a, a', clash('overlap', '[a]', '[a]')],
    ['a, b, a.b', clash('overlap', '[a]', '[a, b]')],
    ['a.b, a', clash('overlap', '[a, b]', '[a]')],
    ['a[0].b, a[0]', clash('overlap', '[a, [0], b]', '[a, [0]]')],
    ['b, a, #n', clash('overlap', '[a]', '[a]')],
    ['a.b, a[0]', clash('conflict', '[a, b]', '[a, [0]]')],
    ['a[0], c, a.b', clash('conflict', '[a, [0]]', '[a, b]')],
    ['a.b, a[0], c, c', clash('overlap', '[c]', '[c]')],
    ['#x', `Invalid ProjectionExpression: ${undefinedName}#x`],
  ])('%s', (text, problem) => {
    expect(errorOf({ ProjectionExpression: text, ExpressionAttributeNames: { '#n': 'a' } })).toBe(problem);
  });

  test('may be neighbours', () => {
    expect(resolveExpressions({ ProjectionExpression: 'a.b, a.c, d[0], d[1].x, d[1].y, ab' }).projection).toHaveLength(
      6,
    );
  });
});
