import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot } from '../ballot.ts';
import type { LagRule } from '../client.ts';
import type { NodeLimits } from '../node-settings.ts';
import { type ItemRecord, isSameVersion } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { LagDelays } from './lag-delays.ts';

/** A chosen record that a rule of lag holds back. */
export interface Held {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly rule: LagRule;
  readonly bytes: number;
  /** In the time of `Clock.elapsedMs`. */
  readonly sinceMs: number;
  timer: Timer;
}

interface HeldRecordsParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: Pick<NodeLimits, 'lagRecordsKept' | 'lagBytesKept'>;
  /** Gets a record that is held no longer. What is held of its key and is not newer has been dropped. */
  readonly released: (held: Held) => void;
}

/**
 * Records that rules of lag hold back, until their rule releases them: after a time, after so many versions, or with the rule
 * itself. Above `lagRecordsKept` and `lagBytesKept` the one that came first is released.
 */
export class HeldRecords {
  readonly #parts: HeldRecordsParts;
  readonly #delays: LagDelays;
  /** In the order of their ballots. */
  readonly #byKey = new Map<StoreKey, Held[]>();
  /** In the order in which they came. */
  readonly #all = new Set<Held>();
  #bytes = 0;

  constructor(parts: HeldRecordsParts) {
    this.#parts = parts;
    this.#delays = new LagDelays(parts.self);
  }

  get count(): number {
    return this.#all.size;
  }

  countOf(key: StoreKey): number {
    return this.#byKey.get(key)?.length ?? 0;
  }

  newestOf(key: StoreKey): Held | undefined {
    return this.#byKey.get(key)?.at(-1);
  }

  has(key: StoreKey, ballot: Ballot): boolean {
    return this.#byKey.get(key)?.some(({ record }) => sameBallot(record.ballot, ballot)) === true;
  }

  /** @returns false if the rule, or the room that is left, does not hold it */
  keep(key: StoreKey, record: ItemRecord, rule: LagRule): boolean {
    const list = this.#byKey.get(key) ?? [];
    const at = list.findLastIndex((other) => compareBallots(other.record.ballot, record.ballot) < 0) + 1;
    const { release } = rule;
    // Records that are never released singly are seen only at the end, and then only the newest.
    if (release.kind === 'never' && at < list.length) return true;
    const { clock } = this.#parts;
    const bytes = key.length + record.stored.length;
    const held: Held = { key, record, rule, bytes, sinceMs: clock.elapsedMs(), timer: undefined };
    list.splice(at, 0, held);
    this.#byKey.set(key, list);
    this.#all.add(held);
    this.#bytes += bytes;
    switch (release.kind) {
      case 'never':
        for (const older of list.slice(0, at)) if (older.rule.release.kind === 'never') this.#drop(older);
        break;
      case 'after':
        held.timer = clock.after(this.#delays.next(rule, release.delay), () => this.#release(held));
        break;
      case 'versions':
        this.#releaseOvertaken(list, release.count);
    }
    this.#keepWithin();
    return this.#all.has(held);
  }

  /** Releases what is held of a key. */
  release(key: StoreKey): void {
    const newest = this.newestOf(key);
    if (newest !== undefined) this.#release(newest);
  }

  releaseAll(): void {
    for (const key of [...this.#byKey.keys()]) this.release(key);
  }

  /** Releases what other rules than these hold. */
  releaseAllBut(rules: readonly LagRule[]): void {
    const present = new Set(rules.map(({ id }) => id));
    for (const held of [...this.#all]) {
      // Releasing a newer record of the same key has already dropped this one.
      if (!present.has(held.rule.id) && this.#all.has(held)) this.#release(held);
    }
  }

  /** Drops what is held of a key and meets this. */
  dropOf(key: StoreKey, isDropped: (record: ItemRecord) => boolean): void {
    for (const held of [...(this.#byKey.get(key) ?? [])]) if (isDropped(held.record)) this.#drop(held);
  }

  /** Drops what is held of keys that meet this. */
  dropKeys(isDropped: (key: StoreKey) => boolean): void {
    for (const held of [...this.#all]) if (isDropped(held.key)) this.#drop(held);
  }

  /** Releases the newest record that at least `count` further versions have followed. */
  #releaseOvertaken(list: readonly Held[], count: number): void {
    let versions = 0;
    let later: Held | undefined;
    for (const held of [...list].reverse()) {
      if (later !== undefined && isSameVersion(held.record, later.record)) {
        // The same version, chosen again under another ballot by a read that had to prove it.
        this.#drop(held);
        continue;
      }
      if (versions >= count) return this.#release(held);
      versions++;
      later = held;
    }
  }

  #keepWithin(): void {
    const { lagRecordsKept, lagBytesKept } = this.#parts.limits;
    while (this.#all.size > lagRecordsKept || this.#bytes > lagBytesKept) {
      const [oldest] = this.#all;
      this.#release(oldest!);
    }
  }

  #release(released: Held): void {
    const { key, record } = released;
    this.dropOf(key, ({ ballot }) => compareBallots(ballot, record.ballot) <= 0);
    this.#parts.released(released);
  }

  #drop(held: Held): void {
    if (!this.#all.delete(held)) return;
    this.#bytes -= held.bytes;
    this.#parts.clock.cancel(held.timer);
    const left = this.#byKey.get(held.key)!;
    left.splice(left.indexOf(held), 1);
    if (left.length === 0) this.#byKey.delete(held.key);
  }
}
