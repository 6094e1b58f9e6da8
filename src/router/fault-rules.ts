import { type ActiveFault, AdminError, type FaultEffect, type FaultRule } from '../api/fault-rule.ts';
import { readFaultRule } from '../api/read-fault-rule.ts';
import type { LagRule } from '../dynamo/client.ts';
import { type LagParts, lagRuleOf } from './fault-lag.ts';
import { type FaultRequest, scopeMatcher } from './fault-scope.ts';
import { checkNamespace } from './namespace.ts';
import { MAX_FAULT_RULES } from './router-limits.ts';

/** Time as tier 2 needs it, which has no clock of its own. */
export interface FaultTimers {
  /** Calls `run` once after `delayMs`, never within the call. */
  after(delayMs: number, run: () => void): unknown;
  cancel(timer: unknown): void;
}

export interface FaultRulesParts extends LagParts {
  /** N and W of the ring. */
  readonly replication: number;
  readonly writeQuorum: number;
  readonly timers: FaultTimers;
  /** For rules that bring no seed: a whole number. */
  readonly newSeed: () => number;
  /** Numbers uniform in [0, 1) that are the same for the same seed. */
  readonly seeded: (seed: number) => () => number;
  /** The staleness rules after each change of theirs, for the ring. A rule is the same object as long as it lives. */
  readonly onLagChange: (rules: readonly LagRule[]) => void;
  readonly maxRules?: number;
}

/** A rule has fired for a request. */
export interface Firing {
  readonly id: string;
  readonly effect: FaultEffect;
  /** Uniform in [0, 1), apart from the draws that decide whether a rule fires. */
  readonly draw: () => number;
  /** The request is done. Only then a staleness rule whose last time this was lets go of what it holds back. */
  readonly end: () => void;
}

interface Rule {
  readonly id: string;
  readonly rule: FaultRule;
  readonly matches: (request: FaultRequest) => boolean;
  readonly drawFires: () => number;
  readonly drawDelay: () => number;
  readonly lag: LagRule | undefined;
  fired: number;
  /** Requests that it fired for and that are not done. */
  underWay: number;
  timer: unknown;
}

/** Makes the draws of delays others than those of the firings, which must not depend on how many delays were drawn. */
const DELAY_SALT = 0x5bd1e995;

/** The fault rules in force, in the order in which they came. */
export class FaultRules {
  readonly #parts: FaultRulesParts;
  readonly #rules = new Map<string, Rule>();
  #lastId = 0;
  #isStopped = false;

  constructor(parts: FaultRulesParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#rules.size === 0;
  }

  /**
   * @param given is checked here, whoever made it
   * @throws AdminError if it makes no sense, cannot be in this ring, is one too many, or the server has stopped
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
    const drawDelay = seeded(seed ^ DELAY_SALT);
    const added: Rule = {
      id,
      rule,
      matches: scopeMatcher(rule),
      drawFires: seeded(seed),
      drawDelay,
      lag: rule.kind === 'staleness' ? lagRuleOf(id, rule, this.#parts, drawDelay) : undefined,
      fired: 0,
      underWay: 0,
      timer: undefined,
    };
    this.#rules.set(id, added);
    if (rule.forMs !== undefined) added.timer = timers.after(rule.forMs, () => this.#drop(added));
    if (added.lag !== undefined) this.#tellLags();
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
    const hadLags = [...this.#rules.values()].some(({ lag }) => lag !== undefined);
    for (const { timer } of this.#rules.values()) this.#parts.timers.cancel(timer);
    this.#rules.clear();
    if (hadLags) this.#tellLags();
  }

  /** Ends all rules; there are none from now on. A timer of one would keep the process. */
  stop(): void {
    this.clear();
    this.#isStopped = true;
  }

  /** The first of the rules wanted that matches and is drawn. Those after it neither count nor draw. */
  fireFirst(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): Firing | undefined {
    for (const rule of this.#rules.values()) {
      if (isWanted(rule.rule) && fires(rule, request)) return this.#fire(rule);
    }
    return undefined;
  }

  /** All of the rules wanted that match and are drawn. */
  fireEach(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): readonly Firing[] {
    const firing = [...this.#rules.values()].filter((rule) => isWanted(rule.rule) && fires(rule, request));
    return firing.map((rule) => this.#fire(rule));
  }

  #fire(rule: Rule): Firing {
    rule.fired++;
    rule.underWay++;
    // What a staleness rule holds back is let go when the last read is done: that one must not see it yet.
    if (isSpent(rule) && rule.lag === undefined) this.#drop(rule);
    const end = () => {
      rule.underWay--;
      if (isSpent(rule) && rule.underWay === 0) this.#drop(rule);
    };
    return { id: rule.id, effect: rule.rule, draw: rule.drawDelay, end };
  }

  #drop(rule: Rule): void {
    if (!this.#rules.delete(rule.id)) return;
    this.#parts.timers.cancel(rule.timer);
    if (rule.lag !== undefined) this.#tellLags();
  }

  #tellLags(): void {
    this.#parts.onLagChange([...this.#rules.values()].flatMap(({ lag }) => lag ?? []));
  }

  #checkLag({ kind }: FaultRule): void {
    const { replication, writeQuorum } = this.#parts;
    if (kind !== 'staleness' || writeQuorum < replication) return;
    const quorums = `N=${replication}, W=${writeQuorum}`;
    throw new AdminError(`"kind" cannot be staleness here: a write waits for every replica (${quorums})`, 'kind');
  }
}

function fires(rule: Rule, request: FaultRequest): boolean {
  if (isSpent(rule) || !rule.matches(request)) return false;
  const { probability } = rule.rule;
  return probability === undefined || rule.drawFires() < probability;
}

function isSpent({ rule, fired }: Rule): boolean {
  return rule.times !== undefined && fired >= rule.times;
}

function describe({ id, rule, fired }: Rule): ActiveFault {
  return { id, rule, fired };
}
