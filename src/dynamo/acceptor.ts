import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Clock } from '../env/clock.ts';
import type { Store, StoreKey } from '../env/store.ts';
import { type Ballot, compareBallots, sameBallot, TICKS_PER_MS } from './ballot.ts';
import { partitionOf, partitionRange, tableRange } from './keyspace.ts';
import { LateTombstones } from './late-tombstones.ts';
import type { PurgeRequest, RangeEntry, RegisterRequest, Reply } from './messages.ts';
import type { NodeState } from './node-state.ts';
import type { PartitionVotes } from './partition-votes.ts';
import { Promises } from './promises.ts';
import {
  ballotIn,
  decodeItem,
  decodeRecord,
  encodeRecord,
  type ItemRecord,
  type ReplicaState,
  topOf,
} from './record.ts';
import type { NodeSettings } from './settings.ts';

type Handled = RegisterRequest | PurgeRequest;
type Of<Kind extends Handled['kind']> = Extract<Handled, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/** Above every key: a store key begins with its partition's number, and no ring has 65,536 partitions. */
const KEYS_END: StoreKey = '\xff\xff';

/** Records erased in one go when a table or a partition is given up, each of which may be an item of 400 KB. */
const ERASE_BATCH = 32;
const ERASE_PAUSE_MS = 1;

/** What the acceptor tells the rest of its node, and asks of it. */
export interface AcceptorNeighbours {
  /** The committed record of a key has changed, or is gone. */
  committed(key: StoreKey): void;
  /** Writes that were already shown are gone: whatever was made of the store must be made again. */
  lost(): void;
  /** Whether there is a record of the key here besides the replica's own, as a hint or held back by a rule of lag. */
  hasOther(key: StoreKey): boolean;
}

/**
 * A replica: what one node promises, accepts and knows to be committed (REPLICATION sections 1 and 2). All records that
 * reach its store come through `accept` and `learn`; there is no second write path.
 *
 * Committed records are in `items`, accepted ones that are not yet committed in `paxos`; the store is the one truth about
 * both, and `#recent` remembers what it says of the keys in use.
 */
export class Acceptor {
  readonly #settings: NodeSettings;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #votes: PartitionVotes;
  readonly #neighbours: AcceptorNeighbours;
  /** Keys whose accepted record the disk may not have yet: until then no answer may report it. */
  readonly #unflushed = new Map<StoreKey, Ballot>();
  readonly #promises: Promises;
  readonly #lateTombstones: LateTombstones;
  /** What the store holds of the keys last used: each round asks three times. Oldest first. */
  readonly #recent = new Map<StoreKey, ReplicaState>();
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
      case 'learn':
        return this.#learn(request, answer);
      case 'read':
        return this.#read(request, answer);
      case 'read-committed':
        return answer({ kind: 'state', from: this.#settings.id, committed: this.#readCommitted(request.key) });
      case 'read-range':
        return this.#readRange(request, answer);
      case 'confirm-tombstone':
        return this.#confirmTombstone(request, answer);
      case 'purge':
        return this.#purge(request, answer);
    }
  }

  /** The item of `#readCommitted`, without decoding more than that. */
  committedItem(key: StoreKey): ItemImage | undefined {
    if (this.#recent.has(key) || !this.#settings.rules.readsCommittedOnly) return this.#readCommitted(key)?.item;
    const stored = this.#store.get('items', key);
    return stored === undefined ? undefined : decodeItem(stored);
  }

  /**
   * Keys after `after`, at most `limit`, whose newest record this replica accepted but does not know to be committed.
   * @param isSkipped which of them to leave out
   */
  acceptedKeys(
    after: StoreKey,
    limit: number,
    isSkipped: (key: StoreKey) => boolean = () => false,
  ): { readonly key: StoreKey; readonly ballot: Ballot }[] {
    const accepted: { readonly key: StoreKey; readonly ballot: Ballot }[] = [];
    for (let last = after; ; ) {
      const page = this.#store.range('paxos', `${last}\x00`, KEYS_END, limit);
      for (const { key, value } of page) {
        if (accepted.length < limit && !isSkipped(key)) accepted.push({ key, ballot: ballotIn(value) });
      }
      if (page.length < limit || accepted.length === limit) return accepted;
      last = page.at(-1)!.key;
    }
  }

  /** Whether it has had its tombstone of a key for less than the grace, however old that is. */
  isYoungTombstone(key: StoreKey): boolean {
    return this.#lateTombstones.isYoung(key);
  }

  /** What this replica holds of a key. */
  stateOf(key: StoreKey): ReplicaState {
    return this.#state(key);
  }

  /**
   * Erases the records of a table that no request can reach any more, in small steps, one after the other.
   *
   * Hazard: a write that was under way when the table was deleted may leave its record behind; nobody reaches it.
   */
  forgetTable(table: ByteString): void {
    const ranges = Array.from({ length: this.#settings.ring.length }, (_, partition) => tableRange(partition, table));
    // A disk that refuses is not asked for ever.
    const next = (error?: Error) => {
      const range = ranges.pop();
      if (range !== undefined && error === undefined) this.#eraseRange(range.from, range.to, () => true, next);
    };
    next();
  }

  /**
   * Erases all records of a partition in which this node has no vote, in small steps; then calls `done`, or as soon as the
   * disk refuses one.
   * @param isWanted asked before each step; once it says no, the rest stays
   */
  erasePartition(partition: number, isWanted: () => boolean, done: (error?: Error) => void): void {
    const { from, to } = partitionRange(partition);
    this.#eraseRange(from, to, isWanted, done);
  }

  /** Whether there is any record of a partition here. */
  holdsAnyOf(partition: number): boolean {
    const { from, to } = partitionRange(partition);
    return (['items', 'paxos'] as const).some((name) => this.#store.range(name, from, to, 1).length > 0);
  }

  /** Erases what this replica holds of a key: it was purged everywhere else, or belongs to nobody. */
  erase(key: StoreKey): void {
    this.#remove(key);
    this.#promises.forget(key);
  }

  /** Replaces the accepted records of a partition by those with which a new epoch begins. The caller flushes. */
  replaceAccepted(partition: number, staged: readonly { readonly key: StoreKey; readonly record: ItemRecord }[]): void {
    const { from, to } = partitionRange(partition);
    for (;;) {
      const rows = this.#store.range('paxos', from, to, ERASE_BATCH);
      for (const { key } of rows) {
        this.#store.remove('paxos', key);
        this.#unflushed.delete(key);
        this.#recent.delete(key);
      }
      if (rows.length < ERASE_BATCH) break;
    }
    for (const { key, record } of staged) {
      const { committed } = this.#state(key);
      if (committed !== undefined && compareBallots(record.ballot, committed.ballot) <= 0) continue;
      this.#store.put('paxos', key, encodeRecord(record));
      this.#recent.delete(key);
    }
  }

  /** Ends work in the background, and answers nothing any more: the store is about to be closed. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    try {
      this.#promises.close();
    } catch {
      // A disk that is out of order keeps the ceiling that it has, which is high enough.
    }
  }

  /** The newest committed record this replica knows of, whatever the epoch; a later one may exist. */
  #readCommitted(key: StoreKey): ItemRecord | undefined {
    const state = this.#state(key);
    return this.#settings.rules.readsCommittedOnly ? state.committed : topOf(state);
  }

  #prepare(request: Of<'prepare'>, answer: Answer): void {
    const { key, ballot } = request;
    if (!this.#hasVote(key, request.epoch)) return this.#answerWrongEpoch(key, answer);
    const state = this.#state(key);
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
    const state = this.#state(key);
    const ack = () => answer({ kind: 'accepted', from: this.#settings.id });
    // Committed means chosen: this copy is no longer needed to choose it.
    if (state.committed !== undefined && sameBallot(state.committed.ballot, record.ballot)) return ack();
    if (state.accepted === undefined || !sameBallot(state.accepted.ballot, record.ballot)) {
      const effective = this.#promises.effective(key, state);
      if (compareBallots(record.ballot, effective) < 0) {
        return answer({ kind: 'rejected', from: this.#settings.id, effective });
      }
      this.#store.put('paxos', key, encodeRecord(record));
      this.#remember(key, { accepted: record, committed: state.committed });
      this.#unflushed.set(key, record.ballot);
      this.#promises.promise(key, record.ballot);
    }
    if (this.#settings.rules.flushBeforeAck && this.#isFlushNeeded(key)) return this.#flushAccepted(key, ack, answer);
    ack();
  }

  /** Takes a chosen record. Never looks at promises or epochs: the greatest ballot wins (invariant I5). */
  #learn({ key, record, isFlushed }: Of<'learn'>, answer: Answer): void {
    const { accepted, committed } = this.#state(key);
    if (committed === undefined || compareBallots(record.ballot, committed.ballot) > 0) {
      this.#lateTombstones.note(key, record);
      this.#store.put('items', key, encodeRecord(record));
      const isSuperseded = accepted !== undefined && compareBallots(accepted.ballot, record.ballot) <= 0;
      if (isSuperseded) {
        this.#store.remove('paxos', key);
        this.#unflushed.delete(key);
      }
      // The round is over; items of 400 KB are not kept for a next one.
      this.#recent.delete(key);
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
    this.#answerFlushed(key, { kind: 'state', from: this.#settings.id, ...this.#state(key) }, answer);
  }

  #readRange(request: Of<'read-range'>, answer: Answer): void {
    const { from, to, limit, epoch } = request;
    if (epoch !== undefined && !this.#hasVote(from, epoch)) return this.#answerWrongEpoch(from, answer);
    const committed = this.#store.range('items', from, to, limit);
    const accepted = epoch === undefined ? [] : this.#store.range('paxos', from, to, limit);
    const entries = new Map<StoreKey, RangeEntry>();
    for (const { key, value } of committed) entries.set(key, { key, committed: decodeRecord(value) });
    for (const { key, value } of accepted)
      entries.set(key, { ...entries.get(key), key, accepted: decodeRecord(value) });
    const sorted = [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const unflushed = accepted.find(({ key }) => this.#isFlushNeeded(key));
    const reply: Reply = {
      kind: 'range',
      from: this.#settings.id,
      entries: sorted.slice(0, limit),
      more: committed.length === limit || accepted.length === limit || sorted.length > limit,
    };
    // One flush covers them all.
    this.#answerFlushed(unflushed?.key, reply, answer);
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
    const { accepted, committed } = this.#state(key);
    return accepted === undefined && committed !== undefined && sameBallot(committed.ballot, ballot);
  }

  #eraseRange(from: StoreKey, to: StoreKey, isWanted: () => boolean, done: (error?: Error) => void): void {
    if (this.#isStopped || !isWanted()) return;
    let hasMore = false;
    for (const name of ['items', 'paxos'] as const) {
      const found = this.#store.range(name, from, to, ERASE_BATCH);
      hasMore ||= found.length === ERASE_BATCH;
      for (const { key } of found) {
        this.#store.remove(name, key);
        this.#forget(key);
        this.#lateTombstones.forget(key);
        this.#promises.forget(key);
        this.#neighbours.committed(key);
      }
    }
    // The disk sets the pace.
    this.#store.flush((error) => {
      if (error !== undefined) return done(error);
      const next = hasMore ? () => this.#eraseRange(from, to, isWanted, done) : () => done();
      this.#clock.after(ERASE_PAUSE_MS, next);
    });
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
    this.#recent.delete(key);
  }

  #hasVote(key: StoreKey, epoch: number): boolean {
    return this.#votes.has(partitionOf(key), epoch);
  }

  #answerWrongEpoch(key: StoreKey, answer: Answer): void {
    answer({ kind: 'wrong-epoch', from: this.#settings.id, config: this.#votes.configOf(partitionOf(key)) });
  }

  #stored(name: 'items' | 'paxos', key: StoreKey): ItemRecord | undefined {
    const stored = this.#store.get(name, key);
    return stored === undefined ? undefined : decodeRecord(stored);
  }

  #state(key: StoreKey): ReplicaState {
    let state = this.#recent.get(key);
    if (state === undefined) {
      state = { accepted: this.#stored('paxos', key), committed: this.#stored('items', key) };
      this.#remember(key, state);
    }
    return state;
  }

  #remember(key: StoreKey, state: ReplicaState): void {
    this.#recent.set(key, state);
    if (this.#recent.size <= this.#settings.limits.statesKept) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
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
    this.#store.flush((error) => {
      if (error !== undefined) return this.#answerStorageFailed(error, answer);
      // Another record may have been accepted since; that one still waits.
      if (this.#unflushed.get(key) === ballot) this.#unflushed.delete(key);
      if (!this.#isStopped) then();
    });
  }

  /** Writes were lost: what was kept of them in memory goes too. */
  #noteLoss(): void {
    this.#promises.lost();
    this.#unflushed.clear();
    this.#recent.clear();
    this.#lateTombstones.reload();
    this.#votes.reload();
    this.#neighbours.lost();
  }

  #answerStorageFailed(error: Error, answer: Answer): void {
    answer({ kind: 'storage-failed', from: this.#settings.id, message: error.message });
  }
}

/** For an acceptor that nothing rests on. */
const ALONE: AcceptorNeighbours = { committed() {}, lost() {}, hasOther: () => false };
