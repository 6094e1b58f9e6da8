import type { Consistency } from '../dynamo/client.ts';
import type { LogFormat, LogLevel } from '../env/log.ts';
import type { Isolation } from '../router/namespace.ts';
import type { Limits } from './process-limits.ts';

/**
 * How safe a write is when it is answered. `memory`: gone with the process. `process`: survives a killed process.
 * `disk`: survives a power loss, at the price of a flush per batch of writes.
 */
export type Durability = 'memory' | 'process' | 'disk';

/** Which home replicas an eventually consistent read asks. */
export type ReadFrom = 'first' | 'random';

/** What a user decides. */
export interface Settings {
  /** 0: any free port. */
  readonly port: number;
  /** Empty text: all addresses, of IPv6 too where the machine has it. */
  readonly hosts: readonly string[];
  readonly nodes: number;
  /** N: the copies kept of each item. */
  readonly replication: number;
  /** W: the committed copies before a write is answered. */
  readonly writeQuorum: number;
  /** R: the replicas an eventually consistent read asks. */
  readonly readQuorum: number;
  /** Q: the equal partitions the ring is cut into. Fixed for the life of a data directory. */
  readonly partitions: number;
  /** Undefined: a temporary directory that is removed at exit. */
  readonly dataDir: string | undefined;
  /** A file, or a folder of files, with tables that are made at the start unless they are there. */
  readonly seedDir: string | undefined;
  readonly durability: Durability;
  readonly readFrom: ReadFrom;
  /** Whether replicas that a read finds to be behind are told. */
  readonly readRepair: boolean;
  /** Of new tables whose tags do not say. */
  readonly consistency: Consistency;
  /** What keeps the tables of clients apart. Whatever it is, an access key `dynaringns…` names a namespace of its own. */
  readonly isolate: Isolation;
  /** In this time each replica is compared with each other by Merkle trees. 0: only on demand. */
  readonly antiEntropyIntervalMs: number;
  /** So long after all that is stored was read and checked it is so again. 0: only on demand. */
  readonly scrubIntervalMs: number;
  /** Whether requests beyond the throughput of their table, index or partition key are refused, as the service does. */
  readonly throttle: boolean;
  /** A file of fault rules that are in force from the start. */
  readonly faultsFile: string | undefined;
  /** Whether there is a `/_dynaring/` for administrators. */
  readonly admin: boolean;
  /** Where `/_dynaring/` and `/metrics` are, and no operations. 0: any free port. Undefined: beside the operations. */
  readonly adminPort: number | undefined;
  /** Whether the way of each of the last requests is kept. Costs a write about a tenth, in CPU. */
  readonly trace: boolean;
  /** Web pages that may use it, by origin (`http://localhost:3000`), host or host and port; `*` stands for all. */
  readonly corsOrigins: readonly string[];
  /** Whether CREATING, UPDATING and DELETING are seen for `limits.transientStatusMs`, as of the service. */
  readonly delayTransientStatuses: boolean;
  readonly logLevel: LogLevel;
  /** Whether the log has a line at `info` for each request. At `debug` it has one anyway. */
  readonly logRequests: boolean;
  readonly logFormat: LogFormat;
}

export interface Config extends Settings {
  readonly limits: Limits;
}
