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
 * The definition of one table: plain JSON data, frozen by convention. A change makes a new `Table`. Parts that are only
 * stored and described keep their shape on the wire.
 */
export interface Table {
  /** Empty: the default namespace. Tables of two namespaces are independent, even with the same name. */
  readonly namespace: string;
  readonly name: string;
  /** The service's `TableId`, a UUID: a table that is deleted and created again has a new one. */
  readonly id: string;
  /** The id of the table at the storage nodes (`ItemKey.table`). It is never used again after the table is deleted. */
  readonly storageId: ByteString;
  readonly arn: string;
  readonly createdAtMs: number;
  readonly key: KeySchema;
  /**
   * Every attribute that is in the key of the table or of an index, sorted by name as in the service's descriptions.
   */
  readonly attributeDefinitions: readonly AttributeDefinition[];
  readonly indexes: readonly SecondaryIndex[];
  /**
   * The version of what is derived from the items: higher after each change of the indexes or the stream. Undefined: nothing
   * was ever derived, as in tables without either.
   */
  readonly derivation?: number;
  readonly vectorIndexes: readonly VectorIndex[];
  readonly billing: Billing;
  readonly throughput: Throughput;
  readonly stream?: Stream;
  readonly sse?: Encryption;
  readonly tableClass?: { readonly name: TableClass; readonly changedAtMs?: number };
  readonly deletionProtection: boolean;
  readonly tags: readonly Tag[];
  /** Fixed when the table is created. Undefined, as in tables older than this choice: `strict`. */
  readonly consistency?: TableConsistency;
  /** The attribute with the time at which an item expires. Undefined: items do not expire. */
  readonly expiryAttribute?: string;
  /** The change of that attribute that is, or was, seen to be under way. */
  readonly expiryChange?: ExpiryChange;
  /** JSON text, as the client gave it. */
  readonly resourcePolicy?: string;
  readonly replicas: readonly ReplicaSettings[];
  readonly multiRegionConsistency?: MultiRegionConsistency;
  readonly witnessRegion?: string;
  readonly settingsReplicationMode?: GlobalTableSettingsReplicationMode;
  /** Whether a global table refuses `Disassociate`. Default: it does. */
  readonly disassociationProtection?: boolean;
  /** The change that is, or was, seen to be under way. */
  readonly transition?: Transition;
}

/** ENABLING if the table has an attribute of expiry now, DISABLING if it has none. */
export interface ExpiryChange {
  readonly attribute: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export type Status = 'CREATING' | 'UPDATING' | 'DELETING' | 'ACTIVE';

/** A change that has taken effect, but is seen to be under way. A table with `DELETING` is deleted at the end of it. */
export interface Transition {
  readonly fromMs: number;
  readonly untilMs: number;
  /** The status of the table: `ACTIVE` if only its indexes or settings change. */
  readonly status: Status;
  /** The status of each index, by its name. */
  readonly indexes: readonly (readonly [string, Status])[];
  readonly encryption: boolean;
  readonly warming: boolean;
  /** The table that is described meanwhile. */
  readonly shown: Table;
}

/** The guarantees for requests: those of the service, or those of the 2007 paper (`dynamo/client.ts`). */
export type TableConsistency = 'strict' | 'dynamo';

export interface SecondaryIndex {
  readonly name: string;
  readonly kind: 'local' | 'global';
  /** The id of the entries of a global index at the storage nodes, which know it as a table. Never used again. */
  readonly storageId?: ByteString;
  /** Only while entries of older items are missing in it. Undefined: it has all of them, and is read. */
  readonly building?: IndexBuild;
  readonly key: IndexKeySchema;
  readonly projection: Projection;
  /** Only for a global index: a local one uses the throughput of its table. */
  readonly throughput?: Throughput;
}

/**
 * Why an index has not all its entries. `allocating`: it was added to the table, and some write may not know of it yet.
 * `filling`: every write does, and entries are made of the items that are older than the index. `renewing`: the index is as
 * old as the table, but its items were written by a version of Dynaring that kept no entries.
 */
export type IndexBuild = 'allocating' | 'filling' | 'renewing';

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
  /** When the table last became on-demand. It stays when the table is provisioned again. */
  readonly onDemandSinceMs?: number;
}

/**
 * The throughput of a table or a global index. It is always described, and enforced only with `router/throughput.ts`.
 */
export interface Throughput {
  /** 0 in on-demand mode. */
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly increasedAtMs?: number;
  readonly decreasedAtMs?: number;
  /** How often it was decreased on the UTC day of `decreasedAtMs`. */
  readonly decreases?: number;
  readonly onDemand?: OnDemandThroughput;
  /** The load that can be served at once. It never decreases, not even with the provisioned throughput. */
  readonly warm: Required<WarmThroughput>;
}

/**
 * The latest stream of a table, labelled by its start. Without `viewType` it is disabled, and only its label is kept: what can
 * still be read of it is a row of its own (`router/stream-rows.ts`).
 */
export interface Stream {
  readonly startedAtMs: number;
  readonly viewType?: StreamViewType;
  /**
   * The id of its log at the storage nodes, never used again. Undefined while it is enabled: it is only described. So are
   * streams of tables in `dynamo` mode, and of versions of Dynaring that kept no changes until they are renewed.
   */
  readonly storageId?: ByteString;
  /** Into how many shards it is cut, for its whole life. */
  readonly shards?: number;
  /** Only while a write of another process may not know of it yet. */
  readonly isEnabling?: true;
}

/** Server-side encryption by a key of the account. A table without it is encrypted by a key of the service. */
export interface Encryption {
  readonly type: 'KMS';
  readonly keyArn: string;
}

/**
 * The id of a table in storage: the first eight bytes of its UUID.
 *
 * Hazard: 60 of these bits are random, so among n tables two share an id with a probability of about n^2 / 2^61.
 */
export function storageIdOf(tableId: string): ByteString {
  return Buffer.from(tableId.replaceAll('-', '').slice(0, 16), 'hex').toString('latin1');
}
