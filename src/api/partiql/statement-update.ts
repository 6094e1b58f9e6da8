import { type AttributeType, checkName, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { Path, Update, UpdateAction, UpdateValue } from '../expression/ast.ts';
import { expressionError } from '../expression/lexer.ts';
import { operandType } from '../expression/resolve-condition.ts';
import { checkDisjoint } from '../expression/resolve-projection.ts';
import { unknownFunction } from './statement-condition.ts';
import { unsupportedAt } from './statement-error.ts';
import type { Change, Expr } from './statement-syntax.ts';
import { constantOf, isValue, type Parameters } from './statement-values.ts';

/**
 * The update that the SET and REMOVE clauses of a statement mean.
 * @throws ApiError (ValidationException)
 */
export function updateOf(parameters: Parameters, changes: readonly Change[]): Update {
  const actions = changes.map((change) => actionOf(parameters, change));
  checkDisjoint(
    'Statement',
    actions.map(({ path }) => path),
  );
  return { origin: 'expression', actions };
}

function actionOf(parameters: Parameters, change: Change): UpdateAction {
  const { path } = change;
  for (const step of path) if (typeof step === 'string') checkName(step);
  if (change.kind === 'remove') return { kind: 'remove', path };
  const { value } = change;
  if (value.kind === 'call' && (value.name === 'set_add' || value.name === 'set_delete')) {
    return setAction(parameters, path, value);
  }
  return { kind: 'set', path, value: updateValueOf(parameters, value) };
}

/**
 * ADD and DELETE of a set, as which the service carries out these functions, with places of its own choice (recorded by floci,
 * 2026-09-17, eu-west-2).
 */
function setAction(parameters: Parameters, path: Path, call: Expr & { readonly kind: 'call' }): UpdateAction {
  const { name, operands } = call;
  const [target, added] = operands;
  if (target === undefined || added === undefined || operands.length > 2) throw wrongCount(name, operands.length);
  const isSame =
    target.kind === 'path' && target.path.length === path.length && target.path.every((step, at) => step === path[at]);
  const what = name.toUpperCase();
  if (!isSame) {
    const problem = `The first argument to ${what} must equal the assignment value`;
    throw unsupportedAt(parameters.text, call, problem);
  }
  const value = isValue(added) ? constantOf(parameters, added) : undefined;
  if (value === undefined || !('SS' in value || 'NS' in value || 'BS' in value)) {
    throw unsupportedAt(parameters.text, target, `The second argument to ${what} must be a value with type SET`);
  }
  return { kind: name === 'set_add' ? 'add' : 'delete', path, value };
}

/** A value, or a sum or difference of two. A sum cannot be an operand of another one. */
function updateValueOf(parameters: Parameters, expr: Expr): UpdateValue {
  if (expr.kind !== 'binary' || (expr.operator !== '+' && expr.operator !== '-')) return operandOf(parameters, expr);
  const left = operandOf(parameters, expr.left);
  const right = operandOf(parameters, expr.right);
  checkOperands(expr.operator, 'N', [left, right]);
  return { kind: expr.operator === '+' ? 'plus' : 'minus', left, right };
}

function operandOf(parameters: Parameters, expr: Expr): UpdateValue {
  if (expr.kind === 'path') return { kind: 'path', path: expr.path };
  if (isValue(expr)) return { kind: 'value', value: constantOf(parameters, expr) };
  if (expr.kind === 'call') return listAppend(parameters, expr);
  if (expr.kind === 'binary' || expr.kind === 'unary') {
    throw ApiError.validation(`Unsupported operator in Update Expression. Operator: ${expr.operator.toUpperCase()}`);
  }
  throw unsupportedAt(parameters.text, expr, 'Unsupported expression in the SET clause');
}

function listAppend(parameters: Parameters, call: Expr & { readonly kind: 'call' }): UpdateValue {
  const { name, operands } = call;
  if (name !== 'list_append') throw unknownFunction(parameters, call);
  if (operands.length !== 2) throw wrongCount(name, operands.length);
  if (operands.some((operand) => operand.kind === 'call' && operand.name === name)) {
    const problem = `The function is not allowed to be used this way in an expression; function: ${name}`;
    throw expressionError('Statement', problem);
  }
  const [left, right] = operands.map((operand) => operandOf(parameters, operand));
  checkOperands(name, 'L', [left!, right!]);
  return { kind: 'list-append', left: left!, right: right! };
}

function checkOperands(operator: string, expected: AttributeType, operands: readonly UpdateValue[]): void {
  for (const operand of operands) {
    if (operand.kind !== 'value') continue;
    const type = typeOf(operand.value);
    if (type !== expected) throw operandType('Statement', operator, type);
  }
}

function wrongCount(name: string, count: number): ApiError {
  const problem = 'Incorrect number of operands for operator or function';
  return expressionError('Statement', `${problem}; operator or function: ${name}, number of operands: ${count}`);
}
