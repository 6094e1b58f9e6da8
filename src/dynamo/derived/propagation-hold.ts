import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot } from '../ballot.ts';
import type { LagRule } from '../client.ts';
import { tableOf } from '../keyspace.ts';
import type { NodeLimits } from '../node-settings.ts';
import { type ItemRecord, isSameVersion } from '../record.ts';
import { LagDelays } from '../registers/lag-delays.ts';
import type { NodeId } from '../ring.ts';

/** A record whose entries are kept back. */
interface Held {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly rule: LagRule;
  readonly bytes: number;
  /** In the time of `Clock.elapsedMs`. */
  readonly sinceMs: number;
  timer: Timer;
}

interface PropagationHoldParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  /**
   * Gets a key whose record is kept back no longer, and has to be settled. Undefined: a record that is too old to be sent as it
   * is; what is there now has to be read first.
   */
  readonly released: (key: StoreKey, record: ItemRecord | undefined) => void;
}

/**
 * Keeps whole indexes behind their tables, as rules of lag select: what is due to such an index is not sent (docs/protocol.md
 * section 11). For the protocol this is a coordinator that is gone, and an outbox whose turn comes late. A write that owes as
 * much as it may is settled all the same.
 *
 * Held in memory: after a restart the outbox is all that is left, and its records are held anew.
 */
export class PropagationHold {
  readonly #parts: PropagationHoldParts;
  readonly #delays: LagDelays;
  /** By index, the first rule for it. Nearly always empty. */
  #ruleOf: ReadonlyMap<ByteString, LagRule> = new Map();
  /** In the order of their ballots. */
  readonly #byKey = new Map<StoreKey, Held[]>();
  /** In the order in which they came. */
  readonly #all = new Set<Held>();
  #bytes = 0;

  constructor(parts: PropagationHoldParts) {
    this.#parts = parts;
    this.#delays = new LagDelays(parts.self);
  }

  /** Records that are held. */
  get count(): number {
    return this.#all.size;
  }

  /** Sets the rules in force. A record is released if the rule that held it is not among them. */
  setRules(rules: readonly LagRule[]): void {
    const ruleOf = new Map<ByteString, LagRule>();
    for (const rule of rules) {
      for (const place of rule.scope) {
        if (place.kind === 'propagation' && !ruleOf.has(place.index)) ruleOf.set(place.index, rule);
      }
    }
    this.#ruleOf = ruleOf;
    const present = new Set(rules.map(({ id }) => id));
    for (const held of [...this.#all]) if (!present.has(held.rule.id) && this.#all.has(held)) this.#release(held);
  }

  /** Whether what is due to an index is held. */
  isFor(index: ByteString): boolean {
    return this.#ruleOf.has(index);
  }

  isHolding(key: StoreKey): boolean {
    return this.#byKey.has(key);
  }

  /** Takes a record that is about to be settled. @returns false if it is not held, and has to be settled now */
  take(key: StoreKey, record: ItemRecord): boolean {
    if (this.#ruleOf.size === 0) return false;
    const rule = this.#ruleFor(record);
    if (rule === undefined) return false;
    const list = this.#byKey.get(key) ?? [];
    if (list.some((held) => sameBallot(held.record.ballot, record.ballot))) return true;
    const { clock } = this.#parts;
    const bytes = key.length + record.stored.length;
    const held: Held = { key, record, rule, bytes, sinceMs: clock.elapsedMs(), timer: undefined };
    list.push(held);
    list.sort((one, other) => compareBallots(one.record.ballot, other.record.ballot));
    this.#byKey.set(key, list);
    this.#all.add(held);
    this.#bytes += held.bytes;
    const { release } = rule;
    switch (release.kind) {
      case 'never':
        // What is released at the end settles all before it.
        for (const older of list.slice(0, -1)) if (older.rule.release.kind === 'never') this.#drop(older);
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

  /** What is due of a key up to this ballot is settled, by whomever. */
  noteSettled(key: StoreKey, due: Ballot): void {
    for (const held of [...(this.#byKey.get(key) ?? [])]) {
      if (compareBallots(held.record.derived!.due, due) <= 0) this.#drop(held);
    }
  }

  releaseAll(): void {
    for (const list of [...this.#byKey.values()]) {
      const newest = list.at(-1);
      if (newest !== undefined) this.#release(newest);
    }
  }

  forgetTable(table: ByteString): void {
    for (const held of [...this.#all]) if (tableOf(held.key) === table) this.#drop(held);
  }

  stop(): void {
    for (const held of [...this.#all]) this.#drop(held);
  }

  /**
   * An entry that is sent so late must not outlive the tombstone of a later one: the grace of that is longer than this, the
   * life of a hint and the rest together.
   */
  get #longestMs(): number {
    const { tombstoneGraceMs, hintLifeMs, opLifeMs, messageLifeMs } = this.#parts.limits;
    return Math.max(0, tombstoneGraceMs - hintLifeMs - 2 * opLifeMs - 2 * messageLifeMs);
  }

  #ruleFor({ derived }: ItemRecord): LagRule | undefined {
    for (const keys of [derived!.entries, derived!.owed]) {
      for (const key of keys) {
        const rule = this.#ruleOf.get(tableOf(key));
        if (rule !== undefined) return rule;
      }
    }
    return undefined;
  }

  /** Releases the newest record that at least `count` further versions have followed. */
  #releaseOvertaken(list: readonly Held[], count: number): void {
    let versions = 0;
    let later: Held | undefined;
    for (const held of [...list].reverse()) {
      if (later !== undefined && isSameVersion(held.record, later.record)) {
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

  #release({ key, record, sinceMs }: Held): void {
    for (const held of [...(this.#byKey.get(key) ?? [])]) {
      if (compareBallots(held.record.ballot, record.ballot) <= 0) this.#drop(held);
    }
    const isYoung = this.#parts.clock.elapsedMs() - sinceMs <= this.#longestMs;
    this.#parts.released(key, isYoung ? record : undefined);
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
