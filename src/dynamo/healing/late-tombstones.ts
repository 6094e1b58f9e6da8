import type { Clock } from '../../env/clock.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import { prefixEnd } from '../keyspace.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import { writeState } from '../state-rows.ts';

/** In `meta`, before the key. */
export const LATE: StoreKey = 'late/';

/**
 * When a replica was told of those of its tombstones that were old by then (`meta`, `late/` and the key). A tombstone's age
 * is that of its ballot, and so by the clock of the node that deleted the item: where that is hours behind, older writes and
 * their hints may be young. What a replica has had for the grace, by its own clock, no hint can be older than.
 *
 * Of the others nothing is kept: who was told of one sooner has had it for long enough when its ballot is past the grace.
 */
export class LateTombstones {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #lateAfterMs: number;
  /** Whether there may be any: as a rule there is none, and nothing has to be looked up. */
  #mayBe = false;

  constructor(store: Store, clock: Clock, limits: NodeLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#graceMs = limits.tombstoneGraceMs;
    // What is left of the grace then is longer than older writes live: in operations, in messages, as hints.
    const { tombstoneGraceMs, hintLifeMs, opLifeMs, messageLifeMs } = limits;
    this.#lateAfterMs = Math.max(0, tombstoneGraceMs - hintLifeMs - opLifeMs - 2 * messageLifeMs);
    this.reload();
  }

  /** Looks at the disk again, as after writes were lost. */
  reload(): void {
    this.#mayBe = this.#store.range('meta', { from: LATE, to: prefixEnd(LATE), limit: 1 }).length > 0;
  }

  /** To be called before a committed record is written, so that a crash does not keep a tombstone without this. */
  note(key: StoreKey, { item, ballot }: ItemRecord): void {
    if (item !== undefined || this.#ageMs(ballot) <= this.#lateAfterMs) return this.forget(key);
    this.#noteNow(key);
  }

  /** The committed record of a key is gone, or is another. */
  forget(key: StoreKey): void {
    if (this.#mayBe && this.#store.get('meta', LATE + key) !== undefined) this.#store.remove('meta', LATE + key);
  }

  /** Whether the replica has had its tombstone of a key for less than the grace, however old that is. */
  isYoung(key: StoreKey): boolean {
    const stored = this.#mayBe ? this.#store.get('meta', LATE + key) : undefined;
    if (stored === undefined) return false;
    if (stored === DAMAGED) {
      this.#noteNow(key);
      return true;
    }
    return this.#clock.now() - (JSON.parse(Buffer.from(stored).toString()) as number) < this.#graceMs;
  }

  #noteNow(key: StoreKey): void {
    this.#mayBe = true;
    writeState(this.#store, LATE + key, this.#clock.now());
  }

  #ageMs({ hlc }: Ballot): number {
    return this.#clock.now() - hlc / TICKS_PER_MS;
  }
}
