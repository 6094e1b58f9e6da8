import type { AttributeMap } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import type { Projection } from './expression/ast.ts';
import type { Filtering } from './expression/resolve-filter.ts';
import { entryKeys, projects } from './index-entry.ts';
import type { ScanRequest, Select } from './operations.ts';
import { type KeyAttribute, keyValueBytes, MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES } from './primary-key.ts';
import type { IndexKeySchema, SecondaryIndex, Table } from './table-definition.ts';

/*
 * What Scan and Query have in common: what a page shows of the items that it looks at.
 */

/** What a page of a Scan or a Query has of its items. */
export interface PagePlan extends Filtering {
  /** The index that is read. Undefined: the table is. */
  readonly index: SecondaryIndex | undefined;
  /** The answer has only counts. */
  readonly isCount: boolean;
  /** Entries of the index are completed with attributes from the table. */
  readonly isFetching: boolean;
}

/** Whether the page looks at whole items: of the table, or of an index that projects or completes them. */
export function isWhole({ index, isFetching }: PagePlan): boolean {
  return index === undefined || isFetching || index.projection.ProjectionType === 'ALL';
}

/** The attributes that name a place in the table or index: those of `LastEvaluatedKey`. */
export function placeKeys(table: Table, index: SecondaryIndex | undefined): readonly KeyAttribute[] {
  if (index !== undefined) return entryKeys(table, index);
  return table.key.sort ? [table.key.partition, table.key.sort] : [table.key.partition];
}

type SelectParameters = Pick<ScanRequest, 'Select' | 'IndexName' | 'AttributesToGet' | 'ProjectionExpression'>;

/** Recorded by dynoxide (pull request 100): the text has `Querying` for a Scan too. */
export function checkSelect(request: SelectParameters): void {
  const { Select: select } = request;
  if (select === undefined) return;
  const given = PROJECTING.find((name) => request[name] != null);
  switch (select) {
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

/**
 * What a page is read from, and whether its entries are completed from the table.
 * @throws ApiError (ValidationException) if the index is not there, or is not read so
 */
export function planRead(
  table: Table,
  request: Pick<ScanRequest, 'IndexName' | 'ConsistentRead' | 'Select'>,
  projection: Projection | undefined,
): Pick<PagePlan, 'index' | 'isCount' | 'isFetching'> {
  const { IndexName: name, ConsistentRead: isStrong, Select: select } = request;
  const index = indexNamed(table, name);
  if (isStrong === true && index?.kind === 'global') {
    throw ApiError.validation('Consistent reads are not supported on global secondary indexes');
  }
  const isFetching = index !== undefined && needsItems(table, index, select, projection);
  return { index, isCount: select === 'COUNT', isFetching };
}

/** @throws ApiError (ValidationException) if the table does not have it */
function indexNamed({ indexes }: Table, name: string | undefined): SecondaryIndex | undefined {
  if (name == null) return undefined;
  const index = indexes.find((each) => each.name === name);
  if (index === undefined) throw ApiError.validation(`The table does not have the specified index: ${name}`);
  return index;
}

/**
 * Whether entries lack attributes that the request wants. Entries of a local index are then completed from the table; a
 * global index has only its projected attributes (API reference, `Select`).
 * @throws ApiError (ValidationException) if a global index lacks them
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

/** Whether a key has these attributes, of these types, and no other. */
export function hasExactly(key: AttributeMap, attributes: readonly KeyAttribute[]): boolean {
  if (Object.keys(key).length !== attributes.length) return false;
  return attributes.every(({ name, type }) => Object.hasOwn(key, name) && type in key[name]!);
}

/**
 * Checks the index keys of a start key, whose form is right: no entry has an empty or longer one.
 * @throws ApiError (ValidationException)
 */
export function checkStartInIndex({ partition, sort }: IndexKeySchema, startKey: AttributeMap): void {
  const sizes = (attributes: readonly KeyAttribute[]) =>
    attributes.map((attribute) => keyValueBytes(attribute, startKey[attribute.name]!));
  const [ofPartition, ofSort] = [sizes(partition), sizes(sort)];
  const isFitting =
    ![...ofPartition, ...ofSort].includes(0) &&
    sumOf(ofPartition) <= MAX_PARTITION_KEY_BYTES &&
    sumOf(ofSort) <= MAX_SORT_KEY_BYTES;
  if (!isFitting) throw ApiError.validation('The provided starting key is invalid');
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
