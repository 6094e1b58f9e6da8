import { ApiError } from '../errors.ts';
import type { FilterCondition } from '../operations.ts';
import type { KeyOperator, KeyTerm } from './key-condition.ts';
import { legacyComparison } from './legacy.ts';
import { checkValueBytes } from './value-bytes.ts';

const OPERATORS: Readonly<Record<string, KeyOperator>> = {
  EQ: '=',
  LT: '<',
  LE: '<=',
  GT: '>',
  GE: '>=',
  BETWEEN: 'BETWEEN',
  BEGINS_WITH: 'begins_with',
};

/** No key has more attributes: four of each kind. */
const MOST_CONDITIONS = 8;

/**
 * The legacy `KeyConditions`. Values are normalised in place, and checked, unlike those of an expression.
 * @throws ApiError (ValidationException)
 */
export function resolveKeyConditions(conditions: Readonly<Record<string, FilterCondition>>): KeyTerm[] {
  const names = Object.keys(conditions);
  if (names.length === 0 || names.length > MOST_CONDITIONS) {
    throw ApiError.validation('Conditions can be of length 1 or 2 only');
  }
  checkValueBytes('KeyConditions', conditions);
  for (const name of names) {
    const { ComparisonOperator: operator, AttributeValueList: values = [] } = conditions[name]!;
    legacyComparison(name, operator, values);
  }
  return names.map((name) => {
    const { ComparisonOperator, AttributeValueList: values = [] } = conditions[name]!;
    const operator = OPERATORS[ComparisonOperator];
    if (operator !== undefined) return { name, operator, values };
    throw ApiError.validation('Attempted conditional constraint is not an indexable operation');
  });
}
