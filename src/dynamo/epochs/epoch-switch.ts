import type { Log } from '../../env/log.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import { compareBallots } from '../ballot.ts';
import { partitionRange } from '../keyspace.ts';
import type { EpochRequest, PartitionConfig, Reply } from '../messages.ts';
import type { NodeEvents } from '../node-events.ts';
import { decodeRecord } from '../record.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { NodeId } from '../ring.ts';
import type { PartitionVotes } from './partition-votes.ts';
import { dropStaged, readStaged, stagedEpoch } from './staged-rows.ts';

type Handled = Extract<EpochRequest, { kind: 'seal' | 'sealed-records' | 'activate' }>;
type Of<Kind extends Handled['kind']> = Extract<Handled, { kind: Kind }>;
type Answer = (reply: Reply) => void;

export interface EpochSwitchParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly log: Log;
  readonly votes: PartitionVotes;
  readonly acceptor: Acceptor;
  /** The newest config that this node knows of the partition of `told`. */
  readonly newest: (told: PartitionConfig) => PartitionConfig;
  /** Hands young records of a partition to its other members; calls `done` however that ended. */
  readonly handOff: (partition: number, done: () => void) => void;
  readonly events: NodeEvents;
}

/**
 * How a replica passes from one epoch of a partition to the next (docs/protocol.md section 8.3): it is sealed, tells
 * what it had accepted, and begins to vote again with the records that were staged for the decided attempt.
 */
export class EpochSwitch {
  readonly #parts: EpochSwitchParts;
  /** Partitions whose new epoch is on its way to the disk, with the answers that wait for it. */
  readonly #beginning = new Map<number, { readonly epoch: number; readonly answers: Answer[] }>();

  #begun = 0;

  constructor(parts: EpochSwitchParts) {
    this.#parts = parts;
  }

  /** Epochs of partitions in which this node has begun to vote since its start. */
  get begun(): number {
    return this.#begun;
  }

  /** Whether this node is passing to another epoch of the partition. */
  isBeginning(partition: number): boolean {
    return this.#beginning.has(partition);
  }

  receive(request: Handled, answer: Answer): void {
    switch (request.kind) {
      case 'seal':
        return this.#seal(request, answer);
      case 'sealed-records':
        return this.#tellSealed(request, answer);
      case 'activate':
        return this.activate(request.config, answer);
    }
  }

  /**
   * A new epoch was decided. `answer` is called once this node acts by it or by a later one, durably; not at all if
   * that fails.
   *
   * Hazard: a config may arrive long after it was decided. A member that was sealed in it and has left since would vote
   * in it again, and could form a majority with a member that knows nothing newer. So the newest config known always
   * counts.
   */
  activate(told: PartitionConfig, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const config = this.#parts.newest(told);
    const { partition, epoch } = config;
    const present = votes.votingConfig(partition);
    const isNamed = votes.isNamedIn(config);
    const beginning = this.#beginning.get(partition);
    if (beginning !== undefined) {
      // A still newer config will be sent again.
      if (beginning.epoch >= epoch) beginning.answers.push(answer);
      return;
    }
    if (present !== undefined && present.epoch >= epoch) return answer({ kind: 'activated', from: self });
    if (isNamed) return this.#begin(config, present, answer);
    // Noted even if this node never had a vote here: a config that arrives late must not give it one.
    votes.leave(config);
    if (present !== undefined) acceptor.rows.replaceAccepted(partition, []);
    dropStaged(store, partition, epoch);
    store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      if (present !== undefined || acceptor.rows.holdsAnyOf(partition)) this.#parts.events.partitionLeft(partition);
      answer({ kind: 'activated', from: self });
    });
  }

  #begin(config: PartitionConfig, present: PartitionConfig | undefined, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const { partition, epoch, attempt } = config;
    const staged = readStaged(store, partition, attempt);
    const answers = [answer];
    this.#beginning.set(partition, { epoch, answers });
    this.#parts.events.epochBeginning(partition);
    const finish = (failure: Error | undefined) => {
      this.#beginning.delete(partition);
      if (failure === undefined) votes.open(partition);
      for (const each of answers) {
        if (failure !== undefined) this.#answerStorageFailed(failure, each);
        else each({ kind: 'activated', from: self });
      }
      if (failure !== undefined) return;
      this.#begun++;
      this.#parts.events.epochBegun(partition);
    };
    const begin = (failure?: Error) => {
      if (failure !== undefined) return finish(failure);
      acceptor.rows.replaceAccepted(partition, staged ?? []);
      votes.begin(config);
      // After the vote: a crash keeps a beginning of this, and without its vote the node has to do it again.
      dropStaged(store, partition, epoch);
      store.flush(finish);
    };
    // A newcomer that did not stage this attempt, or a member that missed an epoch, may have records that were purged
    // meanwhile. It can begin with nothing: a majority has staged, and every quorum meets that majority. Records staged
    // for a still later epoch were compared with members of this epoch or a later one.
    const isCurrent = staged !== undefined || present?.epoch === epoch - 1 || stagedEpoch(store, partition) > epoch;
    if (!isCurrent && acceptor.rows.holdsAnyOf(partition)) {
      // Without a vote, what this node learns before the erasure does not count towards W.
      votes.leave(config);
      // In `dynamo` mode it may have the only copy of a record.
      this.#parts.handOff(partition, () => acceptor.erasePartition(partition, () => true, begin));
    } else begin();
  }

  #seal({ partition, epoch }: Of<'seal'>, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const config = votes.votingConfig(partition);
    if (config?.epoch !== epoch || this.#beginning.has(partition)) {
      return answer({ kind: 'wrong-epoch', from: self, config });
    }
    // The next epoch begins with the records of its sources, and the others may lack what this one cannot read.
    if (acceptor.rows.hasDamagedIn(partition)) return answer({ kind: 'damaged', from: self });
    if (!votes.isSealed(partition)) votes.seal(partition);
    // The flush also covers every record accepted before: what `#tellSealed` reports cannot be lost to a crash.
    store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      answer({ kind: 'sealed', from: self });
    });
  }

  #tellSealed({ partition, epoch, after, limit }: Of<'sealed-records'>, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const config = votes.votingConfig(partition);
    if (config?.epoch !== epoch || !votes.isSealed(partition)) {
      return answer({ kind: 'wrong-epoch', from: self, config });
    }
    const { from, to } = partitionRange(partition);
    const rows = store.range('paxos', after === undefined ? from : `${after}\x00`, to, limit);
    for (const { key, value } of rows) if (value === DAMAGED) acceptor.noteDamaged(key);
    if (acceptor.rows.hasDamagedIn(partition)) return answer({ kind: 'damaged', from: self });
    // The cache may still have what is damaged on disk.
    const recordOf = (key: StoreKey, value: Uint8Array) =>
      value === DAMAGED ? acceptor.stateOf(key).accepted! : decodeRecord(value);
    const entries = rows
      .map(({ key, value }) => ({ key, record: recordOf(key, value) }))
      .filter(({ key, record }) => {
        const { committed } = acceptor.stateOf(key);
        return committed === undefined || compareBallots(record.ballot, committed.ballot) > 0;
      });
    // The filter may empty a page that is not the last, so the next page begins after the last key looked at.
    const next = rows.length === limit ? rows.at(-1)!.key : undefined;
    // A record left out as committed must stay so: it is asked for later, among the committed ones.
    store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      answer({ kind: 'sealed-records', from: self, entries, next });
    });
  }

  #answerStorageFailed(error: Error, answer: Answer): void {
    this.#parts.log.warn('cannot write a change of epoch', { node: this.#parts.self, error });
    answer({ kind: 'storage-failed', from: this.#parts.self, message: error.message });
  }
}
