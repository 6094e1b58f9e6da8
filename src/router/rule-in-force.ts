import { tableNameOf } from '../api/arn.ts';
import { type ActiveFault, AdminError, type FaultEffect, type FaultRule, type FaultScope } from '../api/fault-rule.ts';
import { readFaultRule } from '../api/read-fault-rule.ts';
import { type FaultRequest, scopeMatcher } from './fault-scope.ts';
import { checkNamespace } from './namespace.ts';

/** A rule with the seed that it draws with. */
export type SeededRule = FaultRule & { readonly seed: number };

/** Numbers uniform in [0, 1) that are the same for the same seed. */
export type Seeded = (seed: number) => () => number;

/** A rule has fired for a request. */
export interface Firing {
  readonly id: string;
  /** The rule, with its scope. */
  readonly effect: FaultEffect & FaultScope;
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

/** Separates the draws of delays from those of firings, which must not depend on how many delays were drawn. */
export const DELAY_SALT = 0x5bd1e995;

/** One fault rule in force, as the requests of this process meet it. */
export class RuleInForce {
  readonly id: string;
  readonly rule: SeededRule;
  /** Uniform in [0, 1), for delays. */
  readonly drawDelay: () => number;
  /** How often it has fired here. */
  fired = 0;
  /** Requests that it fired for and that are still under way here. */
  underWay = 0;
  timer: unknown;
  readonly #seeded: Seeded;
  readonly #isFor: (request: FaultRequest) => boolean;
  readonly #drawFires: () => number;

  /** @param salt a whole number, by which the draws of one process differ from those of another with the same seed */
  constructor(id: string, rule: SeededRule, seeded: Seeded, salt = 0) {
    this.id = id;
    this.rule = rule;
    this.#seeded = seeded;
    this.#isFor = scopeMatcher(rule);
    this.#drawFires = seeded(rule.seed ^ salt);
    this.drawDelay = seeded(rule.seed ^ DELAY_SALT ^ salt);
  }

  get isSpent(): boolean {
    const { times } = this.rule;
    return times !== undefined && this.fired >= times;
  }

  /** Whether it is for a request and, if it has a probability, the next draw succeeds. */
  fires(request: FaultRequest): boolean {
    if (this.isSpent || !this.#isFor(request)) return false;
    const { probability } = this.rule;
    return probability === undefined || this.#drawFires() < probability;
  }

  /** Counts that it fires for a request. @param onEnd called when the request is done */
  fire(onEnd: () => void): Firing {
    this.fired++;
    this.underWay++;
    const end = () => {
      this.underWay--;
      onEnd();
    };
    return { id: this.id, effect: this.rule, draw: this.drawDelay, end };
  }

  /** As `lingeringBy`. */
  lingering({ namespace, name }: TablePlace, item: string): Lingering | undefined {
    const { rule } = this;
    if (rule.kind !== 'expiry' || (rule.namespace !== undefined && rule.namespace !== namespace)) return undefined;
    if (rule.table !== undefined && tableNameOf(rule.table) !== name) return undefined;
    const fire = () => {
      this.fired++;
    };
    // The same for all processes: each of them may be the one that deletes.
    const ms = 'lingerMs' in rule ? rule.lingerMs : rule.withinMs * this.#seeded(rule.seed ^ hashOf(item))();
    return { ms, fire };
  }

  describe(fired = this.fired): ActiveFault {
    return { id: this.id, rule: this.rule, fired };
  }
}

interface TablePlace {
  readonly namespace: string;
  readonly name: string;
}

/**
 * How long an item stays after it has expired, by the first of the rules that is for its table.
 *
 * @param item names the item and its expiry: the same text has the same delay
 * @returns undefined if no rule is for its table
 */
export function lingeringBy(rules: Iterable<RuleInForce>, table: TablePlace, item: string): Lingering | undefined {
  for (const rule of rules) {
    const lingering = rule.lingering(table, item);
    if (lingering !== undefined) return lingering;
  }
  return undefined;
}

/**
 * A rule that somebody has given, checked.
 *
 * @param whyNoReplicaLags why staleness rules make no sense in this ring, if so. Continues a sentence
 * @throws AdminError if it makes no sense, or is not possible in this ring
 */
export function checkedRule(given: FaultRule, whyNoReplicaLags: string | undefined): FaultRule {
  const rule = readFaultRule(given);
  if (rule.namespace !== undefined) checkNamespace(rule.namespace);
  // The entries of a whole index, and the records of a stream, are late, whatever the replicas of a record wait for.
  if (rule.kind === 'staleness' && !rule.whole && !rule.stream && whyNoReplicaLags !== undefined) {
    throw new AdminError(`"kind" cannot be staleness here: ${whyNoReplicaLags}`, 'kind');
  }
  return rule;
}

/** Refuses a rule that is one too many. @throws AdminError */
export function checkRoom(rules: number, maxRules: number): void {
  if (rules < maxRules) return;
  throw new AdminError(`there are ${maxRules} fault rules already, as many as can be`, undefined, 409);
}

/** The error if there is no rule of an id. */
export function noSuchRule(id: string): AdminError {
  return new AdminError(`there is no fault rule ${JSON.stringify(id)}`, undefined, 404);
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
