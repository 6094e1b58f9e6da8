import type { ItemImage } from '../../api/item.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import type { PartitionVotes } from '../epochs/partition-votes.ts';
import { LateTombstones } from '../healing/late-tombstones.ts';
import { partitionOf, partitionRange } from '../keyspace.ts';
import type { PurgeRequest, RegisterRequest, Reply } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { NodeState } from '../node-state.ts';
import { encodeRecord, type ItemRecord, type ReplicaState, topOf } from '../record.ts';
import { ERASE_BATCH, Erasure } from './erasure.ts';
import { Promises } from './promises.ts';
import { ReplicaRows, UNREADABLE } from './replica-rows.ts';

type Handled = RegisterRequest | PurgeRequest;
type Of<Kind extends Handled['kind']> = Extract<Handled, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/** What the acceptor tells the rest of its node, and asks of it. */
export interface AcceptorNeighbours {
  /** The committed record of a key has changed, or is gone. */
  committed(key: StoreKey): void;
  /** Writes that were already shown are gone: whatever was made of the store must be made again. */
  lost(): void;
  /** A record of the key cannot be read. */
  damaged(key: StoreKey): void;
  /** Whether there is a record of the key here besides the replica's own, as a hint or held back by a rule of lag. */
  hasOther(key: StoreKey): boolean;
}

/**
 * A replica: what one node promises, accepts and knows to be committed (REPLICATION sections 1 and 2). All records that
 * reach its store come through `accept` and `learn`; there is no second write path.
 *
 * What it has in its store is in `ReplicaRows`, what it has promised in `Promises`.
 */
export class Acceptor {
  readonly #settings: NodeSettings;
  readonly #store: Store;
  /** What it has in its store, and what of that is damaged. */
  readonly rows: ReplicaRows;
  readonly #erasure: Erasure;
  readonly #clock: Clock;
  readonly #votes: PartitionVotes;
  readonly #neighbours: AcceptorNeighbours;
  /** Keys whose accepted record the disk may not have yet: until then no answer may report it. */
  readonly #unflushed = new Map<StoreKey, Ballot>();
  /** What was adopted of each key since the start, oldest first, as far as answers that are on their way may need it. */
  readonly #adopted = new Map<StoreKey, Adopted>();
  readonly #promises: Promises;
  readonly #lateTombstones: LateTombstones;
  #isStopped = false;

  /** @param state as read at this start, its boot already counted durably */
  constructor(
    settings: NodeSettings,
    store: Store,
    clock: Clock,
    state: NodeState,
    neighbours: AcceptorNeighbours = ALONE,
  ) {
    this.#settings = settings;
    this.#store = store;
    this.rows = new ReplicaRows(store, settings, (key) => neighbours.damaged(key));
    this.#erasure = new Erasure({
      store,
      clock,
      partitions: settings.ring.length,
      erased: (key) => {
        this.#forget(key);
        this.#lateTombstones.forget(key);
        this.#promises.forget(key);
        neighbours.committed(key);
      },
    });
    this.#clock = clock;
    this.#votes = state.votes;
    this.#neighbours = neighbours;
    this.#promises = new Promises(settings, store, state);
    this.#lateTombstones = new LateTombstones(store, clock, settings.limits);
    store.onLost = () => this.#noteLoss();
  }

  /** Answers one request, now or when the disk has what the answer says. */
  receive(request: Handled, answer: Answer): void {
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
        return this.#readRange(request, answer);
      case 'confirm-tombstone':
        return this.#confirmTombstone(request, answer);
      case 'purge':
        return this.#purge(request, answer);
    }
  }

  /** The newest committed item this replica knows of, without decoding more than that; UNREADABLE if it is damaged. */
  committedItem(key: StoreKey): ItemImage | undefined {
    const isPlain = this.#settings.rules.readsCommittedOnly && !this.rows.isRemembered(key);
    if (isPlain) return this.rows.item(key);
    const state = this.rows.state(key);
    return state.isDamaged === true ? UNREADABLE : this.#committedIn(state)?.item;
  }

  /** As `ReplicaRows.acceptedKeys`. */
  acceptedKeys(
    after: StoreKey,
    limit: number,
    isSkipped: (key: StoreKey) => boolean = () => false,
  ): { readonly key: StoreKey; readonly ballot: Ballot }[] {
    return this.rows.acceptedKeys(after, limit, isSkipped);
  }

  /** A damaged record of the key was met. */
  noteDamaged(key: StoreKey): void {
    if (this.rows.noteDamaged(key).isDamaged !== true) this.#neighbours.committed(key);
  }

  /** Whether the key still is damaged, and not written over or erased. */
  isDamaged(key: StoreKey): boolean {
    if (this.rows.state(key).isDamaged === true && !this.#isLeft(key)) return true;
    this.rows.release(key);
    return false;
  }

  /** Whether nothing but a mark is left of a key, of whose partition this node has given up its vote: nobody asks it then. */
  #isLeft(key: StoreKey): boolean {
    if (this.#votes.configOf(partitionOf(key)) !== undefined) return false;
    return this.#store.get('items', key) === undefined && this.#store.get('paxos', key) === undefined;
  }

  /**
   * The record that was adopted is chosen: nothing is missing here any more, unless a record of the key has rotted since it was
   * adopted, which may have been a newer one.
   * @returns whether the key is whole
   */
  restored(key: StoreKey, record: ItemRecord): boolean {
    if (this.#isStopped) return false;
    const adopted = this.#adopted.get(key);
    const isWhole = adopted !== undefined && adopted.readings === this.rows.readingsOf(key);
    this.#learn({ kind: 'learn', key, record }, () => {});
    if (isWhole) this.rows.release(key);
    return isWhole;
  }

  /** Whether it has had its tombstone of a key for less than the grace, however old that is. */
  isYoungTombstone(key: StoreKey): boolean {
    return this.#lateTombstones.isYoung(key);
  }

  /** What this replica holds of a key. */
  stateOf(key: StoreKey): ReplicaState {
    return this.rows.state(key);
  }

  /** Erases the records of a table that no request can reach any more, in the background. */
  forgetTable(table: ByteString): void {
    this.#erasure.table(table);
  }

  /** As `Erasure.partition`. */
  erasePartition(partition: number, isWanted: () => boolean, done: (error?: Error) => void): void {
    this.#erasure.partition(partition, isWanted, done);
  }

  /** Whether there is any record of a partition here. */
  holdsAnyOf(partition: number): boolean {
    const any = { ...partitionRange(partition), limit: 1 };
    return (['items', 'paxos'] as const).some((name) => this.#store.range(name, any).length > 0);
  }

  /** Erases what this replica holds of a key: it was purged everywhere else, or belongs to nobody. */
  erase(key: StoreKey): void {
    this.#remove(key);
    this.#promises.forget(key);
  }

  /** Replaces the accepted records of a partition by those with which a new epoch begins. The caller flushes. */
  replaceAccepted(partition: number, staged: readonly { readonly key: StoreKey; readonly record: ItemRecord }[]): void {
    for (;;) {
      const rows = this.#store.range('paxos', { ...partitionRange(partition), limit: ERASE_BATCH });
      for (const { key } of rows) {
        this.#store.remove('paxos', key);
        this.#unflushed.delete(key);
        this.rows.forget(key);
      }
      if (rows.length < ERASE_BATCH) break;
    }
    for (const { key, record } of staged) {
      const { committed } = this.rows.state(key);
      if (committed !== undefined && compareBallots(record.ballot, committed.ballot) <= 0) continue;
      this.#store.put('paxos', key, encodeRecord(record));
      this.rows.forget(key);
    }
  }

  /** Ends work in the background, and answers nothing any more: the store is about to be closed. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#erasure.stop();
    try {
      this.#promises.close();
    } catch {
      // A disk that is out of order keeps the ceiling that it has, which is high enough.
    }
  }

  /** Answers the newest committed record this replica knows of, whatever the epoch; a later one may exist. */
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
    const effective = this.#promises.effective(key, state);
    if (this.#isDrifting(ballot, effective)) return answer({ kind: 'rejected-drift', from: this.#settings.id });
    // The same prepare again, doubled on the way, is answered again as long as nothing was accepted under it.
    const isRepeated =
      sameBallot(ballot, effective) &&
      this.#promises.isPromised(key, ballot) &&
      !(state.accepted !== undefined && sameBallot(ballot, state.accepted.ballot));
    if (compareBallots(ballot, effective) <= 0 && !isRepeated) {
      return answer({ kind: 'rejected', from: this.#settings.id, effective });
    }
    // Both waits begin anew afterwards, because other requests were answered meanwhile.
    if (this.#promises.isAboveCeiling(ballot.hlc))
      return this.#raiseCeiling(ballot.hlc, () => this.#prepare(request, answer), answer);
    if (this.#isFlushNeeded(key)) return this.#flushAccepted(key, () => this.#prepare(request, answer), answer);
    this.#promises.promise(key, ballot);
    answer({ kind: 'promise', from: this.#settings.id, ...state });
  }

  #accept(request: Of<'accept'>, answer: Answer): void {
    const { key, record } = request;
    if (!this.#hasVote(key, request.epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    if (state.isDamaged === true) return this.#answerDamaged(key, state, answer);
    const ack = () => answer({ kind: 'accepted', from: this.#settings.id });
    // Committed means chosen: this copy is no longer needed to choose it.
    if (state.committed !== undefined && sameBallot(state.committed.ballot, record.ballot)) return ack();
    if (state.accepted === undefined || !sameBallot(state.accepted.ballot, record.ballot)) {
      const effective = this.#promises.effective(key, state);
      if (compareBallots(record.ballot, effective) < 0) {
        return answer({ kind: 'rejected', from: this.#settings.id, effective });
      }
      this.#store.put('paxos', key, encodeRecord(record));
      this.rows.remember(key, { accepted: record, committed: state.committed });
      this.#unflushed.set(key, record.ballot);
      this.#promises.promise(key, record.ballot);
    }
    if (this.#settings.rules.flushBeforeAck && this.#isFlushNeeded(key)) return this.#flushAccepted(key, ack, answer);
    ack();
  }

  /**
   * Accepts, in place of what is damaged of a key, the newest record of others, as if it had been here before: they have
   * promised `ballot` after the damage was found, so it is above all that was ever acknowledged here, and so many of them
   * that one of those who chose what is missing is among them (docs/replication.md, what a disk forgets).
   */
  #adopt(request: Of<'adopt'>, answer: Answer): void {
    const { key, ballot, record, epoch } = request;
    if (!this.#hasVote(key, epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.rows.state(key);
    const effective = this.#promises.effective(key, state);
    if (state.isDamaged !== true || compareBallots(ballot, effective) < 0) {
      return answer({ kind: 'rejected', from: this.#settings.id, effective });
    }
    if (this.#promises.isAboveCeiling(ballot.hlc))
      return this.#raiseCeiling(ballot.hlc, () => this.#adopt(request, answer), answer);
    const accepted = () => answer({ kind: 'accepted', from: this.#settings.id });
    this.rows.dropUnreadable(key);
    this.#noteAdopted(key);
    this.#neighbours.committed(key);
    if (record !== undefined) {
      this.#store.put('paxos', key, encodeRecord(record));
      this.#unflushed.set(key, ballot);
      this.#promises.promise(key, ballot);
      return this.#flushAccepted(key, accepted, answer);
    }
    // As with a purge: what is gone is refused from now on, whoever may still send it.
    this.#promises.raiseFloor(ballot.hlc);
    this.rows.release(key);
    this.#store.flush((error) => (error === undefined ? accepted() : this.#answerStorageFailed(error, answer)));
  }

  /** Takes a chosen record. Never looks at promises or epochs: the greatest ballot wins (invariant I5). */
  #learn({ key, record, isFlushed }: Of<'learn'>, answer: Answer): void {
    const { accepted, committed, isDamaged } = this.rows.state(key);
    if (committed === undefined || compareBallots(record.ballot, committed.ballot) > 0) {
      if (isDamaged === true) this.rows.mark(key);
      this.#lateTombstones.note(key, record);
      this.#store.put('items', key, encodeRecord(record));
      const isSuperseded = accepted !== undefined && compareBallots(accepted.ballot, record.ballot) <= 0;
      if (isSuperseded) {
        this.#store.remove('paxos', key);
        this.#unflushed.delete(key);
      }
      // The round is over; items of 400 KB are not kept for a next one.
      this.rows.forget(key);
      this.#promises.settle(key, record.ballot);
      this.#neighbours.committed(key);
    }
    const partition = partitionOf(key);
    const epoch = this.#votes.stateOf(partition)?.epoch;
    const learned = () => {
      // Who has begun another epoch meanwhile may have erased it before.
      const vote = this.#votes.stateOf(partition);
      answer({ kind: 'learned', from: this.#settings.id, vote: vote?.epoch === epoch ? vote : undefined });
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
    this.#answerFlushed(key, { kind: 'state', from: this.#settings.id, ...state }, answer);
  }

  #readRange(request: Of<'read-range'>, answer: Answer): void {
    const { from, epoch } = request;
    if (epoch !== undefined && !this.#hasVote(from, epoch)) return this.#answerWrongEpoch(from, answer);
    const { entries, more, acceptedKeys } = this.rows.range(request, epoch === undefined ? 'committed' : 'all');
    const unflushed = acceptedKeys.find((key) => this.#isFlushNeeded(key));
    const reply: Reply = { kind: 'range', from: this.#settings.id, entries, more };
    // One flush covers them all.
    this.#answerFlushed(unflushed, reply, answer);
  }

  /**
   * First step of a purge (REPLICATION section 9): takes the tombstone, and confirms, once that is durable, that there is
   * nothing else of the key here. Each member looks at its own clock, so that one that is ahead does not purge too soon.
   */
  #confirmTombstone({ key, record, epoch }: Of<'confirm-tombstone'>, answer: Answer): void {
    if (!this.#hasVote(key, epoch)) return this.#answerWrongEpoch(key, answer);
    const { id, limits } = this.#settings;
    const ageMs = this.#clock.now() - record.ballot.hlc / TICKS_PER_MS;
    if (ageMs < limits.tombstoneGraceMs) return answer({ kind: 'unconfirmed', from: id });
    this.#learn({ kind: 'learn', key, record }, () => {});
    this.#store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      const isAlone = this.#isOnly(key, record.ballot) && !this.#neighbours.hasOther(key);
      answer({ kind: isAlone ? 'confirmed' : 'unconfirmed', from: id });
    });
  }

  /** Last step: drops the tombstone, and refuses from now on whatever is older, as if it were still there. */
  #purge(request: Of<'purge'>, answer: Answer): void {
    const { key, ballot, epoch } = request;
    if (!this.#hasVote(key, epoch)) return this.#answerWrongEpoch(key, answer);
    if (this.#promises.isAboveCeiling(ballot.hlc))
      return this.#raiseCeiling(ballot.hlc, () => this.#purge(request, answer), answer);
    this.#promises.raiseFloor(ballot.hlc);
    // A promise outlives what it was given on: whoever holds it was told of the tombstone, and nothing else is lost.
    if (this.#isOnly(key, ballot)) this.#remove(key);
    answer({ kind: 'purged', from: this.#settings.id });
  }

  /** Whether the committed record of the key has this ballot, and nothing was accepted since. */
  #isOnly(key: StoreKey, ballot: Ballot): boolean {
    const { accepted, committed, isDamaged } = this.rows.state(key);
    return (
      isDamaged !== true && accepted === undefined && committed !== undefined && sameBallot(committed.ballot, ballot)
    );
  }

  #remove(key: StoreKey): void {
    this.#store.remove('items', key);
    this.#store.remove('paxos', key);
    this.#forget(key);
    this.#lateTombstones.forget(key);
    this.#neighbours.committed(key);
  }

  #forget(key: StoreKey): void {
    this.#unflushed.delete(key);
    this.rows.release(key);
  }

  #hasVote(key: StoreKey, epoch: number): boolean {
    return this.#votes.has(partitionOf(key), epoch);
  }

  #answerWrongEpoch(key: StoreKey, answer: Answer): void {
    answer({ kind: 'wrong-epoch', from: this.#settings.id, config: this.#votes.configOf(partitionOf(key)) });
  }

  /**
   * One bad clock must not poison the others.
   *
   * Hazard: after this computer's clock was stepped back by more than the bound, keys that were not written meanwhile are
   * refused until the clock has caught up, or until a restart, because a coordinator's ballots never go back.
   */
  #isDrifting(ballot: Ballot, effective: Ballot): boolean {
    const nowHlc = this.#clock.now() * TICKS_PER_MS;
    return ballot.hlc > Math.max(nowHlc, effective.hlc) + this.#settings.limits.maxDriftMs * TICKS_PER_MS;
  }

  #raiseCeiling(hlc: number, then: () => void, answer: Answer): void {
    this.#promises.raiseCeiling(hlc, (error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      if (!this.#isStopped) then();
    });
  }

  #isFlushNeeded(key: StoreKey): boolean {
    return this.#unflushed.has(key);
  }

  /**
   * Gives a reader an answer that reports the record accepted for `key` once the disk has that record. It tells the state
   * at the time of the request, however late: to look again would be to wait for the next accept, and the next.
   */
  #answerFlushed(key: StoreKey | undefined, reply: Reply, answer: Answer): void {
    if (key === undefined || !this.#isFlushNeeded(key)) return answer(reply);
    this.#flushAccepted(key, () => answer(reply), answer);
  }

  #flushAccepted(key: StoreKey, then: () => void, answer: Answer): void {
    const ballot = this.#unflushed.get(key);
    const adopted = this.#adopted.get(key);
    this.#store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      // Another record may have been accepted since; that one still waits.
      if (this.#unflushed.get(key) === ballot) this.#unflushed.delete(key);
      if (this.#isStopped) return;
      // What the answer was to report has rotted meanwhile, and another record is in its place: it is not held any more.
      if (this.#adopted.get(key) !== adopted) return this.#answerDamaged(key, this.rows.state(key), answer);
      then();
    });
  }

  #noteAdopted(key: StoreKey): void {
    this.#adopted.delete(key);
    this.#adopted.set(key, { readings: this.rows.readingsOf(key) });
    if (this.#adopted.size <= ADOPTED_KEPT) return;
    const [oldest] = this.#adopted.keys();
    this.#adopted.delete(oldest!);
  }

  /** Writes were lost: what was kept of them in memory goes too. */
  #noteLoss(): void {
    this.#promises.lost();
    this.#unflushed.clear();
    this.rows.reload();
    this.#lateTombstones.reload();
    this.#votes.reload();
    this.#neighbours.lost();
  }

  /** No vote and no answer of what cannot be read: that it was there is all that is known, and others have counted on it. */
  #answerDamaged(key: StoreKey, state: ReplicaState, answer: Answer): void {
    this.#answerFlushed(key, { kind: 'damaged', from: this.#settings.id, ...state }, answer);
  }

  #answerStorageFailed(error: Error, answer: Answer): void {
    answer({ kind: 'storage-failed', from: this.#settings.id, message: error.message });
  }
}

/** One for each time that a record was adopted. */
interface Adopted {
  /** How often the key could not be read by then. */
  readonly readings: number;
}

/** Far more than are adopted while an answer waits for its flush. */
const ADOPTED_KEPT = 10_000;

/** For an acceptor that nothing rests on. */
const ALONE: AcceptorNeighbours = { committed() {}, lost() {}, damaged() {}, hasOther: () => false };
