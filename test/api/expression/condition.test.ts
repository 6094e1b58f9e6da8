import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../../src/api/attribute-value.ts';
import { normaliseMap } from '../../../src/api/attribute-value.ts';
import type { Condition, Operand, Path } from '../../../src/api/expression/ast.ts';
import { evaluateCondition } from '../../../src/api/expression/condition.ts';
import { isReservedWord } from '../../../src/api/expression/reserved-words.ts';
import { resolveExpressions } from '../../../src/api/expression/resolve.ts';

/** JSON.parse makes `__proto__` an own property, as for items that come from clients. */
const item: AttributeMap = JSON.parse(`{
  "s": {"S": "hello"}, "t": {"S": "hellp"}, "hollow": {"S": ""}, "astral": {"S": "\u{10000}"}, "bmp": {"S": "\uffff"},
  "n": {"N": "5"}, "m": {"N": "12"}, "neg": {"N": "-3"},
  "b": {"B": "AQID"}, "high": {"B": "/w=="},
  "ss": {"SS": ["a", "b"]}, "ss2": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["AQ==", "Ag=="]},
  "l": {"L": [{"S": "a"}, {"N": "1"}, {"M": {"x": {"NS": ["1", "2"]}}}]},
  "doc": {"M": {"mid": {"M": {"leaf": {"S": "deep"}}}, "seq": {"L": [{"L": [{"N": "7"}]}]}}},
  "nil": {"NULL": true}, "yes": {"BOOL": true}, "off": {"BOOL": false},
  "__proto__": {"S": "own"}, "a.b": {"S": "dotted"}
}`);

const values: Record<string, AttributeValue> = {
  ':hello': { S: 'hello' },
  ':he': { S: 'he' },
  ':ell': { S: 'ell' },
  ':none': { S: '' },
  ':a': { S: 'a' },
  ':five': { N: '5' },
  ':five0': { N: '5.0' },
  ':one': { N: '1' },
  ':three': { N: '3' },
  ':twelve': { N: '1.2E1' },
  ':bin': { B: 'AQID' },
  ':bin12': { B: 'AQI=' },
  ':bin1': { B: 'AQ==' },
  ':set': { SS: ['b', 'a'] },
  ':nset': { NS: ['2', '1.0'] },
  ':list': { L: [{ S: 'a' }, { N: '1.0' }, { M: { x: { NS: ['2.0', '1'] } } }] },
  ':elem': { M: { x: { NS: ['2', '1'] } } },
  ':null': { NULL: true },
  ':true': { BOOL: true },
  ':deep': { S: 'deep' },
  ':own': { S: 'own' },
  ...Object.fromEntries(
    ['S', 'N', 'B', 'SS', 'NS', 'BS', 'M', 'L', 'NULL', 'BOOL'].map((type) => [`:t${type}`, { S: type }]),
  ),
};

const names: Record<string, string> = { '#proto': '__proto__', '#ctor': 'constructor', '#dotted': 'a.b', '#s': 's' };

function evaluate(text: string, onto: AttributeMap | undefined = item): boolean {
  const used = <T>(all: Record<string, T>, pattern: RegExp): Record<string, T> | undefined => {
    const keys = text.match(pattern);
    return keys === null ? undefined : Object.fromEntries(keys.map((key) => [key, structuredClone(all[key]!)]));
  };
  const { condition } = resolveExpressions({
    ConditionExpression: text,
    ExpressionAttributeNames: used(names, /#\w+/g),
    ExpressionAttributeValues: used(values, /:\w+/g),
  });
  return evaluateCondition(condition!, onto);
}

describe('a condition holds', () => {
  test.each([
    's = :hello',
    '#s = :hello',
    'n = :five0',
    'm = :twelve',
    'ss = :set',
    'ns = :nset',
    'ss = ss2',
    'b = :bin',
    'l = :list',
    'nil = :null',
    'yes = :true',
    'doc.mid.leaf = :deep',
    'doc.seq[0][0] > n',
    '#proto = :own',
    '#dotted <> a.b',
    's <> :he',
    's <> n',
    'lacking <> :he',
    'lacking <> absent',
    's < t',
    'bmp < astral',
    'neg < :one',
    'n < m',
    'b < high',
    'n >= :five',
    'n <= :five0',
    'm > :five',
    'n BETWEEN :five AND :five0',
    'n BETWEEN neg AND m',
    's BETWEEN :he AND t',
    's IN (:he, n, :hello)',
    'n IN (:five0)',
    'ss IN (:set)',
    'attribute_exists(s)',
    'attribute_exists(nil)',
    'attribute_exists(doc.mid)',
    'attribute_exists(l[2].x)',
    'attribute_exists(#proto)',
    'attribute_not_exists(#ctor)',
    'attribute_not_exists(lacking)',
    'attribute_not_exists(l[3])',
    'attribute_not_exists(s.x)',
    'attribute_not_exists(doc[0])',
    'attribute_not_exists(l.x)',
    'attribute_not_exists(doc.#ctor)',
    'attribute_type(s, :tS) AND attribute_type(n, :tN) AND attribute_type(b, :tB)',
    'attribute_type(ss, :tSS) AND attribute_type(ns, :tNS) AND attribute_type(bs, :tBS)',
    'attribute_type(l, :tL) AND attribute_type(doc, :tM)',
    'attribute_type(nil, :tNULL) AND attribute_type(yes, :tBOOL)',
    'begins_with(s, :he)',
    'begins_with(s, :hello)',
    'begins_with(s, :none)',
    'begins_with(b, :bin12)',
    'contains(s, :ell)',
    'contains(s, :none)',
    'contains(b, :bin12)',
    'contains(ss, :a)',
    'contains(ns, :one)',
    'contains(bs, :bin1)',
    'contains(l, :a)',
    'contains(l, :elem)',
    'size(s) = :five',
    'size(hollow) < :one',
    'size(b) = :three',
    'size(l) = :three',
    'size(ss) < :three',
    'size(bs) < :three',
    'size(doc) < :three',
    'size(doc.mid) = :one',
    'size(n) <> :one',
    'size(:hello) = n',
    'size(s) IN (n)',
    'NOT s = n',
    'NOT lacking = :he',
    'NOT NOT s = :hello',
    's = n OR s = :hello',
    's = :hello AND NOT (s = n OR s = t)',
    // AND before OR
    's = :hello OR s = n AND s = t',
  ])('%s', (text) => {
    expect(evaluate(text)).toBe(true);
  });
});

describe('a condition does not hold', () => {
  test.each([
    's = :he',
    's = n',
    'lacking = :he',
    'lacking = absent',
    'n = :hello',
    'ss = ns',
    'nil = off',
    'l[0] = l[1]',
    'yes = off',
    's <> :hello',
    'ns <> :nset',
    's < n',
    's > n',
    'lacking < :one',
    'lacking >= :one',
    'ss < ns',
    'off < yes',
    'astral < bmp',
    'm < :five',
    'm BETWEEN neg AND n',
    'n BETWEEN s AND m',
    'n BETWEEN neg AND lacking',
    'n BETWEEN m AND neg',
    's IN (:he, n)',
    'lacking IN (:he, absent)',
    'attribute_exists(lacking)',
    'attribute_exists(l[99])',
    'attribute_exists(#ctor)',
    'attribute_not_exists(s)',
    'attribute_not_exists(#proto)',
    'attribute_type(s, :tN)',
    'attribute_type(lacking, :tS)',
    'begins_with(s, :ell)',
    'begins_with(:he, s)',
    'begins_with(s, :bin)',
    'begins_with(b, :hello)',
    'begins_with(:bin12, b)',
    'begins_with(n, :none)',
    'begins_with(lacking, :none)',
    'contains(s, t)',
    'contains(s, n)',
    'contains(n, :five)',
    'contains(ss, :hello)',
    'contains(ss, :one)',
    'contains(ns, :hello)',
    'contains(bs, :bin)',
    'contains(l, :hello)',
    'contains(doc, :a)',
    'contains(lacking, :a)',
    'contains(s, lacking)',
    'size(n) = :one',
    'size(yes) >= :one',
    'size(nil) >= :one',
    'size(lacking) < :one',
    's = :hello AND s = n',
    '(s = :hello OR s = n) AND s = t',
  ])('%s', (text) => {
    expect(evaluate(text)).toBe(false);
  });
});

describe('a table without the item', () => {
  test('is like an item without attributes', () => {
    expect(evaluateCondition({ kind: 'not-exists', path: ['a'] }, undefined)).toBe(true);
    expect(evaluateCondition({ kind: 'exists', path: ['a'] }, undefined)).toBe(false);
    const left: Operand = { kind: 'path', path: ['a'] };
    const right: Operand = { kind: 'value', value: { N: '1' } };
    expect(evaluateCondition({ kind: 'compare', comparator: '<>', left, right }, undefined)).toBe(true);
    expect(evaluateCondition({ kind: 'compare', comparator: '=', left, right }, undefined)).toBe(false);
  });
});

test('the size of a string counts UTF-16 units', () => {
  expect(evaluate('size(x) = :three', { x: { S: 'é𝄞' } })).toBe(true);
});

test.each([0, 1, 10, 100, 123, 4000, 400_000])('a size of %i equals that number', (length) => {
  const onto = { x: { S: 'x'.repeat(length) }, y: { N: `${length}.0` } };
  normaliseMap(onto);
  expect(evaluate('size(x) = y', onto)).toBe(true);
});

const anyName = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'name', 'and', '__proto__', 'constructor', 'toString', 'a.b', '#x', '', '0'),
  fc.string({ maxLength: 4 }),
);

const anyPath = fc
  .tuple(
    anyName.filter((name) => name !== ''),
    fc.array(
      fc.oneof(
        anyName.filter((name) => name !== ''),
        fc.nat(3),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([first, rest]): Path => [first, ...rest]);

const anyNumber = fc.integer({ min: -20, max: 20 }).map(String);
const anyBinary = fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString('base64'));

const { value: anyValue } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.record({ S: fc.string({ unit: 'grapheme', maxLength: 3 }) }),
    fc.record({ N: anyNumber }),
    fc.record({ B: anyBinary }),
    fc.record({ BOOL: fc.boolean() }),
    fc.record({ NULL: fc.constant(true) }),
    fc.record({ SS: fc.uniqueArray(fc.string({ maxLength: 2 }), { minLength: 1, maxLength: 3 }) }),
    fc.record({ NS: fc.uniqueArray(anyNumber, { minLength: 1, maxLength: 3 }) }),
    fc.record({ BS: fc.uniqueArray(anyBinary, { minLength: 1, maxLength: 3 }) }),
    fc.record({ L: fc.array(tie('value'), { maxLength: 3 }) }),
    fc.record({ M: mapOf(tie('value')) }),
  ),
}));

function mapOf(values: fc.Arbitrary<AttributeValue>): fc.Arbitrary<AttributeMap> {
  const entries = fc.array(
    fc.tuple(
      anyName.filter((name) => name !== ''),
      values,
    ),
    { maxLength: 4 },
  );
  return entries.map((all) => Object.fromEntries(all));
}

const anyItem = mapOf(anyValue).map((map) => {
  normaliseMap(map);
  return map;
});

const literal = anyValue.map((value): Operand => {
  normaliseMap({ value });
  return { kind: 'value', value };
});
const anyPathOperand = anyPath.map((path): Operand => ({ kind: 'path', path }));
const orderedLiteral = fc
  .oneof(
    anyNumber.map((N) => ({ N })),
    fc.string({ maxLength: 2 }).map((S) => ({ S })),
  )
  .map((value): Operand => ({ kind: 'value', value }));
const size = anyPathOperand.map((operand): Operand => ({ kind: 'size', operand }));

/** Conditions as the resolver may make them: no rule on literal operands is broken, and first operands are distinct. */
const { condition: anyCondition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small' },
    fc.record({ kind: fc.constantFrom('exists' as const, 'not-exists' as const), path: anyPath }),
    fc
      .record({
        kind: fc.constant('compare' as const),
        comparator: fc.constantFrom('=' as const, '<>' as const),
        left: fc.oneof(anyPathOperand, literal, size),
        right: fc.oneof(anyPathOperand, literal, size),
      })
      .filter(({ left, right }) => !isSamePath(left, right)),
    fc
      .record({
        kind: fc.constant('compare' as const),
        comparator: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
        left: fc.oneof(anyPathOperand, orderedLiteral, size),
        right: fc.oneof(anyPathOperand, orderedLiteral, size),
      })
      .filter(({ left, right }) => !isSamePath(left, right)),
    fc
      .record({
        kind: fc.constant('between' as const),
        operand: fc.oneof(anyPathOperand, orderedLiteral),
        lower: fc.oneof(anyPathOperand, orderedLiteral),
        upper: fc.oneof(anyPathOperand, size),
      })
      .filter(({ operand, lower, upper }) => !isSamePath(operand, lower) && !isSamePath(operand, upper)),
    fc
      .record({
        kind: fc.constant('in' as const),
        operand: fc.oneof(anyPathOperand, literal),
        choices: fc.array(fc.oneof(anyPathOperand, literal, size), { minLength: 1, maxLength: 3 }),
      })
      .filter(({ operand, choices }) => !choices.some((choice) => isSamePath(operand, choice))),
    fc.record({
      kind: fc.constant('type' as const),
      operand: anyPathOperand,
      type: fc.constantFrom('S' as const, 'NS' as const, 'M' as const, 'BOOL' as const),
    }),
    fc
      .record({
        kind: fc.constant('begins-with' as const),
        operand: anyPathOperand,
        argument: anyPathOperand,
      })
      .filter(({ operand, argument }) => !isSamePath(operand, argument)),
    fc
      .record({
        kind: fc.constant('contains' as const),
        operand: fc.oneof(anyPathOperand, literal),
        argument: fc.oneof(anyPathOperand, literal),
      })
      .filter(({ operand, argument }) => !isSamePath(operand, argument)),
    fc.record({ kind: fc.constant('not' as const), condition: tie('condition') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      left: tie('condition'),
      right: tie('condition'),
    }),
  ),
}));

function isSamePath(one: Operand, other: Operand): boolean {
  return one.kind === 'path' && other.kind === 'path' && JSON.stringify(one.path) === JSON.stringify(other.path);
}

/** Prints a condition with as few parentheses as the grammar allows. */
class Printer {
  readonly names: Record<string, string> = {};
  readonly values: Record<string, AttributeValue> = {};

  print(condition: Condition, binding = 0): string {
    switch (condition.kind) {
      case 'or':
        return this.group(binding > 0, `${this.print(condition.left, 0)} OR ${this.print(condition.right, 1)}`);
      case 'and':
        return this.group(binding > 1, `${this.print(condition.left, 1)} and ${this.print(condition.right, 2)}`);
      case 'not':
        return `NOT ${this.print(condition.condition, 2)}`;
      case 'exists':
        return `attribute_exists(${this.path(condition.path)})`;
      case 'not-exists':
        return `attribute_not_exists ( ${this.path(condition.path)} )`;
      case 'compare':
        return `${this.operand(condition.left)}${condition.comparator}${this.operand(condition.right)}`;
      case 'between':
        return `${this.operand(condition.operand)} BETWEEN ${this.operand(condition.lower)} AND ${this.operand(condition.upper)}`;
      case 'in':
        return `${this.operand(condition.operand)} IN (${condition.choices.map((choice) => this.operand(choice)).join()})`;
      case 'type':
        return `attribute_type(${this.operand(condition.operand)}, ${this.value({ S: condition.type })})`;
      case 'begins-with':
        return `begins_with(${this.operand(condition.operand)}, ${this.operand(condition.argument)})`;
      case 'contains':
        return `contains(${this.operand(condition.operand)}, ${this.operand(condition.argument)})`;
    }
  }

  private group(needed: boolean, text: string): string {
    return needed ? `(${text})` : text;
  }

  private operand(operand: Operand): string {
    if (operand.kind === 'path') return this.path(operand.path);
    if (operand.kind === 'value') return this.value(operand.value);
    return `size(${this.operand(operand.operand)})`;
  }

  private path(path: Path): string {
    const steps = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${this.name(step)}`));
    return steps.join('').slice(1);
  }

  private name(name: string): string {
    if (/^[a-z]\w*$/i.test(name) && !isReservedWord(name)) return name;
    const reference = `#${Object.keys(this.names).length}`;
    this.names[reference] = name;
    return reference;
  }

  private value(value: AttributeValue): string {
    const reference = `:${Object.keys(this.values).length}`;
    this.values[reference] = value;
    return reference;
  }
}

describe('any condition', () => {
  test('printed as an expression is resolved to itself', () => {
    fc.assert(
      fc.property(anyCondition, (condition) => {
        const printer = new Printer();
        const text = printer.print(condition);
        fc.pre(text.length <= 4096);
        const resolved = resolveExpressions({
          ConditionExpression: text,
          ExpressionAttributeNames: Object.keys(printer.names).length > 0 ? printer.names : undefined,
          ExpressionAttributeValues:
            Object.keys(printer.values).length > 0 ? structuredClone(printer.values) : undefined,
        });
        expect(resolved.condition).toEqual(condition);
      }),
      { numRuns: 500 },
    );
  });

  test('is evaluated for any item, and to the opposite of its negation', () => {
    fc.assert(
      fc.property(anyCondition, fc.option(anyItem, { nil: undefined }), (condition, onto) => {
        const holds = evaluateCondition(condition, onto);
        expect(typeof holds).toBe('boolean');
        expect(evaluateCondition({ kind: 'not', condition }, onto)).toBe(!holds);
      }),
      { numRuns: 1000 },
    );
  });

  test('survives the way to another process', () => {
    fc.assert(
      fc.property(anyCondition, anyItem, (condition, onto) => {
        expect(evaluateCondition(JSON.parse(JSON.stringify(condition)), onto)).toBe(evaluateCondition(condition, onto));
      }),
    );
  });
});
