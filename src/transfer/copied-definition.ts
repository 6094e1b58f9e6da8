import type { AttributeMap } from '../api/attribute-value.ts';
import type { KeyAttribute, KeySchema } from '../api/primary-key.ts';
import type {
  AttributeDefinition,
  CreateTableRequest,
  KeySchemaElement,
  ProvisionedThroughput,
  Tag,
} from '../api/table-requests.ts';

/** The part of DescribeTable's answer that a copy needs. Other servers leave out more than the service does. */
export interface TableDescription extends Omit<CreateTableRequest, 'BillingMode' | 'SSESpecification' | 'TableClass'> {
  readonly TableStatus?: string;
  readonly TableArn?: string;
  readonly TableId?: string;
  readonly CreationDateTime?: number;
  readonly ItemCount?: number;
  readonly BillingModeSummary?: { readonly BillingMode?: CreateTableRequest['BillingMode'] };
  readonly SSEDescription?: { readonly Status?: string; readonly SSEType?: string; readonly KMSMasterKeyArn?: string };
  readonly TableClassSummary?: { readonly TableClass?: CreateTableRequest['TableClass'] };
}

export interface TimeToLive {
  readonly AttributeName: string;
  readonly Enabled: boolean;
}

/** A CreateTable request, and the settings that need a request of their own. */
export interface TableDefinition extends CreateTableRequest {
  TimeToLiveSpecification?: TimeToLive;
}

/**
 * The request that creates a table like the described one. It leaves out what CreateTable does not accept (replicas,
 * statuses, sizes), and warm throughput, which would be paid for again.
 */
export function definitionOf(table: TableDescription, tags: Tag[], timeToLive?: TimeToLive): TableDefinition {
  const onDemand = isOnDemand(table);
  const throughput = onDemand ? undefined : throughputOf(table.ProvisionedThroughput);
  return withoutUndefined<TableDefinition>({
    TableName: table.TableName,
    AttributeDefinitions: table.AttributeDefinitions,
    KeySchema: table.KeySchema,
    BillingMode: onDemand ? 'PAY_PER_REQUEST' : 'PROVISIONED',
    ProvisionedThroughput: throughput,
    OnDemandThroughput: onDemand ? table.OnDemandThroughput : undefined,
    LocalSecondaryIndexes: list(table.LocalSecondaryIndexes)?.map(({ IndexName, KeySchema, Projection }) => ({
      IndexName,
      KeySchema,
      Projection,
    })),
    GlobalSecondaryIndexes: list(table.GlobalSecondaryIndexes)?.map((index) =>
      withoutUndefined({
        IndexName: index.IndexName,
        KeySchema: index.KeySchema,
        Projection: index.Projection,
        ProvisionedThroughput: onDemand ? undefined : (throughputOf(index.ProvisionedThroughput) ?? throughput),
        OnDemandThroughput: onDemand ? index.OnDemandThroughput : undefined,
      }),
    ),
    VectorIndexes: list(table.VectorIndexes)?.map((index) =>
      withoutUndefined({
        IndexName: index.IndexName,
        VectorAttribute: index.VectorAttribute,
        SearchSchema: index.SearchSchema,
        Projection: index.Projection,
        Dimensions: index.Dimensions,
        DistanceFunction: index.DistanceFunction,
      }),
    ),
    StreamSpecification: table.StreamSpecification?.StreamEnabled ? table.StreamSpecification : undefined,
    SSESpecification: encryptionOf(table.SSEDescription),
    TableClass: table.TableClassSummary?.TableClass,
    DeletionProtectionEnabled: table.DeletionProtectionEnabled || undefined,
    Tags: list(tags),
    TimeToLiveSpecification: timeToLive,
  });
}

/** Names and types of a table's key attributes; undefined if the description is inconsistent. */
export function keySchemaOf({ KeySchema, AttributeDefinitions }: TableDescription): KeySchema | undefined {
  const attribute = (type: KeySchemaElement['KeyType']): KeyAttribute | undefined => {
    const name = KeySchema?.find(({ KeyType }) => KeyType === type)?.AttributeName;
    const definition = AttributeDefinitions?.find(({ AttributeName }) => AttributeName === name);
    return definition && { name: definition.AttributeName, type: definition.AttributeType };
  };
  const [partition, sort] = [attribute('HASH'), attribute('RANGE')];
  return partition && (sort === undefined ? { partition } : { partition, sort });
}

/** The types of all attributes that are keys of the table or of an index, by name. */
export function keyTypesOf({ AttributeDefinitions }: TableDescription): ReadonlyMap<string, 'S' | 'N' | 'B'> {
  return new Map(
    (AttributeDefinitions ?? []).map((each: AttributeDefinition) => [each.AttributeName, each.AttributeType]),
  );
}

/** The key that is in an item, or in a key. */
export function keyIn(schema: KeySchema, item: AttributeMap): AttributeMap {
  const names = [schema.partition.name, ...(schema.sort ? [schema.sort.name] : [])];
  return Object.fromEntries(names.map((name) => [name, item[name]!]));
}

export function describeKey({ partition, sort }: KeySchema): string {
  const part = ({ name, type }: KeyAttribute) => `${name} (${type})`;
  return sort === undefined ? part(partition) : `${part(partition)}, ${part(sort)}`;
}

/**
 * Older servers do not report the billing mode. A table on demand then has no capacity units, because none can be
 * provisioned.
 */
function isOnDemand({ BillingModeSummary, ProvisionedThroughput }: TableDescription): boolean {
  const mode = BillingModeSummary?.BillingMode;
  return mode === undefined ? !ProvisionedThroughput?.ReadCapacityUnits : mode === 'PAY_PER_REQUEST';
}

function throughputOf(throughput: ProvisionedThroughput | undefined): ProvisionedThroughput | undefined {
  if (!throughput?.ReadCapacityUnits) return undefined;
  return { ReadCapacityUnits: throughput.ReadCapacityUnits, WriteCapacityUnits: throughput.WriteCapacityUnits };
}

function encryptionOf(described: TableDescription['SSEDescription']): CreateTableRequest['SSESpecification'] {
  if (described?.Status !== 'ENABLED' || described.SSEType !== 'KMS') return undefined;
  const key = described.KMSMasterKeyArn;
  return { Enabled: true, SSEType: 'KMS', ...(key !== undefined && { KMSMasterKeyId: key }) };
}

function list<Member>(members: Member[] | undefined): Member[] | undefined {
  return members === undefined || members.length === 0 ? undefined : members;
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
