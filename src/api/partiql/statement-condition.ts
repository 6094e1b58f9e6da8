import { type AttributeValue, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { Comparator, Condition, Path } from '../expression/ast.ts';
import type { Placeholders } from '../expression/placeholders.ts';
import { operandType, resolveCondition } from '../expression/resolve-condition.ts';
import type { CallSyntax, ConditionSyntax, OperandSyntax, PathSyntax } from '../expression/syntax.ts';
import { unsupportedAt } from './statement-error.ts';
import type { Expr } from './statement-syntax.ts';
import { constantOf, isValue, type Parameters } from './statement-values.ts';

/** As for expressions: the developer guide has no other limit for statements. */
const MAX_OPERATORS = 300;
const TOO_MANY_OPERATORS = `The expression contains too many operators; operator count: ${MAX_OPERATORS + 1}`;

const FUNCTIONS: ReadonlySet<string> = new Set([
  'attribute_exists',
  'attribute_not_exists',
  'attribute_type',
  'begins_with',
  'contains',
]);

/**
 * The condition that a WHERE clause means, made by the checks that expressions have: the service's texts are theirs, without
 * the name of a parameter of the request in front (recorded by floci, 2026-09-17, eu-west-2).
 * @throws ApiError (ValidationException)
 */
export function conditionOf(parameters: Parameters, where: Expr): Condition {
  const building: Building = { parameters, names: {}, values: {}, count: 0, operators: 0 };
  const syntax = conditionSyntaxOf(building, where);
  const placeholders: Placeholders = {
    names: building.names,
    values: building.values,
    usedNames: new Set(),
    usedValues: new Set(),
  };
  return resolveCondition('Statement', syntax, placeholders);
}

/** An expression under way, with the names and values that its syntax refers to. */
interface Building {
  readonly parameters: Parameters;
  readonly names: Record<string, string>;
  readonly values: Record<string, AttributeValue>;
  count: number;
  operators: number;
}

function conditionSyntaxOf(building: Building, expr: Expr): ConditionSyntax {
  countOperator(building);
  switch (expr.kind) {
    case 'unary':
      if (expr.operator !== 'not') break;
      return { kind: 'not', condition: conditionSyntaxOf(building, expr.operand) };
    case 'binary':
      return binarySyntaxOf(building, expr);
    case 'between': {
      const { operand, lower, upper, isNegated } = expr;
      const [first, second, third] = [operand, lower, upper].map((each) => operandOf(building, each));
      return negatedIf(isNegated, { kind: 'between', operand: first!, lower: second!, upper: third! });
    }
    case 'in': {
      const { choices, isNegated } = expr;
      const operand = operandOf(building, expr.operand);
      return negatedIf(isNegated, { kind: 'in', operand, choices: choicesOf(building, choices) });
    }
    case 'is':
      return negatedIf(expr.isNegated, isSyntaxOf(building, expr));
    case 'call':
      return callSyntaxOf(building, expr);
    default:
  }
  throw unsupportedAt(building.parameters.text, expr, 'Unsupported expression in the WHERE clause');
}

function binarySyntaxOf(building: Building, expr: Expr & { readonly kind: 'binary' }): ConditionSyntax {
  const { operator, left, right } = expr;
  switch (operator) {
    case 'and':
    case 'or':
      return {
        kind: operator,
        left: conditionSyntaxOf(building, left),
        right: conditionSyntaxOf(building, right),
      };
    case '=':
    case '<>':
    case '<':
    case '<=':
    case '>':
    case '>=':
      if (isCondition(left)) return truthOf(building, operator, left, right);
      if (isCondition(right)) return truthOf(building, operator, right, left);
      return {
        kind: 'compare',
        comparator: operator,
        left: operandOf(building, left),
        right: operandOf(building, right),
      };
    default:
      throw unsupportedOperator(operator);
  }
}

/** A condition that is compared with TRUE or FALSE. */
function truthOf(building: Building, comparator: Comparator, condition: Expr, other: Expr): ConditionSyntax {
  if (comparator !== '=' && comparator !== '<>') throw operandType('Statement', comparator, 'BOOL');
  const value = isValue(other) ? constantOf(building.parameters, other) : undefined;
  if (value === undefined || !('BOOL' in value)) {
    throw unsupportedAt(building.parameters.text, other, 'A condition can only be compared with a boolean');
  }
  return negatedIf(value.BOOL !== (comparator === '='), conditionSyntaxOf(building, condition));
}

function isCondition(expr: Expr): boolean {
  switch (expr.kind) {
    case 'between':
    case 'in':
    case 'is':
      return true;
    case 'call':
      return FUNCTIONS.has(expr.name);
    case 'unary':
      return expr.operator === 'not';
    case 'binary':
      return !['+', '-', '*', '/', '%', '||'].includes(expr.operator);
    default:
      return false;
  }
}

/** IS NULL holds for a stored NULL only, so that of a missing attribute IS NOT NULL holds (recorded by floci). */
function isSyntaxOf(building: Building, { operand, type, ...place }: Expr & { readonly kind: 'is' }): ConditionSyntax {
  const argument = operandOf(building, operand);
  if (type === 'missing') return { kind: 'call', name: 'attribute_not_exists', operands: [argument] };
  if (type !== 'null') {
    throw unsupportedAt(building.parameters.text, place, `Unsupported type in IS: ${type.toUpperCase()}`);
  }
  return { kind: 'call', name: 'attribute_type', operands: [argument, addValue(building, { S: 'NULL' })] };
}

function choicesOf(building: Building, choices: Expr): readonly OperandSyntax[] {
  if (choices.kind === 'list') return choices.elements.map((element) => operandOf(building, element));
  if (choices.kind === 'parameter') {
    const value = constantOf(building.parameters, choices);
    if ('L' in value) return value.L.map((element) => addValue(building, element));
    throw operandType('Statement', 'IN', typeOf(value));
  }
  throw unsupportedAt(building.parameters.text, choices, 'Expected a list behind IN');
}

function callSyntaxOf(building: Building, call: Expr & { readonly kind: 'call' }): CallSyntax {
  if (!FUNCTIONS.has(call.name)) throw unknownFunction(building.parameters, call);
  return { kind: 'call', name: call.name, operands: call.operands.map((operand) => operandOf(building, operand)) };
}

function operandOf(building: Building, expr: Expr): OperandSyntax {
  if (expr.kind === 'path') return { kind: 'path', path: addPath(building, expr.path) };
  if (isValue(expr)) return addValue(building, constantOf(building.parameters, expr));
  if (expr.kind === 'call') {
    if (expr.name !== 'size') throw unknownFunction(building.parameters, expr);
    countOperator(building);
    return { kind: 'call', name: 'size', operands: expr.operands.map((operand) => operandOf(building, operand)) };
  }
  if (expr.kind === 'binary' || expr.kind === 'unary') throw unsupportedOperator(expr.operator);
  throw unsupportedAt(building.parameters.text, expr, 'Unsupported expression in the WHERE clause');
}

/** @throws always */
export function unknownFunction({ text }: Parameters, call: Expr & { readonly kind: 'call' }): ApiError {
  return unsupportedAt(text, call, `Unrecognized function: ${call.name}`);
}

function unsupportedOperator(operator: string): ApiError {
  return ApiError.validation(`Unsupported operator in Condition Expression. Operator: ${operator.toUpperCase()}`);
}

function negatedIf(isNegated: boolean, condition: ConditionSyntax): ConditionSyntax {
  return isNegated ? { kind: 'not', condition } : condition;
}

function addValue(building: Building, value: AttributeValue): OperandSyntax {
  const name = `:${building.count++}`;
  building.values[name] = value;
  return { kind: 'value', name };
}

/** Names become references, since one that begins with `#` would be taken for one. */
function addPath(building: Building, path: Path): PathSyntax {
  return path.map((step) => {
    if (typeof step === 'number') return step;
    const name = `#${building.count++}`;
    building.names[name] = step;
    return name;
  });
}

function countOperator(building: Building): void {
  if (++building.operators > MAX_OPERATORS) throw ApiError.validation(TOO_MANY_OPERATORS);
}
