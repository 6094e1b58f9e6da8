import type { PartitionConfig } from '../messages.ts';

/**
 * The one record that decides who votes on a partition (docs/protocol.md section 8.1). It is linearizable, and outlives
 * every node: the cluster's own file in one process. Nothing on the path of a request asks it.
 */
export interface ConfigRegister {
  /** The decided config of a partition. */
  read(partition: number): PartitionConfig;
  /**
   * Begins an attempt to change the epoch of a partition, and ends every earlier one: those can decide nothing any more, so
   * members may forget what they staged for them. `done` gets the attempt's number, above that of every other, ever; or
   * an error.
   */
  begin(partition: number, done: (attempt: number | undefined, error?: Error) => void): void;
  /**
   * Decides `next` if the decided epoch is the one before it and its attempt the last that was begun. `done` gets what is decided then, `next` or another; or an
   * error if that is unknown, as when the disk refuses it: it may yet have been decided.
   */
  decide(next: PartitionConfig, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
}
