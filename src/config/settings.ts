import type { Consistency } from '../dynamo/client.ts';
import type { LogFormat, LogLevel } from '../env/log.ts';
import type { Isolation } from '../router/namespace.ts';
import type { Limits } from './process-limits.ts';

/**
 * How durable a write is when it is answered. `memory`: lost with the process. `process`: survives a killed process.
 * `disk`: survives a power loss, at the price of a flush for each batch of writes.
 */
export type Durability = 'memory' | 'process' | 'disk';

/** Which home replicas an eventually consistent read asks. */
export type ReadFrom = 'first' | 'nearest' | 'random';

/** An access key of a client, and what belongs to it. */
export interface AccessKeyEntry {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials: requests have to bring it. */
  readonly sessionToken?: string | undefined;
  /** The only region that requests may be signed for. Default: any. */
  readonly region?: string | undefined;
}

/** Access keys: their secrets by id, or a list of them. */
export type AccessKeys = Readonly<Record<string, string>> | readonly AccessKeyEntry[];

/** The user's settings. */
export interface Settings {
  /** 0: any free port. */
  readonly port: number;
  /** An empty text stands for all addresses, including IPv6 if the machine has it. */
  readonly hosts: readonly string[];
  /** The server's certificate: a file of PEM, or PEM itself. Undefined: plain HTTP. */
  readonly httpsCert: string | Uint8Array | undefined;
  /** Its private key, likewise. */
  readonly httpsKey: string | Uint8Array | undefined;
  /** Whose signatures are accepted: a file of JSON, or what it would hold. Undefined: any are. */
  readonly auth: string | AccessKeys | undefined;
  readonly nodes: number;
  /** N: the number of replicas of each item. */
  readonly replication: number;
  /** W: the committed replicas required before a write is answered. */
  readonly writeQuorum: number;
  /** R: the replicas an eventually consistent read asks. */
  readonly readQuorum: number;
  /** Q: the number of equal partitions of the ring. Fixed for the life of a data directory. */
  readonly partitions: number;
  /** Undefined: a temporary directory that is removed at exit. */
  readonly dataDir: string | undefined;
  /** A file, or a folder of files, with tables to create at start-up if they do not exist. */
  readonly seedDir: string | undefined;
  readonly durability: Durability;
  readonly readFrom: ReadFrom;
  /** Whether a read sends the newest record to replicas that it finds stale (read repair). */
  readonly readRepair: boolean;
  /** For new tables whose tags do not say. */
  readonly consistency: Consistency;
  /**
   * How the tables of clients are isolated. Independent of it, an access key `dynaringns…` names a namespace of its
   * own.
   */
  readonly isolate: Isolation;
  /**
   * Interval of anti-entropy: within it each replica is compared with each other by Merkle trees. 0: only on demand.
   */
  readonly antiEntropyIntervalMs: number;
  /** Interval of scrubbing: the pause between two complete reads and checks of all stored data. 0: only on demand. */
  readonly scrubIntervalMs: number;
  /** Whether requests beyond the throughput of their table, index or partition key are throttled, as by the service. */
  readonly throttle: boolean;
  /** Interval in which items that have expired are deleted. 0: only on demand. */
  readonly ttlIntervalMs: number;
  /** Into how many shards a stream is cut that is enabled from now on: a divisor of `partitions`. */
  readonly streamShards: number;
  /** How far the API's clock is ahead of the computer's at the start. Negative: behind it. */
  readonly timeOffsetMs: number;
  /** A file of fault rules that are active from the start. */
  readonly faultsFile: string | undefined;
  /** Whether `/_dynaring/` is served for administrators. */
  readonly admin: boolean;
  /**
   * The port for `/_dynaring/` and `/metrics`, without operations. 0: any free port. Undefined: the port of the
   * operations.
   */
  readonly adminPort: number | undefined;
  /** Whether the last requests are traced. Costs about a tenth more CPU per write. */
  readonly trace: boolean;
  /**
   * Web pages that may use the server, by origin (`http://localhost:3000`), host or host and port; `*` stands for all.
   */
  readonly corsOrigins: readonly string[];
  /** Whether CREATING, UPDATING and DELETING are visible for `limits.transientStatusMs`, as with the service. */
  readonly delayTransientStatuses: boolean;
  readonly logLevel: LogLevel;
  /** Whether each request is logged at `info`. At `debug` it is anyway. */
  readonly logRequests: boolean;
  readonly logFormat: LogFormat;
}

export interface Config extends Settings {
  readonly limits: Limits;
}
