import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, sameBallot } from '../ballot.ts';
import { type LagPlace, type LagRule, SYSTEM_TABLE } from '../client.ts';
import { partitionOf, tableOf } from '../keyspace.ts';
import type { Member } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { encodeRecord, type ItemRecord, isSameVersion } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { LagDelays } from './lag-delays.ts';
import { LagScope } from './lag-scope.ts';

/** A rule in force. */
interface Rule {
  readonly rule: LagRule;
  readonly scope: LagScope;
}

/** A chosen record that has come and that reads do not see. */
interface Held {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  readonly rule: LagRule;
  readonly bytes: number;
  timer: Timer;
}

/**
 * Stands before the committed store of one replica, and keeps out of it what the rules of lag hold back. To the protocol,
 * such a record is a `learn` that is late or lost, which is allowed at any time: the record is on the disks of the replicas
 * that accepted it. What is held is in memory only: a node that starts holds nothing, and is as stale as its disk is.
 */
export class LagGate {
  readonly #parts: LagGateParts;
  #rules: readonly Rule[] = [];
  /** The records of each key by ballot, the oldest first. */
  readonly #byKey = new Map<StoreKey, Held[]>();
  /** In order of arrival. */
  readonly #all = new Set<Held>();
  #bytes = 0;

  constructor(parts: LagGateParts) {
    this.#parts = parts;
  }

  /** How many records are held. */
  get count(): number {
    return this.#all.size;
  }

  countOf(key: StoreKey): number {
    return this.#byKey.get(key)?.length ?? 0;
  }

  /** Puts these rules in force in place of those before. A rule that is no longer among them releases what it held. */
  follow(rules: readonly LagRule[]): void {
    const known = new Map(this.#rules.map(({ rule, scope }): [readonly LagPlace[], LagScope] => [rule.scope, scope]));
    this.#rules = rules.map((rule) => ({
      rule,
      scope: known.get(rule.scope) ?? new LagScope(rule.scope, this.#parts.partitions),
    }));
    const present = new Set(rules.map(({ id }) => id));
    for (const held of [...this.#all]) {
      // Releasing a newer record of the same key has already dropped the older ones.
      if (!present.has(held.rule.id) && this.#all.has(held)) this.#release(held);
    }
  }

  /** Whether a record of this key that came now would be held back, or one is held already. */
  isLagging(key: StoreKey): boolean {
    return this.#byKey.has(key) || this.#ruleFor(key) !== undefined;
  }

  /** Takes a record that would otherwise be learned. @returns false if it is not held: the caller has to learn it */
  hold(key: StoreKey, record: ItemRecord): boolean {
    const list = this.#byKey.get(key);
    const newest = list?.at(-1);
    if (list?.some((held) => sameBallot(held.record.ballot, record.ballot))) return true;
    const rule = this.#ruleFor(key);
    if (rule === undefined) {
      // An older record that repair brings again does not release a newer one.
      if (newest !== undefined && compareBallots(record.ballot, newest.record.ballot) < 0) return true;
      this.release(key);
      return false;
    }
    const committed = this.#parts.committed(key);
    if (committed !== undefined && compareBallots(record.ballot, committed) <= 0) return false;
    return this.#keep(key, record, rule);
  }

  /** Releases the records that are held of a key. */
  release(key: StoreKey): void {
    const newest = this.#byKey.get(key)?.at(-1);
    if (newest !== undefined) this.#release(newest);
  }

  releaseAll(): void {
    for (const key of [...this.#byKey.keys()]) this.release(key);
  }

  /** The committed record of a key has changed by another way, or was purged: a held record that is not newer must not follow it. */
  noteCommitted(key: StoreKey): void {
    if (!this.#byKey.has(key)) return;
    const committed = this.#parts.committed(key);
    for (const held of [...this.#byKey.get(key)!]) {
      if (committed === undefined || compareBallots(held.record.ballot, committed) <= 0) this.#drop(held);
    }
  }

  /** Drops the records of a partition whose next epoch begins: that decides with which records, maybe without these. */
  forgetPartition(partition: number): void {
    for (const held of [...this.#all]) if (partitionOf(held.key) === partition) this.#drop(held);
  }

  forgetTable(table: ByteString): void {
    for (const held of [...this.#all]) if (tableOf(held.key) === table) this.#drop(held);
  }

  /** Drops all records that are held. */
  stop(): void {
    for (const held of [...this.#all]) this.#drop(held);
  }

  #ruleFor(key: StoreKey): LagRule | undefined {
    if (tableOf(key) === SYSTEM_TABLE || !this.#isSpared(key)) return undefined;
    return this.#rules.find(({ scope }) => scope.includes(key))?.rule;
  }

  /** Whether a write can be answered without this replica: W home replicas that come before it seem up. */
  #isSpared(key: StoreKey): boolean {
    const { self, writeQuorum, isUp, membersOf } = this.#parts;
    let up = 0;
    for (const { node } of membersOf(key)) {
      if (node === self) return up >= writeQuorum;
      if (isUp(node)) up++;
    }
    return false;
  }

  #keep(key: StoreKey, record: ItemRecord, rule: LagRule): boolean {
    const list = this.#byKey.get(key) ?? [];
    const at = list.findLastIndex((other) => compareBallots(other.record.ballot, record.ballot) < 0) + 1;
    const { release } = rule;
    // Where only an order releases records, none but the newest is ever seen.
    if (release.kind === 'never' && at < list.length) return true;
    const bytes = key.length + encodeRecord(record).length;
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
        held.timer = this.#parts.clock.after(this.#parts.delays.next(rule, release.delay), () => this.#release(held));
        break;
      case 'versions':
        this.#releaseOvertaken(list, release.count);
    }
    this.#keepWithin();
    return this.#all.has(held);
  }

  /** Releases the newest of the records that at least `count` further versions have followed. */
  #releaseOvertaken(list: Held[], count: number): void {
    let versions = 0;
    let later: Held | undefined;
    for (const held of [...list].reverse()) {
      if (later !== undefined && isSameVersion(held.record, later.record)) {
        // Chosen again under another ballot, as by a read that had to prove it.
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
    this.#parts.learn(key, record);
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
  readonly delays: LagDelays;
  readonly limits: NodeLimits;
  /** W: as many copies are never held back. */
  readonly writeQuorum: number;
  /** The home replicas of a key, first the one that coordinates by preference. */
  readonly membersOf: (key: StoreKey) => readonly Member[];
  readonly isUp: (node: NodeId) => boolean;
  /** The ballot of the committed record of a key. */
  readonly committed: (key: StoreKey) => Ballot | undefined;
  /** Gives a record to the replica. */
  readonly learn: (key: StoreKey, record: ItemRecord) => void;
}
