import type { PartitionConfig } from '../messages.ts';

/**
 * The one record that decides who votes on a partition (docs/protocol.md section 8.1). It is linearizable and outlives
 * every node. In one process it is a file of the data directory (docs/decisions/0007).
 *
 * Each call may take a round trip, and may fail. `done` is called once, perhaps within the call; never, if the register
 * or the node that asks is lost. No request asks the register, and no loop does: whoever moves partitions works with a
 * `RingView`, which may be stale, and reads the register once where a decision needs the truth.
 */
export interface ConfigRegister {
  /** Finds the newest config of a partition that was decided before the answer was given. */
  read(partition: number, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
  /**
   * Begins an attempt to change the epoch of a partition, and ends every earlier one: those can decide nothing any
   * more, so members may drop what they staged for them. `done` gets the attempt's number, which is above that of every
   * other, ever.
   */
  begin(partition: number, done: (attempt: number | undefined, error?: Error) => void): void;
  /**
   * Decides `next` if the decided epoch is the one before it and its attempt the last that was begun. `done` gets the
   * config that is decided then, `next` or another. An error means that the outcome is unknown, as when the disk
   * refuses it: `next` may be decided all the same.
   */
  decide(next: PartitionConfig, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
}
