import type { StoreKey } from '../env/store.ts';
import type { PartitionConfig } from './messages.ts';
import type { ItemRecord } from './record.ts';

/**
 * The events that the parts of one node announce. A part says what has happened to it and knows no listener;
 * `NodeReactions` says what follows. Each event is delivered synchronously, within the call that caused it.
 */
export interface NodeEvents {
  /** The replica has another committed record of the key than before, or none any more. */
  committedChanged(key: StoreKey): void;
  /**
   * The store gave up writes that it had already shown: whatever was derived from its contents must be derived again.
   */
  writesLost(): void;
  /** The Merkle trees met a row of the key that cannot be read. The replica may still have the record in its cache. */
  damagedRowMet(key: StoreKey): void;
  /** A record of the key cannot be read: this replica has no vote about the key until the newest record is restored. */
  keyDamaged(key: StoreKey): void;
  /** No other member has a record of a damaged key in the partition: it may be the key that has rotted. */
  nothingToRestore(partition: number): void;
  /** The lag gate lets go of a record that it has held back. */
  heldReleased(key: StoreKey, record: ItemRecord): void;
  /** Another node sent a decided config. It may be known already. */
  configReceived(config: PartitionConfig): void;
  /** This node is about to replace or erase its records of the partition, to begin a new epoch. */
  epochBeginning(partition: number): void;
  /** This node votes in the partition, in a new epoch. */
  epochBegun(partition: number): void;
  /** This node no longer votes in the partition; the records that it still has belong to others. */
  partitionLeft(partition: number): void;
}

/** For a part that stands alone. */
export const NO_EVENTS: NodeEvents = {
  committedChanged() {},
  writesLost() {},
  damagedRowMet() {},
  keyDamaged() {},
  nothingToRestore() {},
  heldReleased() {},
  configReceived() {},
  epochBeginning() {},
  epochBegun() {},
  partitionLeft() {},
};
