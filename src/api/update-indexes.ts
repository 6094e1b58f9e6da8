import { ApiError } from './errors.ts';
import {
  addedGlobalIndex,
  checkTogether,
  indexNames,
  keyAttributeNames,
  MOST_GLOBAL_INDEXES,
  vectorIndexes,
} from './index-rules.ts';
import { invalidParameter } from './invalid-parameter.ts';
import { sorted } from './key-schema-rules.ts';
import type { KeyAttribute } from './primary-key.ts';
import type { IndexKeySchema, SecondaryIndex, Status, Table } from './table-definition.ts';
import type {
  BillingMode,
  GlobalSecondaryIndexUpdate,
  UpdateTableRequest,
  VectorIndexUpdate,
} from './table-requests.ts';
import { changedThroughput, isUnchanged, willNotChange } from './throughput-rules.ts';

interface Indexed {
  readonly table: Table;
  /** The status of every index that the request names. */
  readonly phases: ReadonlyMap<string, Status>;
}

/** A request for index updates. */
interface IndexChange {
  /** The table before the request. */
  readonly before: Table;
  readonly request: UpdateTableRequest;
  readonly nowMs: number;
  /** The status of every index that was looked at so far. */
  readonly phases: Map<string, Status>;
}

/**
 * The table after the index updates of a request.
 * @param table the table with its new billing mode
 * @param before the table before the request
 * @throws LimitExceededException, ResourceNotFoundException, ValidationException
 */
export function withIndexUpdates(table: Table, before: Table, request: UpdateTableRequest, nowMs: number): Indexed {
  const { GlobalSecondaryIndexUpdates: updates = [], VectorIndexUpdates: vectorUpdates = [] } = request;
  checkSwitchedIndexes(table, before, updates);
  const online = [...updates, ...vectorUpdates].filter(({ Create, Delete }) => Create || Delete);
  if (online.length > 1 || (online.length > 0 && isBusy(before, online[0]!))) {
    throw ApiError.limitExceeded(
      'Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table',
    );
  }
  const phases = new Map<string, Status>();
  const change: IndexChange = { before, request, nowMs, phases };
  let next = table;
  for (const update of updates) next = withGlobalUpdate(next, update, change);
  for (const update of vectorUpdates) next = withVectorUpdate(next, update, request, phases);
  return { table: next, phases };
}

/**
 * Whether an index is being filled, and the update is not its deletion (developer guide, "Managing Global Secondary
 * Indexes": it can be deleted then, and no other one).
 */
function isBusy({ indexes }: Table, { Delete: remove }: GlobalSecondaryIndexUpdate | VectorIndexUpdate): boolean {
  const filling = indexes.find(({ building }) => building === 'filling');
  return filling !== undefined && remove?.IndexName !== filling.name;
}

/** A request that makes a table provisioned has to give a throughput for each of its global indexes. */
function checkSwitchedIndexes(table: Table, before: Table, updates: readonly GlobalSecondaryIndexUpdate[]): void {
  if (table.billing.mode !== 'PROVISIONED' || before.billing.mode === 'PROVISIONED') return;
  const provided = new Set(
    updates.flatMap(({ Update: update }) => (update?.ProvisionedThroughput ? update.IndexName : [])),
  );
  const missing = table.indexes.find(({ name, kind }) => kind === 'global' && !provided.has(name));
  if (missing !== undefined) throw throughputMissing(missing.name);
}

function throughputMissing(name: string): ApiError {
  return invalidParameter(`ProvisionedThroughput must be specified for index: ${name}`);
}

function withGlobalUpdate(
  table: Table,
  { Create: create, Update: update, Delete: remove }: GlobalSecondaryIndexUpdate,
  { before, request, nowMs, phases }: IndexChange,
): Table {
  if (create) {
    phases.set(create.IndexName, 'CREATING');
    checkNewName(table, create.IndexName);
    if (table.indexes.filter(({ kind }) => kind === 'global').length >= MOST_GLOBAL_INDEXES) {
      throw ApiError.limitExceeded(
        `Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of ${MOST_GLOBAL_INDEXES}`,
      );
    }
    const index = addedGlobalIndex(create, table.billing.mode, request.AttributeDefinitions);
    checkNotRedefined(table, index.key);
    const keys = [...index.key.partition, ...index.key.sort].map(({ name }) => name);
    return withDefinitions({ ...table, indexes: [...table.indexes, index] }, keys, request);
  }
  if (remove) {
    phases.set(remove.IndexName, 'DELETING');
    const index = globalIndexOf(table, remove.IndexName, 'delete');
    return withoutUnused({ ...table, indexes: table.indexes.filter((other) => other !== index) });
  }
  phases.set(update!.IndexName, 'UPDATING');
  const index = globalIndexOf(table, update!.IndexName, 'update');
  const old = before.indexes.find(({ name }) => name === index.name)!;
  const changed = withIndexThroughput({ index, old, mode: table.billing.mode }, update!, nowMs);
  return { ...table, indexes: table.indexes.map((other) => (other === index ? changed : other)) };
}

/** A global index whose throughput a request changes. */
interface ChangedIndex {
  readonly index: SecondaryIndex;
  /** The index before the request. */
  readonly old: SecondaryIndex;
  readonly mode: BillingMode;
}

function withIndexThroughput(
  { index, old, mode }: ChangedIndex,
  update: NonNullable<GlobalSecondaryIndexUpdate['Update']>,
  nowMs: number,
): SecondaryIndex {
  const { ProvisionedThroughput: provisioned, OnDemandThroughput: onDemand, WarmThroughput: warm } = update;
  const changesCeilings = onDemand && Object.keys(onDemand).length > 0;
  if (mode === 'PAY_PER_REQUEST' && (provisioned || (!changesCeilings && !warm))) {
    throw invalidParameter(
      `The only Updates for index: ${index.name} when TableThroughputMode is PAY_PER_REQUEST ` +
        'can be to OnDemandThroughput, WarmThroughput',
    );
  }
  if (mode === 'PROVISIONED' && !provisioned && !onDemand && !warm) throw throughputMissing(index.name);
  if (provisioned && isUnchanged(old.throughput!, provisioned)) {
    throw willNotChange(`the index ${index.name}`, `index ${index.name}`, provisioned);
  }
  const place = { kind: 'index', name: index.name } as const;
  return { ...index, throughput: changedThroughput({ place, current: index.throughput!, mode }, update, nowMs) };
}

function withVectorUpdate(
  table: Table,
  { Create: create, Delete: remove }: VectorIndexUpdate,
  request: UpdateTableRequest,
  phases: Map<string, Status>,
): Table {
  if (create) {
    phases.set(create.IndexName, 'CREATING');
    checkNewName(table, create.IndexName);
    const definitions = [...table.attributeDefinitions, ...(request.AttributeDefinitions ?? [])];
    const all = vectorIndexes(table.vectorIndexes, [create], table.billing.mode, definitions);
    const keys = (create.SearchSchema ?? []).map(({ AttributeName }) => AttributeName);
    return withDefinitions({ ...table, vectorIndexes: all }, keys, request);
  }
  const name = remove!.IndexName;
  phases.set(name, 'DELETING');
  if (!table.vectorIndexes.some(({ IndexName }) => IndexName === name)) throw indexNotFound(table, name);
  return withoutUnused({ ...table, vectorIndexes: table.vectorIndexes.filter(({ IndexName }) => IndexName !== name) });
}

function checkNewName(table: Table, name: string): void {
  if (indexNames(table).includes(name)) throw ApiError.validation('Attempting to create an index which already exists');
}

function globalIndexOf(table: Table, name: string, action: 'update' | 'delete'): SecondaryIndex {
  const index = table.indexes.find((candidate) => candidate.name === name);
  if (index?.kind === 'local') {
    throw ApiError.validation(`Cannot ${action} an index that is not a GlobalSecondaryIndex: ${name}`);
  }
  if (index === undefined) throw indexNotFound(table, name);
  return index;
}

function indexNotFound(table: Table, name: string): ApiError {
  return ApiError.resourceNotFound(`Requested resource not found: Index ${name} for table ${table.name}`);
}

/**
 * Adds the definitions of the attributes of a new index. The service ignores all others, whatever they say.
 * @param keys the names of the attributes that the new index needs
 */
function withDefinitions(table: Table, keys: readonly string[], request: UpdateTableRequest): Table {
  checkTogether(table);
  const definitions = [...table.attributeDefinitions];
  for (const definition of request.AttributeDefinitions ?? []) {
    const { AttributeName: name, AttributeType: type } = definition;
    if (!keys.includes(name)) continue;
    const known = definitions.find(({ AttributeName }) => AttributeName === name);
    if (known === undefined) definitions.push(definition);
    else if (known.AttributeType !== type) {
      throw invalidParameter(`Attribute ${name} is already defined as a key attribute of type ${known.AttributeType}`);
    }
  }
  return { ...table, attributeDefinitions: sorted(definitions) };
}

/**
 * A key attribute has the same type in all keys of a table (recorded 2026-09-20 to 2026-10-09, eu-west-2 and
 * us-east-1). No recording says which schema the error shows if several have the attribute.
 */
function checkNotRedefined({ key: { partition, sort }, indexes }: Table, added: IndexKeySchema): void {
  const existing: IndexKeySchema[] = [
    { partition: [partition], sort: sort === undefined ? [] : [sort] },
    ...indexes.map(({ key }) => key),
  ];
  const types = new Map([...added.partition, ...added.sort].map(({ name, type }) => [name, type]));
  const isRedefined = ({ name, type }: KeyAttribute) => types.has(name) && types.get(name) !== type;
  const clashing = existing.find((schema) => [...schema.partition, ...schema.sort].some(isRedefined));
  if (clashing === undefined) return;
  throw ApiError.validation(
    'Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. ' +
      `Existing schema: ${describeSchema(clashing)} New schema: ${describeSchema(added)}`,
  );
}

function describeSchema({ partition, sort }: IndexKeySchema): string {
  const element =
    (kind: 'HASH' | 'RANGE') =>
    ({ name, type }: KeyAttribute): string =>
      `SchemaElement: key{${name}:${type}:${kind}}`;
  return `Schema:[${[...partition.map(element('HASH')), ...sort.map(element('RANGE'))].join(', ')}]`;
}

function withoutUnused(table: Table): Table {
  const used = keyAttributeNames(table);
  return {
    ...table,
    attributeDefinitions: table.attributeDefinitions.filter(({ AttributeName }) => used.has(AttributeName)),
  };
}
