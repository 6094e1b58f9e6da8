import type { Store, StoreKey } from '../env/store.ts';
import type { Ballot } from './ballot.ts';
import type { RangeEntry } from './messages.ts';
import { ballotIn, decodeRecord, type ItemRecord, type ReplicaState } from './record.ts';

/** Above every key: a store key begins with its partition's number, and no ring has 65,536 partitions. */
const KEYS_END: StoreKey = '\xff\xff';

/** The entries of a range, and which of them may be in the store alone and not on its disk. */
export interface RangePage {
  /** In key order. */
  readonly entries: readonly RangeEntry[];
  readonly more: boolean;
  readonly acceptedKeys: readonly StoreKey[];
}

/**
 * What the store of a replica has of its keys: committed records in `items`, accepted ones that are not yet committed in
 * `paxos`. The store is the one truth about both; what it says of the keys in use is remembered.
 */
export class ReplicaRows {
  readonly #store: Store;
  readonly #statesKept: number;
  /** What the store holds of the keys last used: each round asks three times. Oldest first. */
  readonly #recent = new Map<StoreKey, ReplicaState>();

  /** @param statesKept how many are remembered */
  constructor(store: Store, statesKept: number) {
    this.#store = store;
    this.#statesKept = statesKept;
  }

  isRemembered(key: StoreKey): boolean {
    return this.#recent.has(key);
  }

  state(key: StoreKey): ReplicaState {
    let state = this.#recent.get(key);
    if (state === undefined) {
      state = { accepted: this.#stored('paxos', key), committed: this.#stored('items', key) };
      this.remember(key, state);
    }
    return state;
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

  forgetAll(): void {
    this.#recent.clear();
  }

  /** At most `limit` entries with `from <= key < to`. @param isCommittedOnly whether to leave out what is not committed */
  range(from: StoreKey, to: StoreKey, limit: number, isCommittedOnly: boolean): RangePage {
    const committed = this.#store.range('items', from, to, limit);
    const accepted = isCommittedOnly ? [] : this.#store.range('paxos', from, to, limit);
    const entries = new Map<StoreKey, RangeEntry>();
    for (const { key, value } of committed) entries.set(key, { key, committed: decodeRecord(value) });
    for (const { key, value } of accepted)
      entries.set(key, { ...entries.get(key), key, accepted: decodeRecord(value) });
    const sorted = [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
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
      const page = this.#store.range('paxos', `${last}\x00`, KEYS_END, limit);
      for (const { key, value } of page) {
        if (accepted.length < limit && !isSkipped(key)) accepted.push({ key, ballot: ballotIn(value) });
      }
      if (page.length < limit || accepted.length === limit) return accepted;
      last = page.at(-1)!.key;
    }
  }

  #stored(name: 'items' | 'paxos', key: StoreKey): ItemRecord | undefined {
    const stored = this.#store.get(name, key);
    return stored === undefined ? undefined : decodeRecord(stored);
  }
}
