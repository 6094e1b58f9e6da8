import type { Mutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { StoreKey } from '../env/store.ts';
import type { Consistency, RangeOutcome, ReadOutcome, WriteOptions } from './client.ts';
import type { Carried, WriteAnswer } from './registers/handed-back.ts';

/** What a node does for a client of the ring: it coordinates requests, best on keys that are at home on it. */
export interface CoordinatingNode {
  /**
   * @param partitionKey in full, since the store key holds a hash of it
   * @param carried what another coordinator has handed back of the same write
   */
  write(
    key: StoreKey,
    partitionKey: ByteString,
    mutation: Mutation,
    options: WriteOptions,
    done: (outcome: WriteAnswer) => void,
    carried?: Carried,
  ): void;
  /** @param isLagging of what this node has committed, however old, if it is a home replica; not for consistent reads */
  read(
    key: StoreKey,
    isConsistent: boolean,
    consistency: Consistency,
    done: (outcome: ReadOutcome) => void,
    isLagging?: boolean,
  ): void;
  /** At most `limit` items with `from <= key < to`, a range within one partition. */
  range(
    from: StoreKey,
    to: StoreKey,
    limit: number,
    isConsistent: boolean,
    consistency: Consistency,
    done: (outcome: RangeOutcome) => void,
    isLagging?: boolean,
  ): void;
  /** The tables of which this node holds records in a partition. */
  tablesIn(partition: number): readonly ByteString[];
  /** Erases this node's records of a table that no request can reach any more, in the background. */
  forgetTable(table: ByteString): void;
}
