import type { Store, StoreKey } from '../../env/store.ts';
import { assertInvariant } from '../invariants.ts';
import { partitionOf, partitionPrefix } from '../keyspace.ts';
import type { Member, PartitionConfig, VoteState } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import { parseState, writeState } from '../state-rows.ts';

/** The vote of this node in a partition, in the epoch of the config. */
interface Vote {
  readonly config: PartitionConfig;
  /** Whether it refuses prepare, accept and read in this epoch, because the next one is being prepared. */
  readonly isSealed: boolean;
}

const PREFIX = 'vote/';
const LEFT = 'left/';

/**
 * The partitions in which a node votes, durably in the `meta` store (docs/protocol.md section 1.3). A
 * node without a vote in a partition, as after its disk was lost, takes no part in choosing its records.
 *
 * When it leaves a partition, or begins one with nothing, it keeps the config that made it do so: it was sealed in an
 * earlier one, and must not vote in that again (docs/protocol.md I12).
 */
export class PartitionVotes {
  readonly #self: Member;
  readonly #store: Store;
  /** Only in a simulation that shows what comes of it. */
  readonly #mayGoBack: boolean;
  #votes = new Map<number, Vote>();
  readonly #states = new Map<number, VoteState>();
  /** By partition, the newest config that this node has acted on without a vote. */
  #left = new Map<number, PartitionConfig>();

  /** @param settings by default the rules hold, and are asserted */
  constructor(self: Member, store: Store, settings?: Pick<NodeSettings, 'rules' | 'checks'>) {
    this.#self = self;
    this.#store = store;
    this.#mayGoBack = settings?.rules.rowsNeverGoBack === false && settings.checks !== 'all';
    this.reload();
  }

  /**
   * Reads the votes again, as after writes were lost. Gives the store up if a row is damaged: a voter without its row
   * would begin its epoch again with less than it has accepted.
   */
  reload(): void {
    this.#votes = new Map();
    this.#states.clear();
    for (const [partition, vote] of this.#read<Vote>(PREFIX)) this.#set(partition, vote);
    this.#left = this.#read<PartitionConfig>(LEFT);
  }

  /** Whether it may promise and accept in this epoch. */
  has(partition: number, epoch: number): boolean {
    const vote = this.#votes.get(partition);
    return vote !== undefined && vote.config.epoch === epoch && !vote.isSealed;
  }

  votingConfig(partition: number): PartitionConfig | undefined {
    return this.#votes.get(partition)?.config;
  }

  /** The newest config of the partition that this disk has acted on, by voting or by giving up its vote. */
  knownConfig(partition: number): PartitionConfig | undefined {
    return this.votingConfig(partition) ?? this.#left.get(partition);
  }

  isSealed(partition: number): boolean {
    return this.#votes.get(partition)?.isSealed === true;
  }

  /**
   * The state of its vote in a partition, if it has one. The same object until that changes, since each learn asks for
   * it.
   */
  stateOf(partition: number): VoteState | undefined {
    return this.#states.get(partition);
  }

  /** The partitions in which it votes, sealed or not. */
  get partitions(): readonly number[] {
    return [...this.#votes.keys()];
  }

  /** The newest config of each partition that this disk has acted on, by voting or by giving up its vote. */
  get known(): readonly PartitionConfig[] {
    return [...[...this.#votes.values()].map(({ config }) => config), ...this.#left.values()];
  }

  isNamedIn({ members }: PartitionConfig): boolean {
    return members.some(({ node, diskId }) => node === this.#self.node && diskId === this.#self.diskId);
  }

  /** Begins an epoch that names this node. The caller flushes, and calls `open` once that is durable. */
  begin(config: PartitionConfig): void {
    const { partition, epoch } = config;
    const [present, left] = [this.#votes.get(partition)?.config.epoch ?? -1, this.#left.get(partition)?.epoch ?? -1];
    const isForward = (present < epoch && left <= epoch) || this.#mayGoBack;
    assertInvariant(isForward, 'docs/protocol.md I12', 'a row goes back to an earlier epoch');
    this.#begin(config);
  }

  /**
   * Takes the vote that the first start of a cluster gives this disk, perhaps again, if a crash interrupted that start.
   */
  bootstrap(config: PartitionConfig): void {
    const present = this.#votes.get(config.partition)?.config.epoch ?? config.epoch;
    assertInvariant(present === config.epoch, 'docs/protocol.md I12', 'a cluster is founded that has begun an epoch');
    this.#begin(config);
  }

  #begin(config: PartitionConfig): void {
    const { partition } = config;
    assertInvariant(this.isNamedIn(config), 'docs/protocol.md I9', 'a disk begins an epoch that does not name it');
    this.#write({ config, isSealed: false });
    this.#set(partition, { config, isSealed: true });
    // Removed last: a crash keeps a prefix of the writes.
    if (this.#left.delete(partition)) this.#store.remove('meta', keyOf(LEFT, partition));
  }

  /** The epoch that was begun is durable: the node votes from now on. */
  open(partition: number): void {
    const vote = this.#votes.get(partition);
    assertInvariant(vote?.isSealed === true, 'docs/protocol.md I8', 'an epoch is opened that was not begun');
    this.#set(partition, { config: vote.config, isSealed: false });
  }

  /** Ends its part in the present epoch. The caller flushes before it answers. */
  seal(partition: number): void {
    this.#write({ ...this.#votes.get(partition)!, isSealed: true });
  }

  /** Gives up the vote in a partition, if it has one, because this config was decided. The caller flushes. */
  leave(config: PartitionConfig): void {
    const { partition, epoch } = config;
    const present = this.#votes.get(partition)?.config.epoch ?? -1;
    const isForward = present < epoch || this.#mayGoBack;
    assertInvariant(isForward, 'docs/protocol.md I12', 'a vote is given up for an epoch that is not newer');
    if ((this.#left.get(partition)?.epoch ?? -1) < epoch) {
      this.#left.set(partition, config);
      writeState(this.#store, keyOf(LEFT, partition), config);
    }
    this.#states.delete(partition);
    if (this.#votes.delete(partition)) this.#store.remove('meta', keyOf(PREFIX, partition));
  }

  #write(vote: Vote): void {
    const { partition } = vote.config;
    this.#set(partition, vote);
    writeState(this.#store, keyOf(PREFIX, partition), vote);
  }

  #set(partition: number, vote: Vote): void {
    this.#votes.set(partition, vote);
    this.#states.set(partition, { epoch: vote.config.epoch, isSealed: vote.isSealed });
  }

  #read<Row>(prefix: string): Map<number, Row> {
    const store = this.#store;
    // The limit is the largest number of partitions that a ring can have.
    const rows = store.range('meta', { from: prefix, to: `${prefix}\xff\xff`, limit: 65_536 });
    return new Map(
      rows.map(({ key, value }) => [partitionOf(key.slice(prefix.length)), parseState<Row>(store, key, value)]),
    );
  }
}

function keyOf(prefix: string, partition: number): StoreKey {
  return prefix + partitionPrefix(partition);
}
