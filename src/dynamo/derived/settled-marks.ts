import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';

/**
 * Up to which ballot what is due of an item is settled, as this node has heard (docs/protocol.md section 14.3). A mark is a
 * fact about the chain of the item's records, so one that is old, doubled or forgotten does no harm: work is done twice.
 */
export class SettledMarks {
  readonly #kept: number;
  /** The one that was noted longest ago comes first. */
  readonly #marks = new Map<StoreKey, Ballot>();

  /** @param kept how many are remembered */
  constructor(kept: number) {
    this.#kept = kept;
  }

  of(key: StoreKey): Ballot {
    return this.#marks.get(key) ?? NO_BALLOT;
  }

  note(key: StoreKey, settled: Ballot): void {
    const known = this.#marks.get(key);
    if (known !== undefined && compareBallots(known, settled) >= 0) return;
    this.#marks.delete(key);
    this.#marks.set(key, settled);
    if (this.#marks.size <= this.#kept) return;
    const [oldest] = this.#marks.keys();
    this.#marks.delete(oldest!);
  }

  forget(key: StoreKey): void {
    this.#marks.delete(key);
  }
}
