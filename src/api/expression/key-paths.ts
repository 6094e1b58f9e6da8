import { ApiError } from '../errors.ts';
import type { IndexedTable } from '../index-entry.ts';
import type { Condition, Operand, Path, Projection, Update, UpdateValue } from './ast.ts';

/** The expressions of one request. */
export interface Expressions {
  readonly condition?: Condition | undefined;
  readonly projection?: Projection | undefined;
  readonly update?: Update | undefined;
}

/**
 * No path of an expression may lead into a key attribute of the table or of an index: these have scalar values
 * (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
 * @throws ApiError (ValidationException)
 */
export function checkKeyPaths(table: IndexedTable, { condition, projection, update }: Expressions): void {
  if (projection !== undefined) for (const path of projection) checkPath(table, path);
  if (update !== undefined) {
    for (const action of update.actions) {
      checkPath(table, action.path);
      if (action.kind === 'set') checkValue(table, action.value);
    }
  }
  if (condition !== undefined) checkCondition(table, condition);
}

function checkPath({ key, indexes }: IndexedTable, path: Path): void {
  if (path.length === 1) return;
  const name = path[0] as string;
  if (name === key.partition.name || name === key.sort?.name) throw keyIsScalar('Key', name);
  const isIndexKey = indexes.some(({ key: { partition, sort } }) =>
    [...partition, ...sort].some((attribute) => attribute.name === name),
  );
  if (isIndexKey) throw keyIsScalar('IndexKey', name);
}

function keyIsScalar(what: 'Key' | 'IndexKey', name: string): ApiError {
  return ApiError.validation(
    `Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: ${what}: ${name}`,
  );
}

function checkValue(table: IndexedTable, value: UpdateValue): void {
  switch (value.kind) {
    case 'value':
      return;
    case 'path':
      checkPath(table, value.path);
      return;
    case 'if-not-exists':
      checkPath(table, value.path);
      checkValue(table, value.otherwise);
      return;
    default:
      checkValue(table, value.left);
      checkValue(table, value.right);
  }
}

function checkCondition(table: IndexedTable, condition: Condition): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      checkCondition(table, condition.left);
      checkCondition(table, condition.right);
      return;
    case 'not':
      checkCondition(table, condition.condition);
      return;
    case 'exists':
    case 'not-exists':
      checkPath(table, condition.path);
      return;
    case 'compare':
      checkOperand(table, condition.left);
      checkOperand(table, condition.right);
      return;
    case 'between':
      for (const operand of [condition.operand, condition.lower, condition.upper]) checkOperand(table, operand);
      return;
    case 'in':
      checkOperand(table, condition.operand);
      for (const choice of condition.choices) checkOperand(table, choice);
      return;
    case 'type':
      checkOperand(table, condition.operand);
      return;
    case 'begins-with':
    case 'contains':
      checkOperand(table, condition.operand);
      checkOperand(table, condition.argument);
  }
}

function checkOperand(table: IndexedTable, operand: Operand): void {
  if (operand.kind === 'path') checkPath(table, operand.path);
  else if (operand.kind === 'size') checkOperand(table, operand.operand);
}
