import type { Clock } from '../../env/clock.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import { prefixEnd } from '../keyspace.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import { writeState } from '../state-rows.ts';

/** The prefix of the rows in `meta`; the key follows. */
export const LATE: StoreKey = 'late/';

/**
 * When this replica learned the tombstones that were already old by then (`meta`, `late/` and the key).
 *
 * The age of a tombstone is that of its ballot, by the clock of the node that deleted the item. If that clock is hours
 * behind, writes older than the tombstone and their hints may still be young. Once this replica has had the tombstone
 * for the grace, by its own clock, no hint is older than it.
 *
 * For other tombstones no row is kept: a replica that learned a tombstone soon has had it for long enough when its
 * ballot is past the grace.
 */
export class LateTombstones {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #lateAfterMs: number;
  /** Whether there may be a row: mostly there is none, and no lookup is needed. */
  #hasRows = false;

  constructor(store: Store, clock: Clock, limits: NodeLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#graceMs = limits.tombstoneGraceMs;
    // The rest of the grace is then longer than older writes can live in operations, in messages and as hints.
    const { tombstoneGraceMs, hintLifeMs, opLifeMs, messageLifeMs } = limits;
    this.#lateAfterMs = Math.max(0, tombstoneGraceMs - hintLifeMs - opLifeMs - 2 * messageLifeMs);
    this.reload();
  }

  /** Reads the store again, after writes were lost. */
  reload(): void {
    this.#hasRows = this.#store.range('meta', { from: LATE, to: prefixEnd(LATE), limit: 1 }).length > 0;
  }

  /** Call it before a committed record is written, so that after a crash no late tombstone is there without its row. */
  note(key: StoreKey, { item, ballot }: ItemRecord): void {
    if (item !== undefined || this.#ageMs(ballot) <= this.#lateAfterMs) return this.forget(key);
    this.#noteNow(key);
  }

  /** Drops the row of a key: its committed record is gone, or is another one. */
  forget(key: StoreKey): void {
    if (this.#hasRows && this.#store.get('meta', LATE + key) !== undefined) this.#store.remove('meta', LATE + key);
  }

  /** Whether this replica has had its tombstone of a key for less than the grace, however old the tombstone is. */
  isYoung(key: StoreKey): boolean {
    const stored = this.#hasRows ? this.#store.get('meta', LATE + key) : undefined;
    if (stored === undefined) return false;
    if (stored === DAMAGED) {
      this.#noteNow(key);
      return true;
    }
    return this.#clock.now() - (JSON.parse(Buffer.from(stored).toString()) as number) < this.#graceMs;
  }

  #noteNow(key: StoreKey): void {
    this.#hasRows = true;
    writeState(this.#store, LATE + key, this.#clock.now());
  }

  #ageMs({ hlc }: Ballot): number {
    return this.#clock.now() - hlc / TICKS_PER_MS;
  }
}
