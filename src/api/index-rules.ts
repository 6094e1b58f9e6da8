import { invalidParameter } from './invalid-parameter.ts';
import { globalIndexKey, localIndexKey } from './key-schema-rules.ts';
import type { KeySchema } from './primary-key.ts';
import type { SecondaryIndex, Table } from './table-definition.ts';
import type {
  AttributeDefinition,
  BillingMode,
  GlobalSecondaryIndex,
  LocalSecondaryIndex,
  Projection,
  VectorIndex,
} from './table-requests.ts';
import { newThroughput } from './throughput-rules.ts';

const MOST_LOCAL_INDEXES = 5;
/** The default quota (developer guide, "Service quotas"). */
export const MOST_GLOBAL_INDEXES = 20;
const MOST_VECTOR_INDEXES = 5;
const MOST_DIMENSIONS = 4096;
/**
 * How many attributes the `INCLUDE` projections of a table's indexes may name together, each counted once per index.
 */
const MOST_PROJECTED_ATTRIBUTES = 100;

/**
 * The local indexes of a new table.
 * @throws ValidationException
 */
export function localIndexes(
  requested: readonly LocalSecondaryIndex[] | undefined,
  tableKey: KeySchema,
  definitions: readonly AttributeDefinition[],
): SecondaryIndex[] {
  if (!requested) return [];
  if (requested.length === 0) throw invalidParameter('List of LocalSecondaryIndexes is empty');
  if (tableKey.sort === undefined) {
    throw invalidParameter(
      'Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex',
    );
  }
  const indexes = requested.map((index): SecondaryIndex => {
    const key = localIndexKey(index.KeySchema, definitions);
    if (key.sort.length === 0) {
      throw invalidParameter(`Index KeySchema does not have a range key for index: ${index.IndexName}`);
    }
    const [hash] = key.partition;
    if (hash!.name !== tableKey.partition.name) {
      throw invalidParameter(
        'Index KeySchema does not have the same leading hash key as table KeySchema for index: ' +
          `${index.IndexName}. index hash key: ${hash!.name}, table hash key: ${tableKey.partition.name}`,
      );
    }
    return { name: index.IndexName, kind: 'local', key, projection: checkedProjection(index.Projection) };
  });
  if (indexes.length > MOST_LOCAL_INDEXES) {
    throw invalidParameter(`Number of LocalSecondaryIndexes exceeds per-table limit of ${MOST_LOCAL_INDEXES}`);
  }
  return indexes;
}

/**
 * The global indexes of a new table.
 * @throws ValidationException
 */
export function globalIndexes(
  requested: readonly GlobalSecondaryIndex[] | undefined,
  mode: BillingMode,
  definitions: readonly AttributeDefinition[],
): SecondaryIndex[] {
  if (!requested) return [];
  if (requested.length === 0) throw invalidParameter('List of GlobalSecondaryIndexes is empty');
  const indexes = requested.map((index): SecondaryIndex => {
    const key = globalIndexKey(index.KeySchema, definitions);
    const projection = checkedProjection(index.Projection);
    if (mode === 'PAY_PER_REQUEST' && index.ProvisionedThroughput) {
      throw invalidParameter(
        `ProvisionedThroughput should not be specified for index: ${index.IndexName} when BillingMode is PAY_PER_REQUEST`,
      );
    }
    if (mode === 'PROVISIONED' && !index.ProvisionedThroughput) {
      throw invalidParameter(`ProvisionedThroughput is not specified for index: ${index.IndexName}`);
    }
    return globalIndex(index, key, projection, mode);
  });
  if (indexes.length > MOST_GLOBAL_INDEXES) {
    throw invalidParameter(`GlobalSecondaryIndex count exceeds the per-table limit of ${MOST_GLOBAL_INDEXES}`);
  }
  return indexes;
}

/**
 * A global index that UpdateTable adds.
 * @param definitions the definitions of the request: those of the table do not count
 * @throws ValidationException
 */
export function addedGlobalIndex(
  index: GlobalSecondaryIndex,
  mode: BillingMode,
  definitions: readonly AttributeDefinition[] | undefined,
): SecondaryIndex {
  if (!definitions) throw invalidParameter(`AttributeDefinitions is not specified for index: ${index.IndexName}`);
  const key = globalIndexKey(index.KeySchema, definitions);
  const projection = checkedProjection(index.Projection);
  if (mode === 'PAY_PER_REQUEST' && index.ProvisionedThroughput) {
    throw invalidParameter(
      'Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: ' +
        `${index.IndexName} when BillingMode is PAY_PER_REQUEST`,
    );
  }
  if (mode === 'PROVISIONED' && !index.ProvisionedThroughput) {
    throw invalidParameter(
      `Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: ${index.IndexName}`,
    );
  }
  return globalIndex(index, key, projection, mode);
}

function globalIndex(
  index: GlobalSecondaryIndex,
  key: SecondaryIndex['key'],
  projection: Projection,
  mode: BillingMode,
): SecondaryIndex {
  const throughput = newThroughput({ kind: 'index', name: index.IndexName }, mode, index);
  return { name: index.IndexName, kind: 'global', key, projection, throughput };
}

/** The projection as the service keeps it: with its attributes sorted. */
function checkedProjection({ ProjectionType: type, NonKeyAttributes: attributes }: Projection): Projection {
  if (!type) throw invalidParameter('Unknown ProjectionType: null');
  if (type !== 'INCLUDE') {
    if (attributes) throw invalidParameter(`ProjectionType is ${type}, but NonKeyAttributes is specified`);
    return { ProjectionType: type };
  }
  if (!attributes) throw invalidParameter('ProjectionType is INCLUDE, but NonKeyAttributes is not specified');
  const duplicate = attributes.find((name, position) => attributes.indexOf(name) !== position);
  if (duplicate !== undefined) throw invalidParameter(`Duplicate element in NonKeyAttributes: ${duplicate}`);
  return { ProjectionType: type, NonKeyAttributes: [...attributes].sort() };
}

/**
 * The vector indexes of a new table, or the `existing` ones and a new one.
 * @throws ValidationException
 */
export function vectorIndexes(
  existing: readonly VectorIndex[],
  added: readonly VectorIndex[],
  mode: BillingMode,
  definitions: readonly AttributeDefinition[],
): VectorIndex[] {
  if (added.length > 0 && mode !== 'PAY_PER_REQUEST') throw vectorIndexesNeedOnDemand();
  if (existing.length + added.length > MOST_VECTOR_INDEXES) {
    throw invalidParameter(`VectorIndex count exceeds the per-table limit of ${MOST_VECTOR_INDEXES}`);
  }
  const all = [...existing];
  for (const index of added) {
    if (index.Dimensions > MOST_DIMENSIONS) {
      throw invalidParameter(`Number of dimensions must be between 1 and ${MOST_DIMENSIONS} inclusive.`);
    }
    const isDefined = (name: string) => definitions.some(({ AttributeName }) => AttributeName === name);
    if (index.SearchSchema?.some(({ AttributeName }) => !isDefined(AttributeName))) {
      throw invalidParameter('One element in SearchSchema is not defined in attribute definitions');
    }
    const attribute = index.VectorAttribute.AttributeName;
    if (
      all.some((other) => other.VectorAttribute.AttributeName === attribute && other.Dimensions !== index.Dimensions)
    ) {
      throw invalidParameter(
        `Conflicting attribute definition for '${attribute}'. ` +
          'All VectorIndexes on the same vector attribute must use the same dimensions.',
      );
    }
    all.push({ ...index, Projection: checkedProjection(index.Projection) });
  }
  return all;
}

export function vectorIndexesNeedOnDemand() {
  return invalidParameter('Vector indexes are only supported for PAY_PER_REQUEST tables');
}

/**
 * Checks the rules for all indexes of a table together: distinct names, and a limit on projected attributes.
 * @throws ValidationException
 */
export function checkTogether(table: Pick<Table, 'indexes' | 'vectorIndexes'>): void {
  const names = new Set<string>();
  for (const name of indexNames(table)) {
    if (names.has(name)) throw invalidParameter(`Duplicate index name: ${name}`);
    names.add(name);
  }
  const projected = table.indexes.reduce((sum, { projection }) => sum + (projection.NonKeyAttributes?.length ?? 0), 0);
  if (projected > MOST_PROJECTED_ATTRIBUTES) {
    throw invalidParameter(
      `Number of NonKeyAttributes across all indexes exceeds the per-table limit of ${MOST_PROJECTED_ATTRIBUTES}`,
    );
  }
}

/** The names of indexes of all kinds: no two may be the same. */
export function indexNames(table: Pick<Table, 'indexes' | 'vectorIndexes'>): string[] {
  return [...table.indexes.map(({ name }) => name), ...table.vectorIndexes.map(({ IndexName }) => IndexName)];
}

/** Every attribute that is a key of the table or of an index. */
export function keyAttributeNames(table: Pick<Table, 'key' | 'indexes' | 'vectorIndexes'>): Set<string> {
  const names = new Set([table.key.partition.name]);
  if (table.key.sort !== undefined) names.add(table.key.sort.name);
  for (const { key } of table.indexes) for (const { name } of [...key.partition, ...key.sort]) names.add(name);
  for (const { SearchSchema = [] } of table.vectorIndexes)
    for (const element of SearchSchema) names.add(element.AttributeName);
  return names;
}
