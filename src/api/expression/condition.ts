import {
  type AttributeMap,
  type AttributeValue,
  binaryLength,
  compareValues,
  equalValues,
  typeOf,
} from '../attribute-value.ts';
import type { Comparator, Condition, Operand, Path } from './ast.ts';

/**
 * Whether an item meets a condition (developer guide, "Condition and filter expressions, operators, and functions").
 * An operand that the item lacks, or of a type that the operator does not know, makes a comparison false and never
 * an error; only `<>` and `attribute_not_exists` hold for what is missing.
 * @param condition resolved, its values normalised
 * @param item normalised; undefined if there is none, which is like an item without attributes
 */
export function evaluateCondition(condition: Condition, item: AttributeMap | undefined): boolean {
  switch (condition.kind) {
    case 'and':
      return evaluateCondition(condition.left, item) && evaluateCondition(condition.right, item);
    case 'or':
      return evaluateCondition(condition.left, item) || evaluateCondition(condition.right, item);
    case 'not':
      return !evaluateCondition(condition.condition, item);
    case 'exists':
      return valueAt(condition.path, item) !== undefined;
    case 'not-exists':
      return valueAt(condition.path, item) === undefined;
    case 'compare':
      return compare(condition.comparator, operandValue(condition.left, item), operandValue(condition.right, item));
    case 'between':
      return isBetween(
        operandValue(condition.operand, item),
        operandValue(condition.lower, item),
        operandValue(condition.upper, item),
      );
    case 'in': {
      const value = operandValue(condition.operand, item);
      return condition.choices.some((choice) => compare('=', value, operandValue(choice, item)));
    }
    case 'type': {
      const value = operandValue(condition.operand, item);
      return value !== undefined && typeOf(value) === condition.type;
    }
    case 'begins-with':
      return beginsWith(operandValue(condition.operand, item), operandValue(condition.argument, item));
    case 'contains':
      return contains(operandValue(condition.operand, item), operandValue(condition.argument, item));
  }
}

/** @returns what `path` leads to, or undefined where the item has no such element */
export function valueAt(path: Path, item: AttributeMap | undefined): AttributeValue | undefined {
  if (item === undefined) return undefined;
  let value = attributeOf(item, path[0]!);
  for (let i = 1; i < path.length && value !== undefined; i++) {
    const step = path[i]!;
    if (typeof step === 'number') value = 'L' in value ? value.L[step] : undefined;
    else value = 'M' in value ? attributeOf(value.M, step) : undefined;
  }
  return value;
}

function attributeOf(map: AttributeMap, name: string | number): AttributeValue | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

function operandValue(operand: Operand, item: AttributeMap | undefined): AttributeValue | undefined {
  if (operand.kind === 'value') return operand.value;
  if (operand.kind === 'path') return valueAt(operand.path, item);
  const value = operandValue(operand.operand, item);
  const size = value === undefined ? undefined : sizeOf(value);
  return size === undefined ? undefined : { N: String(size) };
}

/**
 * The `size` function. A string counts UTF-16 units and not bytes: recorded of the service, `size` of "é𝄞" is 3
 * (ExtendDB issue 60). Numbers, booleans and nulls have no size.
 */
function sizeOf(value: AttributeValue): number | undefined {
  if ('S' in value) return value.S.length;
  if ('B' in value) return binaryLength(value.B);
  if ('M' in value) return Object.keys(value.M).length;
  if ('L' in value) return value.L.length;
  return membersOf(value)?.length;
}

function compare(comparator: Comparator, left: AttributeValue | undefined, right: AttributeValue | undefined): boolean {
  if (comparator === '=') return left !== undefined && right !== undefined && equalValues(left, right);
  if (comparator === '<>') return !compare('=', left, right);
  const order = left === undefined || right === undefined ? undefined : compareValues(left, right);
  if (order === undefined) return false;
  switch (comparator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

function isBetween(
  value: AttributeValue | undefined,
  lower: AttributeValue | undefined,
  upper: AttributeValue | undefined,
): boolean {
  return compare('>=', value, lower) && compare('<=', value, upper);
}

function beginsWith(value: AttributeValue | undefined, prefix: AttributeValue | undefined): boolean {
  if (value === undefined || prefix === undefined) return false;
  if ('S' in value) return 'S' in prefix && value.S.startsWith(prefix.S);
  if ('B' in value && 'B' in prefix) {
    const start = Buffer.from(prefix.B, 'base64');
    return Buffer.from(value.B, 'base64').subarray(0, start.length).equals(start);
  }
  return false;
}

function contains(value: AttributeValue | undefined, sought: AttributeValue | undefined): boolean {
  if (value === undefined || sought === undefined) return false;
  if ('L' in value) return value.L.some((element) => equalValues(element, sought));
  if ('S' in value) return 'S' in sought && value.S.includes(sought.S);
  if ('B' in value) {
    return 'B' in sought && Buffer.from(value.B, 'base64').includes(Buffer.from(sought.B, 'base64'));
  }
  if ('SS' in value) return 'S' in sought && value.SS.includes(sought.S);
  // Numbers are normalised, so equal ones have equal texts; so have equal binaries in base64.
  if ('NS' in value) return 'N' in sought && value.NS.includes(sought.N);
  if ('BS' in value) return 'B' in sought && value.BS.includes(sought.B);
  return false;
}

function membersOf(value: AttributeValue): readonly string[] | undefined {
  if ('SS' in value) return value.SS;
  if ('NS' in value) return value.NS;
  if ('BS' in value) return value.BS;
  return undefined;
}
