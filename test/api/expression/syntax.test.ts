import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../src/api/errors.ts';
import { parseCondition, parseProjection } from '../../../src/api/expression/parser.ts';

const prefix = 'Invalid ConditionExpression: ';

function conditionError(text: string): string {
  try {
    parseCondition('ConditionExpression', text);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'no error';
}

function projectionError(text: string): string {
  try {
    parseProjection('ProjectionExpression', text);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'no error';
}

describe('a syntax error names the token and its neighbours', () => {
  // Expressions marked * and their answers are recorded of the service in bug reports.
  test.each([
    ['a-b', '-', 'a-b'], // *
    ['#AMZN_MAPPED_2021-03-03', '-', '#AMZN_MAPPED_2021-0'], // *
    ['GI-1-PK = :v', '-', 'GI-1'], // *
    ['attribute_exists(car_id) AND NOT #air', '<EOF>', '#air'], // *
    ['NOT (#attr0)', '<EOF>', ')'], // *
    ['contains (themes, :theme', '<EOF>', ':theme'], // *
    ['a = :v AND #id attribute_not_exists :c', 'attribute_not_exists', '#id attribute_not_exists :c'], // *
    ['tenantAgent:abc123-1 = :v', ':abc123', 'tenantAgent:abc123-'], // *
    ['a IN ()', ')', '()'], // *
    ['a = ', '<EOF>', '='],
    ['a = b AND', '<EOF>', 'AND'],
    ['a', '<EOF>', 'a'],
    ['=', '=', '='],
    ['= = b', '=', '= ='],
    ['a == b', '=', '== b'],
    ['a != b', '!', 'a !='],
    ['a = b c', 'c', 'b c'],
    ['a = b)', ')', 'b)'],
    ['(a = b', '<EOF>', 'b'],
    ['(a) AND (b)', 'AND', ') AND ('],
    ['a BETWEEN :x OR :y', 'OR', ':x OR :y'],
    ['a BETWEEN :x', '<EOF>', ':x'],
    ['a IN :x', ':x', 'IN :x'],
    ['a IN (:x :y)', ':y', ':x :y)'],
    ['size() = :v', ')', '() ='],
    ['a.b. = :v', '=', '. = :v'],
    ['a[-1] = :v', '-', '[-1'],
    ['a[01] = :v', '1', '01]'],
    ['a[b] = :v', 'b', '[b]'],
    ['a[0 = :v', '=', '0 = :v'],
    ['1a = :v', '1', '1a'],
    ['_a = :v', '_', '_a'],
    ['a = # ', '#', '= #'],
    ['a = :', ':', '= :'],
    ['a = "x y"', '"', '= "x'],
    ['a = 1', '1', '= 1'],
    ['delete = :v', 'delete', 'delete ='],
    ['a = b\n\tand\r\n!', '!', 'and\r\n!'],
    ['a = 😀 b', '😀', '= 😀 b'],
    ['#f(a)', '(', '#f(a'],
    ['a.f(b)', '(', 'f(b'],
    [' ', '<EOF>', ''],
  ])('%j', (text, token, near) => {
    expect(conditionError(text)).toBe(`${prefix}Syntax error; token: "${token}", near: "${near}"`);
  });

  test.each([
    ['!!! INVALID !!!', '!', '!!'], // *
    ['dummy-id', '-', 'dummy-id'], // *
    ['a, ', '<EOF>', ','],
    [',a', ',', ',a'],
    ['a b', 'b', 'a b'],
    ['a, :v', ':v', ', :v'],
    ['size(a)', '(', 'size(a'],
    ['(a)', '(', '(a'],
  ])('in a projection: %j', (text, token, near) => {
    expect(projectionError(text)).toBe(
      `Invalid ProjectionExpression: Syntax error; token: "${token}", near: "${near}"`,
    );
  });
});

describe('a text that is wrong by itself is refused', () => {
  const redundant = 'The expression has redundant parentheses;';
  const misused = (name: string) =>
    `The function is not allowed to be used this way in an expression; function: ${name}`;
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: the count stops there.
  const operators = 'The expression contains too many operators; operator count: 301';

  test.each([
    ['', 'The expression can not be empty;'],
    ['((a = :v))', redundant],
    ['((a)) = :v', redundant],
    ['a = ((:v))', redundant],
    ['a = b AND ((c = d) )', redundant],
    ['NOT ((a = b))', redundant],
    ['size((( a ))) = :v', redundant],
    ['((size(a))) = :v', redundant],
    ['f(a, b)', 'Invalid function name; function: f'],
    ['Contains(a, b)', 'Invalid function name; function: Contains'],
    ['if_not_exists(a, b)', 'The function is not allowed in a condition expression; function: if_not_exists'],
    ['size(a)', misused('size')],
    ['(size(a))', misused('size')],
    ['NOT size(a)', misused('size')],
    ['a = b OR size(a)', misused('size')],
    ['contains(a, b) = c', misused('contains')],
    ['(contains(a, b)) = c', misused('contains')],
    ['a BETWEEN b AND contains(a, b)', misused('contains')],
    ['a IN (b, begins_with(a, b))', misused('begins_with')],
    ['size(attribute_exists(a)) = :v', misused('attribute_exists')],
    ['Status = :v', 'Attribute name is a reserved keyword; reserved keyword: Status'],
    ['a.b.comment = :v', 'Attribute name is a reserved keyword; reserved keyword: comment'],
    ['contains(a, name)', 'Attribute name is a reserved keyword; reserved keyword: name'],
    [`a${'.b'.repeat(32)} = :v`, 'The document path has too many nesting levels; nesting levels: 33'],
    ['a[2147483648] = :v', 'List index is not within the allowable range; index: [2147483648]'],
    [Array(151).fill('a = b').join(' OR '), operators],
    [`${'NOT '.repeat(1000)} a = b`, operators],
    [`${'f('.repeat(321)}a${')'.repeat(321)}`, 'Invalid function name; function: f'],
    [`${'size('.repeat(321)}a${')'.repeat(321)} = :v`, operators],
    [`${'('.repeat(200)}a = b${')'.repeat(200)}`, redundant],
    ['('.repeat(4096), redundant],
    [`${'NOT('.repeat(1000)}`, redundant],
    [`a = ${'b'.repeat(4093)}`, 'Expression size has exceeded the maximum allowed size; expression size: 4097'],
    [`a = ${'é'.repeat(2047)}`, 'Expression size has exceeded the maximum allowed size; expression size: 4098'],
  ])('%j', (text, problem) => {
    expect(conditionError(text)).toBe(prefix + problem);
  });

  test.each([
    ['syntax before parentheses', '((a = b)) AND', 'Syntax error; token: "<EOF>", near: "AND"'],
    ['parentheses before functions', 'f(a) AND ((a = b))', redundant],
    ['functions before their misuse', 'size(a) AND f(a)', 'Invalid function name; function: f'],
    ['misuse before reserved words', 'name = a AND size(a)', misused('size')],
  ])('%s', (_order, text, problem) => {
    expect(conditionError(text)).toBe(prefix + problem);
  });

  test('a projection has the rules for names, too', () => {
    expect(projectionError('')).toBe('Invalid ProjectionExpression: The expression can not be empty;');
    expect(projectionError('a, Path')).toBe(
      'Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: Path',
    );
    expect(projectionError(`a${'[0]'.repeat(32)}`)).toBe(
      'Invalid ProjectionExpression: The document path has too many nesting levels; nesting levels: 33',
    );
  });
});

describe('what the grammar admits', () => {
  const path = (...steps: (string | number)[]) => ({ kind: 'path', path: steps });
  const equal = (left: string, right: string) => ({
    kind: 'compare',
    comparator: '=',
    left: path(left),
    right: path(right),
  });

  test('NOT binds tighter than AND, AND tighter than OR, and equal ones go from left to right', () => {
    expect(parseCondition('ConditionExpression', 'NOT a=b AND c=d OR e=f AND g=h AND i=j')).toEqual({
      kind: 'or',
      left: { kind: 'and', left: { kind: 'not', condition: equal('a', 'b') }, right: equal('c', 'd') },
      right: {
        kind: 'and',
        left: { kind: 'and', left: equal('e', 'f'), right: equal('g', 'h') },
        right: equal('i', 'j'),
      },
    });
  });

  test('the AND of BETWEEN belongs to it', () => {
    expect(parseCondition('ConditionExpression', 'a between :x and :y and b=c')).toEqual({
      kind: 'and',
      left: {
        kind: 'between',
        operand: path('a'),
        lower: { kind: 'value', name: ':x' },
        upper: { kind: 'value', name: ':y' },
      },
      right: equal('b', 'c'),
    });
  });

  test.each([
    ['(a) = (b)', 'a = b'],
    ['((a) = b)', 'a = b'],
    ['((size(a)) < b) AND (c > d)', 'size(a) < b AND c > d'],
    ['(contains(a, b)) or (NOT (c=d))', 'contains(a,b) OR NOT c = d'],
    ['a In (b)', 'a IN(b)'],
    ['a\t.b [ 0 ]=:v', 'a.b[0] = :v'],
    ['nothing = android', 'nothing=android'],
  ])('%j is the same as %j', (text, other) => {
    expect(parseCondition('ConditionExpression', text)).toEqual(parseCondition('ConditionExpression', other));
  });

  test('300 operators, 4096 bytes, 32 path elements', () => {
    expect(conditionError(`NOT ${Array(150).fill('a = b').join(' OR ')}`)).toBe('no error');
    expect(conditionError(`a = ${'b'.repeat(4092)}`)).toBe('no error');
    expect(conditionError(`a${'.b'.repeat(31)} = :v`)).toBe('no error');
    expect(conditionError(`${'NOT('.repeat(299)}a = b${')'.repeat(299)}`)).toBe('no error');
    expect(conditionError('a[2147483647] = :v')).toBe('no error');
  });

  test('paths of a projection', () => {
    expect(parseProjection('ProjectionExpression', 'a, #b.c[1][2] ,x.#y')).toEqual([
      ['a'],
      ['#b', 'c', 1, 2],
      ['x', '#y'],
    ]);
  });
});

describe('any text', () => {
  const pieces = fc.constantFrom(
    ...[
      'a',
      'b',
      '#n',
      ':v',
      '(',
      ')',
      ',',
      '.',
      '[',
      ']',
      '0',
      '12',
      '=',
      '<',
      '>',
      '-',
      '!',
      ' ',
      'AND',
      'or',
      'NOT',
    ],
    ...[
      'IN',
      'between',
      'size',
      'contains',
      'attribute_exists',
      'name',
      '"',
      '😀',
      '\ud800',
      '__proto__',
      'constructor',
    ],
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 40 }).map((all) => all.join(' ')),
    fc.tuple(pieces, fc.integer({ min: 1, max: 2000 })).map(([piece, times]) => piece.repeat(times)),
  );

  test('is parsed or refused with a validation error', () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const message of [conditionError(text), projectionError(text)]) {
          expect(message).toMatch(/^(no error$|Invalid (Condition|Projection)Expression: )/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
