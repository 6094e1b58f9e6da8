import { tableNameOf } from '../api/arn.ts';
import type { AttributeMap, AttributeValue } from '../api/attribute-value.ts';
import type { FaultScope } from '../api/fault-rule.ts';
import { normaliseNumber } from '../api/number.ts';
import { actionsOf, namedKey, namedTables, OPERATION_TRAITS, type TransactedItem } from '../api/operation-traits.ts';
import type { OperationName } from '../api/operations.ts';

/** A request as fault rules see it. It has passed its schema, but no other check. */
export interface FaultRequest {
  readonly operation: OperationName;
  readonly request: object;
  /** Undefined: the credentials name none, and the request will be refused. */
  readonly namespace: string | undefined;
}

/**
 * Tells whether a request matches the scope of a rule, apart from its probability. A transaction does if one of its actions
 * does.
 */
export function scopeMatcher(scope: FaultScope): (request: FaultRequest) => boolean {
  const table = scope.table === undefined ? undefined : tableNameOf(scope.table);
  const key = scope.key && normalisedKey(scope.key);
  const isOfAction = actionMatcher(scope);
  return ({ operation, request, namespace }) => {
    if (scope.operation !== undefined && scope.operation !== operation) return false;
    if (scope.namespace !== undefined && scope.namespace !== namespace) return false;
    if (scope.index !== undefined && (request as { readonly IndexName?: string }).IndexName !== scope.index)
      return false;
    if (OPERATION_TRAITS[operation].hasActions) return actionsOf(request).some(isOfAction);
    if (table !== undefined && !namedTables(operation, request).some((named) => isNameOf(table, named))) return false;
    if (key === undefined) return true;
    const named = namedKey(operation, request);
    return named !== undefined && containsKey(named, key);
  };
}

/** Tells whether an action of a transaction is on an item that a rule is for. */
export function actionMatcher(scope: FaultScope): (action: TransactedItem | undefined) => boolean {
  const table = scope.table === undefined ? undefined : tableNameOf(scope.table);
  const key = scope.key && normalisedKey(scope.key);
  return (action) => {
    if (action === undefined) return false;
    if (table !== undefined && !isNameOf(table, action.TableName!)) return false;
    if (key === undefined) return true;
    const named = action.Item ?? action.Key;
    return named !== undefined && containsKey(named, key);
  };
}

/** The key of a rule with its numbers in canonical form. */
export function normalisedKey(key: AttributeMap): AttributeMap {
  return Object.fromEntries(Object.entries(key).map(([name, value]) => [name, normalised(value)]));
}

/** @param named by the request: a name, an ARN, or an invalid text */
function isNameOf(table: string, named: string): boolean {
  try {
    return tableNameOf(named) === table;
  } catch {
    return false;
  }
}

/** @param named the key or the item that a request names */
function containsKey(named: AttributeMap, key: AttributeMap): boolean {
  return Object.entries(key).every(([name, value]) => Object.hasOwn(named, name) && isEqual(value, named[name]!));
}

function isEqual(normalKey: AttributeValue, value: AttributeValue): boolean {
  if ('S' in normalKey) return 'S' in value && value.S === normalKey.S;
  if ('B' in normalKey) return 'B' in value && value.B === normalKey.B;
  if (!('N' in normalKey && 'N' in value)) return false;
  try {
    return normaliseNumber(value.N) === normalKey.N;
  } catch {
    return false;
  }
}

function normalised(value: AttributeValue): AttributeValue {
  return 'N' in value ? { N: normaliseNumber(value.N) } : value;
}
