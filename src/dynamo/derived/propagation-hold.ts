import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { sameBallot } from '../ballot.ts';
import type { LagRule } from '../client.ts';
import { tableOf } from '../keyspace.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import { type Held, HeldRecords } from '../registers/held-records.ts';
import type { NodeId } from '../ring.ts';
import { covers, maxSettled, neededFor, type Settled } from './settled.ts';

interface PropagationHoldParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly settledOf: (key: StoreKey) => Settled;
  /**
   * Gets a key whose record is kept back no longer, and has to be settled. Undefined: a record that is too old to be sent as it
   * is; what is there now has to be read first.
   */
  readonly released: (key: StoreKey, record: ItemRecord | undefined) => void;
}

/**
 * Keeps whole indexes and streams behind their tables, as rules of lag select: what is due to such an index is not sent
 * (docs/protocol.md section 11), and changes are not appended to the log of such a stream. For the protocol this is a coordinator that is gone, and an outbox whose turn comes late. A write that owes as
 * much as it may is settled all the same.
 *
 * Held in memory: after a restart the outbox is all that is left, and its records are held anew.
 */
export class PropagationHold {
  readonly #parts: PropagationHoldParts;
  readonly #records: HeldRecords;
  /** By index or stream, the first rule for it. Nearly always empty. */
  #ruleOf: ReadonlyMap<ByteString, LagRule> = new Map();
  /** Held records of which the other indexes have got what is due to them, for as long as these are held. */
  #sentElsewhere = new WeakSet<ItemRecord>();

  constructor(parts: PropagationHoldParts) {
    this.#parts = parts;
    const { self, clock, limits } = parts;
    this.#records = new HeldRecords({ self, clock, limits, released: (held) => this.#released(held) });
  }

  /** Records that are held. */
  get count(): number {
    return this.#records.count;
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
    // Another index may have been held until now.
    this.#sentElsewhere = new WeakSet();
    this.#records.releaseAllBut(rules);
  }

  /** Whether what is due to an index, or the changes of a stream, are held. */
  isFor(index: ByteString): boolean {
    return this.#ruleOf.has(index);
  }

  /** Whether nothing can be done for a key: what is due of it is held, and the other indexes have got what is due to them. */
  isHoldingAll(key: StoreKey): boolean {
    const newest = this.#records.newestOf(key);
    return newest !== undefined && this.#sentElsewhere.has(newest.record);
  }

  /** The indexes of a record that are not held have got what is due to them. */
  noteSentElsewhere(key: StoreKey, record: ItemRecord): void {
    const newest = this.#records.newestOf(key);
    if (newest !== undefined && sameBallot(newest.record.ballot, record.ballot)) this.#sentElsewhere.add(newest.record);
  }

  /** Takes a record that is about to be settled. @returns false if it is not held, and has to be settled now */
  take(key: StoreKey, record: ItemRecord): boolean {
    if (this.#ruleOf.size === 0) return false;
    const rule = this.#ruleFor(record);
    if (rule === undefined) return false;
    return this.#records.has(key, record.ballot) || this.#records.keep(key, record, rule);
  }

  /** A key is settled up to there, by whomever. */
  noteSettled(key: StoreKey, settled: Settled): void {
    if (this.#records.countOf(key) === 0) return;
    const known = maxSettled(this.#parts.settledOf(key), settled);
    this.#records.dropOf(key, (record) => covers(known, neededFor(record)));
  }

  releaseAll(): void {
    this.#records.releaseAll();
  }

  forgetTable(table: ByteString): void {
    this.#records.dropKeys((key) => tableOf(key) === table);
  }

  stop(): void {
    this.#records.dropKeys(() => true);
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
    for (const { stream } of derived!.changes ?? []) {
      const rule = this.#ruleOf.get(stream);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  #released({ key, record, sinceMs }: Held): void {
    const isYoung = this.#parts.clock.elapsedMs() - sinceMs <= this.#longestMs;
    this.#parts.released(key, isYoung ? record : undefined);
  }
}
