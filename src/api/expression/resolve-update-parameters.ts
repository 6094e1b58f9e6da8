import { type AttributeValue, checkName, normaliseValue, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { AttributeValueUpdate, UpdateParameters } from '../operations.ts';
import type { ValueTexts } from '../value-texts.ts';
import type { Condition, Update, UpdateAction } from './ast.ts';
import { resolveExpected } from './legacy.ts';
import { parseUpdate } from './parse-update.ts';
import { checkAllUsed, readPlaceholders } from './placeholders.ts';
import { checkTogether, conditionSyntax, keep } from './resolve.ts';
import { resolveCondition } from './resolve-condition.ts';
import { resolveUpdate } from './resolve-update.ts';
import type { UpdateSyntax } from './syntax.ts';
import { checkValueBytes } from './value-bytes.ts';

export interface ConditionalUpdate {
  readonly update: Update;
  readonly condition?: Condition | undefined;
}

const RULES = {
  expressions: ['UpdateExpression', 'ConditionExpression'],
  others: ['AttributeUpdates', 'Expected', 'ConditionalOperator'],
  users: ['UpdateExpression', 'ConditionExpression'],
} as const;

const updateTexts = new Map<string, UpdateSyntax>();

/** The rules between the parameters. The service checks them before the key. */
export function checkUpdateParameters(request: UpdateParameters): void {
  checkTogether(request, RULES);
}

/**
 * Makes an update and its condition from the parameters of a request that has passed {@link checkUpdateParameters}.
 * Values are normalised in place.
 * @param texts the operation's words for faults of values in expressions
 * @returns plain data; an update that changes nothing if the request has none of the parameters
 * @throws ApiError (ValidationException) for everything that is wrong with these parameters by themselves
 */
export function resolveUpdateParameters(request: UpdateParameters, texts?: ValueTexts): ConditionalUpdate {
  const { UpdateExpression: updateText, ConditionExpression: conditionText } = request;
  if (updateText == null && conditionText == null) {
    return { update: { origin: 'legacy', actions: legacyActions(request) }, condition: resolveExpected(request) };
  }
  const placeholders = readPlaceholders(request, texts);
  const actions = updateText == null ? [] : resolveUpdate(updateSyntax(updateText), placeholders);
  const condition =
    conditionText == null
      ? undefined
      : resolveCondition('ConditionExpression', conditionSyntax('ConditionExpression', conditionText), placeholders);
  checkAllUsed(placeholders);
  return { update: { origin: 'expression', actions }, condition };
}

function updateSyntax(text: string): UpdateSyntax {
  return updateTexts.get(text) ?? keep(updateTexts, text, parseUpdate(text));
}

function legacyActions({ AttributeUpdates }: UpdateParameters): UpdateAction[] {
  if (AttributeUpdates == null) return [];
  checkValueBytes('AttributeUpdates', AttributeUpdates);
  return Object.entries(AttributeUpdates).map(([name, update]) => legacyAction(name, update));
}

/** API reference, `AttributeValueUpdate`. */
function legacyAction(name: string, { Action: action, Value: value }: AttributeValueUpdate): UpdateAction {
  checkName(name);
  const path = [name];
  if (value == null) {
    if (action === 'DELETE') return { kind: 'remove', path };
    throw invalid('Only DELETE action is allowed when no attribute value is specified');
  }
  normaliseValue(value);
  switch (action) {
    case 'ADD':
      checkType('ADD action', value, ['N', 'SS', 'NS', 'BS', 'L']);
      return { kind: 'add', path, value };
    case 'DELETE':
      checkType('DELETE action with value', value, ['SS', 'NS', 'BS']);
      return { kind: 'delete', path, value };
    default:
      return { kind: 'set', path, value: { kind: 'value', value } };
  }
}

function checkType(what: string, value: AttributeValue, allowed: readonly string[]): void {
  const type = typeOf(value);
  if (!allowed.includes(type)) throw invalid(`${what} is not supported for the type ${type}`);
}

function invalid(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
