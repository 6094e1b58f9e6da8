import type { ByteString, KeyAttribute, KeySchema } from './primary-key.ts';
import type {
  AttributeDefinition,
  BillingMode,
  GlobalTableSettingsReplicationMode,
  MultiRegionConsistency,
  OnDemandThroughput,
  Projection,
  ReplicaSettings,
  StreamViewType,
  TableClass,
  Tag,
  VectorIndex,
  WarmThroughput,
} from './table-requests.ts';

/**
 * Everything that is kept of one table: plain JSON data, frozen by convention. A change makes a new `Table`.
 * Parts that are only stored and described keep the shape they have on the wire.
 */
export interface Table {
  /** Empty: the default one. Tables of two namespaces have nothing to do with each other, whatever their names. */
  readonly namespace: string;
  readonly name: string;
  /** The service's `TableId`, a UUID: a table that is deleted and created again has another one. */
  readonly id: string;
  /** What the storage nodes call this table (`ItemKey.table`): never used again after the table is deleted. */
  readonly storageId: ByteString;
  readonly arn: string;
  readonly createdAtMs: number;
  readonly key: KeySchema;
  /** Every attribute that is a key somewhere, sorted by name as the service describes them. */
  readonly attributeDefinitions: readonly AttributeDefinition[];
  readonly indexes: readonly SecondaryIndex[];
  readonly vectorIndexes: readonly VectorIndex[];
  readonly billing: Billing;
  readonly throughput: Throughput;
  readonly stream?: Stream;
  readonly sse?: Encryption;
  readonly tableClass?: { readonly name: TableClass; readonly changedAtMs?: number };
  readonly deletionProtection: boolean;
  readonly tags: readonly Tag[];
  /** Fixed when the table is made. Undefined, as in tables made before there was a choice: `strict`. */
  readonly consistency?: TableConsistency;
  /** The attribute that says when an item expires. Undefined: items do not expire. */
  readonly expiryAttribute?: string;
  /** JSON text, as it was handed in. */
  readonly resourcePolicy?: string;
  readonly replicas: readonly ReplicaSettings[];
  readonly multiRegionConsistency?: MultiRegionConsistency;
  readonly witnessRegion?: string;
  readonly settingsReplicationMode?: GlobalTableSettingsReplicationMode;
  /** Whether a global table refuses to be taken apart by `Disassociate`; it does if this is not said. */
  readonly disassociationProtection?: boolean;
  /** What is, or was, seen to be under way. */
  readonly transition?: Transition;
}

export type Status = 'CREATING' | 'UPDATING' | 'DELETING' | 'ACTIVE';

/** A change that is in force already, but seen to be under way; of `DELETING`, the table is deleted at the end. */
export interface Transition {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Of the table. `ACTIVE` if only its indexes or settings change. */
  readonly status: Status;
  /** By name. */
  readonly indexes: readonly (readonly [string, Status])[];
  readonly encryption: boolean;
  readonly warming: boolean;
  /** The table as it is described meanwhile. */
  readonly shown: Table;
}

/** What the table's requests may rely on: the service's guarantees, or the 2007 paper's (`dynamo/client.ts`). */
export type TableConsistency = 'strict' | 'dynamo';

export interface SecondaryIndex {
  readonly name: string;
  readonly kind: 'local' | 'global';
  readonly key: IndexKeySchema;
  readonly projection: Projection;
  /** Of a global index; a local one lives on its table's throughput. */
  readonly throughput?: Throughput;
}

/**
 * The key of an index. A local index has one attribute of each kind; a global one has one to four partition key
 * attributes and up to four sort key attributes (developer guide, "Multi-attribute keys pattern").
 */
export interface IndexKeySchema {
  readonly partition: readonly KeyAttribute[];
  readonly sort: readonly KeyAttribute[];
}

export interface Billing {
  readonly mode: BillingMode;
  /** When the table last became on-demand; stays when it is provisioned again. */
  readonly onDemandSinceMs?: number;
}

/** What a table or a global index may consume; always described, enforced only where `router/throughput.ts` runs. */
export interface Throughput {
  /** 0 on demand. */
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly increasedAtMs?: number;
  readonly decreasedAtMs?: number;
  /** Decreases on the UTC day of `decreasedAtMs`. */
  readonly decreases?: number;
  readonly onDemand?: OnDemandThroughput;
  /** What can be served at once. Never decreases, not even when the provisioned throughput does. */
  readonly warm: Required<WarmThroughput>;
}

/** The table's latest stream, labelled by its start; without `viewType` it was disabled and is only remembered. */
export interface Stream {
  readonly startedAtMs: number;
  readonly viewType?: StreamViewType;
}

/** Server-side encryption by a key of the account; a table without it is encrypted by a key the service owns. */
export interface Encryption {
  readonly type: 'KMS';
  readonly keyArn: string;
}

/**
 * The bytes that name a table in storage: the first eight of its UUID.
 *
 * Hazard: of these, 60 bits are random, so two tables of one cluster share a name with a probability of about n^2 / 2^61.
 */
export function storageIdOf(tableId: string): ByteString {
  return Buffer.from(tableId.replaceAll('-', '').slice(0, 16), 'hex').toString('latin1');
}
