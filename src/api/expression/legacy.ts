import {
  type AttributeType,
  type AttributeValue,
  checkName,
  compareValues,
  normaliseValue,
  typeOf,
} from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { ExpectedAttributeValue, ExpressionParameters } from '../operations.ts';
import { VALUE_TEXTS, type ValueTexts } from '../value-texts.ts';
import type { Comparator, Condition, Operand, Projection } from './ast.ts';
import { checkValueBytes } from './value-bytes.ts';

/**
 * `Expected` with `ConditionalOperator` as a condition (developer guide, "Legacy conditional parameters").
 * @returns undefined without `Expected`
 */
export function resolveExpected(request: ExpressionParameters): Condition | undefined {
  const expected = request.Expected ?? {};
  const names = Object.keys(expected);
  if (names.length > 0) checkValueBytes('Expected', expected);
  const conditions = names.map((name) => expectation(name, expected[name]!));
  checkConditionalOperator(request.ConditionalOperator, conditions.length);
  return joinConditions(conditions, request.ConditionalOperator);
}

/** @returns undefined if the request wants all attributes */
export function resolveAttributesToGet(request: ExpressionParameters): Projection | undefined {
  const names = request.AttributesToGet;
  if (names == null) return undefined;
  const seen = new Set<string>();
  for (const name of names) {
    checkName(name);
    if (seen.has(name)) throw invalid(`Duplicate value in attribute name: ${name}`);
    seen.add(name);
  }
  return names.map((name) => [name]);
}

/** The rule for `ConditionalOperator`, which holds for filters too. */
export function checkConditionalOperator(operator: 'AND' | 'OR' | null | undefined, conditions: number): void {
  if (operator == null) return;
  if (conditions === 0) throw ApiError.validation('ConditionalOperator cannot be used without Filter or Expected');
  if (conditions === 1) {
    throw ApiError.validation('ConditionalOperator can only be used when Filter or Expected has two or more elements');
  }
}

/** @returns undefined for no conditions */
export function joinConditions(
  conditions: readonly Condition[],
  operator: 'AND' | 'OR' | null | undefined,
): Condition | undefined {
  const kind = operator === 'OR' ? 'or' : 'and';
  return joinRange(conditions, 0, conditions.length, kind);
}

/**
 * A legacy comparison, also for filters and key conditions. Normalises the values in place.
 * @param operator one of the service's thirteen; the schema has checked it
 * @param texts the operation's words for faults of values
 */
export function legacyComparison(
  name: string,
  operator: string,
  values: readonly AttributeValue[],
  texts: ValueTexts = VALUE_TEXTS.default,
): Condition {
  checkName(name);
  const rule = RULES[operator]!;
  for (const value of values) normaliseValue(value, texts);
  if (!rule.counts(values.length)) {
    throw invalid(`Invalid number of argument(s) for the ${operator} ComparisonOperator`);
  }
  const types = values.map(typeOf);
  if (types.some((type) => type !== types[0])) {
    throw invalid('AttributeValues inside AttributeValueList must be of same type');
  }
  const unfit = types.find((type) => rule.types !== undefined && !rule.types.includes(type));
  if (unfit !== undefined) {
    throw invalid(`ComparisonOperator ${operator} is not valid for ${unfit} AttributeValue type`);
  }
  if (operator === 'BETWEEN' && compareValues(values[0]!, values[1]!)! > 0) {
    throw ApiError.validation(
      'The BETWEEN condition was provided a range where the lower bound is greater than the upper bound',
    );
  }
  return rule.condition({ kind: 'path', path: [name] }, values.map(literal));
}

function expectation(name: string, expected: ExpectedAttributeValue): Condition {
  checkName(name);
  const { Value: value, Exists: exists, ComparisonOperator: operator, AttributeValueList: list } = expected;
  if (value != null && list != null) {
    throw invalid(`Value and AttributeValueList cannot be used together for Attribute: ${name}`);
  }
  if (operator != null) {
    if (exists != null) {
      throw invalid(`Exists and ComparisonOperator cannot be used together for Attribute: ${name}`);
    }
    if (value == null && list == null && operator !== 'NULL' && operator !== 'NOT_NULL') {
      throw invalid(
        `Value or AttributeValueList must be used with ComparisonOperator: ${operator} for Attribute: ${name}`,
      );
    }
    return legacyComparison(name, operator, value != null ? [value] : (list ?? []));
  }
  if (list != null) {
    throw invalid(`AttributeValueList can only be used with a ComparisonOperator for Attribute: ${name}`);
  }
  if (exists === false) {
    if (value != null) throw invalid(`Value cannot be used when Exists is false for Attribute: ${name}`);
    return { kind: 'not-exists', path: [name] };
  }
  if (value == null) {
    throw invalid(`Value must be provided when Exists is ${exists ?? 'null'} for Attribute: ${name}`);
  }
  return legacyComparison(name, 'EQ', [value]);
}

interface Rule {
  readonly counts: (count: number) => boolean;
  /** The types that the arguments may have. Undefined: all. */
  readonly types?: readonly AttributeType[];
  readonly condition: (
    attribute: Extract<Operand, { kind: 'path' }>,
    values: readonly Extract<Operand, { kind: 'value' }>[],
  ) => Condition;
}

const SCALARS: readonly AttributeType[] = ['S', 'N', 'B'];
const none = (count: number) => count === 0;
const one = (count: number) => count === 1;

const RULES: Readonly<Record<string, Rule>> = {
  EQ: { counts: one, condition: comparing('=') },
  NE: { counts: one, condition: comparing('<>') },
  LE: { counts: one, types: SCALARS, condition: comparing('<=') },
  LT: { counts: one, types: SCALARS, condition: comparing('<') },
  GE: { counts: one, types: SCALARS, condition: comparing('>=') },
  GT: { counts: one, types: SCALARS, condition: comparing('>') },
  NOT_NULL: { counts: none, condition: ({ path }) => ({ kind: 'exists', path }) },
  NULL: { counts: none, condition: ({ path }) => ({ kind: 'not-exists', path }) },
  CONTAINS: {
    counts: one,
    types: SCALARS,
    condition: (operand, [argument]) => ({ kind: 'contains', operand, argument: argument! }),
  },
  // For an attribute that the item lacks, neither CONTAINS nor NOT_CONTAINS holds.
  NOT_CONTAINS: {
    counts: one,
    types: SCALARS,
    condition: (operand, [argument]) => ({
      kind: 'and',
      left: { kind: 'exists', path: operand.path },
      right: { kind: 'not', condition: { kind: 'contains', operand, argument: argument! } },
    }),
  },
  BEGINS_WITH: {
    counts: one,
    types: ['S', 'B'],
    condition: (operand, [argument]) => ({ kind: 'begins-with', operand, argument: argument! }),
  },
  IN: {
    counts: (count) => count > 0,
    types: SCALARS,
    condition: (operand, choices) => ({ kind: 'in', operand, choices }),
  },
  BETWEEN: {
    counts: (count) => count === 2,
    types: SCALARS,
    condition: (operand, [lower, upper]) => ({ kind: 'between', operand, lower: lower!, upper: upper! }),
  },
};

function comparing(comparator: Comparator): Rule['condition'] {
  return (left, [right]) => ({ kind: 'compare', comparator, left, right: right! });
}

/** Makes a balanced tree: `Expected` may have thousands of attributes, and conditions are evaluated by recursion. */
function joinRange(
  conditions: readonly Condition[],
  start: number,
  end: number,
  kind: 'and' | 'or',
): Condition | undefined {
  if (end - start <= 1) return conditions[start];
  const middle = (start + end) >> 1;
  const left = joinRange(conditions, start, middle, kind)!;
  const right = joinRange(conditions, middle, end, kind)!;
  return { kind, left, right };
}

function literal(value: AttributeValue): Extract<Operand, { kind: 'value' }> {
  return { kind: 'value', value };
}

function invalid(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
