import { type AttributeValue, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { Path } from './ast.ts';
import { expressionError } from './lexer.ts';
import { definedValue, type Placeholders } from './placeholders.ts';
import { checkBounds, operandType, resolvePath } from './resolve-condition.ts';
import type { CallSyntax, ConditionSyntax, OperandSyntax } from './syntax.ts';

export type KeyOperator = '=' | '<' | '<=' | '>' | '>=' | 'BETWEEN' | 'begins_with';

/** A condition on one attribute of a key. */
export interface KeyTerm {
  readonly name: string;
  readonly operator: KeyOperator;
  /** Two for BETWEEN, one for all others. */
  readonly values: readonly AttributeValue[];
}

const KIND = 'KeyConditionExpression';

/** For a value that stands on the left: `:v < sk` is `sk > :v`. */
const MIRRORED: Readonly<Record<string, KeyOperator>> = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/**
 * The conditions that a `KeyConditionExpression` joins by AND, with all names and values replaced. Whether they fit a
 * key is not checked here, nor are the types of the values.
 *
 * The texts are recorded: OR and IN by users of the service (awslabs/aws-athena-query-federation issue 746,
 * ServiceStack.Aws issue 5), nested attributes by ExtendDB (pull request 195), repeated attributes by Amplify
 * (amplify-category-api pull request 3531), several names in one condition, in part, by aws-sdk-js-v3 issue 2079.
 * @throws ApiError (ValidationException)
 */
export function resolveKeyCondition(syntax: ConditionSyntax, placeholders: Placeholders): KeyTerm[] {
  const terms: KeyTerm[] = [];
  collect(syntax, placeholders, terms);
  const names = new Set<string>();
  for (const { name } of terms) {
    if (names.has(name)) {
      throw expressionError(KIND, 'KeyConditionExpressions must only contain one condition per key');
    }
    names.add(name);
  }
  return terms;
}

/**
 * Checks the values by themselves. The service does so after all other checks of the request alone: these errors were
 * recorded without the envelope of those (October 2026).
 * @throws ApiError (ValidationException)
 */
export function checkKeyOperands(terms: readonly KeyTerm[]): void {
  for (const { operator, values } of terms) {
    if (operator === '=') continue;
    for (const value of values) {
      const type = typeOf(value);
      const fits = type === 'S' || type === 'B' || (type === 'N' && operator !== 'begins_with');
      if (!fits) throw operandType(KIND, operator, type);
    }
    if (operator === 'BETWEEN') checkBounds(KIND, values[0]!, values[1]!);
  }
}

function collect(syntax: ConditionSyntax, placeholders: Placeholders, terms: KeyTerm[]): void {
  switch (syntax.kind) {
    case 'and':
      collect(syntax.left, placeholders, terms);
      collect(syntax.right, placeholders, terms);
      return;
    case 'or':
      throw invalidOperator('OR');
    case 'not':
      throw invalidOperator('NOT');
    case 'in':
      throw invalidOperator('IN');
    case 'compare':
      if (syntax.comparator === '<>') throw invalidOperator('<>');
      terms.push(comparison(syntax.comparator, syntax.left, syntax.right, placeholders));
      return;
    case 'between': {
      const [operand, lower, upper] = [syntax.operand, syntax.lower, syntax.upper].map(notNested);
      terms.push(ofFirst('BETWEEN', operand!, [lower!, upper!], placeholders));
      return;
    }
    case 'call':
      terms.push(prefixCondition(syntax, placeholders));
  }
}

function comparison(
  comparator: KeyOperator,
  left: OperandSyntax,
  right: OperandSyntax,
  placeholders: Placeholders,
): KeyTerm {
  const [first, second] = [notNested(left), notNested(right)];
  if (first.kind === 'path' && second.kind === 'path') throw severalNames();
  if (first.kind === 'value' && second.kind === 'value') {
    throw ApiError.validation('Invalid condition in KeyConditionExpression: No key attribute specified');
  }
  if (first.kind === 'path') return ofFirst(comparator, first, [second], placeholders);
  return ofFirst(MIRRORED[comparator]!, second, [first], placeholders);
}

function prefixCondition({ name, operands }: CallSyntax, placeholders: Placeholders): KeyTerm {
  if (name !== 'begins_with') throw invalidOperator(name);
  const [operand, ...values] = operands.map(notNested);
  if (values.length !== 1) {
    throw expressionError(
      KIND,
      'Incorrect number of operands for operator or function; operator or function: begins_with, ' +
        `number of operands: ${operands.length}`,
    );
  }
  return ofFirst('begins_with', operand!, values, placeholders);
}

/** A condition whose first operand has to be the attribute, and the others values. */
function ofFirst(
  operator: KeyOperator,
  operand: SimpleOperand,
  others: readonly SimpleOperand[],
  placeholders: Placeholders,
): KeyTerm {
  if (operand.kind !== 'path') {
    throw ApiError.validation(
      `Invalid condition in KeyConditionExpression: ${operator} operator must have the key attribute as its first operand`,
    );
  }
  const name = attributeOf(resolvePath(KIND, operand.path, placeholders));
  const values = others.map((other) => {
    if (other.kind === 'path') throw severalNames();
    return definedValue(KIND, placeholders, other.name);
  });
  return { name, operator, values };
}

type SimpleOperand = Exclude<OperandSyntax, CallSyntax>;

function notNested(operand: OperandSyntax): SimpleOperand {
  if (operand.kind !== 'call') return operand;
  throw expressionError(KIND, 'KeyConditionExpressions cannot contain nested operations');
}

function attributeOf(path: Path): string {
  if (path.length === 1) return path[0] as string;
  throw expressionError(KIND, 'KeyConditionExpressions cannot have conditions on nested attributes');
}

function severalNames(): ApiError {
  return ApiError.validation(
    'Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition',
  );
}

function invalidOperator(operator: string): ApiError {
  return ApiError.validation(`Invalid operator used in KeyConditionExpression: ${operator}`);
}
