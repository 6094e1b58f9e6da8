import { type AttributeMap, normaliseMap } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import type { Projection } from './expression/ast.ts';
import { checkKeyPaths } from './expression/key-paths.ts';
import { type Filtering, resolveFilterExpressions, resolveLegacyFilter } from './expression/resolve-filter.ts';
import { entryKeys, projects } from './index-entry.ts';
import type { ScanRequest, Select } from './operations.ts';
import { type EncodedKey, type KeyAttribute, keyOfKey } from './primary-key.ts';
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
export interface ScanPlan extends CheckedScan {
  /** The index that is read. Undefined: the table is. */
  readonly index: SecondaryIndex | undefined;
  /** The scan begins behind this item of the table. */
  readonly after: EncodedKey | undefined;
  /** The answer has only counts. */
  readonly isCount: boolean;
  /** Entries of the index are completed with attributes from the table. */
  readonly isFetching: boolean;
}

/**
 * Checks a request by itself, in the service's order as far as it is known. Normalises its values in place.
 * @throws ApiError (ValidationException)
 */
export function checkScan(request: ScanRequest): CheckedScan {
  const legacy = resolveLegacyFilter(request);
  const { ExclusiveStartKey: startKey } = request;
  if (startKey != null) normaliseMap(startKey, VALUE_TEXTS.Scan);
  const segment = segmentOf(request);
  checkSelect(request);
  const { filter = legacy.filter, projection = legacy.projection } = resolveFilterExpressions(request);
  return { filter, projection, segment };
}

/**
 * How a checked request is carried out on its table.
 * @throws ApiError (ValidationException)
 */
export function planScan(table: Table, request: ScanRequest, checked: CheckedScan): ScanPlan {
  const index = indexOf(table, request.IndexName);
  if (request.ConsistentRead === true && index?.kind === 'global') {
    throw ApiError.validation('Consistent reads are not supported on global secondary indexes');
  }
  const isFetching = index !== undefined && needsItems(table, index, request.Select, checked.projection);
  checkKeyPaths(table, { condition: checked.filter, projection: checked.projection });
  const after = request.ExclusiveStartKey && startOf(table, index, request.ExclusiveStartKey);
  return { ...checked, index, after, isCount: request.Select === 'COUNT', isFetching };
}

/** Whether the scan looks at whole items: of the table, or of an index that projects or completes them. */
export function isWhole({ index, isFetching }: ScanPlan): boolean {
  return index === undefined || isFetching || index.projection.ProjectionType === 'ALL';
}

/** The attributes that name a place in the table or index: those of `LastEvaluatedKey`. */
export function placeKeys(table: Table, index: SecondaryIndex | undefined): readonly KeyAttribute[] {
  if (index !== undefined) return entryKeys(table, index);
  return table.key.sort ? [table.key.partition, table.key.sort] : [table.key.partition];
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

/** Recorded by dynoxide (pull request 100): the text has `Querying` for a Scan too. */
function checkSelect({ Select: select, ...request }: ScanRequest): void {
  const given = PROJECTING.find((name) => request[name] != null);
  switch (select) {
    case undefined:
      return;
    case 'SPECIFIC_ATTRIBUTES':
      if (given !== undefined) return;
      throw ApiError.validation(
        'Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES',
      );
    default:
      if (given !== undefined) {
        const what = select === 'COUNT' ? 'only the Count' : select;
        throw ApiError.validation(`Cannot specify the ${given} when choosing to get ${what}`);
      }
      if (select === 'ALL_PROJECTED_ATTRIBUTES' && request.IndexName == null) {
        throw ApiError.validation('ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName');
      }
  }
}

const PROJECTING = ['AttributesToGet', 'ProjectionExpression'] as const;

function indexOf({ indexes }: Table, name: string | undefined): SecondaryIndex | undefined {
  if (name == null) return undefined;
  const index = indexes.find((each) => each.name === name);
  if (index === undefined) throw ApiError.validation(`The table does not have the specified index: ${name}`);
  return index;
}

/**
 * Whether entries lack attributes that the request wants. Entries of a local index are then completed from the table; a
 * global index has only its projected attributes (API reference, `Select`).
 */
function needsItems(
  table: Table,
  index: SecondaryIndex,
  select: Select | undefined,
  projection: Projection | undefined,
): boolean {
  if (index.projection.ProjectionType === 'ALL') return false;
  const isGlobal = index.kind === 'global';
  if (select === 'ALL_ATTRIBUTES') {
    if (!isGlobal) return true;
    throw ApiError.validation(
      'One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary ' +
        `index ${index.name} because its projection type is not ALL`,
    );
  }
  const names = new Set((projection ?? []).map(([name]) => String(name)));
  const missing = [...names].filter((name) => !projects(table, index, name));
  if (missing.length > 0 && isGlobal) {
    throw ApiError.validation(
      `One or more parameter values were invalid: Global secondary index ${index.name} does not project ` +
        `[${missing.join(', ')}]`,
    );
  }
  return missing.length > 0;
}

/**
 * The texts were recorded in extenddb issue 59 and pull request 86. Those for faulty values, which do not mention a
 * starting key, and for a key that fits neither index nor table were recorded 2026-09-20 to 2026-10-09, eu-west-2 and
 * us-east-1.
 */
function startOf(table: Table, index: SecondaryIndex | undefined, startKey: AttributeMap): EncodedKey {
  const fitsTable = fits(startKey, placeKeys(table, undefined));
  if (index === undefined && !fitsTable) {
    throw ApiError.validation(
      'The provided starting key is invalid: The provided key element does not match the schema',
    );
  }
  if (index !== undefined && !fits(startKey, placeKeys(table, index))) {
    throw ApiError.validation(
      fitsTable ? 'The provided starting key is invalid' : 'The provided key element does not match the schema',
    );
  }
  const ofTable = placeKeys(table, undefined).map(({ name }) => [name, startKey[name]!]);
  return keyOfKey(table.key, Object.fromEntries(ofTable));
}

function fits(key: AttributeMap, attributes: readonly KeyAttribute[]): boolean {
  if (Object.keys(key).length !== attributes.length) return false;
  return attributes.every(({ name, type }) => Object.hasOwn(key, name) && type in key[name]!);
}
