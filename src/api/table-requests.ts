/**
 * Requests of the table operations, as on the wire (API reference, 2012-08-10). Members that depend on each other by
 * the service's documentation are all optional here: `create-table.ts` and `update-table.ts` have these rules.
 */
export interface CreateTableRequest {
  TableName: string;
  AttributeDefinitions?: AttributeDefinition[];
  KeySchema?: KeySchemaElement[];
  LocalSecondaryIndexes?: LocalSecondaryIndex[];
  GlobalSecondaryIndexes?: GlobalSecondaryIndex[];
  VectorIndexes?: VectorIndex[];
  BillingMode?: BillingMode;
  ProvisionedThroughput?: ProvisionedThroughput;
  OnDemandThroughput?: OnDemandThroughput;
  WarmThroughput?: WarmThroughput;
  StreamSpecification?: StreamSpecification;
  SSESpecification?: SSESpecification;
  Tags?: Tag[];
  TableClass?: TableClass;
  DeletionProtectionEnabled?: boolean;
  ResourcePolicy?: string;
  GlobalTableSourceArn?: string;
  GlobalTableSettingsReplicationMode?: GlobalTableSettingsReplicationMode;
}

export interface UpdateTableRequest {
  TableName: string;
  AttributeDefinitions?: AttributeDefinition[];
  BillingMode?: BillingMode;
  ProvisionedThroughput?: ProvisionedThroughput;
  OnDemandThroughput?: OnDemandThroughput;
  WarmThroughput?: WarmThroughput;
  GlobalSecondaryIndexUpdates?: GlobalSecondaryIndexUpdate[];
  VectorIndexUpdates?: VectorIndexUpdate[];
  StreamSpecification?: StreamSpecification;
  SSESpecification?: SSESpecification;
  TableClass?: TableClass;
  DeletionProtectionEnabled?: boolean;
  ReplicaUpdates?: ReplicaUpdate[];
  MultiRegionConsistency?: MultiRegionConsistency;
  GlobalTableWitnessUpdates?: GlobalTableWitnessUpdate[];
  GlobalTableSettingsReplicationMode?: GlobalTableSettingsReplicationMode;
  DisassociationProtectionEnabled?: boolean;
}

export interface DescribeTableRequest {
  TableName: string;
}

export interface DescribeTimeToLiveRequest {
  TableName: string;
}

export interface UpdateTimeToLiveRequest {
  TableName: string;
  TimeToLiveSpecification: TimeToLiveSpecification;
}

export interface TimeToLiveSpecification {
  Enabled: boolean;
  AttributeName: string;
}

export interface DeleteTableRequest {
  TableName: string;
}

export interface ListTablesRequest {
  ExclusiveStartTableName?: string;
  Limit?: number;
}

export interface AttributeDefinition {
  AttributeName: string;
  AttributeType: 'S' | 'N' | 'B';
}

export interface KeySchemaElement {
  AttributeName: string;
  KeyType: 'HASH' | 'RANGE';
}

export interface Projection {
  ProjectionType?: 'ALL' | 'KEYS_ONLY' | 'INCLUDE';
  NonKeyAttributes?: string[];
}

export interface LocalSecondaryIndex {
  IndexName: string;
  KeySchema: KeySchemaElement[];
  Projection: Projection;
}

export interface IndexThroughput {
  ProvisionedThroughput?: ProvisionedThroughput;
  OnDemandThroughput?: OnDemandThroughput;
  WarmThroughput?: WarmThroughput;
}

export interface GlobalSecondaryIndex extends LocalSecondaryIndex, IndexThroughput {}

export interface GlobalSecondaryIndexUpdate {
  Create?: GlobalSecondaryIndex;
  Update?: { IndexName: string } & IndexThroughput;
  Delete?: { IndexName: string };
}

export interface VectorIndex {
  IndexName: string;
  VectorAttribute: { AttributeName: string };
  SearchSchema?: { AttributeName: string; SearchSchemaElementType: 'HASH' | 'INLINE_FILTER' }[];
  Projection: Projection;
  Dimensions: number;
  DistanceFunction: 'COSINE' | 'DOT_PRODUCT' | 'EUCLIDEAN';
}

export interface VectorIndexUpdate {
  Create?: VectorIndex;
  Delete?: { IndexName: string };
}

export type BillingMode = 'PROVISIONED' | 'PAY_PER_REQUEST';

export interface ProvisionedThroughput {
  ReadCapacityUnits: number;
  WriteCapacityUnits: number;
}

export interface OnDemandThroughput {
  MaxReadRequestUnits?: number;
  MaxWriteRequestUnits?: number;
}

export interface WarmThroughput {
  ReadUnitsPerSecond?: number;
  WriteUnitsPerSecond?: number;
}

export type StreamViewType = 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES' | 'KEYS_ONLY';

export interface StreamSpecification {
  StreamEnabled: boolean;
  StreamViewType?: StreamViewType;
}

export interface SSESpecification {
  Enabled?: boolean;
  SSEType?: 'AES256' | 'KMS';
  KMSMasterKeyId?: string;
}

export interface Tag {
  Key: string;
  Value: string;
}

export type TableClass = 'STANDARD' | 'STANDARD_INFREQUENT_ACCESS';

export type MultiRegionConsistency = 'EVENTUAL' | 'STRONG';

export type GlobalTableSettingsReplicationMode = 'ENABLED' | 'DISABLED' | 'ENABLED_WITH_OVERRIDES';

/** The settings of a replica of a global table that `ReplicaUpdates` can change. */
export interface ReplicaSettings {
  RegionName: string;
  KMSMasterKeyId?: string;
  ProvisionedThroughputOverride?: { ReadCapacityUnits?: number };
  OnDemandThroughputOverride?: { MaxReadRequestUnits?: number };
  GlobalSecondaryIndexes?: ReplicaIndexSettings[];
  TableClassOverride?: TableClass;
}

export interface ReplicaIndexSettings {
  IndexName: string;
  ProvisionedThroughputOverride?: { ReadCapacityUnits?: number };
  OnDemandThroughputOverride?: { MaxReadRequestUnits?: number };
}

export interface ReplicaUpdate {
  Create?: ReplicaSettings;
  Update?: ReplicaSettings;
  Delete?: { RegionName: string };
  Disassociate?: { RegionName: string; DisassociationMode: 'WAIT_FOR_REPLICATION' };
}

export interface GlobalTableWitnessUpdate {
  Create?: { RegionName: string };
  Delete?: { RegionName: string };
}

export interface TagResourceRequest {
  ResourceArn: string;
  Tags: Tag[];
}

export interface UntagResourceRequest {
  ResourceArn: string;
  TagKeys: string[];
}

export interface ListTagsOfResourceRequest {
  ResourceArn: string;
}
