import type { NodeLimits, NodeSettings } from '../dynamo/node-settings.ts';
import type { LmdbStoreOptions } from '../env/lmdb-store-options.ts';

/** What a ring of this process runs with; the server's `Config` has all of it. Times in milliseconds. */
export interface LocalRingSettings
  extends Pick<NodeSettings, 'writeQuorum' | 'readQuorum' | 'readFrom' | 'readRepair' | 'antiEntropyIntervalMs'> {
  /** How many nodes a new cluster begins with. */
  readonly nodes: number;
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
  readonly scrubIntervalMs: number;
  readonly durability: LmdbStoreOptions['durability'];
  /** Undefined: the data is gone when the ring is closed. */
  readonly dataDir: string | undefined;
  readonly limits: { readonly node: NodeLimits; readonly lazyFlushMs: number };
}
