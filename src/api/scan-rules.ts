import { type AttributeMap, normaliseMap } from './attribute-value.ts';
import { isReadStored } from './derivation.ts';
import { ApiError } from './errors.ts';
import { checkKeyPaths } from './expression/key-paths.ts';
import {
  type Filtering,
  type FilterRules,
  resolveFilterExpressions,
  resolveLegacyFilter,
} from './expression/resolve-filter.ts';
import type { ScanRequest } from './operations.ts';
import { checkSelect, checkStartInIndex, hasExactly, type PagePlan, placeKeys, planRead } from './page-rules.ts';
import { type EncodedKey, keyOfKey } from './primary-key.ts';
import { placeInOrder } from './stored-order.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';
import { VALUE_TEXTS } from './value-texts.ts';

/** The part of a table that one of several parallel clients reads. */
export interface ScanSegment {
  readonly index: number;
  readonly total: number;
}

/** A Scan that has passed all checks that need no table. */
export interface CheckedScan extends Filtering {
  readonly segment: ScanSegment | undefined;
}

/** How a Scan is to be carried out. */
export interface ScanPlan extends CheckedScan, PagePlan {
  /** The scan begins behind this place: in the index if the nodes keep it, and else in the table. */
  readonly after: EncodedKey | undefined;
}

const RULES: FilterRules = {
  legacyFilter: 'ScanFilter',
  together: {
    expressions: ['ProjectionExpression', 'FilterExpression'],
    others: ['AttributesToGet', 'ScanFilter', 'ConditionalOperator'],
    users: ['FilterExpression'],
    namesUsers: true,
  },
  texts: VALUE_TEXTS.Scan,
};

/**
 * Checks a request by itself, in the service's order as far as it is known. Normalises its values in place.
 * @throws ApiError (ValidationException)
 */
export function checkScan(request: ScanRequest): CheckedScan {
  const legacy = resolveLegacyFilter(request, RULES);
  const { ExclusiveStartKey: startKey } = request;
  if (startKey != null) normaliseMap(startKey, VALUE_TEXTS.Scan);
  const segment = segmentOf(request);
  checkSelect(request);
  const { filter = legacy.filter, projection = legacy.projection } = resolveFilterExpressions(request, RULES.texts);
  return { filter, projection, segment };
}

/**
 * How a checked request is carried out on its table.
 * @throws ApiError (ValidationException)
 */
export function planScan(table: Table, request: ScanRequest, checked: CheckedScan): ScanPlan {
  const read = planRead(table, request, checked.projection);
  checkKeyPaths(table, { condition: checked.filter, projection: checked.projection });
  const after = request.ExclusiveStartKey && startOf(table, read.index, request.ExclusiveStartKey);
  return { ...checked, ...read, after };
}

/** The segment is the one that the key is in (recorded in extenddb pull request 203). */
export function startOfOtherSegment({ index, total }: ScanSegment): ApiError {
  return ApiError.validation(
    'The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. ' +
      `TotalSegments: ${total} Segment: ${index}`,
  );
}

function segmentOf({ Segment: index, TotalSegments: total }: ScanRequest): ScanSegment | undefined {
  if (index == null && total == null) return undefined;
  if (total == null) {
    throw ApiError.validation(
      'The TotalSegments parameter is required but was not present in the request when Segment parameter is present',
    );
  }
  if (index == null) {
    throw ApiError.validation(
      'The Segment parameter is required but was not present in the request when parameter TotalSegments is present',
    );
  }
  if (index >= total) {
    throw ApiError.validation(
      'The Segment parameter is zero-based and must be less than parameter TotalSegments: ' +
        `Segment: ${index} is not less than TotalSegments: ${total}`,
    );
  }
  return { index, total };
}

/**
 * The texts were recorded in extenddb issue 59 and pull request 86. Those for faulty values, which do not mention a
 * starting key, and for a key that fits neither index nor table were recorded 2026-09-20 to 2026-10-09, eu-west-2 and
 * us-east-1.
 */
function startOf(table: Table, index: SecondaryIndex | undefined, startKey: AttributeMap): EncodedKey {
  const fitsTable = hasExactly(startKey, placeKeys(table, undefined));
  if (index === undefined && !fitsTable) {
    throw ApiError.validation(
      'The provided starting key is invalid: The provided key element does not match the schema',
    );
  }
  if (index !== undefined && !hasExactly(startKey, placeKeys(table, index))) {
    throw ApiError.validation(
      fitsTable ? 'The provided starting key is invalid' : 'The provided key element does not match the schema',
    );
  }
  const ofTable = placeKeys(table, undefined).map(({ name }) => [name, startKey[name]!]);
  const itemKey = keyOfKey(table.key, Object.fromEntries(ofTable));
  if (index === undefined) return itemKey;
  checkStartInIndex(index.key, startKey);
  return isReadStored(table, index) ? placeInOrder(table, index, startKey) : itemKey;
}
