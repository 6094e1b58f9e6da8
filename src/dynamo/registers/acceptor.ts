import type { ItemImage } from '../../api/item.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import type { PartitionVotes } from '../epochs/partition-votes.ts';
import { LateTombstones } from '../healing/late-tombstones.ts';
import { assertAcceptable, assertInvariant } from '../invariants.ts';
import { partitionOf } from '../keyspace.ts';
import type { RegisterRequest, Reply } from '../messages.ts';
import { NO_EVENTS, type NodeEvents } from '../node-events.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { NodeState } from '../node-state.ts';
import { type ItemRecord, type ReplicaState, topOf } from '../record.ts';
import { Erasure } from './erasure.ts';
import { pageReply } from './page-reply.ts';
import { Promises } from './promises.ts';
import { ReplicaRows, UNREADABLE } from './replica-rows.ts';

type Of<Kind extends RegisterRequest['kind']> = Extract<RegisterRequest, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/**
 * A replica: what one node promises, accepts and knows to be committed (docs/protocol.md section 2). All records that
 * reach its store come through `accept` and `learn`; there is no second write path.
 *
 * Its records are in `ReplicaRows`, its promises in `Promises`; `PurgeMember` drops tombstones from it.
 */
export class Acceptor {
  readonly #settings: NodeSettings;
  readonly #isCheckedFully: boolean;
  readonly #store: Store;
  readonly rows: ReplicaRows;
  readonly promises: Promises;
  readonly #erasure: Erasure;
  readonly #clock: Clock;
  readonly #votes: PartitionVotes;
  readonly #events: NodeEvents;
  readonly #lateTombstones: LateTombstones;
  #isStopped = false;

  constructor({ settings, store, clock, state, events = NO_EVENTS }: AcceptorParts) {
    this.#settings = settings;
    this.#isCheckedFully = settings.checks === 'all';
    this.#store = store;
    this.#clock = clock;
    this.#votes = state.votes;
    this.#events = events;
    this.rows = new ReplicaRows(store, clock, settings, (key) => events.keyDamaged(key));
    this.promises = new Promises(settings, store, state);
    this.#lateTombstones = new LateTombstones(store, clock, settings.limits);
    this.#erasure = new Erasure({
      store,
      clock,
      partitions: settings.ring.length,
      removeStrayRows: (range, done) => this.rows.local.removeStray(range, done),
      erased: (key, committed) => {
        this.rows.noteRemoved(key, committed);
        this.promises.forget(key);
        this.#noteGone(key);
      },
    });
    store.onLost = () => this.#noteLoss();
  }

  /** Answers one request, now or when the disk has what the answer says. */
  receive(request: RegisterRequest, answer: Answer): void {
    if (this.#isStopped) return;
    switch (request.kind) {
      case 'prepare':
        return this.#prepare(request, answer);
      case 'accept':
        return this.#accept(request, answer);
      case 'adopt':
        return this.#adopt(request, answer);
      case 'learn':
        return this.#learn(request, answer);
      case 'read':
        return this.#read(request, answer);
      case 'read-committed':
        return this.#answerCommitted(request.key, answer);
      case 'read-range':
      case 'read-local-range':
        return this.#readRange(request, answer);
      default:
        // A kind that is missing above would never be answered.
        return request satisfies never;
    }
  }

  /** Takes a chosen record, as from another part of this node. */
  learn(key: StoreKey, record: ItemRecord): void {
    if (!this.#isStopped) this.#learn({ kind: 'learn', key, record }, () => {});
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The newest committed item of this replica, without decoding the rest of its record; UNREADABLE if damaged. */
  committedItem(key: StoreKey): ItemImage | undefined {
    const isPlain = this.#settings.rules.readsCommittedOnly && !this.rows.isRemembered(key);
    if (isPlain) return this.rows.item(key);
    const state = this.rows.state(key);
    return state.isDamaged === true ? UNREADABLE : this.#committedIn(state)?.item;
  }

  /** The records of a key in this replica. */
  stateOf(key: StoreKey): ReplicaState {
    return this.rows.state(key);
  }

  /** A damaged record of the key was met. */
  noteDamaged(key: StoreKey): void {
    if (this.rows.noteDamaged(key).isDamaged !== true) this.#events.committedChanged(key);
  }

  /** Whether the key is still damaged, and was neither written over nor erased. */
  isDamaged(key: StoreKey): boolean {
    if (this.rows.state(key).isDamaged === true && !this.#isMarkOnly(key)) return true;
    this.rows.release(key);
    return false;
  }

  /** Whether only the mark of damage is left of a key, in a partition that this node has left: nobody asks for it. */
  #isMarkOnly(key: StoreKey): boolean {
    if (this.#votes.votingConfig(partitionOf(key)) !== undefined) return false;
    return this.#store.get('items', key) === undefined && this.#store.get('paxos', key) === undefined;
  }

  /**
   * The adopted record is chosen, so nothing of the key is missing here any more; unless a record of the key, perhaps a
   * newer one, has rotted since the adoption.
   * @returns whether the key is whole
   */
  restored(key: StoreKey, record: ItemRecord): boolean {
    if (this.#isStopped) return false;
    const isWhole = this.rows.isWholeSinceAdoption(key);
    this.learn(key, record);
    if (isWhole) this.rows.release(key);
    return isWhole;
  }

  /** Whether this replica has had its tombstone of a key for less than the grace, however old the tombstone is. */
  isYoungTombstone(key: StoreKey): boolean {
    return this.#lateTombstones.isYoung(key);
  }

  /** Erases the records of a deleted table, in the background. */
  forgetTable(table: ByteString): void {
    this.#erasure.table(table);
  }

  /** As `Erasure.partition`. */
  erasePartition(partition: number, isWanted: () => boolean, done: (error?: Error) => void): void {
    this.#erasure.partition(partition, isWanted, done);
  }

  /** Removes the records of a key. What was promised for it stands. */
  remove(key: StoreKey): void {
    this.rows.remove(key);
    this.#noteGone(key);
  }

  /** Erases all that this replica has of a key: it was purged everywhere else, or belongs to nobody. */
  erase(key: StoreKey): void {
    this.remove(key);
    this.promises.forget(key);
  }

  /** Ends work in the background and answers nothing any more: the store is about to be closed. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#erasure.stop();
    this.rows.stop();
    try {
      this.promises.close();
    } catch {
      // A disk that is out of order keeps the ceiling that it has, which is high enough.
    }
  }

  /** Answers the newest committed record of this replica, whatever the epoch; a newer one may exist elsewhere. */
  #answerCommitted(key: StoreKey, answer: Answer): void {
    const state = this.rows.state(key);
    if (state.isDamaged === true) return this.#answerDamaged(key, state, answer);
    answer({ kind: 'state', from: this.#settings.id, committed: this.#committedIn(state) });
  }

  #committedIn(state: ReplicaState): ItemRecord | undefined {
    return this.#settings.rules.readsCommittedOnly ? state.committed : topOf(state);
  }

  #prepare(request: Of<'prepare'>, answer: Answer): void {
    const { key, ballot } = request;
    if (!this.#hasVote(key, request.epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    if (state.isDamaged === true) return this.#answerDamaged(key, state, answer);
    const effective = this.promises.effective(key, state);
    if (this.#isDrifting(ballot, effective)) return answer({ kind: 'rejected-drift', from: this.#settings.id });
    // The same prepare again, doubled on the way, is answered again as long as nothing was accepted under it.
    const isRepeated =
      sameBallot(ballot, effective) &&
      this.promises.isPromised(key, ballot) &&
      !(state.accepted !== undefined && sameBallot(ballot, state.accepted.ballot));
    if (compareBallots(ballot, effective) <= 0 && !isRepeated) {
      return answer({ kind: 'rejected', from: this.#settings.id, effective });
    }
    // Both waits begin anew afterwards, because other requests were answered meanwhile.
    if (this.promises.isAboveCeiling(ballot.hlc))
      return this.#raiseCeiling(ballot.hlc, () => this.#prepare(request, answer), answer);
    if (this.rows.isUnflushed(key)) return this.#flushAccepted(key, () => this.#prepare(request, answer), answer);
    this.promises.promise(key, ballot);
    answer({ kind: 'promise', from: this.#settings.id, ...state, settled: this.rows.outbox.settledOf(key, state) });
  }

  #accept(request: Of<'accept'>, answer: Answer): void {
    const { key, record } = request;
    if (!this.#hasVote(key, request.epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    if (state.isDamaged === true) return this.#answerDamaged(key, state, answer);
    if (this.#isCheckedFully) assertAcceptable(record, state);
    const ack = () => answer({ kind: 'accepted', from: this.#settings.id });
    // Committed means chosen: this copy is no longer needed to choose it.
    if (state.committed !== undefined && sameBallot(state.committed.ballot, record.ballot)) return ack();
    if (state.accepted === undefined || !sameBallot(state.accepted.ballot, record.ballot)) {
      const effective = this.promises.effective(key, state);
      if (compareBallots(record.ballot, effective) < 0) {
        return answer({ kind: 'rejected', from: this.#settings.id, effective });
      }
      this.rows.accept(key, record, state.committed);
      this.promises.accepted(key, record.ballot);
    }
    if (this.#settings.rules.flushBeforeAck && this.rows.isUnflushed(key)) {
      return this.#flushAccepted(key, ack, answer);
    }
    ack();
  }

  /**
   * Takes the newest record of the other replicas in place of a damaged one, as if it had been here before
   * (docs/protocol.md section 10). The others promised `ballot` after the damage was found, so it is above everything
   * that was ever acknowledged here; and each quorum that may have chosen the missing record has one of them. A record
   * under `ballot` is accepted, and the key stays damaged until that is chosen. One under its own ballot is committed:
   * with the promise of `ballot`, the key is whole.
   */
  #adopt(request: Of<'adopt'>, answer: Answer): void {
    const { key, ballot, record, epoch } = request;
    if (!this.#hasVote(key, epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    const effective = this.promises.effective(key, state);
    if (state.isDamaged !== true || compareBallots(ballot, effective) < 0) {
      return answer({ kind: 'rejected', from: this.#settings.id, effective });
    }
    if (this.promises.isAboveCeiling(ballot.hlc))
      return this.#raiseCeiling(ballot.hlc, () => this.#adopt(request, answer), answer);
    const accepted = () => answer({ kind: 'accepted', from: this.#settings.id });
    this.rows.dropUnreadable(key);
    this.rows.noteAdopted(key);
    this.#events.committedChanged(key);
    if (record !== undefined && sameBallot(record.ballot, ballot)) {
      this.rows.adopt(key, record);
      this.promises.accepted(key, ballot);
      return this.#flushAccepted(key, accepted, answer);
    }
    // As with a purge: what is gone is refused from now on, whoever may still send it.
    if (record === undefined) this.promises.raiseFloor(ballot.hlc);
    else this.promises.promise(key, ballot);
    if (record !== undefined) this.learn(key, record);
    // In the same step: nothing can rot since the adoption. The mark goes after the record, on disk too.
    this.rows.release(key);
    this.#store.flush((error) => (error === undefined ? accepted() : this.#answerStorageFailed(error, answer)));
  }

  /** Takes a chosen record. Looks at neither promises nor epochs: the greatest ballot wins (docs/protocol.md I5). */
  #learn({ key, record, isFlushed }: Of<'learn'>, answer: Answer): void {
    const state = this.rows.stateOnce(key);
    if (state.committed === undefined || compareBallots(record.ballot, state.committed.ballot) > 0) {
      if (state.isDamaged === true) this.rows.mark(key);
      this.#lateTombstones.note(key, record);
      this.rows.commit(key, record, state);
      this.promises.dropUpTo(key, record.ballot);
      this.#events.committedChanged(key);
    }
    const voteNow = () => this.#votes.stateOf(partitionOf(key));
    const epoch = voteNow()?.epoch;
    const learned = () => {
      const vote = voteNow();
      // It may have been erased, by another epoch; or rot before the round that restores the key puts what is older in its place.
      const isKept = vote?.epoch === epoch && state.isDamaged !== true;
      answer({ kind: 'learned', from: this.#settings.id, vote: isKept ? vote : undefined });
    };
    // A chosen record is on the disks of those who accepted it; this copy may be lazy.
    if (isFlushed !== true || !this.#settings.rules.flushBeforeAck) return learned();
    this.#store.flush((error) => (error === undefined ? learned() : this.#answerStorageFailed(error, answer)));
  }

  #read(request: Of<'read'>, answer: Answer): void {
    const { key, epoch } = request;
    if (!this.#hasVote(key, epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    if (state.isDamaged === true) return this.#answerDamaged(key, state, answer);
    const settled = this.rows.outbox.settledOf(key, state);
    this.#answerFlushed(key, { kind: 'state', from: this.#settings.id, ...state, settled }, answer);
  }

  #readRange(request: Of<'read-range' | 'read-local-range'>, answer: Answer): void {
    const { from, epoch } = request;
    if (epoch !== undefined && !this.#hasVote(from, epoch)) return this.#answerWrongEpoch(from, answer);
    const { reply, reported } = pageReply(this.rows, this.#settings.id, request);
    // One flush covers them all.
    const unflushed = reported.find((key) => this.rows.isUnflushed(key));
    this.#answerFlushed(unflushed, reply, answer);
  }

  #noteGone(key: StoreKey): void {
    this.#lateTombstones.forget(key);
    this.#events.committedChanged(key);
  }

  #hasVote(key: StoreKey, epoch: number): boolean {
    const partition = partitionOf(key);
    if (!this.#votes.has(partition, epoch)) return false;
    if (this.#isCheckedFully) {
      const isNamed = this.#votes.isNamedIn(this.#votes.votingConfig(partition)!);
      assertInvariant(isNamed, 'docs/protocol.md I9', 'a disk votes in an epoch that does not name it');
    }
    return true;
  }

  #answerWrongEpoch(key: StoreKey, answer: Answer): void {
    answer({ kind: 'wrong-epoch', from: this.#settings.id, config: this.#votes.knownConfig(partitionOf(key)) });
  }

  /**
   * One bad clock must not poison the others.
   *
   * Hazard: after this computer's clock was stepped back by more than the bound, keys that were not written meanwhile
   * are refused until the clock has caught up, or until a restart, because a coordinator's ballots never go back.
   */
  #isDrifting(ballot: Ballot, effective: Ballot): boolean {
    const nowHlc = this.#clock.now() * TICKS_PER_MS;
    return ballot.hlc > Math.max(nowHlc, effective.hlc) + this.#settings.limits.maxDriftMs * TICKS_PER_MS;
  }

  #raiseCeiling(hlc: number, then: () => void, answer: Answer): void {
    this.promises.raiseCeiling(hlc, (error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      if (!this.#isStopped) then();
    });
  }

  /**
   * Gives a reader an answer that reports the accepted record of `key`, once the disk has that record. The answer says
   * what was here at the time of the request: to look again would mean to wait for the next accept, and the next.
   */
  #answerFlushed(key: StoreKey | undefined, reply: Reply, answer: Answer): void {
    if (key === undefined || !this.rows.isUnflushed(key)) return answer(reply);
    this.#flushAccepted(key, () => answer(reply), answer);
  }

  #flushAccepted(key: StoreKey, then: () => void, answer: Answer): void {
    const adoption = this.rows.adoptionOf(key);
    this.rows.flushAccepted(key, (error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      if (this.#isStopped) return;
      // The record that the answer was to report has rotted meanwhile, and another was adopted in its place.
      if (this.rows.adoptionOf(key) !== adoption) return this.#answerDamaged(key, this.rows.state(key), answer);
      then();
    });
  }

  /** Writes were lost: what was kept of them in memory goes too. */
  #noteLoss(): void {
    this.promises.lost();
    this.rows.reload();
    this.#lateTombstones.reload();
    this.#votes.reload();
    this.#events.writesLost();
  }

  /** A damaged key gets no vote and no answer: others counted on a record here that nobody can read any more. */
  #answerDamaged(key: StoreKey, state: ReplicaState, answer: Answer): void {
    this.#answerFlushed(key, { kind: 'damaged', from: this.#settings.id, ...state }, answer);
  }

  #answerStorageFailed(error: Error, answer: Answer): void {
    answer({ kind: 'storage-failed', from: this.#settings.id, message: error.message });
  }
}

export interface AcceptorParts {
  readonly settings: NodeSettings;
  readonly store: Store;
  readonly clock: Clock;
  /** As read at this start, its boot already counted durably. */
  readonly state: NodeState;
  readonly events?: NodeEvents;
}
