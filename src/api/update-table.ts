import { ApiError } from './errors.ts';
import { vectorIndexesNeedOnDemand } from './index-rules.ts';
import { invalidParameter } from './invalid-parameter.ts';
import { overridesWithoutReplica, withReplicas } from './replica-rules.ts';
import type { Status, Table } from './table-definition.ts';
import type { Phase } from './table-description.ts';
import type { SSESpecification, StreamSpecification, UpdateTableRequest } from './table-requests.ts';
import { encryption, newStream } from './table-settings-rules.ts';
import {
  changedThroughput,
  isUnchanged,
  shownThroughput,
  switchedThroughput,
  throughputOnDemand,
  willNotChange,
} from './throughput-rules.ts';
import { withIndexUpdates } from './update-indexes.ts';

export interface Update {
  readonly next: Table;
  /** The table that the answer shows. It shows some changes as requested, and others only when they are finished. */
  readonly shown: Table;
  readonly phase: Phase;
}

/**
 * The table after a request that has passed `checkUpdate`.
 * @throws ValidationException, ResourceNotFoundException, LimitExceededException
 */
export function updatedTable(table: Table, request: UpdateTableRequest, nowMs: number, region: string): Update {
  let next = withBillingMode(table, request, nowMs);
  next = withThroughput(next, table, request, nowMs);
  const indexes = withIndexUpdates(next, table, request, nowMs);
  next = indexes.table;
  if (request.StreamSpecification) next = withStream(next, request.StreamSpecification, nowMs);
  if (request.SSESpecification) next = { ...next, sse: changedEncryption(table, request.SSESpecification, region) };
  if (request.TableClass) next = withTableClass(next, request.TableClass, nowMs);
  if (request.DeletionProtectionEnabled != null) {
    next = { ...next, deletionProtection: request.DeletionProtectionEnabled };
  }
  if (request.DisassociationProtectionEnabled != null) {
    if (table.replicas.length === 0) {
      throw ApiError.validation('DisassociationProtectionEnabled can only be set of a replica of a global table');
    }
    next = { ...next, disassociationProtection: request.DisassociationProtectionEnabled };
  }
  if (request.ReplicaUpdates || request.GlobalTableWitnessUpdates) {
    next = withReplicaStream(withReplicas(next, request, region), nowMs);
  }
  if (request.GlobalTableSettingsReplicationMode) {
    if (request.GlobalTableSettingsReplicationMode === 'ENABLED_WITH_OVERRIDES' && next.replicas.length === 0) {
      throw overridesWithoutReplica();
    }
    next = { ...next, settingsReplicationMode: request.GlobalTableSettingsReplicationMode };
  }
  return {
    next,
    shown: shownTable(table, next, request, nowMs),
    phase: {
      table: tableStatus(request, indexes.phases),
      indexes: indexes.phases,
      encryption: request.SSESpecification != null,
      warming: request.WarmThroughput != null,
    },
  };
}

function withBillingMode(table: Table, request: UpdateTableRequest, nowMs: number): Table {
  const mode = request.BillingMode ?? table.billing.mode;
  if (mode === 'PAY_PER_REQUEST' && request.ProvisionedThroughput) throw throughputOnDemand();
  if (mode === 'PROVISIONED' && table.vectorIndexes.length > 0) throw vectorIndexesNeedOnDemand();
  if (mode === table.billing.mode) return table;
  return {
    ...table,
    billing: { mode, onDemandSinceMs: mode === 'PAY_PER_REQUEST' ? nowMs : table.billing.onDemandSinceMs },
    throughput: switchedThroughput(table.throughput, mode),
    indexes: table.indexes.map((index) =>
      index.throughput === undefined ? index : { ...index, throughput: switchedThroughput(index.throughput, mode) },
    ),
  };
}

function withThroughput(next: Table, table: Table, request: UpdateTableRequest, nowMs: number): Table {
  const { ProvisionedThroughput: provisioned } = request;
  if (provisioned && isUnchanged(table.throughput, provisioned)) {
    throw willNotChange('the table', 'the table', provisioned);
  }
  return {
    ...next,
    throughput: changedThroughput(
      { place: { kind: 'table' }, current: next.throughput, mode: next.billing.mode },
      request,
      nowMs,
    ),
  };
}

function withStream(
  table: Table,
  { StreamEnabled: enable, StreamViewType: viewType }: StreamSpecification,
  nowMs: number,
): Table {
  const { stream } = table;
  const isEnabled = stream?.viewType !== undefined;
  if (enable && isEnabled) throw ApiError.validation(`Table already has an enabled stream: TableName: ${table.name}`);
  if (enable) return { ...table, stream: newStream(viewType!, nowMs, stream) };
  if (!isEnabled) throw ApiError.validation(`Table has no stream to disable: TableName: ${table.name}`);
  if (table.replicas.length > 0) throw invalidParameter('Disabling Stream is not allowed for a Global Table replica.');
  return { ...table, stream: { startedAtMs: stream.startedAtMs } };
}

/** Replicas read a stream of the table, which the service enables by itself (developer guide, "Global tables"). */
function withReplicaStream(table: Table, nowMs: number): Table {
  if (table.replicas.length === 0 || table.stream?.viewType !== undefined) return table;
  return { ...table, stream: newStream('NEW_AND_OLD_IMAGES', nowMs, table.stream) };
}

function changedEncryption(table: Table, specification: SSESpecification, region: string): Table['sse'] {
  const next = encryption(specification, region);
  if (next === undefined && table.sse === undefined) throw invalidParameter('Table is already encrypted by default');
  // Only the same ARN counts as no change: an alias or id of the same key is another text.
  if (table.sse !== undefined && specification.KMSMasterKeyId === table.sse.keyArn) {
    throw invalidParameter(
      'Table is already encrypted with given KMSMasterKeyId. ' +
        'Use KMSMasterKeyId parameter if you want to change Master Key',
    );
  }
  return next;
}

function withTableClass(table: Table, name: NonNullable<UpdateTableRequest['TableClass']>, nowMs: number): Table {
  if (name === 'STANDARD' && table.tableClass === undefined) return table;
  return { ...table, tableClass: { name, changedAtMs: nowMs } };
}

/**
 * The answer shows billing, provisioned and warm throughput, table class and encryption as before the request, and
 * still shows an index that is being deleted. Everything else is shown as requested.
 */
function shownTable(table: Table, next: Table, request: UpdateTableRequest, nowMs: number): Table {
  const before = new Map(table.indexes.map((index) => [index.name, index]));
  const updates = new Map(
    (request.GlobalSecondaryIndexUpdates ?? []).flatMap(({ Update: update }) =>
      update ? [[update.IndexName, update] as const] : [],
    ),
  );
  const kept = next.indexes.map((index) => {
    const old = before.get(index.name)?.throughput;
    if (old === undefined || index.throughput === undefined) return index;
    return { ...index, throughput: shownThroughput(old, index.throughput, updates.get(index.name), nowMs) };
  });
  const deleted = table.indexes.filter(({ name }) => !next.indexes.some((index) => index.name === name));
  const deletedVectors = table.vectorIndexes.filter(
    ({ IndexName }) => !next.vectorIndexes.some((index) => index.IndexName === IndexName),
  );
  return {
    ...next,
    billing: table.billing,
    throughput: shownThroughput(table.throughput, next.throughput, request, nowMs),
    tableClass: table.tableClass,
    sse: table.sse,
    indexes: [...kept, ...deleted],
    vectorIndexes: [...next.vectorIndexes, ...deletedVectors],
    attributeDefinitions:
      deleted.length + deletedVectors.length > 0 ? table.attributeDefinitions : next.attributeDefinitions,
  };
}

/** Changes of protection, encryption, ceilings, warm throughput and an index's throughput leave the table `ACTIVE`. */
function tableStatus(request: UpdateTableRequest, indexes: ReadonlyMap<string, Status>): Status {
  const changesTable =
    request.BillingMode ||
    request.ProvisionedThroughput ||
    request.StreamSpecification ||
    request.TableClass ||
    request.ReplicaUpdates ||
    request.GlobalTableWitnessUpdates ||
    [...indexes.values()].some((status) => status !== 'UPDATING');
  return changesTable ? 'UPDATING' : 'ACTIVE';
}
