import { type AttributeType, type AttributeValue, typeOf } from '../attribute-value.ts';
import type { ApiError } from '../errors.ts';
import type { UpdateAction, UpdateValue } from './ast.ts';
import { expressionError } from './lexer.ts';
import { isOperand } from './parse-update.ts';
import { definedValue, type Placeholders } from './placeholders.ts';
import { resolvePath } from './resolve-condition.ts';
import { checkDisjoint } from './resolve-projection.ts';
import type { CallSyntax, OperandSyntax, UpdateActionSyntax, UpdateSyntax, UpdateValueSyntax } from './syntax.ts';

const KIND = 'UpdateExpression';

/** The types that ADD and DELETE take, and the service's names for the types that they refuse (recorded: STRING). */
const ADDABLE: readonly AttributeType[] = ['N', 'SS', 'NS', 'BS'];
const DELETABLE: readonly AttributeType[] = ['SS', 'NS', 'BS'];
const TYPE_NAMES: Partial<Record<AttributeType, string>> = {
  S: 'STRING',
  N: 'NUMBER',
  B: 'BINARY',
  L: 'LIST',
  M: 'MAP',
  BOOL: 'BOOLEAN',
  NULL: 'NULL',
};

/**
 * Replaces the names and values in a parsed update, and makes the checks that depend on them: for each action the
 * placeholders, and the number and types of operands; at last whether the paths of all actions are disjoint.
 */
export function resolveUpdate(syntax: UpdateSyntax, placeholders: Placeholders): readonly UpdateAction[] {
  const actions = syntax.map((action) => resolveAction(action, placeholders));
  checkDisjoint(
    KIND,
    actions.map(({ path }) => path),
  );
  return actions;
}

function resolveAction(syntax: UpdateActionSyntax, placeholders: Placeholders): UpdateAction {
  const path = resolvePath(KIND, syntax.path, placeholders);
  switch (syntax.kind) {
    case 'set':
      return { kind: 'set', path, value: resolveValue(syntax.value, placeholders) };
    case 'remove':
      return { kind: 'remove', path };
    case 'add':
    case 'delete': {
      const value = definedValue(KIND, placeholders, syntax.value);
      checkMember(syntax.kind === 'add' ? 'ADD' : 'DELETE', value);
      return { kind: syntax.kind, path, value };
    }
  }
}

function checkMember(operator: 'ADD' | 'DELETE', value: AttributeValue): void {
  const type = typeOf(value);
  if ((operator === 'ADD' ? ADDABLE : DELETABLE).includes(type)) return;
  throw expressionError(
    KIND,
    'Incorrect operand type for operator or function; ' +
      `operator: ${operator}, operand type: ${TYPE_NAMES[type]}, typeSet: ALLOWED_FOR_${operator}_OPERAND`,
  );
}

function resolveValue(syntax: UpdateValueSyntax, placeholders: Placeholders): UpdateValue {
  if (isOperand(syntax)) return resolveOperand(syntax, placeholders);
  const left = resolveOperand(syntax.left, placeholders);
  const right = resolveOperand(syntax.right, placeholders);
  checkOperands(syntax.kind === 'plus' ? '+' : '-', 'N', [left, right]);
  return { kind: syntax.kind, left, right };
}

function resolveOperand(syntax: OperandSyntax, placeholders: Placeholders): UpdateValue {
  switch (syntax.kind) {
    case 'path':
      return { kind: 'path', path: resolvePath(KIND, syntax.path, placeholders) };
    case 'value':
      return { kind: 'value', value: definedValue(KIND, placeholders, syntax.name) };
    case 'call':
      return resolveCall(syntax, placeholders);
  }
}

function resolveCall({ name, operands }: CallSyntax, placeholders: Placeholders): UpdateValue {
  const [left, right, ...more] = operands.map((operand) => resolveOperand(operand, placeholders));
  if (left === undefined || right === undefined || more.length > 0) {
    const problem = 'Incorrect number of operands for operator or function';
    throw expressionError(KIND, `${problem}; operator or function: ${name}, number of operands: ${operands.length}`);
  }
  if (name === 'list_append') {
    checkOperands(name, 'L', [left, right]);
    return { kind: 'list-append', left, right };
  }
  if (left.kind !== 'path') {
    throw expressionError(KIND, `Operator or function requires a document path; operator or function: ${name}`);
  }
  return { kind: 'if-not-exists', path: left.path, otherwise: right };
}

function checkOperands(operator: string, expected: AttributeType, operands: readonly UpdateValue[]): void {
  for (const operand of operands) {
    const type = staticType(operand);
    if (type !== undefined && type !== expected) throw wrongType(operator, type);
  }
}

/** @returns the type of a value, or undefined if it depends on the item */
function staticType(value: UpdateValue): AttributeType | undefined {
  switch (value.kind) {
    case 'value':
      return typeOf(value.value);
    case 'list-append':
      return 'L';
    default:
      return undefined;
  }
}

function wrongType(operator: string, type: AttributeType): ApiError {
  return expressionError(
    KIND,
    `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
  );
}
