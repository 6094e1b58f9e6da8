import { ApiError } from '../errors.ts';
import type { IndexedTable } from '../index-entry.ts';
import type { IndexKeySchema } from '../table-definition.ts';
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
  const check = (path: Path) => checkPath(table, path);
  if (projection !== undefined) projection.forEach(check);
  if (update !== undefined) {
    for (const action of update.actions) {
      check(action.path);
      if (action.kind === 'set') visitValue(action.value, check);
    }
  }
  if (condition !== undefined) visitCondition(condition, check);
}

/**
 * A Query is filtered by attributes that are not in the key it queries by (recorded for an index by CloudWanderer, issue
 * 86; for the legacy parameter, known from emulators).
 * @param source the words for the filter
 * @throws ApiError (ValidationException)
 */
export function checkFilterPaths(
  { partition, sort }: IndexKeySchema,
  filter: Condition,
  source: 'Filter Expression' | 'QueryFilter',
): void {
  const keys = new Set<unknown>([...partition, ...sort].map(({ name }) => name));
  visitCondition(filter, ([name]) => {
    if (!keys.has(name)) return;
    throw ApiError.validation(`${source} can only contain non-primary key attributes: Primary key attribute: ${name}`);
  });
}

/** The top-level attributes that a condition looks at. */
export function namesIn(condition: Condition): ReadonlySet<string> {
  const names = new Set<string>();
  visitCondition(condition, ([name]) => names.add(name as string));
  return names;
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

type Visit = (path: Path) => void;

function visitValue(value: UpdateValue, visit: Visit): void {
  switch (value.kind) {
    case 'value':
      return;
    case 'path':
      visit(value.path);
      return;
    case 'if-not-exists':
      visit(value.path);
      visitValue(value.otherwise, visit);
      return;
    default:
      visitValue(value.left, visit);
      visitValue(value.right, visit);
  }
}

function visitCondition(condition: Condition, visit: Visit): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      visitCondition(condition.left, visit);
      visitCondition(condition.right, visit);
      return;
    case 'not':
      visitCondition(condition.condition, visit);
      return;
    case 'exists':
    case 'not-exists':
      visit(condition.path);
      return;
    case 'compare':
      visitOperand(condition.left, visit);
      visitOperand(condition.right, visit);
      return;
    case 'between':
      for (const operand of [condition.operand, condition.lower, condition.upper]) visitOperand(operand, visit);
      return;
    case 'in':
      visitOperand(condition.operand, visit);
      for (const choice of condition.choices) visitOperand(choice, visit);
      return;
    case 'type':
      visitOperand(condition.operand, visit);
      return;
    case 'begins-with':
    case 'contains':
      visitOperand(condition.operand, visit);
      visitOperand(condition.argument, visit);
  }
}

function visitOperand(operand: Operand, visit: Visit): void {
  if (operand.kind === 'path') visit(operand.path);
  else if (operand.kind === 'size') visitOperand(operand.operand, visit);
}
