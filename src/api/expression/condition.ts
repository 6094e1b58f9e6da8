import {
  type AttributeMap,
  type AttributeValue,
  binaryLength,
  compareValues,
  equalValues,
  typeOf,
} from '../attribute-value.ts';
import type { Comparator, Condition, Operand, Path } from './ast.ts';
import { LARGE_COLLECTION, Memo } from './memo.ts';
import { containsText } from './text-search.ts';

/**
 * Whether an item meets a condition (developer guide, "Condition and filter expressions, operators, and functions"). A
 * comparison is false, and never an error, if the item lacks an operand or has one of a type that the operator does not
 * know. Only `<>` and `attribute_not_exists` hold for a missing operand.
 * @param condition resolved, its values normalised
 * @param item normalised; undefined if there is none, which counts as an item without attributes
 */
export function evaluateCondition(condition: Condition, item: AttributeMap | undefined): boolean {
  return isMet(condition, item, hasOneOperator(condition) ? undefined : new Memo());
}

function hasOneOperator({ kind }: Condition): boolean {
  return kind !== 'and' && kind !== 'or' && kind !== 'not';
}

/** @param memo undefined: no other operator could use an answer again */
function isMet(condition: Condition, item: AttributeMap | undefined, memo: Memo | undefined): boolean {
  switch (condition.kind) {
    case 'and':
      return isMet(condition.left, item, memo) && isMet(condition.right, item, memo);
    case 'or':
      return isMet(condition.left, item, memo) || isMet(condition.right, item, memo);
    case 'not':
      return !isMet(condition.condition, item, memo);
    case 'exists':
      return valueAt(condition.path, item) !== undefined;
    case 'not-exists':
      return valueAt(condition.path, item) === undefined;
    case 'compare': {
      const left = operandValue(condition.left, item, memo);
      return compare(condition.comparator, left, operandValue(condition.right, item, memo), memo);
    }
    case 'between': {
      const value = operandValue(condition.operand, item, memo);
      const lower = operandValue(condition.lower, item, memo);
      return compare('>=', value, lower, memo) && compare('<=', value, operandValue(condition.upper, item, memo), memo);
    }
    case 'in': {
      const value = operandValue(condition.operand, item, memo);
      return condition.choices.some((choice) => compare('=', value, operandValue(choice, item, memo), memo));
    }
    case 'type': {
      const value = operandValue(condition.operand, item, memo);
      return value !== undefined && typeOf(value) === condition.type;
    }
    case 'begins-with':
    case 'contains': {
      const value = operandValue(condition.operand, item, memo);
      const argument = operandValue(condition.argument, item, memo);
      if (value === undefined || argument === undefined) return false;
      if (condition.kind === 'contains') return contains(value, argument, memo);
      return memo === undefined ? beginsWith(value, argument) : memo.pair('begins-with', value, argument, beginsWith);
    }
  }
}

/** @returns the value that `path` leads to, or undefined if the item has no such element */
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

function operandValue(
  operand: Operand,
  item: AttributeMap | undefined,
  memo: Memo | undefined,
): AttributeValue | undefined {
  if (operand.kind === 'value') return operand.value;
  if (operand.kind === 'path') return valueAt(operand.path, item);
  const value = operandValue(operand.operand, item, memo);
  const size = value === undefined ? undefined : sizeOf(value, memo);
  return size === undefined ? undefined : { N: String(size) };
}

/**
 * The `size` function. A string counts UTF-16 units and not bytes: by a recording of the service, `size` of "é𝄞" is 3
 * (ExtendDB issue 60). Numbers, booleans and nulls have no size.
 */
function sizeOf(value: AttributeValue, memo: Memo | undefined): number | undefined {
  if ('S' in value) return value.S.length;
  if ('B' in value) return binaryLength(value.B);
  if ('M' in value) return memo === undefined ? Object.keys(value.M).length : memo.countOf(value);
  if ('L' in value) return value.L.length;
  return membersOf(value)?.length;
}

function compare(
  comparator: Comparator,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
  memo: Memo | undefined,
): boolean {
  if (comparator === '<>') return !compare('=', left, right, memo);
  if (left === undefined || right === undefined) return false;
  if (comparator === '=') {
    return memo === undefined ? equalValues(left, right) : memo.pair('equal', left, right, equalValues);
  }
  const order = memo === undefined ? compareValues(left, right) : memo.pair('order', left, right, compareValues);
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

function beginsWith(value: AttributeValue, prefix: AttributeValue): boolean {
  if ('S' in value) return 'S' in prefix && value.S.startsWith(prefix.S);
  if ('B' in value && 'B' in prefix) {
    const start = Buffer.from(prefix.B, 'base64');
    return Buffer.from(value.B, 'base64').subarray(0, start.length).equals(start);
  }
  return false;
}

function contains(value: AttributeValue, sought: AttributeValue, memo: Memo | undefined): boolean {
  if (memo === undefined) return containsValue(value, sought);
  if ('L' in value && value.L.length > LARGE_COLLECTION) return memo.hasElement(value, sought);
  return memo.pair('contains', value, sought, containsValue);
}

function containsValue(value: AttributeValue, sought: AttributeValue): boolean {
  if ('L' in value) return value.L.some((element) => equalValues(element, sought));
  if ('S' in value) return 'S' in sought && containsText(value.S, sought.S);
  if ('B' in value) return 'B' in sought && containsText(bytesOf(value.B), bytesOf(sought.B));
  if ('SS' in value) return 'S' in sought && value.SS.includes(sought.S);
  // Equal numbers have equal texts, since they are normalised; so do equal binaries in base64.
  if ('NS' in value) return 'N' in sought && value.NS.includes(sought.N);
  if ('BS' in value) return 'B' in sought && value.BS.includes(sought.B);
  return false;
}

/** The decoded bytes, one per character. */
function bytesOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}

function membersOf(value: AttributeValue): readonly string[] | undefined {
  if ('SS' in value) return value.SS;
  if ('NS' in value) return value.NS;
  if ('BS' in value) return value.BS;
  return undefined;
}
