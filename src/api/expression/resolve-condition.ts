import { type AttributeType, type AttributeValue, compareValues, typeOf } from '../attribute-value.ts';
import type { Condition, Operand, Path } from './ast.ts';
import { type ExpressionKind, expressionError } from './lexer.ts';
import { definedName, definedValue, type Placeholders } from './placeholders.ts';
import type { CallSyntax, ConditionSyntax, OperandSyntax, PathSyntax } from './syntax.ts';

/** Developer guide, "Comparison operator and function reference": most operands of one IN. */
const MAX_IN_OPERANDS = 100;

const ATTRIBUTE_TYPES: readonly AttributeType[] = ['B', 'NULL', 'SS', 'BOOL', 'L', 'BS', 'N', 'NS', 'S', 'M'];

/** The types that a path may have, in the order in which the service prints them. */
const ANY_TYPE = '{NS,SS,L,BS,N,M,B,BOOL,NULL,S}';

const OPERAND_COUNTS: Readonly<Record<string, number>> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
  size: 1,
};

/**
 * Replaces the names and values in a parsed condition, and makes the checks that depend on them. The service checks one
 * comparison or function after the other. In each, it first looks for undefined placeholders, then at the number of
 * operands, then for a repeated first operand, then at the types of the literal operands.
 */
export function resolveCondition(kind: ExpressionKind, syntax: ConditionSyntax, placeholders: Placeholders): Condition {
  switch (syntax.kind) {
    case 'and':
    case 'or':
      return {
        kind: syntax.kind,
        left: resolveCondition(kind, syntax.left, placeholders),
        right: resolveCondition(kind, syntax.right, placeholders),
      };
    case 'not':
      return { kind: 'not', condition: resolveCondition(kind, syntax.condition, placeholders) };
    default:
      return resolvePredicate(kind, syntax, placeholders);
  }
}

/** @returns the path with every `#name` replaced */
export function resolvePath(kind: ExpressionKind, path: PathSyntax, placeholders: Placeholders): Path {
  if (!path.some(isNameReference)) return path;
  return path.map((step) => (isNameReference(step) ? definedName(kind, placeholders, step) : step));
}

/** @returns a path as the service prints it */
export function describePath(path: Path): string {
  return `[${path.map((step) => (typeof step === 'number' ? `[${step}]` : step)).join(', ')}]`;
}

/** An operand with its placeholders replaced, and its calls not checked yet. */
type Resolved = Exclude<Operand, { kind: 'size' }> | ResolvedCall;

interface ResolvedCall {
  readonly kind: 'call';
  readonly name: string;
  readonly operands: readonly Resolved[];
}

type PredicateSyntax = Exclude<ConditionSyntax, { kind: 'and' | 'or' | 'not' }>;

function resolvePredicate(kind: ExpressionKind, syntax: PredicateSyntax, placeholders: Placeholders): Condition {
  const operator = operatorOf(syntax);
  const operands = operandsOf(syntax).map((operand) => resolveOperand(kind, operand, placeholders));
  checkCounts(kind, operator, operands);
  checkDistinct(kind, operator, operands);
  for (const operand of operands) checkSizes(kind, operand);
  if (syntax.kind === 'call') return buildCall(kind, syntax.name, operands);
  switch (syntax.kind) {
    case 'compare': {
      if (operator !== '=' && operator !== '<>') checkOrdered(kind, operator, operands);
      return {
        kind: 'compare',
        comparator: syntax.comparator,
        left: toOperand(operands[0]!),
        right: toOperand(operands[1]!),
      };
    }
    case 'between': {
      checkOrdered(kind, operator, operands);
      if (operands[1]!.kind === 'value' && operands[2]!.kind === 'value') {
        checkBounds(kind, operands[1]!.value, operands[2]!.value);
      }
      const [operand, lower, upper] = operands.map(toOperand);
      return { kind: 'between', operand: operand!, lower: lower!, upper: upper! };
    }
    case 'in': {
      const [operand, ...choices] = operands.map(toOperand);
      return { kind: 'in', operand: operand!, choices };
    }
  }
}

function buildCall(kind: ExpressionKind, name: string, operands: readonly Resolved[]): Condition {
  const operand = operands[0]!;
  const argument = operands[1]!;
  switch (name) {
    case 'attribute_exists':
    case 'attribute_not_exists':
      if (operand.kind !== 'path') {
        throw expressionError(kind, `Operator or function requires a document path; operator or function: ${name}`);
      }
      return { kind: name === 'attribute_exists' ? 'exists' : 'not-exists', path: operand.path };
    case 'attribute_type':
      return { kind: 'type', operand: toOperand(operand), type: typeNamedBy(kind, argument) };
    case 'begins_with':
      for (const checked of operands) {
        const type = staticType(checked);
        if (type !== undefined && type !== 'S' && type !== 'B') throw operandType(kind, name, type);
      }
      return { kind: 'begins-with', operand: toOperand(operand), argument: toOperand(argument) };
    default:
      return { kind: 'contains', operand: toOperand(operand), argument: toOperand(argument) };
  }
}

function typeNamedBy(kind: ExpressionKind, argument: Resolved): AttributeType {
  if (argument.kind !== 'value' || !('S' in argument.value)) {
    throw operandType(kind, 'attribute_type', staticType(argument) ?? ANY_TYPE);
  }
  const name = argument.value.S;
  const type = ATTRIBUTE_TYPES.find((known) => known === name);
  if (type !== undefined) return type;
  throw expressionError(
    kind,
    `Invalid attribute type name found; type: ${name}, valid types: {${ATTRIBUTE_TYPES.join(',')}}`,
  );
}

function resolveOperand(kind: ExpressionKind, syntax: OperandSyntax, placeholders: Placeholders): Resolved {
  switch (syntax.kind) {
    case 'path':
      return { kind: 'path', path: resolvePath(kind, syntax.path, placeholders) };
    case 'value':
      return { kind: 'value', value: definedValue(kind, placeholders, syntax.name) };
    case 'call':
      return resolveCall(kind, syntax, placeholders);
  }
}

function resolveCall(kind: ExpressionKind, syntax: CallSyntax, placeholders: Placeholders): ResolvedCall {
  const operands = syntax.operands.map((operand) => resolveOperand(kind, operand, placeholders));
  return { kind: 'call', name: syntax.name, operands };
}

/** The only call that the parser lets be an operand is `size`. */
function toOperand(resolved: Resolved): Operand {
  if (resolved.kind !== 'call') return resolved;
  return { kind: 'size', operand: toOperand(resolved.operands[0]!) };
}

function operatorOf(syntax: PredicateSyntax): string {
  switch (syntax.kind) {
    case 'compare':
      return syntax.comparator;
    case 'between':
      return 'BETWEEN';
    case 'in':
      return 'IN';
    case 'call':
      return syntax.name;
  }
}

function operandsOf(syntax: PredicateSyntax): readonly OperandSyntax[] {
  switch (syntax.kind) {
    case 'compare':
      return [syntax.left, syntax.right];
    case 'between':
      return [syntax.operand, syntax.lower, syntax.upper];
    case 'in':
      return [syntax.operand, ...syntax.choices];
    case 'call':
      return syntax.operands;
  }
}

function checkCounts(kind: ExpressionKind, operator: string, operands: readonly Resolved[]): void {
  for (const operand of operands) {
    if (operand.kind === 'call') checkCounts(kind, operand.name, operand.operands);
  }
  const expected = OPERAND_COUNTS[operator];
  if (expected !== undefined && operands.length !== expected) {
    throw expressionError(
      kind,
      `Incorrect number of operands for operator or function; operator or function: ${operator}, number of operands: ${operands.length}`,
    );
  }
  const choices = operands.length - 1;
  if (operator === 'IN' && choices > MAX_IN_OPERANDS) {
    throw expressionError(kind, `The IN operator is provided with too many operands; number of operands: ${choices}`);
  }
}

function checkDistinct(kind: ExpressionKind, operator: string, operands: readonly Resolved[]): void {
  const first = operands[0]!;
  if (first.kind !== 'path') return;
  for (let i = 1; i < operands.length; i++) {
    const other = operands[i]!;
    if (other.kind === 'path' && isSamePath(first.path, other.path)) {
      throw expressionError(
        kind,
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: ${describePath(first.path)}`,
      );
    }
  }
}

/** The argument of `size`, if it is a literal or another `size`, must have a type with a size. */
function checkSizes(kind: ExpressionKind, operand: Resolved): void {
  if (operand.kind !== 'call') return;
  for (const inner of operand.operands) {
    checkSizes(kind, inner);
    const type = staticType(inner);
    if (type === 'N' || type === 'BOOL' || type === 'NULL') throw operandType(kind, operand.name, type);
  }
}

function checkOrdered(kind: ExpressionKind, operator: string, operands: readonly Resolved[]): void {
  for (const operand of operands) {
    const type = staticType(operand);
    if (type !== undefined && type !== 'S' && type !== 'N' && type !== 'B') throw operandType(kind, operator, type);
  }
}

/** The bounds of a BETWEEN. */
export function checkBounds(kind: ExpressionKind, lower: AttributeValue, upper: AttributeValue): void {
  let rule: string;
  if (typeOf(lower) !== typeOf(upper)) rule = 'same data type for lower and upper bounds';
  else if (compareValues(lower, upper)! > 0) rule = 'upper bound to be greater than or equal to lower bound';
  else return;
  throw expressionError(
    kind,
    `The BETWEEN operator requires ${rule}; lower bound operand: ${describeValue(lower)}, upper bound operand: ${describeValue(upper)}`,
  );
}

/** @returns the type of an operand that does not depend on the item, or undefined for a path */
function staticType(operand: Resolved): AttributeType | undefined {
  if (operand.kind === 'path') return undefined;
  if (operand.kind === 'call') return 'N';
  return typeOf(operand.value);
}

/** The error for an operand of a type that its operator does not take. */
export function operandType(kind: ExpressionKind, operator: string, type: string): Error {
  return expressionError(
    kind,
    `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
  );
}

function describeValue(value: AttributeValue): string {
  const [type, content] = Object.entries(value)[0]!;
  return `AttributeValue: {${type}:${content}}`;
}

function isSamePath(one: Path, other: Path): boolean {
  return one.length === other.length && one.every((step, i) => step === other[i]);
}

function isNameReference(step: string | number): step is string {
  return typeof step === 'string' && step[0] === '#';
}
