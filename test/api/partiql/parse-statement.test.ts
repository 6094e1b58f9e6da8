import { describe, expect, test } from 'vitest';
import { parseStatement } from '../../../src/api/partiql/parse-statement.ts';
import { syntaxOf } from '../../../src/api/partiql/statement.ts';
import { placeText } from '../../../src/api/partiql/statement-error.ts';
import { tokenizeStatement } from '../../../src/api/partiql/statement-lexer.ts';

const tokens = (text: string) => tokenizeStatement(text).map(({ kind, text: content }) => [kind, content]);

/** An expression without its places, which are tested by themselves. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, member) => (key === 'start' || key === 'end' ? undefined : member)));
}
const body = (text: string) => plain(parseStatement(text).body) as Record<string, Record<string, unknown>>;
const where = (text: string) => body(`SELECT * FROM t WHERE ${text}`).where;
const refusal = (text: string) => {
  try {
    parseStatement(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`was not refused: ${text}`);
};
const malformed = (detail: string) => `Statement wasn't well formed, can't be processed: ${detail}`;
const path = (...steps: (string | number)[]) => ({ kind: 'path', path: steps });
const number = (N: string) => ({ kind: 'literal', value: { N } });
const text = (S: string) => ({ kind: 'literal', value: { S } });
const binary = (operator: string, left: object, right: object) => ({ kind: 'binary', operator, left, right });

describe('the tokens of a statement', () => {
  test('are names, keywords in any case, texts, numbers and symbols', () => {
    expect(tokens(`SeLeCt a_1,$b FROM"q ""x"""`)).toEqual([
      ['keyword', 'select'],
      ['name', 'a_1'],
      ['symbol', ','],
      ['name', '$b'],
      ['keyword', 'from'],
      ['quoted', 'q "x"'],
      ['end', ''],
    ]);
    expect(tokens(`'it''s' 12 1.5 .5 1e10 2.5E-3 != <> <= >= << >> ?`)).toEqual([
      ['string', "it's"],
      ['number', '12'],
      ['number', '1.5'],
      ['number', '.5'],
      ['number', '1e10'],
      ['number', '2.5E-3'],
      ['symbol', '<>'],
      ['symbol', '<>'],
      ['symbol', '<='],
      ['symbol', '>='],
      ['symbol', '<<'],
      ['symbol', '>>'],
      ['symbol', '?'],
      ['end', ''],
    ]);
  });

  test('do not count comments and blanks', () => {
    expect(tokens('a -- to the end\n/* over\nlines -- */ b --x')).toEqual([
      ['name', 'a'],
      ['name', 'b'],
      ['end', ''],
    ]);
  });

  test.each(["'open", '"open', '/* open', 'a # b', '`ion`', 'a ! b', '\u0000', 'é'])('are not in %j', (broken) => {
    expect(() => tokenizeStatement(broken)).toThrow(malformed(''));
  });

  test('have their places in lines and columns', () => {
    const lines = 'SELECT *\nFROM t\n  LIMIT 12';
    expect(placeText(lines, { start: 0, end: 6 })).toBe('1:1:6');
    expect(placeText(lines, { start: 9, end: 13 })).toBe('2:1:4');
    expect(refusal(lines)).toBe('Unsupported clause: LIMIT at 3:9:2');
  });
});

describe('expressions', () => {
  test('bind as in PartiQL: equality less than order, AND more than OR', () => {
    expect(where('a = 1 OR NOT b < 2 AND c <> d')).toEqual(
      binary('or', binary('=', path('a'), number('1')), {
        ...binary(
          'and',
          { kind: 'unary', operator: 'not', operand: binary('<', path('b'), number('2')) },
          {
            ...binary('<>', path('c'), path('d')),
          },
        ),
      }),
    );
    expect(where('(a OR b) AND c')).toEqual(binary('and', binary('or', path('a'), path('b')), path('c')));
    expect(where('begins_with(a, ?) = false')).toEqual(
      binary(
        '=',
        { kind: 'call', name: 'begins_with', operands: [path('a'), { kind: 'parameter', index: 0 }] },
        { kind: 'literal', value: { BOOL: false } },
      ),
    );
  });

  test('have paths, ranges, choices and types', () => {
    expect(where(`a."b.c"[2]['d'].e BETWEEN -1 AND +2`)).toEqual({
      kind: 'between',
      operand: path('a', 'b.c', 2, 'd', 'e'),
      lower: number('-1'),
      upper: number('2'),
      isNegated: false,
    });
    const choices = { kind: 'list', elements: [number('1'), text('x')] };
    for (const list of ["[1, 'x']", "(1, 'x')"]) {
      expect(where(`a NOT IN ${list}`)).toEqual({ kind: 'in', operand: path('a'), choices, isNegated: true });
    }
    expect(where('a IS NOT MISSING')).toEqual({ kind: 'is', operand: path('a'), type: 'missing', isNegated: true });
    expect(where('a IS NULL')).toEqual({ kind: 'is', operand: path('a'), type: 'null', isNegated: false });
  });

  test('have lists, sets and tuples', () => {
    expect(where(`a = [<<1, 2>>, {'b': {}, 'c': []}, null]`)!.right).toEqual({
      kind: 'list',
      elements: [
        { kind: 'bag', elements: [number('1'), number('2')] },
        {
          kind: 'tuple',
          members: [
            [text('b'), { kind: 'tuple', members: [] }],
            [text('c'), { kind: 'list', elements: [] }],
          ],
        },
        { kind: 'literal', value: { NULL: true } },
      ],
    });
  });
});

describe('statements', () => {
  test('SELECT has columns, a table or an index, and an order', () => {
    expect(body('SELECT a, b.c[0] FROM "T"."i" WHERE a = ? ORDER BY a DESC, "b"')).toEqual({
      kind: 'select',
      source: { table: 'T', index: 'i' },
      columns: [['a'], ['b', 'c', 0]],
      where: binary('=', path('a'), { kind: 'parameter', index: 0 }),
      order: [
        { attribute: 'a', isDescending: true },
        { attribute: 'b', isDescending: false },
      ],
    });
    expect(body('select * from t;')).toMatchObject({ kind: 'select', source: { table: 't' }, order: [] });
  });

  test('INSERT, UPDATE, DELETE and EXISTS', () => {
    expect(body("INSERT INTO t VALUE {'a': ?}")).toMatchObject({ kind: 'insert', source: { table: 't' } });
    expect(
      body('UPDATE t SET a = a + 1, b.c = ? REMOVE d[1] SET e = 2 WHERE a = 1 RETURNING MODIFIED NEW *'),
    ).toMatchObject({
      kind: 'update',
      changes: [
        { kind: 'set', path: ['a'], value: binary('+', path('a'), number('1')) },
        { kind: 'set', path: ['b', 'c'] },
        { kind: 'remove', path: ['d', 1] },
        { kind: 'set', path: ['e'] },
      ],
      returning: 'MODIFIED NEW',
    });
    expect(body('delete from "t" where a = 1 returning all old *')).toMatchObject({
      kind: 'delete',
      returning: 'ALL OLD',
    });
    expect(body("EXISTS(SELECT * FROM t WHERE a = 'x')")).toMatchObject({ kind: 'exists', source: { table: 't' } });
  });

  test('count their parameters, and are kept', () => {
    const statement = 'UPDATE t SET a = ?, b = \'?\' WHERE "?" = ? AND c IN [?, ?] -- ?';
    expect(parseStatement(statement).parameterCount).toBe(4);
    expect(parseStatement(statement)).toBe(parseStatement(statement));
    expect(syntaxOf(statement)?.body.source.table).toBe('t');
    expect(syntaxOf('nonsense')).toBeUndefined();
    expect(syntaxOf(7)).toBeUndefined();
    expect(syntaxOf('x'.repeat(20_000_000))).toBeUndefined();
  });

  test.each([
    ['', 'Expected data manipulation'],
    ['CREATE TABLE t', 'Expected data manipulation'],
    ['INSERT t', 'Expected data manipulation'],
    ['SELECT', 'Unexpected term'],
    ['SELECT a', 'Expected FROM after SELECT list'],
    ['SELECT a FROM', 'Unexpected term'],
    ['SELECT * FROM t WHERE a =', 'Missing right-hand side expression of infix operator'],
    ['SELECT * FROM t WHERE a BETWEEN 1 AND', 'Expected expression after AND'],
    ['SELECT * FROM t WHERE a BETWEEN 1', 'Expected AND'],
    ['SELECT * FROM t WHERE (a = 1', 'Expected RIGHT_PAREN'],
    ['SELECT * FROM t WHERE a = []]', 'Unexpected token after expression'],
    ['SELECT * FROM t WHERE ()', 'Expression group cannot be empty'],
    ['SELECT * FROM t WHERE a.b. = 1', 'Invalid path dot component'],
    ['SELECT * FROM t WHERE = 1', 'Unexpected operator'],
    ['SELECT * FROM t WHERE user = 1', 'Unexpected keyword'],
    [
      'SELECT *, a FROM t',
      "Other expressions may not be present in the select list when '*' is used without dot notation.",
    ],
    ['SELECT * FROM t; SELECT * FROM t', 'Unexpected token after semicolon. (Only one query is allowed.)'],
    ['DELETE t', 'Expected FROM after DELETE'],
    ['UPDATE t WHERE a = 1', 'Expected data manipulation'],
    ['UPDATE t SET a 1', "Expected '='"],
    ["UPDATE 't' SET a = 1", 'Expected identifier for simple path'],
    ['UPDATE t SET a = 1 RETURNING *', 'Expected ( MODIFIED | ALL ) ( NEW | OLD )'],
  ])('%s is not well formed', (statement, detail) => {
    expect(refusal(statement)).toBe(malformed(detail));
  });

  test.each([
    ['SELECT count(*) FROM t', 'Unexpected path component at 1:8:5'],
    ['SELECT a + 1 FROM t', 'Unexpected path component at 1:8:5'],
    ['SELECT DISTINCT a FROM t', 'Unsupported clause: DISTINCT at 1:8:8'],
    ['SELECT a AS b FROM t', 'Aliasing is not supported'],
    ['SELECT * FROM a.b.c', 'A path may contain at most 2 components in the FROM clause'],
    ['SELECT * FROM ""', 'Path component cannot be an empty string'],
    ['SELECT a[-1] FROM t', 'List index is not within the allowable range; index: [-1] at 1:11:1'],
    ['SELECT a[2147483648] FROM t', 'List index is not within the allowable range; index: [2147483648] at 1:10:10'],
    [
      "INSERT INTO t.i VALUE {'a': 1}",
      'FROM clause may only contain a single table name in data manipulation statements at 1:13:1',
    ],
    [`SELECT ${'a.'.repeat(32)}a FROM t`, 'The document path has too many nesting levels; nesting levels: 33'],
  ])('%s is not supported', (statement, message) => {
    expect(refusal(statement)).toBe(message);
  });

  test.each([
    ['parentheses', `SELECT * FROM t WHERE ${'('.repeat(4000)}a${')'.repeat(4000)}`],
    ['lists', `SELECT * FROM t WHERE a = ${'['.repeat(4000)}`],
    ['negations', `SELECT * FROM t WHERE ${'NOT '.repeat(2000)}a = 1`],
    ['signs', `SELECT * FROM t WHERE a = ${'-+'.repeat(4000)}1`],
    ['tuples', `INSERT INTO t VALUE ${"{'a':".repeat(1600)}`],
    ['calls', `SELECT * FROM t WHERE ${'f('.repeat(4000)}`],
  ])('%s beyond any depth are refused', (_, statement) => {
    expect(refusal(statement)).toBe(malformed('Expressions are nested too deeply'));
  });
});
