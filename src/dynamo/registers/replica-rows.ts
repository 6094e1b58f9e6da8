import type { ItemImage } from '../../api/item.ts';
import type { Clock } from '../../env/clock.ts';
import { compareKeys, DAMAGED, type Entry, isCutShort, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot } from '../ballot.ts';
import { Outbox } from '../derived/outbox.ts';
import { assertInvariant } from '../invariants.ts';
import { KEYS_END, partitionRange } from '../keyspace.ts';
import type { RangeEntry } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import { ballotIn, decodeItem, decodeRecord, type ItemRecord, type ReplicaState } from '../record.ts';
import { type Adoption, DamagedKeys } from './damaged-keys.ts';
import { ERASE_BATCH } from './erasure.ts';
import { ItemCounts } from './item-counts.ts';
import { LocalRows } from './local-rows.ts';
import type { PageQuery } from './page-query.ts';

/** In place of an item that cannot be read. */
export const UNREADABLE: ItemImage = { size: 0, json: DAMAGED };

/** The entries of a range, and which of them the disk may not have yet. */
export interface RangePage {
  /** In the order that was asked for. */
  readonly entries: readonly RangeEntry[];
  readonly more: boolean;
  readonly acceptedKeys: readonly StoreKey[];
}

/** A record that was accepted, with its key. */
export interface AcceptedRecord {
  readonly key: StoreKey;
  readonly record: ItemRecord;
}

/**
 * The records of one replica: committed ones in the store `items`, accepted ones that are not committed yet in `paxos`.
 * The store is the only truth about both; the state of recently used keys is cached.
 */
export class ReplicaRows {
  readonly #store: Store;
  readonly #statesKept: number;
  readonly #isDamageSeen: boolean;
  readonly #isCheckedFully: boolean;
  /** The state of recently used keys as the store has it, oldest first: each round asks three times. */
  readonly #recent = new Map<StoreKey, ReplicaState>();
  /** Keys whose accepted record the disk may not have yet, with its ballot: until then no answer may report it. */
  readonly #unflushed = new Map<StoreKey, Ballot>();
  readonly #damaged: DamagedKeys;
  readonly #onDamaged: (key: StoreKey) => void;
  /** The items whose entries in indexes are not known to be in place. */
  readonly outbox: Outbox;
  /** The rows of local indexes, which follow the committed records. */
  readonly local: LocalRows;
  /** How many items there are of each table. */
  readonly counts: ItemCounts;

  /** @param onDamaged called whenever a key is found to be damaged */
  constructor(store: Store, clock: Clock, settings: NodeSettings, onDamaged: (key: StoreKey) => void) {
    const { limits, rules, checks } = settings;
    this.#store = store;
    this.#isCheckedFully = checks === 'all';
    this.#statesKept = limits.statesKept;
    this.#isDamageSeen = rules.damagedHasNoVote;
    this.#onDamaged = onDamaged;
    this.#damaged = new DamagedKeys(store);
    this.counts = new ItemCounts(store, clock);
    this.outbox = new Outbox(store, clock, { marksKept: limits.marksKept, isWithRecord: rules.outboxRowWithRecord });
    this.local = new LocalRows({
      ...{ store, clock, settings },
      stateOf: (key) => this.#recent.get(key) ?? this.#load(key),
      markedIn: (range) => this.#damaged.markedIn(range),
      pendingIn: (range) => this.outbox.pendingIn(range),
      markDamaged: (key) => this.#damaged.mark(key),
    });
  }

  /** The keys that are known to be damaged. */
  get damagedKeys(): ReadonlySet<StoreKey> {
    return this.#damaged.known;
  }

  hasDamagedIn(partition: number): boolean {
    return this.#damaged.hasAnyIn(partition);
  }

  /** Whether the state of the key is cached. */
  isRemembered(key: StoreKey): boolean {
    return this.#recent.has(key);
  }

  state(key: StoreKey): ReplicaState {
    const known = this.#recent.get(key);
    if (known !== undefined) {
      if (this.#isCheckedFully) this.#checkCached(key, known);
      return known;
    }
    const state = this.#load(key);
    if (state.isDamaged !== true) this.#remember(key, state);
    return state;
  }

  /** As `state`, for a step that may change it: then what is known is dropped, so nothing is cached for it. */
  stateOnce(key: StoreKey): ReplicaState {
    return this.#recent.has(key) ? this.state(key) : this.#load(key);
  }

  /** The state of a key as the store has it. Damage is noted. */
  #load(key: StoreKey): ReplicaState {
    const accepted = this.#store.get('paxos', key);
    const committed = this.#store.get('items', key);
    const isUnreadable = accepted === DAMAGED || committed === DAMAGED;
    if ((isUnreadable || this.#damaged.isMarked(key)) && this.#isDamageSeen) {
      if (isUnreadable) this.#damaged.noteUnreadable(key);
      this.#noteFound(key);
      return { accepted: decoded(accepted), committed: decoded(committed), isDamaged: true };
    }
    return { accepted: decoded(accepted), committed: decoded(committed) };
  }

  /** The committed item of a key that is not cached, without decoding the rest; UNREADABLE if it is damaged. */
  item(key: StoreKey): ItemImage | undefined {
    const stored = this.#store.get('items', key);
    if (stored === DAMAGED || this.#damaged.isMarked(key)) {
      this.#noteFound(key);
      return UNREADABLE;
    }
    return stored === undefined ? undefined : decodeItem(stored);
  }

  /** Writes an accepted record. @param committed what is committed of the key */
  accept(key: StoreKey, record: ItemRecord, committed: ItemRecord | undefined): void {
    const isNewer = committed === undefined || compareBallots(record.ballot, committed.ballot) > 0;
    assertInvariant(
      isNewer,
      'docs/protocol.md section 1.3',
      'a record is accepted that is older than the committed one',
    );
    this.#store.put('paxos', key, record.stored);
    this.#remember(key, { accepted: record, committed });
    this.#unflushed.set(key, record.ballot);
  }

  /** Writes an accepted record in place of what is damaged of the key, which stays damaged until it is released. */
  adopt(key: StoreKey, record: ItemRecord): void {
    this.#store.put('paxos', key, record.stored);
    this.#unflushed.set(key, record.ballot);
  }

  /**
   * Writes a committed record, and removes the key's accepted one unless that is newer.
   * @param before what there was
   */
  commit(key: StoreKey, record: ItemRecord, { accepted, committed }: ReplicaState): void {
    const isNewer = committed === undefined || compareBallots(record.ballot, committed.ballot) > 0;
    assertInvariant(isNewer, 'docs/protocol.md I5', 'a committed record gives way to one that is not newer');
    this.outbox.committing(key, record);
    this.local.follow(key, committed, record, () => this.#store.put('items', key, record.stored));
    this.outbox.committed(key, record, committed);
    this.counts.changed(key, committed, record);
    const isSuperseded = accepted !== undefined && compareBallots(accepted.ballot, record.ballot) <= 0;
    if (isSuperseded) {
      this.#store.remove('paxos', key);
      this.#unflushed.delete(key);
    }
    // The round is over; items of 400 KB are not kept for a next one.
    this.#recent.delete(key);
  }

  /** Removes all records of a key. */
  remove(key: StoreKey): void {
    const { committed } = this.#recent.get(key) ?? { committed: decoded(this.#store.get('items', key)) };
    this.local.follow(key, committed, undefined, () => this.#store.remove('items', key));
    this.#store.remove('paxos', key);
    this.counts.changed(key, committed, undefined);
    this.#forget(key);
  }

  /** A record of a key was removed from the store. @param committed its bytes, if it was committed */
  noteRemoved(key: StoreKey, committed: Uint8Array | undefined): void {
    if (committed === DAMAGED) this.local.recount(key);
    else if (committed !== undefined) this.local.noteRemoved(key, committed);
    if (committed === DAMAGED) this.counts.disturb();
    else this.counts.changed(key, decoded(committed), undefined);
    this.#forget(key);
  }

  #forget(key: StoreKey): void {
    this.#unflushed.delete(key);
    this.outbox.remove(key);
    this.release(key);
  }

  /** The committed record of a damaged key is about to be written over: a restart must not take the key for whole. */
  mark(key: StoreKey): void {
    this.#damaged.mark(key);
    this.local.recount(key);
  }

  /** The key is whole again, or nothing of it is left in the store. */
  release(key: StoreKey): void {
    this.#recent.delete(key);
    this.#damaged.release(key);
  }

  /** Whether the key has an accepted record that the disk may not have yet. */
  isUnflushed(key: StoreKey): boolean {
    return this.#unflushed.has(key);
  }

  /** Waits until the disk has the accepted record of a key; `done` gets the error of a disk that refuses. */
  flushAccepted(key: StoreKey, done: (error?: Error) => void): void {
    const ballot = this.#unflushed.get(key);
    this.#store.flush((error) => {
      // Another record may have been accepted since; that one still waits.
      if (error === undefined && this.#unflushed.get(key) === ballot) this.#unflushed.delete(key);
      done(error);
    });
  }

  /** Writes were lost: what was kept of them in memory goes too. */
  reload(): void {
    this.#unflushed.clear();
    this.#recent.clear();
    this.#damaged.reload();
    this.counts.disturb();
    this.outbox.reload();
  }

  /**
   * A damaged row of the key was met. If the key's state is cached, that is written again; else the key is damaged.
   * @returns the state of the key now
   */
  noteDamaged(key: StoreKey): ReplicaState {
    const state = this.state(key);
    if (state.isDamaged === true) return state;
    if (state.committed !== undefined) this.#store.put('items', key, state.committed.stored);
    if (state.accepted !== undefined) this.#store.put('paxos', key, state.accepted.stored);
    return state;
  }

  /** The store is about to be closed. */
  stop(): void {
    this.local.stop();
    this.counts.stop();
    this.outbox.stop();
  }

  /** The outbox row of a key cannot be read. @returns false if nobody knows whether it is needed, until the key is whole */
  remakeOutboxRow(key: StoreKey): boolean {
    const { committed, isDamaged } = this.state(key);
    if (isDamaged === true) return false;
    this.outbox.remake(key, committed);
    return true;
  }

  /** Removes the damaged rows of a key. The key stays damaged by its mark; a row that cannot be read later is news. */
  dropUnreadable(key: StoreKey): void {
    this.#damaged.mark(key);
    this.local.recount(key);
    for (const name of ['items', 'paxos'] as const) {
      if (this.#store.get(name, key) === DAMAGED) this.#store.remove(name, key);
    }
    this.#recent.delete(key);
  }

  noteAdopted(key: StoreKey): void {
    this.state(key);
    this.#damaged.noteAdopted(key);
  }

  /** The last adoption of a key. Another one than before means that the records of before were replaced. */
  adoptionOf(key: StoreKey): Adoption | undefined {
    return this.#damaged.adoptionOf(key);
  }

  /** Whether all records of a key could be read since its last adoption. False if nothing was adopted. */
  isWholeSinceAdoption(key: StoreKey): boolean {
    const adoption = this.#damaged.adoptionOf(key);
    if (adoption === undefined) return false;
    this.state(key);
    return adoption.readings === this.#damaged.readingsOf(key);
  }

  /** What is committed in a range, in its order; undefined if a record of the range is damaged. */
  committedIn(query: PageQuery): readonly Entry[] | undefined {
    if (this.#damaged.markedIn(query).length > 0) return undefined;
    const committed = this.#store.range('items', query);
    return committed.some(({ value }) => value === DAMAGED) ? undefined : committed;
  }

  /** @param what `committed` leaves out the records that are accepted and not committed */
  range(query: PageQuery, what: 'all' | 'committed'): RangePage {
    const { order, limit } = query;
    const committed = this.#store.range('items', query);
    const accepted = what === 'committed' ? [] : this.#store.range('paxos', query);
    const marked = this.#damaged.markedIn(query);
    // As a rule nothing is damaged, and nothing has to be laid over what is committed, which is in order.
    if (accepted.length === 0 && marked.length === 0 && committed.every(({ value }) => value !== DAMAGED)) {
      const whole = committed.map(({ key, value }) => ({ key, committed: decodeRecord(value) }));
      return { entries: whole, more: isCutShort(committed, query), acceptedKeys: [] };
    }
    const entries = new Map<StoreKey, RangeEntry>();
    const isSound = (key: StoreKey, value: Uint8Array) => value !== DAMAGED && !this.#damaged.isMarked(key);
    for (const { key, value } of committed) {
      if (isSound(key, value)) entries.set(key, { key, committed: decodeRecord(value) });
      else entries.set(key, { key, ...this.noteDamaged(key) });
    }
    for (const { key, value } of accepted) {
      if (isSound(key, value)) entries.set(key, { ...entries.get(key), key, accepted: decodeRecord(value) });
      else entries.set(key, { key, ...this.noteDamaged(key) });
    }
    // While a key is restored it may have no committed row, and yet it is not absent.
    for (const key of marked) {
      if (!entries.has(key)) entries.set(key, { key, ...this.noteDamaged(key) });
    }
    // Each of these lists is complete up to its last key, so nothing is left out up to the nearest of those.
    const ends = [committed, accepted].filter((page) => isCutShort(page, query)).map((page) => page.at(-1)!.key);
    const sorted = [...entries.values()].sort((a, b) => compareKeys(a.key, b.key, order));
    const whole = sorted.filter(({ key }) => ends.every((end) => compareKeys(key, end, order) <= 0));
    return {
      entries: whole.slice(0, limit),
      more: ends.length > 0 || whole.length > limit,
      acceptedKeys: accepted.map(({ key }) => key),
    };
  }

  /**
   * Keys after `after`, at most `limit`, with an accepted record that is not known to be committed.
   * @param isSkipped which of them to leave out
   */
  acceptedKeys(
    after: StoreKey,
    limit: number,
    isSkipped: (key: StoreKey) => boolean,
  ): { readonly key: StoreKey; readonly ballot: Ballot }[] {
    const accepted: { readonly key: StoreKey; readonly ballot: Ballot }[] = [];
    for (let last = after; ; ) {
      const page = this.#store.range('paxos', { after: last, to: KEYS_END, limit });
      for (const { key, value } of page) {
        if (value === DAMAGED) this.noteDamaged(key);
        else if (accepted.length < limit && !isSkipped(key)) accepted.push({ key, ballot: ballotIn(value) });
      }
      if (page.length < limit || accepted.length === limit) return accepted;
      last = page.at(-1)!.key;
    }
  }

  /** Whether there is any record of a partition. */
  holdsAnyOf(partition: number): boolean {
    const any = { ...partitionRange(partition), limit: 1 };
    return (['items', 'paxos'] as const).some((name) => this.#store.range(name, any).length > 0);
  }

  /** Replaces the accepted records of a partition by those with which a new epoch begins. The caller flushes. */
  replaceAccepted(partition: number, staged: readonly AcceptedRecord[]): void {
    for (;;) {
      const rows = this.#store.range('paxos', { ...partitionRange(partition), limit: ERASE_BATCH });
      for (const { key } of rows) {
        this.#store.remove('paxos', key);
        this.#unflushed.delete(key);
        this.#recent.delete(key);
      }
      if (rows.length < ERASE_BATCH) break;
    }
    for (const { key, record } of staged) {
      const { committed } = this.state(key);
      if (committed !== undefined && compareBallots(record.ballot, committed.ballot) <= 0) continue;
      this.#store.put('paxos', key, record.stored);
      this.#recent.delete(key);
    }
  }

  #remember(key: StoreKey, state: ReplicaState): void {
    this.#recent.set(key, state);
    if (this.#recent.size <= this.#statesKept) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
  }

  /** The cache says what the store has, unless that has rotted. */
  #checkCached(key: StoreKey, { accepted, committed }: ReplicaState): void {
    for (const [name, record] of [['paxos', accepted] as const, ['items', committed] as const]) {
      const stored = this.#store.get(name, key);
      if (stored === DAMAGED) continue;
      const isSame = record && stored ? sameBallot(record.ballot, ballotIn(stored)) : record === stored;
      assertInvariant(isSame, 'docs/protocol.md section 1.3', `the cached state of a key is not that of ${name}`);
    }
  }

  #noteFound(key: StoreKey): void {
    // When it is restored, nobody knows any more what it was.
    this.counts.disturb();
    this.#damaged.add(key);
    this.#onDamaged(key);
  }
}

function decoded(stored: Uint8Array | undefined): ItemRecord | undefined {
  return stored === undefined || stored === DAMAGED ? undefined : decodeRecord(stored);
}
