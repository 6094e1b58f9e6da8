import type { FilterCondition, FilterParameters } from '../operations.ts';
import type { ValueTexts } from '../value-texts.ts';
import type { Condition, Projection } from './ast.ts';
import { checkConditionalOperator, joinConditions, legacyComparison, resolveAttributesToGet } from './legacy.ts';
import { checkAllUsed, type Placeholders, readPlaceholders } from './placeholders.ts';
import { checkTogether, conditionSyntax, type ParameterRules, projectionSyntax } from './resolve.ts';
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

/** How an operation filters: its legacy filter, which parameters go together, and its words for faults of values. */
export interface FilterRules {
  readonly legacyFilter: 'ScanFilter' | 'QueryFilter';
  readonly together: ParameterRules<keyof FilterParameters>;
  readonly texts: ValueTexts;
}

/**
 * Checks the rules between the parameters, and then the legacy parameters by themselves: the service looks at these
 * before the rest of the request. Values are normalised in place.
 * @returns the filter and the projection that the legacy parameters ask for
 * @throws ApiError (ValidationException)
 */
export function resolveLegacyFilter(
  request: FilterParameters,
  { legacyFilter, together, texts }: FilterRules,
): Filtering {
  checkTogether(request, together);
  const projection = resolveAttributesToGet(request);
  const filter = request[legacyFilter];
  if (filter == null) {
    checkConditionalOperator(request.ConditionalOperator, 0);
    return { filter: undefined, projection };
  }
  checkValueBytes(legacyFilter, filter);
  const conditions = Object.entries(filter).map((condition) => comparison(condition, texts));
  checkConditionalOperator(request.ConditionalOperator, conditions.length);
  return { filter: joinConditions(conditions, request.ConditionalOperator), projection };
}

/**
 * Resolves the expressions of a request that has passed {@link resolveLegacyFilter}. Values are normalised in place.
 * @throws ApiError (ValidationException)
 */
export function resolveFilterExpressions(request: FilterParameters, texts: ValueTexts): Filtering {
  if (request.FilterExpression == null && request.ProjectionExpression == null) return {};
  const placeholders = readPlaceholders(request, texts);
  const filtering = filteringOf(request, placeholders);
  checkAllUsed(placeholders);
  return filtering;
}

/** The filter and the projection, if the request has the expressions. */
export function filteringOf(request: FilterParameters, placeholders: Placeholders): Filtering {
  const { FilterExpression: filterText, ProjectionExpression: projectionText } = request;
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
  return { filter, projection };
}

function comparison(
  [name, { ComparisonOperator, AttributeValueList }]: [string, FilterCondition],
  texts: ValueTexts,
): Condition {
  return legacyComparison(name, ComparisonOperator, AttributeValueList ?? [], texts);
}
