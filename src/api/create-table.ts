import { tableArn } from './arn.ts';
import { checkTogether, globalIndexes, localIndexes, vectorIndexes } from './index-rules.ts';
import { invalidParameter } from './invalid-parameter.ts';
import { checkDistinct, names, sorted, tableKey } from './key-schema-rules.ts';
import { overridesWithoutReplica } from './replica-rules.ts';
import { storageIdOf, type Table, type TableConsistency } from './table-definition.ts';
import type { AttributeDefinition, BillingMode, CreateTableRequest } from './table-requests.ts';
import {
  checkEncryption,
  checkNewStream,
  checkPolicy,
  checkTableClass,
  checkTags,
  consistencyOf,
  encryption,
  newStream,
} from './table-settings-rules.ts';
import { checkUnits, newThroughput, throughputOnDemand } from './throughput-rules.ts';

/** Properties of a new table that its request does not give. */
export interface Origin {
  readonly namespace: string;
  /** A new UUID in lower case. */
  readonly id: string;
  readonly nowMs: number;
  readonly region: string;
  /** Used if the tags say nothing. */
  readonly consistency: TableConsistency;
}

/**
 * The definition that a CreateTable request asks for. The request has passed its schema.
 *
 * The checks are in the service's order as far as it is recorded: billing, then keys and their definitions, then that
 * every definition is used ("masks other errors"), then local indexes, then global ones. The order of the settings
 * after them is not recorded.
 * @throws ValidationException
 */
export function newTable(request: CreateTableRequest, origin: Origin): Table {
  // The schema requires both members unless the request copies a table.
  const { AttributeDefinitions: definitions = [], KeySchema: keySchema = [] } = request;
  if (request.GlobalTableSourceArn) {
    throw invalidParameter('GlobalTableSourceArn is not supported: there is no other account to copy a table from');
  }
  const mode = billingMode(request);
  checkDistinct(definitions);
  const key = tableKey(keySchema, definitions);
  checkUsed(request, definitions);

  const indexes = [
    ...localIndexes(request.LocalSecondaryIndexes, key, definitions),
    ...globalIndexes(request.GlobalSecondaryIndexes, mode, definitions),
  ];
  const vectors = vectorIndexes([], request.VectorIndexes ?? [], mode, definitions);
  checkTogether({ indexes, vectorIndexes: vectors });
  const throughput = newThroughput({ kind: 'table' }, mode, request);
  checkSettings(request);
  const { id, nowMs, region } = origin;
  const { StreamSpecification: stream, TableClass: tableClass } = request;
  return {
    namespace: origin.namespace,
    name: request.TableName,
    id,
    storageId: storageIdOf(id),
    arn: tableArn(region, request.TableName),
    createdAtMs: nowMs,
    key,
    attributeDefinitions: sorted(definitions),
    indexes,
    vectorIndexes: vectors,
    billing: { mode, onDemandSinceMs: mode === 'PAY_PER_REQUEST' ? nowMs : undefined },
    throughput,
    stream: stream?.StreamEnabled ? newStream(stream.StreamViewType!, nowMs) : undefined,
    sse: encryption(request.SSESpecification, region),
    tableClass: tableClass && { name: tableClass },
    deletionProtection: request.DeletionProtectionEnabled ?? false,
    tags: (request.Tags ?? []).map(({ Key, Value }) => ({ Key, Value })),
    consistency: consistencyOf(request.Tags ?? [], origin.consistency),
    resourcePolicy: request.ResourcePolicy,
    replicas: [],
    settingsReplicationMode: request.GlobalTableSettingsReplicationMode,
  };
}

function billingMode({
  BillingMode: mode = 'PROVISIONED',
  ProvisionedThroughput: provisioned,
}: CreateTableRequest): BillingMode {
  if (mode === 'PAY_PER_REQUEST' && provisioned) {
    throw throughputOnDemand();
  }
  if (mode === 'PROVISIONED' && !provisioned) {
    throw invalidParameter(
      'ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED',
    );
  }
  checkUnits(provisioned);
  return mode;
}

/** Every definition must belong to a key. The keys are read from the request, since index rules are checked later. */
function checkUsed(request: CreateTableRequest, definitions: readonly AttributeDefinition[]): void {
  const { KeySchema: keySchema = [], LocalSecondaryIndexes: local, GlobalSecondaryIndexes: global } = request;
  const { VectorIndexes: vectors } = request;
  const used = new Set(keySchema.map(({ AttributeName }) => AttributeName));
  for (const { KeySchema } of [...(local ?? []), ...(global ?? [])]) {
    for (const { AttributeName } of KeySchema) used.add(AttributeName);
  }
  for (const { SearchSchema = [] } of vectors ?? [])
    for (const { AttributeName } of SearchSchema) used.add(AttributeName);
  if (definitions.every(({ AttributeName }) => used.has(AttributeName))) return;
  if (!local && !global && !vectors) {
    throw invalidParameter(
      'Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions',
    );
  }
  throw invalidParameter(
    `Some AttributeDefinitions are not used. AttributeDefinitions: ${names(definitions)}, ` +
      `keys used: [${[...used].join(', ')}]`,
  );
}

function checkSettings(request: CreateTableRequest): void {
  if (request.StreamSpecification) checkNewStream(request.StreamSpecification);
  if (request.SSESpecification) checkEncryption(request.SSESpecification);
  checkTableClass(request.TableClass);
  if (request.Tags) checkTags(request.Tags);
  if (request.ResourcePolicy != null) checkPolicy(request.ResourcePolicy);
  if (request.GlobalTableSettingsReplicationMode === 'ENABLED_WITH_OVERRIDES') throw overridesWithoutReplica();
}
