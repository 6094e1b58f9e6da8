import type { FilterCondition, FilterParameters } from '../operations.ts';
import { VALUE_TEXTS } from '../value-texts.ts';
import type { Condition, Projection } from './ast.ts';
import { checkConditionalOperator, joinConditions, legacyComparison, resolveAttributesToGet } from './legacy.ts';
import { checkAllUsed, readPlaceholders } from './placeholders.ts';
import { checkTogether, conditionSyntax, projectionSyntax } from './resolve.ts';
import { resolveCondition } from './resolve-condition.ts';
import { resolveProjection } from './resolve-projection.ts';
import { checkValueBytes } from './value-bytes.ts';

/** Which of the items that are read are answered, and which of their attributes. */
export interface Filtering {
  /** Undefined: all items. */
  readonly filter?: Condition;
  /** Undefined: all attributes. */
  readonly projection?: Projection;
}

const RULES = {
  expressions: ['ProjectionExpression', 'FilterExpression'],
  others: ['AttributesToGet', 'ScanFilter', 'ConditionalOperator'],
  users: ['FilterExpression'],
  namesUsers: true,
} as const;

/**
 * Checks the rules between the parameters, and then the legacy parameters by themselves: the service looks at these
 * before the rest of the request. Values are normalised in place.
 * @returns the filter and the projection that the legacy parameters ask for
 * @throws ApiError (ValidationException)
 */
export function resolveLegacyFilter(request: FilterParameters): Filtering {
  checkTogether(request, RULES);
  const projection = resolveAttributesToGet(request);
  if (request.ScanFilter != null) checkValueBytes('ScanFilter', request.ScanFilter);
  const conditions = Object.entries(request.ScanFilter ?? {}).map(comparison);
  checkConditionalOperator(request.ConditionalOperator, conditions.length);
  return { filter: joinConditions(conditions, request.ConditionalOperator), projection };
}

/**
 * Resolves the expressions of a request that has passed {@link resolveLegacyFilter}. Values are normalised in place.
 * @throws ApiError (ValidationException)
 */
export function resolveFilterExpressions(request: FilterParameters): Filtering {
  const { FilterExpression: filterText, ProjectionExpression: projectionText } = request;
  if (filterText == null && projectionText == null) return {};
  const placeholders = readPlaceholders(request, VALUE_TEXTS.Scan);
  let filter: Condition | undefined;
  let projection: Projection | undefined;
  if (projectionText != null) {
    projection = resolveProjection(
      'ProjectionExpression',
      projectionSyntax('ProjectionExpression', projectionText),
      placeholders,
    );
  }
  if (filterText != null) {
    filter = resolveCondition('FilterExpression', conditionSyntax('FilterExpression', filterText), placeholders);
  }
  checkAllUsed(placeholders);
  return { filter, projection };
}

function comparison([name, { ComparisonOperator, AttributeValueList }]: [string, FilterCondition]): Condition {
  return legacyComparison(name, ComparisonOperator, AttributeValueList ?? [], VALUE_TEXTS.Scan);
}
