import type { AttributeMap } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import { checkExpressionParameters } from './expression/resolve.ts';
import type { KeysAndAttributes } from './operations.ts';

/**
 * A BatchGetItem uses expressions for all its tables or for none (recorded 2026-09-20 to 2026-10-09, eu-west-2 and
 * us-east-1).
 * @throws ApiError (ValidationException)
 */
export function checkNotMixed(ofTables: readonly KeysAndAttributes[]): void {
  const expression = ofTables.find(({ ProjectionExpression }) => ProjectionExpression != null);
  const attributes = ofTables.find(({ AttributesToGet }) => AttributesToGet != null);
  if (expression === undefined || attributes === undefined) return;
  const { ProjectionExpression } = expression;
  checkExpressionParameters({
    ProjectionExpression: ProjectionExpression!,
    AttributesToGet: attributes.AttributesToGet!,
  });
}

/**
 * No key may appear twice. A BatchGetItem reports this before a missing table (recorded at the same time), so it is
 * checked without the table's schema.
 * @param keys the keys of one table, normalised
 * @throws ApiError (ValidationException)
 */
export function checkDistinctKeys(keys: readonly AttributeMap[]): void {
  const texts = keys.map((key) => JSON.stringify(Object.entries(key).sort(([one], [other]) => (one < other ? -1 : 1))));
  if (new Set(texts).size < texts.length) throw duplicateKeys();
}

export function duplicateKeys(): ApiError {
  return ApiError.validation('Provided list of item keys contains duplicates');
}
