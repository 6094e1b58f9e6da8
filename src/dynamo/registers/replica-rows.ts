import type { ItemImage } from '../../api/item.ts';
import { compareKeys, DAMAGED, type HalfOpenRange, type KeyOrder, type Store, type StoreKey } from '../../env/store.ts';
import type { Ballot } from '../ballot.ts';
import { partitionOf } from '../keyspace.ts';
import type { RangeEntry } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import { ballotIn, decodeItem, decodeRecord, encodeRecord, type ItemRecord, type ReplicaState } from '../record.ts';
import { writeState } from '../state-rows.ts';

/** Above every key: a store key begins with its partition's number, and no ring has 65,536 partitions. */
const KEYS_END: StoreKey = '\xff\xff';

/** In `meta`, before the key: what was committed of it was damaged, and written over before the newest was brought. */
export const MARK: StoreKey = 'damaged/';
const MARKS_END: StoreKey = 'damaged0';
/** Marks read at a time. */
const PAGE = 1_024;

/** Damaged keys that are known by name; of more it is known that there are some. */
const DAMAGED_KEPT = 100_000;

/** In place of an item that cannot be read. */
export const UNREADABLE: ItemImage = { size: 0, json: DAMAGED };

/** Which page of a range is asked for: its first `limit` entries in this order. */
export interface PageQuery extends HalfOpenRange {
  readonly order: KeyOrder;
  readonly limit: number;
}

/** The entries of a range, and which of them may be in the store alone and not on its disk. */
export interface RangePage {
  /** In the order that was asked for. */
  readonly entries: readonly RangeEntry[];
  readonly more: boolean;
  readonly acceptedKeys: readonly StoreKey[];
}

/**
 * What the store of a replica has of its keys: committed records in `items`, accepted ones that are not yet committed in
 * `paxos`. The store is the one truth about both; what it says of the keys in use is remembered.
 *
 * A key is _damaged_ from when one of its records cannot be read until the newest one was brought (`KeyRestore`). In between
 * it may be written over by what is learned, which may be older than what was there; so it is marked then, durably.
 */
export class ReplicaRows {
  readonly #store: Store;
  readonly #statesKept: number;
  readonly #isDamageSeen: boolean;
  /** What the store holds of the keys last used: each round asks three times. Oldest first. */
  readonly #recent = new Map<StoreKey, ReplicaState>();
  readonly #marked = new Set<StoreKey>();
  /** Those that were found, the marked ones among them. */
  readonly #damaged = new Set<StoreKey>();
  #hasMoreDamaged = false;
  /** How often a record of a damaged key was read and was not what had been written. */
  readonly #readings = new Map<StoreKey, number>();
  readonly #onDamaged: (key: StoreKey) => void;

  /** @param onDamaged called whenever a key is found to be damaged */
  constructor(store: Store, { limits, rules }: NodeSettings, onDamaged: (key: StoreKey) => void) {
    this.#store = store;
    this.#statesKept = limits.statesKept;
    this.#isDamageSeen = rules.damagedHasNoVote;
    this.#onDamaged = onDamaged;
    this.#readMarks();
  }

  /** The keys that are known to be damaged. */
  get damagedKeys(): ReadonlySet<StoreKey> {
    return this.#damaged;
  }

  hasDamagedIn(partition: number): boolean {
    if (this.#hasMoreDamaged) return true;
    for (const key of this.#damaged) if (partitionOf(key) === partition) return true;
    return false;
  }

  /**
   * A damaged row of the key was met. What is remembered of it is put in its place; else the key is damaged.
   * @returns what there is of it now
   */
  noteDamaged(key: StoreKey): ReplicaState {
    const state = this.state(key);
    if (state.isDamaged === true) return state;
    if (state.committed !== undefined) this.#store.put('items', key, encodeRecord(state.committed));
    if (state.accepted !== undefined) this.#store.put('paxos', key, encodeRecord(state.accepted));
    return state;
  }

  /** What is committed of a damaged key is about to be written over. */
  mark(key: StoreKey): void {
    if (this.#marked.has(key)) return;
    this.#marked.add(key);
    writeState(this.#store, MARK + key, true);
  }

  /** The key is whole again, or nothing is to be kept of it. */
  release(key: StoreKey): void {
    this.#recent.delete(key);
    this.#damaged.delete(key);
    this.#readings.delete(key);
    if (this.#marked.delete(key)) this.#store.remove('meta', MARK + key);
  }

  /** Removes what cannot be read of a damaged key, which stays damaged by its mark: what cannot be read later is news. */
  dropUnreadable(key: StoreKey): void {
    this.mark(key);
    for (const name of ['items', 'paxos'] as const) {
      if (this.#store.get(name, key) === DAMAGED) this.#store.remove(name, key);
    }
    this.#recent.delete(key);
  }

  /** How often a record of a damaged key could not be read so far. If more often than before, it has rotted since. */
  readingsOf(key: StoreKey): number {
    this.state(key);
    return this.#readings.get(key) ?? 0;
  }

  isRemembered(key: StoreKey): boolean {
    return this.#recent.has(key);
  }

  state(key: StoreKey): ReplicaState {
    const known = this.#recent.get(key);
    if (known !== undefined) return known;
    const accepted = this.#store.get('paxos', key);
    const committed = this.#store.get('items', key);
    const isUnreadable = accepted === DAMAGED || committed === DAMAGED;
    if ((isUnreadable || this.#marked.has(key)) && this.#isDamageSeen) {
      if (isUnreadable) this.#readings.set(key, (this.#readings.get(key) ?? 0) + 1);
      this.#found(key);
      return { accepted: decoded(accepted), committed: decoded(committed), isDamaged: true };
    }
    const state = { accepted: decoded(accepted), committed: decoded(committed) };
    this.remember(key, state);
    return state;
  }

  /** The committed item of a key that is not remembered, without decoding more than that; UNREADABLE if it is damaged. */
  item(key: StoreKey): ItemImage | undefined {
    const stored = this.#store.get('items', key);
    if (stored === DAMAGED || this.#marked.has(key)) {
      this.#found(key);
      return UNREADABLE;
    }
    return stored === undefined ? undefined : decodeItem(stored);
  }

  /** @param state what the store holds of the key now */
  remember(key: StoreKey, state: ReplicaState): void {
    this.#recent.set(key, state);
    if (this.#recent.size <= this.#statesKept) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
  }

  /** The store is asked again: it has been written to. */
  forget(key: StoreKey): void {
    this.#recent.delete(key);
  }

  /** Writes were lost. */
  reload(): void {
    this.#recent.clear();
    this.#readMarks();
  }

  /** @param what `committed` leaves out the records that are accepted and not committed */
  range(query: PageQuery, what: 'all' | 'committed'): RangePage {
    const { order, limit } = query;
    const committed = this.#store.range('items', query);
    const accepted = what === 'committed' ? [] : this.#store.range('paxos', query);
    const entries = new Map<StoreKey, RangeEntry>();
    const isSound = (key: StoreKey, value: Uint8Array) => value !== DAMAGED && !this.#marked.has(key);
    for (const { key, value } of committed) {
      if (isSound(key, value)) entries.set(key, { key, committed: decodeRecord(value) });
      else entries.set(key, { key, ...this.noteDamaged(key) });
    }
    for (const { key, value } of accepted) {
      if (isSound(key, value)) entries.set(key, { ...entries.get(key), key, accepted: decodeRecord(value) });
      else entries.set(key, { key, ...this.noteDamaged(key) });
    }
    // Each of the two lists is complete up to its last key, so the first `limit` of both together leave nothing out.
    const sorted = [...entries.values()].sort((a, b) => compareKeys(a.key, b.key, order));
    return {
      entries: sorted.slice(0, limit),
      more: committed.length === limit || accepted.length === limit || sorted.length > limit,
      acceptedKeys: accepted.map(({ key }) => key),
    };
  }

  /**
   * Keys after `after`, at most `limit`, whose newest record is accepted and not known to be committed.
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

  #found(key: StoreKey): void {
    if (this.#damaged.size < DAMAGED_KEPT) this.#damaged.add(key);
    else if (!this.#damaged.has(key)) this.#hasMoreDamaged = true;
    this.#onDamaged(key);
  }

  #readMarks(): void {
    this.#marked.clear();
    for (let last = MARK; ; ) {
      const page = this.#store.range('meta', { after: last, to: MARKS_END, limit: PAGE });
      for (const { key } of page) {
        this.#marked.add(key.slice(MARK.length));
        this.#damaged.add(key.slice(MARK.length));
      }
      if (page.length < PAGE) return;
      last = page.at(-1)!.key;
    }
  }
}

function decoded(stored: Uint8Array | undefined): ItemRecord | undefined {
  return stored === undefined || stored === DAMAGED ? undefined : decodeRecord(stored);
}
