import type { Clock } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import { DAMAGED, type RangeQuery, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots } from '../ballot.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, decodeRecord, type ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';

/** Separates the home from the key in the key of a hint; no node id contains it. */
const SEPARATOR = '\0';
const HINTS_END: StoreKey = '\xff';
/** A hint is the time at which it was kept, in ms since 1970, and the record. */
const TIME_BYTES = 8;
/** Hints read at a time when they are counted. */
const PAGE = 256;

/** A hint as it is stored. */
export interface HintRow {
  /** The key of the hint: the home replica, and the key of the record. */
  readonly hint: StoreKey;
  /** `DAMAGED`, or to be read with `recordOfHint`. */
  readonly value: Uint8Array;
}

/** The name of a hint: for which home replica it is kept, and of which key. */
export interface HintName {
  readonly home: NodeId;
  readonly key: StoreKey;
}

export interface HintRowsParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
}

/** The hints in a node's store, counted for each home replica and bounded in number and bytes. */
export class HintRows {
  readonly #parts: HintRowsParts;
  /** How many hints there are for each home. */
  readonly #counts = new Map<NodeId, number>();
  /** For each home replica whose hints are being looked through: the last one that `nextInTurn` has returned. */
  readonly #cursors = new Map<NodeId, StoreKey>();
  /** The traced requests that hints are kept for. Not on disk: a restart forgets them. */
  readonly #requestIds = new Map<StoreKey, string>();
  #bytes = 0;
  #damaged = 0;

  constructor(parts: HintRowsParts) {
    this.#parts = parts;
    this.recount();
  }

  /** Counts the hints again, as at a start or after writes were lost. */
  recount(): void {
    this.#counts.clear();
    this.#requestIds.clear();
    this.#bytes = 0;
    for (const { hint, value } of this.all()) {
      if (value === DAMAGED) this.#removeDamaged(hint);
      else this.#count(hint, 1, value.length);
    }
  }

  /** The home replicas that hints are kept for. */
  get homes(): Iterable<NodeId> {
    return this.#counts.keys();
  }

  get count(): number {
    let count = 0;
    for (const each of this.#counts.values()) count += each;
    return count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Hints that could not be read, since the start. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * Keeps a record unless it has a newer one under that name.
   * @param requestId the request whose record it is, if it is traced
   * @returns false if there is no room
   */
  put({ home, key }: HintName, record: ItemRecord, requestId: string | undefined): boolean {
    const { store, clock, limits } = this.#parts;
    const hint = hintKey({ home, key });
    const before = this.get(hint);
    if (before !== undefined && compareBallots(ballotOfHint(before), record.ballot) >= 0) return true;
    const { stored } = record;
    const value = Buffer.allocUnsafe(TIME_BYTES + stored.length);
    value.writeDoubleBE(clock.now());
    value.set(stored, TIME_BYTES);
    const moreBytes = value.length - (before?.length ?? 0);
    if (before === undefined && this.count >= limits.hintsKept) return false;
    if (this.#bytes + moreBytes > limits.hintBytesKept) return false;
    store.put('hints', hint, value);
    this.#count(hint, before === undefined ? 1 : 0, moreBytes);
    if (requestId === undefined) this.#forgetRequest(hint);
    else this.#requestIds.set(hint, requestId);
    return true;
  }

  /** A hint that can be read; a damaged one is dropped. */
  get(hint: StoreKey): Uint8Array | undefined {
    const value = this.#parts.store.get('hints', hint);
    if (value !== DAMAGED) return value;
    this.dropDamaged(hint);
    return undefined;
  }

  drop(hint: StoreKey): void {
    const value = this.get(hint);
    if (value === undefined) return;
    this.#parts.store.remove('hints', hint);
    this.#forgetRequest(hint);
    this.#count(hint, -1, -value.length);
  }

  /** Drops a hint that cannot be read. Its length is unknown, so the mean of all is taken off the bytes. */
  dropDamaged(hint: StoreKey): void {
    this.#removeDamaged(hint);
    this.#count(hint, -1, -Math.floor(this.#bytes / Math.max(1, this.count)));
  }

  /** The traced request that a hint is kept for, if this process knows it. */
  requestIdOf(hint: StoreKey): string | undefined {
    return this.#requestIds.get(hint);
  }

  /** The next hints for a home replica, in key order. @param after '' for the first */
  page(home: NodeId, after: StoreKey, limit: number): readonly HintRow[] {
    const from = after === '' ? hintKey({ home, key: '' }) : after;
    return this.#range({ after: from, to: `${home}\x01`, limit });
  }

  /** As `page`, but each call continues where the last one ended; after the end it starts again. */
  nextInTurn(home: NodeId, limit: number): readonly HintRow[] {
    const page = this.page(home, this.#cursors.get(home) ?? '', limit);
    if (page.length < limit) this.#cursors.delete(home);
    else this.#cursors.set(home, page.at(-1)!.hint);
    return page;
  }

  *all(): Iterable<HintRow> {
    let last: StoreKey = SEPARATOR;
    for (;;) {
      const page = this.#range({ after: last, to: HINTS_END, limit: PAGE });
      yield* page;
      if (page.length < PAGE) return;
      last = page.at(-1)!.hint;
    }
  }

  isTooOld(value: Uint8Array): boolean {
    const { clock, limits } = this.#parts;
    const keptAtMs = Buffer.from(value.buffer, value.byteOffset, TIME_BYTES).readDoubleBE();
    return clock.now() - keptAtMs > limits.hintLifeMs;
  }

  #range(query: RangeQuery): HintRow[] {
    return this.#parts.store.range('hints', query).map(({ key, value }) => ({ hint: key, value }));
  }

  #removeDamaged(hint: StoreKey): void {
    this.#damaged++;
    this.#parts.store.remove('hints', hint);
    this.#forgetRequest(hint);
    // A node that finds many logs the first, the second, the fourth and so on.
    if ((this.#damaged & (this.#damaged - 1)) !== 0) return;
    const { log, self } = this.#parts;
    log.warn('hints are damaged and were dropped', { node: self, for: nameOf(hint).home, soFar: this.#damaged });
  }

  #forgetRequest(hint: StoreKey): void {
    if (this.#requestIds.size > 0) this.#requestIds.delete(hint);
  }

  #count(hint: StoreKey, more: number, moreBytes: number): void {
    const { home } = nameOf(hint);
    const count = (this.#counts.get(home) ?? 0) + more;
    if (count <= 0) {
      this.#counts.delete(home);
      this.#cursors.delete(home);
    } else this.#counts.set(home, count);
    this.#bytes += moreBytes;
  }
}

export function hintKey({ home, key }: HintName): StoreKey {
  return home + SEPARATOR + key;
}

export function nameOf(hint: StoreKey): HintName {
  const at = hint.indexOf(SEPARATOR);
  return { home: hint.slice(0, at), key: hint.slice(at + 1) };
}

/** The record of a hint that is not damaged. */
export function recordOfHint(value: Uint8Array): ItemRecord {
  return decodeRecord(value.subarray(TIME_BYTES));
}

export function ballotOfHint(value: Uint8Array): Ballot {
  return ballotIn(value.subarray(TIME_BYTES));
}
