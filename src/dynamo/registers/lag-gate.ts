import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot } from '../ballot.ts';
import { type LagPlace, type LagRule, SYSTEM_TABLE } from '../client.ts';
import { partitionOf, tableOf } from '../keyspace.ts';
import type { Member } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { type ItemRecord, isSameVersion } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { LagDelays } from './lag-delays.ts';
import { LagScope } from './lag-scope.ts';

/** A rule in force. */
interface Rule {
  readonly rule: LagRule;
  readonly scope: LagScope;
}

/** A chosen record that has arrived and is not shown yet. */
interface Held {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly rule: LagRule;
  readonly bytes: number;
  timer: Timer;
}

/**
 * Stands before the committed store of one replica and keeps stale what the rules of lag select. For the protocol each
 * held record is a `learn` that is late or lost, which is allowed at any time; the record is on the disks of those who
 * accepted it. Held in memory: a node that restarts holds nothing and is as stale as its disk.
 */
export class LagGate {
  readonly #parts: LagGateParts;
  readonly #delays: LagDelays;
  #rules: readonly Rule[] = [];
  /** In the order of their ballots. */
  readonly #byKey = new Map<StoreKey, Held[]>();
  /** In the order in which they came. */
  readonly #all = new Set<Held>();
  #bytes = 0;

  constructor(parts: LagGateParts) {
    this.#parts = parts;
    this.#delays = new LagDelays(parts.self);
  }

  /** Records that are held. */
  get count(): number {
    return this.#all.size;
  }

  countOf(key: StoreKey): number {
    return this.#byKey.get(key)?.length ?? 0;
  }

  /** Sets the rules in force. A record is released if the rule that held it is not among them. */
  setRules(rules: readonly LagRule[]): void {
    const known = new Map(this.#rules.map(({ rule, scope }): [readonly LagPlace[], LagScope] => [rule.scope, scope]));
    this.#rules = rules.map((rule) => ({
      rule,
      scope: known.get(rule.scope) ?? new LagScope(rule.scope, this.#parts.partitions),
    }));
    if (rules.length === 0) return this.releaseAll();
    const present = new Set(rules.map(({ id }) => id));
    for (const held of [...this.#all]) {
      // Releasing a newer record of the same key has already dropped this one.
      if (!present.has(held.rule.id) && this.#all.has(held)) this.#release(held);
    }
  }

  /** Whether a record of this key would be held back now, or one is held already. */
  isLagging(key: StoreKey): boolean {
    return this.#byKey.has(key) || this.#ruleFor(key) !== undefined;
  }

  /** Takes a record before it is learned. @returns false if it is not held, and has to be learned now */
  hold(key: StoreKey, record: ItemRecord): boolean {
    // As a rule there are no rules, and nothing may be spent on them.
    if (this.#rules.length === 0 && this.#byKey.size === 0) return false;
    const list = this.#byKey.get(key);
    const newest = list?.at(-1);
    if (list?.some((held) => sameBallot(held.record.ballot, record.ballot))) return true;
    const rule = this.#ruleFor(key, record.isEntry === true);
    if (rule === undefined) {
      // A repair that brings an older record must not show the ones that are held.
      if (newest !== undefined && compareBallots(record.ballot, newest.record.ballot) < 0) return true;
      this.release(key);
      return false;
    }
    const committed = this.#parts.committed(key);
    if (committed !== undefined && compareBallots(record.ballot, committed) <= 0) return false;
    return this.#keep(key, record, rule);
  }

  /** Releases what is held of a key. */
  release(key: StoreKey): void {
    const newest = this.#byKey.get(key)?.at(-1);
    if (newest !== undefined) this.#release(newest);
  }

  releaseAll(): void {
    for (const key of [...this.#byKey.keys()]) this.release(key);
  }

  /**
   * The committed record of a key was changed or removed elsewhere: a held record that is not newer must not follow it.
   */
  noteCommitted(key: StoreKey): void {
    if (!this.#byKey.has(key)) return;
    const committed = this.#parts.committed(key);
    for (const held of [...this.#byKey.get(key)!]) {
      if (committed === undefined || compareBallots(held.record.ballot, committed) <= 0) this.#drop(held);
    }
  }

  /** Drops what is held of a partition: its next epoch begins with records that are decided elsewhere. */
  forgetPartition(partition: number): void {
    for (const held of [...this.#all]) if (partitionOf(held.key) === partition) this.#drop(held);
  }

  forgetTable(table: ByteString): void {
    for (const held of [...this.#all]) if (tableOf(held.key) === table) this.#drop(held);
  }

  /** Drops all that is held. */
  stop(): void {
    for (const held of [...this.#all]) this.#drop(held);
  }

  /** @param isEntry of an index: a majority of its homes has to take it, however many copies a write needs */
  #ruleFor(key: StoreKey, isEntry = false): LagRule | undefined {
    if (this.#rules.length === 0) return undefined;
    if (tableOf(key) === SYSTEM_TABLE || !this.#isSpared(key, isEntry)) return undefined;
    return this.#rules.find(({ scope }) => scope.includes(key))?.rule;
  }

  /** Whether a write can be answered, or an entry confirmed, without this replica: enough others before it seem up. */
  #isSpared(key: StoreKey, isEntry: boolean): boolean {
    const { self, writeQuorum, isUp, membersOf } = this.#parts;
    const members = membersOf(key);
    const needed = isEntry ? Math.max(writeQuorum, Math.floor(members.length / 2) + 1) : writeQuorum;
    let up = 0;
    for (const { node } of members) {
      if (node === self) return up >= needed;
      if (isUp(node)) up++;
    }
    return false;
  }

  #keep(key: StoreKey, record: ItemRecord, rule: LagRule): boolean {
    const list = this.#byKey.get(key) ?? [];
    const at = list.findLastIndex((other) => compareBallots(other.record.ballot, record.ballot) < 0) + 1;
    const { release } = rule;
    // Records that are never released singly are seen only at the end, and then only the newest.
    if (release.kind === 'never' && at < list.length) return true;
    const bytes = key.length + record.stored.length;
    const held: Held = { key, record, rule, bytes, timer: undefined };
    list.splice(at, 0, held);
    this.#byKey.set(key, list);
    this.#all.add(held);
    this.#bytes += bytes;
    switch (release.kind) {
      case 'never':
        for (const older of list.slice(0, at)) if (older.rule.release.kind === 'never') this.#drop(older);
        break;
      case 'after':
        held.timer = this.#parts.clock.after(this.#delays.next(rule, release.delay), () => this.#release(held));
        break;
      case 'versions':
        this.#releaseOvertaken(list, release.count);
    }
    this.#keepWithin();
    return this.#all.has(held);
  }

  /** Releases the newest record that at least `count` further versions have followed. */
  #releaseOvertaken(list: Held[], count: number): void {
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

  #release({ key, record }: Held): void {
    for (const held of [...this.#byKey.get(key)!]) {
      if (compareBallots(held.record.ballot, record.ballot) <= 0) this.#drop(held);
    }
    this.#parts.released(key, record);
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

/**
 * Why no replica of a ring can lag, or undefined if some can.
 * @param quorums N and W
 */
export function whyNoReplicaLags(quorums: {
  readonly replication: number;
  readonly writeQuorum: number;
}): string | undefined {
  const { replication, writeQuorum } = quorums;
  if (writeQuorum < replication) return undefined;
  return `a write waits for every replica (N=${replication}, W=${writeQuorum})`;
}

interface LagGateParts {
  readonly self: NodeId;
  readonly clock: Clock;
  /** Q */
  readonly partitions: number;
  readonly limits: NodeLimits;
  /** W: this many copies are never held back. */
  readonly writeQuorum: number;
  /** The home replicas of a key, the preferred coordinator first. */
  readonly membersOf: (key: StoreKey) => readonly Member[];
  readonly isUp: (node: NodeId) => boolean;
  /** The ballot of the committed record of a key. */
  readonly committed: (key: StoreKey) => Ballot | undefined;
  /** Gets a record that is held no longer: the replica has to learn it. */
  readonly released: (key: StoreKey, record: ItemRecord) => void;
}
