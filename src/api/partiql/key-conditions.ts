import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { Condition, Operand } from '../expression/ast.ts';
import type { KeyOperator, KeyTerm } from '../expression/key-condition.ts';
import type { KeySchema } from '../primary-key.ts';

const MIRRORED: Readonly<Record<string, KeyOperator>> = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** The parts of a condition that all have to hold. */
export function conjunctsOf(condition: Condition | undefined): readonly Condition[] {
  if (condition === undefined) return [];
  return condition.kind === 'and' ? [...conjunctsOf(condition.left), ...conjunctsOf(condition.right)] : [condition];
}

/** The condition that all of several hold; undefined for none. */
export function allOf(conditions: readonly Condition[]): Condition | undefined {
  return conditions.reduce<Condition | undefined>(
    (left, right) => (left === undefined ? right : { kind: 'and', left, right }),
    undefined,
  );
}

/** A condition on one attribute that a key condition can be. Undefined for any other one. */
export function keyTermOf(condition: Condition): KeyTerm | undefined {
  switch (condition.kind) {
    case 'compare': {
      const { comparator, left, right } = condition;
      if (comparator === '<>') return undefined;
      return termOf(left, comparator, [right]) ?? termOf(right, MIRRORED[comparator]!, [left]);
    }
    case 'between':
      return termOf(condition.operand, 'BETWEEN', [condition.lower, condition.upper]);
    case 'begins-with':
      return termOf(condition.operand, 'begins_with', [condition.argument]);
    default:
      return undefined;
  }
}

function termOf(operand: Operand, operator: KeyOperator, others: readonly Operand[]): KeyTerm | undefined {
  if (operand.kind !== 'path' || operand.path.length > 1) return undefined;
  const values: AttributeValue[] = [];
  for (const other of others) {
    if (other.kind !== 'value') return undefined;
    values.push(other.value);
  }
  return { name: operand.path[0] as string, operator, values };
}

/** An item that a condition names, and what it asks for beside the key. */
export interface NamedItem {
  readonly key: AttributeMap;
  readonly condition: Condition | undefined;
}

/**
 * The item whose whole key a condition gives.
 * @returns undefined if it lacks an equality for an attribute of the key
 */
export function namedItem({ partition, sort }: KeySchema, condition: Condition | undefined): NamedItem | undefined {
  const rest = [...conjunctsOf(condition)];
  const entries: [string, AttributeValue][] = [];
  for (const { name } of sort === undefined ? [partition] : [partition, sort]) {
    const at = rest.findIndex((each) => {
      const term = keyTermOf(each);
      return term?.name === name && term.operator === '=';
    });
    if (at < 0) return undefined;
    const [found] = rest.splice(at, 1);
    entries.push([name, keyTermOf(found!)!.values[0]!]);
  }
  return { key: Object.fromEntries(entries), condition: allOf(rest) };
}

/**
 * The same for a statement that changes an item.
 * @throws ApiError (ValidationException)
 */
export function itemToChange(schema: KeySchema, condition: Condition | undefined): NamedItem {
  const named = namedItem(schema, condition);
  if (named !== undefined) return named;
  throw ApiError.validation('Where clause does not contain a mandatory equality on all key attributes');
}
