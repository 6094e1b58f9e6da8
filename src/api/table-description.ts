import { tableArn } from './arn.ts';
import type { KeyAttribute } from './primary-key.ts';
import { streamArn, streamLabel } from './stream.ts';
import type { IndexKeySchema, SecondaryIndex, Status, Table, Throughput } from './table-definition.ts';
import type { KeySchemaElement, ReplicaSettings, VectorIndex } from './table-requests.ts';
import { decreasesOn } from './throughput-rules.ts';

/**
 * The changes that an answer shows to be under way. The next request sees `ACTIVE`, unless the table has a
 * `Transition`.
 */
export interface Phase {
  readonly table: Status;
  /** Status by index name. An index that is missing here is `CREATING` while the table is, and `ACTIVE` otherwise. */
  readonly indexes?: ReadonlyMap<string, Status>;
  /** The encryption is being changed. */
  readonly encryption?: boolean;
  /** The table's warm throughput is being raised. */
  readonly warming?: boolean;
}

const NOTHING_UNDER_WAY: Phase = { table: 'ACTIVE' };

/**
 * The `TableDescription` of a table, which every table operation answers, in the service's shape. Members that are
 * undefined are absent. Times are seconds since 1970 with three decimals.
 * @param nowMs decides whether the last decrease of throughput was made today
 */
export function describeTable(table: Table, nowMs: number, phase: Phase = NOTHING_UNDER_WAY) {
  const { stream, sse, tableClass, billing } = table;
  const creating = phase.table === 'CREATING';
  const global = table.indexes.filter((index) => index.kind === 'global');
  const local = table.indexes.filter((index) => index.kind === 'local');
  return {
    AttributeDefinitions: table.attributeDefinitions,
    TableName: table.name,
    KeySchema: keySchemaElements({
      partition: [table.key.partition],
      sort: table.key.sort === undefined ? [] : [table.key.sort],
    }),
    TableStatus: phase.table === 'ACTIVE' && isAllocating(table) ? 'UPDATING' : phase.table,
    CreationDateTime: seconds(table.createdAtMs),
    ProvisionedThroughput: describeThroughput(table.throughput, nowMs),
    TableSizeBytes: 0,
    ItemCount: 0,
    TableArn: table.arn,
    TableId: table.id,
    BillingModeSummary:
      billing.onDemandSinceMs === undefined
        ? undefined
        : {
            BillingMode: billing.mode,
            LastUpdateToPayPerRequestDateTime: creating ? undefined : seconds(billing.onDemandSinceMs),
          },
    LocalSecondaryIndexes: unlessEmpty(local.map((index) => describeLocalIndex(table, index))),
    GlobalSecondaryIndexes: unlessEmpty(global.map((index) => describeGlobalIndex(table, index, nowMs, phase))),
    VectorIndexes: unlessEmpty(table.vectorIndexes.map((index) => describeVectorIndex(table, index, phase))),
    StreamSpecification:
      stream?.viewType === undefined ? undefined : { StreamEnabled: true, StreamViewType: stream.viewType },
    LatestStreamLabel: stream && streamLabel(stream),
    LatestStreamArn: stream && streamArn(table.arn, stream),
    GlobalTableVersion: table.replicas.length > 0 ? '2019.11.21' : undefined,
    Replicas: unlessEmpty(table.replicas.map((replica) => describeReplica(table, replica))),
    GlobalTableWitnesses:
      table.witnessRegion === undefined ? undefined : [{ RegionName: table.witnessRegion, WitnessStatus: 'ACTIVE' }],
    GlobalTableSettingsReplicationMode: table.settingsReplicationMode,
    MultiRegionConsistency: table.multiRegionConsistency,
    SSEDescription: describeEncryption(sse, phase),
    TableClassSummary: tableClass && {
      TableClass: tableClass.name,
      LastUpdateDateTime: tableClass.changedAtMs === undefined ? undefined : seconds(tableClass.changedAtMs),
    },
    DeletionProtectionEnabled: table.deletionProtection,
    DisassociationProtectionEnabled: table.replicas.length > 0 ? (table.disassociationProtection ?? true) : undefined,
    OnDemandThroughput: table.throughput.onDemand,
    // The answer to CreateTable has this member only if the request had it, and then as UPDATING.
    WarmThroughput:
      creating && !phase.warming
        ? undefined
        : { ...table.throughput.warm, Status: phase.warming ? 'UPDATING' : 'ACTIVE' },
  };
}

/**
 * The answer to DeleteTable. The service leaves out the members that describe the content of the table.
 */
export function describeDeleted(table: Table, nowMs: number) {
  const { TableName, ProvisionedThroughput, TableSizeBytes, ItemCount, TableArn, TableId, ...rest } = describeTable(
    table,
    nowMs,
    { table: 'DELETING' },
  );
  return {
    TableName,
    TableStatus: rest.TableStatus,
    ProvisionedThroughput,
    TableSizeBytes,
    ItemCount,
    TableArn,
    TableId,
    BillingModeSummary: rest.BillingModeSummary,
    LatestStreamLabel: rest.LatestStreamLabel,
    LatestStreamArn: rest.LatestStreamArn,
    SSEDescription: rest.SSEDescription,
    TableClassSummary: rest.TableClassSummary,
    DeletionProtectionEnabled: rest.DeletionProtectionEnabled,
  };
}

function describeLocalIndex(table: Table, index: SecondaryIndex) {
  return {
    IndexName: index.name,
    KeySchema: keySchemaElements(index.key),
    Projection: index.projection,
    IndexSizeBytes: 0,
    ItemCount: 0,
    IndexArn: indexArn(table, index.name),
  };
}

function describeGlobalIndex(table: Table, index: SecondaryIndex, nowMs: number, phase: Phase) {
  const { throughput, building } = index;
  const phased = indexStatus(index.name, phase);
  const isFilling = building === 'filling' && phased === 'ACTIVE';
  const status = phased === 'ACTIVE' && (isFilling || building === 'allocating') ? 'CREATING' : phased;
  return {
    ...describeLocalIndex(table, index),
    IndexStatus: status,
    Backfilling: isFilling || isBackfilling(status, phase),
    ProvisionedThroughput: throughput && describeThroughput(throughput, nowMs),
    OnDemandThroughput: throughput?.onDemand,
    WarmThroughput:
      throughput === undefined || phase.table === 'CREATING' ? undefined : { ...throughput.warm, Status: 'ACTIVE' },
  };
}

function describeVectorIndex(table: Table, index: VectorIndex, phase: Phase) {
  const status = indexStatus(index.IndexName, phase);
  return {
    ...index,
    IndexStatus: status,
    Backfilling: isBackfilling(status, phase),
    IndexSizeBytes: 0,
    ItemCount: 0,
    IndexArn: indexArn(table, index.IndexName),
  };
}

/** Whether an index is being added that not every write knows of yet. */
export function isAllocating({ indexes }: Pick<Table, 'indexes'>): boolean {
  return indexes.some(({ building }) => building === 'allocating');
}

function indexStatus(name: string, phase: Phase): Status {
  return phase.indexes?.get(name) ?? (phase.table === 'CREATING' ? 'CREATING' : 'ACTIVE');
}

/** Only an index that is being added to an existing table has this member; at first it is false. */
function isBackfilling(status: Status, phase: Phase): false | undefined {
  return status === 'CREATING' && phase.table !== 'CREATING' ? false : undefined;
}

function describeReplica(table: Table, replica: ReplicaSettings) {
  const { TableClassOverride, GlobalSecondaryIndexes, ...settings } = replica;
  return {
    ...settings,
    GlobalSecondaryIndexes,
    ReplicaStatus: 'ACTIVE',
    ReplicaArn: tableArn(replica.RegionName, table.name),
    ReplicaTableClassSummary: TableClassOverride && { TableClass: TableClassOverride },
    WarmThroughput: { ...table.throughput.warm, Status: 'ACTIVE' },
  };
}

function describeEncryption(sse: Table['sse'], phase: Phase) {
  if (sse === undefined) return phase.encryption ? { Status: 'UPDATING' } : undefined;
  return { Status: phase.encryption ? 'UPDATING' : 'ENABLED', SSEType: sse.type, KMSMasterKeyArn: sse.keyArn };
}

function describeThroughput(throughput: Throughput, nowMs: number) {
  const { increasedAtMs, decreasedAtMs } = throughput;
  return {
    LastIncreaseDateTime: increasedAtMs === undefined ? undefined : seconds(increasedAtMs),
    LastDecreaseDateTime: decreasedAtMs === undefined ? undefined : seconds(decreasedAtMs),
    NumberOfDecreasesToday: decreasesOn(nowMs, throughput),
    ReadCapacityUnits: throughput.readUnits,
    WriteCapacityUnits: throughput.writeUnits,
  };
}

export function keySchemaElements(key: IndexKeySchema): KeySchemaElement[] {
  const element =
    (KeyType: 'HASH' | 'RANGE') =>
    ({ name }: KeyAttribute): KeySchemaElement => ({ AttributeName: name, KeyType });
  return [...key.partition.map(element('HASH')), ...key.sort.map(element('RANGE'))];
}

function indexArn(table: Table, indexName: string): string {
  return `${table.arn}/index/${indexName}`;
}

function seconds(timeMs: number): number {
  return timeMs / 1000;
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
