import { ApiError } from '../errors.ts';
import type { ExpressionParameters } from '../operations.ts';
import type { ValueTexts } from '../value-texts.ts';
import type { Condition, Projection } from './ast.ts';
import { resolveAttributesToGet, resolveExpected } from './legacy.ts';
import type { ExpressionKind } from './lexer.ts';
import { parseCondition, parseProjection } from './parser.ts';
import { checkAllUsed, readPlaceholders } from './placeholders.ts';
import { resolveCondition } from './resolve-condition.ts';
import { resolveProjection } from './resolve-projection.ts';
import type { ConditionSyntax, ProjectionSyntax } from './syntax.ts';

export interface ResolvedExpressions {
  readonly condition?: Condition;
  readonly projection?: Projection;
}

/** Texts of each kind whose syntax is kept. A text has at most 4 KB, so all the trees stay within some megabytes. */
const MAX_CACHED_TEXTS = 200;

const NOTHING: ResolvedExpressions = Object.freeze({});

const RULES = {
  expressions: ['ProjectionExpression', 'ConditionExpression'],
  others: ['AttributesToGet', 'Expected', 'ConditionalOperator'],
  users: ['ConditionExpression'],
} as const;

/**
 * Makes a condition and a projection from the parameters of a request, expressions as well as legacy parameters.
 * @param request has only those of these parameters that its operation has; its values are normalised in place
 * @param texts the operation's words for faults of values
 * @returns plain data, in which all names and values are replaced, checked and normalised
 * @throws ApiError for everything that is wrong with these parameters by themselves, in the service's order
 */
export function resolveExpressions(request: ExpressionParameters, texts?: ValueTexts): ResolvedExpressions {
  if (hasNone(request)) return NOTHING;
  checkExpressionParameters(request);
  if (request.ConditionExpression == null && request.ProjectionExpression == null) {
    return { condition: resolveExpected(request), projection: resolveAttributesToGet(request) };
  }
  const placeholders = readPlaceholders(request, texts);
  let condition: Condition | undefined;
  let projection: Projection | undefined;
  if (request.ConditionExpression != null) {
    const syntax = conditionSyntax('ConditionExpression', request.ConditionExpression);
    condition = resolveCondition('ConditionExpression', syntax, placeholders);
  }
  if (request.ProjectionExpression != null) {
    const syntax = projectionSyntax('ProjectionExpression', request.ProjectionExpression);
    projection = resolveProjection('ProjectionExpression', syntax, placeholders);
  }
  checkAllUsed(placeholders);
  return { condition, projection };
}

/** The rules between the parameters. The service checks them before the item or the key. */
export function checkExpressionParameters(request: ExpressionParameters): void {
  if (hasNone(request)) return;
  checkTogether(request, RULES);
}

/** The parameters of an operation that have rules between them. */
export interface ParameterRules<Name extends string> {
  /** Parameters that hold an expression, in the order in which the service names them. */
  readonly expressions: readonly Name[];
  /** Parameters that are not allowed together with an expression. */
  readonly others: readonly Name[];
  /** Expressions that may refer to values. */
  readonly users: readonly Name[];
  /** Whether the error names `users`. The service does so only for operations that read items. */
  readonly namesUsers?: boolean;
}

/** @throws ValidationException for parameters that are not allowed together */
export function checkTogether<Name extends string>(
  request: Readonly<Partial<Record<Name | 'ExpressionAttributeNames' | 'ExpressionAttributeValues', unknown>>>,
  { expressions, others, users, namesUsers = false }: ParameterRules<Name>,
): void {
  const used = expressions.filter((name) => request[name] != null);
  if (used.length > 0) {
    const unfit = others.filter((name) => request[name] != null);
    if (unfit.length > 0) {
      throw ApiError.validation(
        'Can not use both expression and non-expression parameters in the same request: ' +
          `Non-expression parameters: {${unfit.join(', ')}} Expression parameters: {${used.join(', ')}}`,
      );
    }
  } else if (request.ExpressionAttributeNames != null) {
    throw ApiError.validation('ExpressionAttributeNames can only be specified when using expressions');
  }
  if (request.ExpressionAttributeValues != null && users.every((user) => request[user] == null)) {
    const none = namesUsers ? `: ${users.join(' and ')} ${users.length === 1 ? 'is' : 'are'} null` : '';
    throw ApiError.validation(`ExpressionAttributeValues can only be specified when using expressions${none}`);
  }
}

function hasNone(request: ExpressionParameters): boolean {
  return (
    request.ConditionExpression == null &&
    request.ProjectionExpression == null &&
    request.ExpressionAttributeNames == null &&
    request.ExpressionAttributeValues == null &&
    request.Expected == null &&
    request.ConditionalOperator == null &&
    request.AttributesToGet == null
  );
}

const conditionTexts = new Map<string, ConditionSyntax>();
const projectionTexts = new Map<string, ProjectionSyntax>();

/** The syntax of a condition or a filter. It is kept, since the same texts come again and again. */
export function conditionSyntax(kind: ExpressionKind, text: string): ConditionSyntax {
  return conditionTexts.get(text) ?? keep(conditionTexts, text, parseCondition(kind, text));
}

export function projectionSyntax(kind: ExpressionKind, text: string): ProjectionSyntax {
  return projectionTexts.get(text) ?? keep(projectionTexts, text, parseProjection(kind, text));
}

/**
 * Keeps the syntax of a text that was parsed. When the map is full, the oldest text is dropped: a map keeps that order.
 */
export function keep<Syntax>(texts: Map<string, Syntax>, text: string, syntax: Syntax): Syntax {
  if (texts.size >= MAX_CACHED_TEXTS) {
    for (const oldest of texts.keys()) {
      texts.delete(oldest);
      break;
    }
  }
  texts.set(text, syntax);
  return syntax;
}
