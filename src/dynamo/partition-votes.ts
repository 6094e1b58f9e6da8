import { strict as assert } from 'node:assert';
import type { Store, StoreKey } from '../env/store.ts';
import { partitionOf, partitionPrefix } from './keyspace.ts';
import type { Member, PartitionConfig } from './messages.ts';
import { parseState, writeState } from './state-rows.ts';

/** A partition in which this node votes, in the epoch of the config. */
interface Vote {
  readonly config: PartitionConfig;
  /** No prepare, accept or read in this epoch any more: the next one is being prepared. */
  readonly isSealed: boolean;
}

const PREFIX = 'vote/';

/**
 * The partitions in which a node votes, durably in the `meta` store (REPLICATION section 1, `replica, per partition`). A
 * node without a vote in a partition, as after its disk was lost, takes no part in choosing its records.
 */
export class PartitionVotes {
  readonly #self: Member;
  readonly #store: Store;
  #votes = new Map<number, Vote>();

  constructor(self: Member, store: Store) {
    this.#self = self;
    this.#store = store;
    this.reload();
  }

  /**
   * Reads the votes again, as after writes were lost. Gives the store up if one is damaged: without its row, a node that voted
   * would begin its epoch again with less than it accepted.
   */
  reload(): void {
    this.#votes = new Map();
    // As many as a ring can have partitions.
    for (const { key, value } of this.#store.range('meta', PREFIX, `${PREFIX}\xff\xff`, 65_536)) {
      this.#votes.set(partitionOf(key.slice(PREFIX.length)), parseState<Vote>(this.#store, key, value));
    }
  }

  /** Whether it may promise and accept in this epoch. */
  has(partition: number, epoch: number): boolean {
    const vote = this.#votes.get(partition);
    return vote !== undefined && vote.config.epoch === epoch && !vote.isSealed;
  }

  configOf(partition: number): PartitionConfig | undefined {
    return this.#votes.get(partition)?.config;
  }

  isSealed(partition: number): boolean {
    return this.#votes.get(partition)?.isSealed === true;
  }

  /** Those in which it votes, sealed or not. */
  get partitions(): readonly number[] {
    return [...this.#votes.keys()];
  }

  isNamedIn({ members }: PartitionConfig): boolean {
    return members.some(({ node, diskId }) => node === this.#self.node && diskId === this.#self.diskId);
  }

  /** Begins an epoch that names this node. The caller flushes, and calls `open` once that is durable. */
  begin(config: PartitionConfig): void {
    assert(this.isNamedIn(config));
    this.#write({ config, isSealed: false });
    this.#votes.set(config.partition, { config, isSealed: true });
  }

  /** The epoch that was begun is durable: from now on it votes. */
  open(partition: number): void {
    this.#votes.set(partition, { config: this.#votes.get(partition)!.config, isSealed: false });
  }

  /** Refuses to take part in the present epoch any more. The caller flushes before it says so. */
  seal(partition: number): void {
    this.#write({ ...this.#votes.get(partition)!, isSealed: true });
  }

  leave(partition: number): void {
    this.#votes.delete(partition);
    this.#store.remove('meta', keyOf(partition));
  }

  #write(vote: Vote): void {
    const { partition } = vote.config;
    this.#votes.set(partition, vote);
    writeState(this.#store, keyOf(partition), vote);
  }
}

function keyOf(partition: number): StoreKey {
  return PREFIX + partitionPrefix(partition);
}
