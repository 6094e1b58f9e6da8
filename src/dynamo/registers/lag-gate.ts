import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots } from '../ballot.ts';
import { type LagPlace, type LagRule, SYSTEM_TABLE } from '../client.ts';
import { partitionOf, tableOf } from '../keyspace.ts';
import type { Member } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { HeldRecords } from './held-records.ts';
import { LagScope } from './lag-scope.ts';

/** A rule in force. */
interface Rule {
  readonly rule: LagRule;
  readonly scope: LagScope;
}

/**
 * Stands before the committed store of one replica and keeps stale what the rules of lag select. For the protocol each
 * held record is a `learn` that is late or lost, which is allowed at any time; the record is on the disks of those who
 * accepted it. Held in memory: a node that restarts holds nothing and is as stale as its disk.
 */
export class LagGate {
  readonly #parts: LagGateParts;
  #rules: readonly Rule[] = [];
  readonly #records: HeldRecords;

  constructor(parts: LagGateParts) {
    this.#parts = parts;
    const { self, clock, limits } = parts;
    this.#records = new HeldRecords({
      self,
      clock,
      limits,
      released: ({ key, record }) => parts.released(key, record),
    });
  }

  /** Records that are held. */
  get count(): number {
    return this.#records.count;
  }

  countOf(key: StoreKey): number {
    return this.#records.countOf(key);
  }

  /** Sets the rules in force. A record is released if the rule that held it is not among them. */
  setRules(rules: readonly LagRule[]): void {
    const known = new Map(this.#rules.map(({ rule, scope }): [readonly LagPlace[], LagScope] => [rule.scope, scope]));
    this.#rules = rules.map((rule) => ({
      rule,
      scope: known.get(rule.scope) ?? new LagScope(rule.scope, this.#parts.partitions),
    }));
    if (rules.length === 0) this.releaseAll();
    else this.#records.releaseAllBut(rules);
  }

  /** Whether a record of this key would be held back now, or one is held already. */
  isLagging(key: StoreKey): boolean {
    return this.#records.countOf(key) > 0 || this.#ruleFor(key) !== undefined;
  }

  /** Takes a record before it is learned. @returns false if it is not held, and has to be learned now */
  hold(key: StoreKey, record: ItemRecord): boolean {
    // As a rule there are no rules, and nothing may be spent on them.
    if (this.#rules.length === 0 && this.#records.count === 0) return false;
    if (this.#records.has(key, record.ballot)) return true;
    const rule = this.#ruleFor(key, record.isEntry === true);
    if (rule === undefined) {
      const newest = this.#records.newestOf(key);
      // A repair that brings an older record must not show the ones that are held.
      if (newest !== undefined && compareBallots(record.ballot, newest.record.ballot) < 0) return true;
      this.release(key);
      return false;
    }
    const committed = this.#parts.committed(key);
    if (committed !== undefined && compareBallots(record.ballot, committed) <= 0) return false;
    return this.#records.keep(key, record, rule);
  }

  /** Releases what is held of a key. */
  release(key: StoreKey): void {
    this.#records.release(key);
  }

  releaseAll(): void {
    this.#records.releaseAll();
  }

  /**
   * The committed record of a key was changed or removed elsewhere: a held record that is not newer must not follow it.
   */
  noteCommitted(key: StoreKey): void {
    if (this.#records.countOf(key) === 0) return;
    const committed = this.#parts.committed(key);
    this.#records.dropOf(key, ({ ballot }) => committed === undefined || compareBallots(ballot, committed) <= 0);
  }

  /** Drops what is held of a partition: its next epoch begins with records that are decided elsewhere. */
  forgetPartition(partition: number): void {
    this.#records.dropKeys((key) => partitionOf(key) === partition);
  }

  forgetTable(table: ByteString): void {
    this.#records.dropKeys((key) => tableOf(key) === table);
  }

  /** Drops all that is held. */
  stop(): void {
    this.#records.dropKeys(() => true);
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
