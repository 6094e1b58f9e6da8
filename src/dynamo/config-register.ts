import type { PartitionConfig } from './messages.ts';

/**
 * The one record that decides who votes on a partition (REPLICATION section 8, step 4). It is linearizable, and outlives
 * every node: the cluster's own file in one process. Nothing on the path of a request asks it.
 */
export interface ConfigRegister {
  /** The decided config of a partition. */
  read(partition: number): PartitionConfig;
  /**
   * Decides `next` if the decided epoch is the one before it. `done` gets what is decided then, `next` or another; or an
   * error if that is unknown, as when the disk refuses it: it may yet have been decided.
   */
  decide(next: PartitionConfig, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
}
