import { type ActiveFault, AdminError, type FaultEffect, type FaultRule } from '../api/fault-rule.ts';
import type { LagRule } from '../dynamo/client.ts';
import { StalenessRule } from './fault-lag.ts';
import type { FaultRequest } from './fault-scope.ts';
import { MAX_FAULT_RULES } from './router-limits.ts';
import {
  checkedRule,
  checkRoom,
  DELAY_SALT,
  type Firing,
  type Lingering,
  lingeringBy,
  noSuchRule,
  RuleInForce,
  type Seeded,
} from './rule-in-force.ts';
import type { StorageDescription, TablesAtHand } from './table-cache.ts';

/** Time, which tier 2 has no clock of its own for. */
export interface FaultTimers {
  /** Calls `run` once after `delayMs`, never within the call. */
  after(delayMs: number, run: () => void): unknown;
  cancel(timer: unknown): void;
}

export interface FaultRulesParts {
  readonly catalog: TablesAtHand;
  /** Why staleness rules make no sense in this ring, if so: no replica of it can lag. Continues a sentence. */
  readonly whyNoReplicaLags: string | undefined;
  readonly timers: FaultTimers;
  /** The seed of a rule that is given none: a whole number. */
  readonly newSeed: () => number;
  readonly seeded: Seeded;
  /**
   * Tells the ring the staleness rules after each change. A rule is the same object until it changes.
   *
   * Hazard: a table that is new to the catalogue may be written to as soon as this returns: all nodes of the ring are in
   * this process. Rules of several processes are in `cluster-faults.ts`.
   */
  readonly onLagChange: (rules: readonly LagRule[]) => void;
  readonly maxRules?: number;
}

/** The fault rules in force, as requests meet them. What is answered at once is so wherever nobody else has a say. */
export interface RulesOfRequests {
  readonly isEmpty: boolean;
  /**
   * To be awaited before a request is carried out: replicas hold back what rules of lag select.
   * @returns undefined if nothing is to be done
   */
  prepare(request: FaultRequest): Promise<void> | undefined;
  /**
   * Fires the first of the wanted rules that matches and whose draw succeeds. Rules after it neither count nor draw.
   */
  fireFirst(
    request: FaultRequest,
    isWanted: (effect: FaultEffect) => boolean,
  ): Firing | undefined | Promise<Firing | undefined>;
  /** Fires all wanted rules that match and whose draw succeeds. */
  fireEach(
    request: FaultRequest,
    isWanted: (effect: FaultEffect) => boolean,
  ): readonly Firing[] | Promise<readonly Firing[]>;
}

/** The fault rules in force, as the sweep of expired items meets them. */
export interface RulesOfExpiry {
  /** Another one after each change of the rules of kind expiry. */
  readonly expiryVersion: number;
  /**
   * How long an item stays after it has expired.
   * @param item names the item and its expiry: the same text has the same delay
   * @returns undefined if no rule is for its table
   */
  lingering(table: Pick<StorageDescription, 'namespace' | 'name'>, item: string): Lingering | undefined;
}

interface Entry {
  readonly rule: RuleInForce;
  readonly staleness: StalenessRule | undefined;
}

/** The fault rules of the only router of a ring, in the order in which they came. */
export class FaultRules implements RulesOfRequests, RulesOfExpiry {
  readonly #parts: FaultRulesParts;
  readonly #entries = new Map<string, Entry>();
  #lastId = 0;
  #expiryVersion = 0;
  #isStopped = false;

  constructor(parts: FaultRulesParts) {
    this.#parts = parts;
    parts.catalog.watch({
      added: (table) => this.#changeLags((staleness) => staleness.addTable(table)),
      removed: (storageId) => this.#changeLags((staleness) => staleness.removeTable(storageId)),
    });
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * @param given is checked here, wherever it comes from
   * @throws AdminError if it makes no sense, is not possible in this ring, is one too many, or the server has stopped
   */
  add(given: FaultRule): ActiveFault {
    const { maxRules = MAX_FAULT_RULES, newSeed, seeded, timers, whyNoReplicaLags } = this.#parts;
    if (this.#isStopped) throw new AdminError('the server has stopped', undefined, 409);
    const checked = checkedRule(given, whyNoReplicaLags);
    checkRoom(this.#entries.size, maxRules);
    const seed = checked.seed ?? newSeed();
    const id = `f${++this.#lastId}`;
    const rule = new RuleInForce(id, { ...checked, seed }, seeded);
    const added = { rule, staleness: checked.kind === 'staleness' ? this.#stalenessOf(id, checked, seed) : undefined };
    this.#entries.set(id, added);
    if (checked.forMs !== undefined) rule.timer = timers.after(checked.forMs, () => this.#drop(added));
    if (added.staleness !== undefined) this.#tellLags();
    this.#noteExpiry(checked);
    return rule.describe();
  }

  list(): readonly ActiveFault[] {
    return this.#rules.map((rule) => rule.describe());
  }

  /** What is in force in this process. */
  get here(): readonly ActiveFault[] {
    return this.list();
  }

  /** @throws AdminError if there is none of that id */
  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw noSuchRule(id);
    this.#drop(entry);
  }

  clear(): void {
    const hadLags = [...this.#entries.values()].some(({ staleness }) => staleness !== undefined);
    for (const { timer, rule } of this.#rules) {
      this.#parts.timers.cancel(timer);
      this.#noteExpiry(rule);
    }
    this.#entries.clear();
    if (hadLags) this.#tellLags();
  }

  /** Ends all rules, and takes none from now on. The timer of a rule would keep the process alive. */
  stop(): void {
    this.clear();
    this.#isStopped = true;
  }

  /** The nodes have been told of each table before it came to hand. */
  prepare(): undefined {
    return undefined;
  }

  fireFirst(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): Firing | undefined {
    for (const entry of this.#entries.values()) {
      if (isWanted(entry.rule.rule) && entry.rule.fires(request)) return this.#fire(entry);
    }
    return undefined;
  }

  fireEach(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): readonly Firing[] {
    const entries = [...this.#entries.values()];
    const firing = entries.filter(({ rule }) => isWanted(rule.rule) && rule.fires(request));
    return firing.map((entry) => this.#fire(entry));
  }

  get expiryVersion(): number {
    return this.#expiryVersion;
  }

  lingering(table: Pick<StorageDescription, 'namespace' | 'name'>, item: string): Lingering | undefined {
    return lingeringBy(this.#rules, table, item);
  }

  get #rules(): readonly RuleInForce[] {
    return [...this.#entries.values()].map(({ rule }) => rule);
  }

  #fire(entry: Entry): Firing {
    const { rule, staleness } = entry;
    const firing = rule.fire(() => {
      if (rule.isSpent && rule.underWay === 0) this.#drop(entry);
    });
    // A staleness rule releases what it holds when its last read is done: that read must not see the new value yet.
    if (rule.isSpent && staleness === undefined) this.#drop(entry);
    return firing;
  }

  #drop({ rule, staleness }: Entry): void {
    if (!this.#entries.delete(rule.id)) return;
    this.#parts.timers.cancel(rule.timer);
    if (staleness !== undefined) this.#tellLags();
    this.#noteExpiry(rule.rule);
  }

  #noteExpiry({ kind }: FaultRule): void {
    if (kind === 'expiry') this.#expiryVersion++;
  }

  #stalenessOf(id: string, rule: Extract<FaultRule, { kind: 'staleness' }>, seed: number): StalenessRule {
    const staleness = new StalenessRule(id, rule, seed ^ DELAY_SALT);
    for (const table of this.#parts.catalog.tables()) staleness.addTable(table);
    return staleness;
  }

  #changeLags(change: (staleness: StalenessRule) => boolean): void {
    let isChanged = false;
    for (const { staleness } of this.#entries.values()) {
      if (staleness !== undefined && change(staleness)) isChanged = true;
    }
    if (isChanged) this.#tellLags();
  }

  #tellLags(): void {
    this.#parts.onLagChange([...this.#entries.values()].flatMap(({ staleness }) => staleness?.lag ?? []));
  }
}
