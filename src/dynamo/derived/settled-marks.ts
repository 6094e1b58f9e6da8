import type { StoreKey } from '../../env/store.ts';
import { covers, maxSettled, NOTHING_SETTLED, type Settled } from './settled.ts';

/**
 * Up to which ballots an item is settled, as this node has heard (docs/protocol.md section 14.3). A mark is a
 * fact about the chain of the item's records, so one that is old, doubled or forgotten does no harm: work is done twice.
 */
export class SettledMarks {
  readonly #kept: number;
  /** The one that was noted longest ago comes first. */
  readonly #marks = new Map<StoreKey, Settled>();

  /** @param kept how many are remembered */
  constructor(kept: number) {
    this.#kept = kept;
  }

  of(key: StoreKey): Settled {
    return this.#marks.get(key) ?? NOTHING_SETTLED;
  }

  note(key: StoreKey, settled: Settled): void {
    const known = this.of(key);
    if (covers(known, settled)) return;
    this.#marks.delete(key);
    this.#marks.set(key, maxSettled(known, settled));
    if (this.#marks.size <= this.#kept) return;
    const [oldest] = this.#marks.keys();
    this.#marks.delete(oldest!);
  }

  forget(key: StoreKey): void {
    this.#marks.delete(key);
  }
}
