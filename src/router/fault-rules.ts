import { tableNameOf } from '../api/arn.ts';
import { type ActiveFault, AdminError, type FaultEffect, type FaultRule } from '../api/fault-rule.ts';
import { readFaultRule } from '../api/read-fault-rule.ts';
import type { LagRule } from '../dynamo/client.ts';
import { StalenessRule } from './fault-lag.ts';
import { type FaultRequest, scopeMatcher } from './fault-scope.ts';
import { checkNamespace } from './namespace.ts';
import { MAX_FAULT_RULES } from './router-limits.ts';
import type { TablesAtHand } from './table-cache.ts';

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
  /** Numbers uniform in [0, 1) that are the same for the same seed. */
  readonly seeded: (seed: number) => () => number;
  /**
   * Tells the ring the staleness rules after each change. A rule is the same object until it changes.
   *
   * Hazard: a table that is new to the catalogue may be written to as soon as this returns. A ring whose nodes are in
   * other processes has to acknowledge the rules before that.
   */
  readonly onLagChange: (rules: readonly LagRule[]) => void;
  readonly maxRules?: number;
}

/** A rule has fired for a request. */
export interface Firing {
  readonly id: string;
  readonly effect: FaultEffect;
  /** Uniform in [0, 1), apart from the draws that decide whether a rule fires. */
  readonly draw: () => number;
  /**
   * To be called when the request is done. If it was the last one of a staleness rule, the rule then releases what it
   * holds.
   */
  readonly end: () => void;
}

/** A rule makes an item stay that has expired. */
export interface Lingering {
  readonly ms: number;
  /** Counts that the rule has fired. */
  readonly fire: () => void;
}

interface Rule {
  readonly id: string;
  readonly rule: FaultRule;
  readonly matches: (request: FaultRequest) => boolean;
  readonly drawFires: () => number;
  readonly drawDelay: () => number;
  readonly staleness: StalenessRule | undefined;
  fired: number;
  /** Requests that it fired for and that are still under way. */
  underWay: number;
  timer: unknown;
}

/** Separates the draws of delays from those of firings, which must not depend on how many delays were drawn. */
const DELAY_SALT = 0x5bd1e995;

/** The fault rules in force, in the order in which they came. */
export class FaultRules {
  readonly #parts: FaultRulesParts;
  readonly #rules = new Map<string, Rule>();
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
    return this.#rules.size === 0;
  }

  /**
   * @param given is checked here, wherever it comes from
   * @throws AdminError if it makes no sense, is not possible in this ring, is one too many, or the server has stopped
   */
  add(given: FaultRule): ActiveFault {
    const { maxRules = MAX_FAULT_RULES, newSeed, seeded, timers } = this.#parts;
    if (this.#isStopped) throw new AdminError('the server has stopped', undefined, 409);
    const checked = readFaultRule(given);
    if (checked.namespace !== undefined) checkNamespace(checked.namespace);
    this.#checkLag(checked);
    if (this.#rules.size >= maxRules) {
      throw new AdminError(`there are ${maxRules} fault rules already, as many as can be`, undefined, 409);
    }
    const seed = checked.seed ?? newSeed();
    const rule = { ...checked, seed };
    const id = `f${++this.#lastId}`;
    const added: Rule = {
      id,
      rule,
      matches: scopeMatcher(rule),
      drawFires: seeded(seed),
      drawDelay: seeded(seed ^ DELAY_SALT),
      staleness: rule.kind === 'staleness' ? this.#stalenessOf(id, rule, seed) : undefined,
      fired: 0,
      underWay: 0,
      timer: undefined,
    };
    this.#rules.set(id, added);
    if (rule.forMs !== undefined) added.timer = timers.after(rule.forMs, () => this.#drop(added));
    if (added.staleness !== undefined) this.#tellLags();
    this.#noteExpiry(rule);
    return describe(added);
  }

  list(): readonly ActiveFault[] {
    return [...this.#rules.values()].map(describe);
  }

  /** @throws AdminError if there is none of that id */
  remove(id: string): void {
    const rule = this.#rules.get(id);
    if (rule === undefined) throw new AdminError(`there is no fault rule ${JSON.stringify(id)}`, undefined, 404);
    this.#drop(rule);
  }

  clear(): void {
    const hadLags = [...this.#rules.values()].some(({ staleness }) => staleness !== undefined);
    for (const { timer } of this.#rules.values()) this.#parts.timers.cancel(timer);
    for (const { rule } of this.#rules.values()) this.#noteExpiry(rule);
    this.#rules.clear();
    if (hadLags) this.#tellLags();
  }

  /** Ends all rules, and takes none from now on. The timer of a rule would keep the process alive. */
  stop(): void {
    this.clear();
    this.#isStopped = true;
  }

  /**
   * Fires the first of the wanted rules that matches and whose draw succeeds. Rules after it neither count nor draw.
   */
  fireFirst(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): Firing | undefined {
    for (const rule of this.#rules.values()) {
      if (isWanted(rule.rule) && fires(rule, request)) return this.#fire(rule);
    }
    return undefined;
  }

  /** Fires all wanted rules that match and whose draw succeeds. */
  fireEach(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): readonly Firing[] {
    const firing = [...this.#rules.values()].filter((rule) => isWanted(rule.rule) && fires(rule, request));
    return firing.map((rule) => this.#fire(rule));
  }

  /** Another one after each change of the rules of kind expiry. */
  get expiryVersion(): number {
    return this.#expiryVersion;
  }

  /**
   * How long an item stays after it has expired.
   * @param item names the item and its expiry: the same text has the same delay
   * @returns undefined if no rule is for its table
   */
  lingering({ namespace, name }: { namespace: string; name: string }, item: string): Lingering | undefined {
    for (const entry of this.#rules.values()) {
      const { rule } = entry;
      if (rule.kind !== 'expiry' || (rule.namespace !== undefined && rule.namespace !== namespace)) continue;
      if (rule.table !== undefined && tableNameOf(rule.table) !== name) continue;
      const fire = () => {
        entry.fired++;
      };
      if ('lingerMs' in rule) return { ms: rule.lingerMs, fire };
      return { ms: rule.withinMs * this.#parts.seeded(rule.seed! ^ hashOf(item))(), fire };
    }
    return undefined;
  }

  #fire(rule: Rule): Firing {
    rule.fired++;
    rule.underWay++;
    // A staleness rule releases what it holds when its last read is done: that read must not see the new value yet.
    if (isSpent(rule) && rule.staleness === undefined) this.#drop(rule);
    const end = () => {
      rule.underWay--;
      if (isSpent(rule) && rule.underWay === 0) this.#drop(rule);
    };
    return { id: rule.id, effect: rule.rule, draw: rule.drawDelay, end };
  }

  #drop(rule: Rule): void {
    if (!this.#rules.delete(rule.id)) return;
    this.#parts.timers.cancel(rule.timer);
    if (rule.staleness !== undefined) this.#tellLags();
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
    for (const { staleness } of this.#rules.values()) {
      if (staleness !== undefined && change(staleness)) isChanged = true;
    }
    if (isChanged) this.#tellLags();
  }

  #tellLags(): void {
    this.#parts.onLagChange([...this.#rules.values()].flatMap(({ staleness }) => staleness?.lag ?? []));
  }

  #checkLag(rule: FaultRule): void {
    const { whyNoReplicaLags } = this.#parts;
    // The entries of a whole index are late, whatever the replicas of a record wait for.
    if (rule.kind !== 'staleness' || rule.whole || whyNoReplicaLags === undefined) return;
    throw new AdminError(`"kind" cannot be staleness here: ${whyNoReplicaLags}`, 'kind');
  }
}

function fires(rule: Rule, request: FaultRequest): boolean {
  if (isSpent(rule) || !rule.matches(request)) return false;
  const { probability } = rule.rule;
  return probability === undefined || rule.drawFires() < probability;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

function isSpent({ rule, fired }: Rule): boolean {
  return rule.times !== undefined && fired >= rule.times;
}

function describe({ id, rule, fired }: Rule): ActiveFault {
  return { id, rule, fired };
}
