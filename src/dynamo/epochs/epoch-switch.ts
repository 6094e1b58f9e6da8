import type { Log } from '../../env/log.ts';
import { DAMAGED, isCutShort, type Store, type StoreKey } from '../../env/store.ts';
import { compareBallots } from '../ballot.ts';
import { partitionRange } from '../keyspace.ts';
import type { EpochRequest, PartitionConfig, Reply } from '../messages.ts';
import type { NodeEvents } from '../node-events.ts';
import type { NodeLimits } from '../node-settings.ts';
import { decodeRecord } from '../record.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { Fences } from '../registers/fences.ts';
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
  readonly limits: NodeLimits;
  readonly votes: PartitionVotes;
  readonly acceptor: Acceptor;
  readonly fences: Fences;
  /** The newest config that this node knows of a partition: perhaps newer than the one it is told. */
  readonly newest: (told: PartitionConfig) => PartitionConfig;
  /** The attempt for which records must have been staged to begin the epoch of a config with them. */
  readonly attemptOf: (config: PartitionConfig) => number | undefined;
  /** Gives what is young of a partition to its other members; calls `done` however that ended. */
  readonly handOff: (partition: number, done: () => void) => void;
  readonly events: NodeEvents;
}

/**
 * Takes a replica from one epoch of a partition to the next (docs/protocol.md section 8.3): it is sealed, hands out
 * what it has accepted, and begins to vote again with the records that were staged for the decided attempt.
 */
export class EpochSwitch {
  readonly #parts: EpochSwitchParts;
  /** Partitions whose new epoch is on its way to the disk, and the requests that wait for that. */
  readonly #beginning = new Map<number, { readonly epoch: number; readonly answers: Answer[] }>();

  #begun = 0;

  constructor(parts: EpochSwitchParts) {
    this.#parts = parts;
  }

  /** Epochs of partitions in which this node has begun to vote since its start. */
  get begun(): number {
    return this.#begun;
  }

  /** Whether the new epoch of a partition is on its way to the disk. */
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
   * Hazard: a config may arrive long after it was decided. A node that was sealed in that epoch and has left since
   * would vote in it again, and could form a majority with a member that missed the seal. So only the newest known
   * config counts.
   */
  activate(told: PartitionConfig, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const config = this.#parts.newest(told);
    const { partition, epoch } = config;
    const present = votes.votingConfig(partition);
    const isNamed = votes.isNamedIn(config);
    const beginning = this.#beginning.get(partition);
    if (beginning !== undefined) {
      // For a still newer config nobody gets an answer now: its controller asks again.
      if (beginning.epoch >= epoch) beginning.answers.push(answer);
      return;
    }
    if (present !== undefined && present.epoch >= epoch) return answer({ kind: 'activated', from: self });
    if (isNamed) return this.#begin(config, present, answer);
    // Also for a partition in which it never had a vote: an older config that arrives late must not give it one.
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
    const { partition, epoch } = config;
    const attempt = this.#parts.attemptOf(config);
    const staged = attempt === undefined ? undefined : readStaged(store, partition, attempt);
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
      // After the vote: a crash keeps a prefix of these writes, and a node without the vote has to begin again from the
      // stage.
      dropStaged(store, partition, epoch);
      store.flush(finish);
    };
    // A newcomer that did not stage this attempt, or a member that missed an epoch, may hold records that were purged
    // meanwhile. It can begin with nothing, because a majority has staged and every quorum meets that majority. A node
    // that has staged for a still later epoch is current: that stage compared it with members of this epoch or a later
    // one.
    const isCurrent = staged !== undefined || present?.epoch === epoch - 1 || stagedEpoch(store, partition) > epoch;
    if (!isCurrent && acceptor.rows.holdsAnyOf(partition)) {
      // It gives up its vote first, so that records it learns until the erasure do not count towards W.
      votes.leave(config);
      // In `dynamo` mode this may be the only node that has a record.
      this.#parts.handOff(partition, () => acceptor.erasePartition(partition, () => true, begin));
    } else begin();
  }

  #seal({ partition, epoch }: Of<'seal'>, answer: Answer): void {
    const { self, store, votes, acceptor } = this.#parts;
    const config = votes.votingConfig(partition);
    if (config?.epoch !== epoch || this.#beginning.has(partition)) {
      return answer({ kind: 'wrong-epoch', from: self, config: votes.knownConfig(partition) });
    }
    // The new epoch begins with what its sources have. A record that this source cannot read may be missing at the
    // others.
    if (acceptor.rows.hasDamagedIn(partition)) return answer({ kind: 'damaged', from: self });
    if (!votes.isSealed(partition)) votes.seal(partition);
    // The flush covers every record accepted before, so what `sealed-records` hands out cannot be lost to a crash.
    store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      answer({ kind: 'sealed', from: self });
    });
  }

  #tellSealed({ partition, epoch, after, limit }: Of<'sealed-records'>, answer: Answer): void {
    const { self, store, votes, acceptor, limits, fences } = this.#parts;
    const config = votes.votingConfig(partition);
    if (config?.epoch !== epoch || !votes.isSealed(partition)) {
      return answer({ kind: 'wrong-epoch', from: self, config: votes.knownConfig(partition) });
    }
    const { from, to } = partitionRange(partition);
    const query = { to, limit, bytesLimit: limits.repairBytes };
    const rows = store.range('paxos', { ...(after === undefined ? { from } : { after }), ...query });
    for (const { key, value } of rows) if (value === DAMAGED) acceptor.noteDamaged(key);
    if (acceptor.rows.hasDamagedIn(partition)) return answer({ kind: 'damaged', from: self });
    // A record that is damaged on disk may still be in memory.
    const recordOf = (key: StoreKey, value: Uint8Array) =>
      value === DAMAGED ? acceptor.stateOf(key).accepted! : decodeRecord(value);
    const entries = rows
      .map(({ key, value }) => ({ key, record: recordOf(key, value) }))
      .filter(({ key, record }) => {
        const { committed } = acceptor.stateOf(key);
        return committed === undefined || compareBallots(record.ballot, committed.ballot) > 0;
      });
    // `next` is the last key looked at, since the filter may leave a page empty that is not the last.
    const next = isCutShort(rows, query) ? rows.at(-1)!.key : undefined;
    // What is fenced after this was not answered as fenced by an unsealed member.
    const fenced = after === undefined ? fences.all() : [];
    // Records left out as committed must be durably committed: the controller looks for them there in a later step.
    store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      answer({ kind: 'sealed-records', from: self, entries, next, fenced });
    });
  }

  #answerStorageFailed(error: Error, answer: Answer): void {
    this.#parts.log.warn('cannot write a change of epoch', { node: this.#parts.self, error });
    answer({ kind: 'storage-failed', from: this.#parts.self, message: error.message });
  }
}
