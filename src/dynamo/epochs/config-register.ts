import type { PartitionConfig } from '../messages.ts';

/** What became of an attempt to change the epoch of a partition that was to begin. */
export type Begun =
  /** Its number is above that of every other attempt of the partition, ever. */
  | { readonly kind: 'attempt'; readonly attempt: number }
  /** Nothing was begun: the epoch is over, and this config came after it. */
  | { readonly kind: 'decided'; readonly config: PartitionConfig };

/**
 * The record that decides who votes on a partition (docs/protocol.md section 8.1). It is linearizable and outlives every
 * node. In one process it is a file of the data directory (docs/decisions/0007); in several, each epoch's members keep
 * it for their partition (docs/protocol.md section 8.6).
 *
 * Each call may take a round trip, and may fail. `done` is called once, perhaps within the call; never, if the register
 * or the node that asks is lost. No request asks the register, and no loop does: whoever moves partitions works with a
 * `RingView`, which may be stale, and reads the register once where a decision needs the truth.
 */
export interface ConfigRegister {
  /**
   * Finds a config of a partition that was decided. Where members keep the register it is the newest that this node
   * knows: `begin` finds out whether there is a newer one.
   */
  read(partition: number, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
  /**
   * Begins an attempt to change the epoch of `base`, and ends every earlier one: those can decide nothing any more, so
   * members may drop what they staged for them. If the epoch is over, nothing is begun: an attempt that belongs to a
   * later epoch must not replace what was staged for this one.
   */
  begin(base: PartitionConfig, done: (begun: Begun | undefined, error?: Error) => void): void;
  /**
   * Decides `next` if the decided epoch is the one before it and its attempt the last that was begun. `done` gets the
   * config that is decided then, `next` or another. An error means that the outcome is unknown, as when the disk
   * refuses it: `next` may be decided all the same.
   */
  decide(next: PartitionConfig, done: (decided: PartitionConfig | undefined, error?: Error) => void): void;
}
