import { type ActiveFault, AdminError, type FaultEffect, type FaultRule } from '../api/fault-rule.ts';
import type { LagRule } from '../dynamo/client.ts';
import { LagsOfCluster, type NamedTables } from './cluster-lags.ts';
import type { FaultTimers, RulesOfExpiry, RulesOfRequests } from './fault-rules.ts';
import type { FaultRequest } from './fault-scope.ts';
import { FiringClaims } from './firing-claims.ts';
import { MAX_FAULT_RULES } from './router-limits.ts';
import {
  checkedRule,
  checkRoom,
  type Firing,
  type Lingering,
  lingeringBy,
  noSuchRule,
  RuleInForce,
  type Seeded,
  type SeededRule,
} from './rule-in-force.ts';
import type { RulesRegister, StoredRules } from './rules-register.ts';
import { NO_RULES, type SharedRules, withoutRule, withoutRules, withRule } from './shared-rules.ts';

/** How often the rules are read in case nobody tells of a change: whoever made it may have died before. */
const LOOK_MS = 30_000;
/** How long a process that starts waits for the rules, in ms: too few nodes may be there to tell. */
const START_MS = 3_000;
/** For how long a staleness rule of which no firing is left waits for the reads that it fired for, in ms. */
const IDLE_MS = 10_000;
const IDLE_POLL_MS = 20;
/** After which another process removes a rule whose time is over, if the one that set it has not. */
const TIDY_MS = 1_000;

/** How often a rule has fired at a process, and for how many requests that are under way. */
export interface RuleUse {
  readonly id: string;
  readonly fired: number;
  readonly underWay: number;
}

/** The routers of other processes, as far as fault rules go. */
export interface OtherRules {
  /** Tells all others of a version; resolves when they go by it, or after a bounded time. */
  tellVersion(version: number): Promise<void>;
  /** What others that are there say, within a bounded time, of the use of their rules. */
  useElsewhere(): Promise<readonly RuleUse[]>;
  /** @param keeper is told what others tell, and asked */
  listen(keeper: RulesKeeper): void;
}

/** What the rules of one process answer to others. */
export interface RulesKeeper {
  /** The version that it goes by. */
  readonly version: number;
  /**
   * There is a version.
   * @param isNew whether it has just been made
   * @returns whether this process goes by it now, or by a later one
   */
  noteVersion(version: number, isNew: boolean): Promise<boolean>;
  /** Of the rules in force here. */
  readonly use: readonly RuleUse[];
}

export interface ClusterFaultsParts {
  readonly register: RulesRegister;
  readonly tables: NamedTables;
  readonly others: OtherRules;
  /** As in `FaultRulesParts`. */
  readonly whyNoReplicaLags: string | undefined;
  readonly timers: FaultTimers;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly newSeed: () => number;
  /** A text that no other edit has. */
  readonly newEdit: () => string;
  readonly seeded: Seeded;
  /** Makes the draws of this process differ from those of others. */
  readonly salt: number;
  /** Tells the node of this process the staleness rules after each change. */
  readonly onLagChange: (rules: readonly LagRule[]) => void;
  /** What was to be done in the background was not. */
  readonly onFailure: (error: unknown) => void;
  readonly maxRules?: number;
}

/**
 * The fault rules of a cluster, as one of its processes keeps them. All processes go by the same rules: a change is
 * written to the register, told to all that are there, and waited for. Whoever misses it hears of the version, and
 * reads it.
 */
export class ClusterFaults implements RulesOfRequests, RulesOfExpiry, RulesKeeper {
  readonly #parts: ClusterFaultsParts;
  readonly #claims: FiringClaims;
  readonly #lags: LagsOfCluster;
  /** In the order in which they came. */
  readonly #inForce = new Map<string, RuleInForce>();
  #shared: SharedRules = NO_RULES;
  /** Rules that are in the register still, and are over here. */
  readonly #over = new Set<string>();
  /** Rules of which no firing is left, and that are being removed. */
  readonly #ending = new Set<string>();
  /** Rules that were set at this process. */
  readonly #own = new Set<string>();
  readonly #timers = new Set<unknown>();
  #expiryVersion = 0;
  #isStopped = false;

  constructor(parts: ClusterFaultsParts) {
    this.#parts = parts;
    const { register, onFailure, tables, onLagChange } = parts;
    this.#claims = new FiringClaims({
      claim: (id, times, wanted) => register.claim(id, times, wanted),
      onSpent: (id) => this.#noteSpent(id),
      onFailure,
      timers: parts.timers,
    });
    const edit = (change: (shared: SharedRules) => SharedRules) => this.#edit(change);
    this.#lags = new LagsOfCluster({ tables, onLagChange, onFailure, edit, newEdit: parts.newEdit });
    parts.others.listen(this);
  }

  /** Reads the rules, and goes on doing so now and then. Resolves when they are known, or nobody can tell soon. */
  async start(): Promise<void> {
    await Promise.race([this.#read(false).catch(this.#parts.onFailure), this.#later(START_MS)]);
    void this.#lookNowAndThen();
  }

  /** Ends all rules in this process. They stay those of the cluster. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) this.#parts.timers.cancel(timer);
    for (const id of [...this.#inForce.keys()]) this.#drop(id);
  }

  get isEmpty(): boolean {
    return this.#inForce.size === 0;
  }

  get version(): number {
    return this.#shared.version;
  }

  get use(): readonly RuleUse[] {
    return [...this.#inForce.values()].map(({ id, fired, underWay }) => ({ id, fired, underWay }));
  }

  /** What is in force in this process, and how often it fired here. */
  get here(): readonly ActiveFault[] {
    return [...this.#inForce.values()].map((rule) => rule.describe());
  }

  /**
   * Resolves when the rule holds at all processes that are there.
   * @throws AdminError as `FaultRules.add`, or if the cluster cannot keep it
   */
  async add(given: FaultRule): Promise<ActiveFault> {
    const { maxRules = MAX_FAULT_RULES, newSeed, newEdit, nowMs, whyNoReplicaLags } = this.#parts;
    const checked = checkedRule(given, whyNoReplicaLags);
    const rule = { ...checked, seed: checked.seed ?? newSeed() };
    const edit = newEdit();
    const shared = await this.#edit((current) => {
      checkRoom(current.rules.length, maxRules);
      return withRule(current, { rule, setAtMs: nowMs(), places: [] }, edit);
    });
    const { id } = shared.rules.at(-1)!;
    if (this.#inForce.has(id)) this.#own.add(id);
    return { id, rule, fired: 0 };
  }

  /** The rules of the cluster, with how often each has fired at all processes that are there. */
  async list(): Promise<readonly ActiveFault[]> {
    const [stored, elsewhere] = await Promise.all([
      this.#read(false).catch(() => undefined),
      this.#parts.others.useElsewhere(),
    ]);
    const firedOf = ({ id, fired }: RuleInForce): number => {
      const others = elsewhere.filter((use) => use.id === id);
      return stored?.fired.get(id) ?? others.reduce((sum, use) => sum + use.fired, fired);
    };
    return [...this.#inForce.values()].map((rule) => rule.describe(firedOf(rule)));
  }

  /** @throws AdminError if there is none of that id, or the cluster cannot do it */
  async remove(id: string): Promise<void> {
    if (this.#over.has(id)) throw noSuchRule(id);
    await this.#edit((shared) => withoutRule(shared, id, this.#parts.newEdit()));
  }

  async clear(): Promise<void> {
    await this.#edit((shared) => withoutRules(shared, this.#parts.newEdit()));
  }

  async noteVersion(version: number, isNew: boolean): Promise<boolean> {
    if (version > this.version) await this.#read(isNew);
    return this.version >= version;
  }

  prepare(request: FaultRequest): Promise<void> | undefined {
    return this.#lags.prepare(request);
  }

  async fireFirst(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): Promise<Firing | undefined> {
    for (const rule of this.#inForce.values()) {
      if (isWanted(rule.rule) && rule.fires(request) && (await this.#isGranted(rule))) return this.#fire(rule);
    }
    return undefined;
  }

  async fireEach(request: FaultRequest, isWanted: (effect: FaultEffect) => boolean): Promise<readonly Firing[]> {
    const drawn = [...this.#inForce.values()].filter((rule) => isWanted(rule.rule) && rule.fires(request));
    const granted = await Promise.all(drawn.map((rule) => this.#isGranted(rule)));
    return drawn.filter((_, at) => granted[at]).map((rule) => this.#fire(rule));
  }

  get expiryVersion(): number {
    return this.#expiryVersion;
  }

  lingering(table: { readonly namespace: string; readonly name: string }, item: string): Lingering | undefined {
    return lingeringBy(this.#inForce.values(), table, item);
  }

  async #isGranted(rule: RuleInForce): Promise<boolean> {
    const { times } = rule.rule;
    if (times === undefined) return true;
    // Counted from here on: a granted claim whose answer is on its way is a request under way.
    rule.underWay++;
    const isGranted = await this.#claims.claim(rule.id, times);
    rule.underWay--;
    return isGranted;
  }

  #fire(rule: RuleInForce): Firing {
    return rule.fire(() => {});
  }

  /** No firing of a rule is left: it is removed, a staleness rule once the last read that it fired for is done. */
  #noteSpent(id: string): void {
    const rule = this.#inForce.get(id);
    if (rule === undefined || this.#ending.has(id)) return;
    this.#ending.add(id);
    if (rule.rule.kind !== 'staleness') this.#end(id);
    const idle = rule.rule.kind === 'staleness' ? this.#untilIdle(rule) : Promise.resolve();
    idle
      .then(() => this.#removeOver(id))
      .catch(this.#parts.onFailure)
      .finally(() => this.#ending.delete(id));
  }

  /** Waits until no request that a rule fired for is under way anywhere; for a bounded time. */
  async #untilIdle(rule: RuleInForce): Promise<void> {
    for (let waitedMs = 0; waitedMs < IDLE_MS; waitedMs += IDLE_POLL_MS) {
      const elsewhere = await this.#parts.others.useElsewhere();
      if (rule.underWay === 0 && elsewhere.every(({ id, underWay }) => id !== rule.id || underWay === 0)) return;
      await this.#later(IDLE_POLL_MS);
    }
  }

  /** Removes a rule that is over from the register, if nobody else has. */
  async #removeOver(id: string): Promise<void> {
    const isThere = ({ rules }: SharedRules) => rules.some((rule) => rule.id === id);
    if (this.#isStopped || !isThere(this.#shared)) return;
    await this.#edit((shared) => (isThere(shared) ? withoutRule(shared, id, this.#parts.newEdit()) : shared));
  }

  async #edit(change: (shared: SharedRules) => SharedRules): Promise<SharedRules> {
    if (this.#isStopped) throw new AdminError('the server has stopped', undefined, 409);
    let isChanged = false;
    const shared = await this.#parts.register.edit((current) => {
      const next = change(current);
      isChanged = next !== current;
      return next;
    });
    this.#follow(shared, true);
    // Whether or not this process has read it meanwhile: nobody else tells of it.
    if (isChanged) await this.#parts.others.tellVersion(shared.version);
    return shared;
  }

  async #read(isNew: boolean): Promise<StoredRules> {
    const stored = await this.#parts.register.read();
    this.#follow(stored.shared, isNew);
    return stored;
  }

  /** @param isNew whether it has just been made, so that the time of its newest rules begins now */
  #follow(shared: SharedRules, isNew: boolean): void {
    if (this.#isStopped || shared.version <= this.version) return;
    this.#shared = shared;
    const ids = new Set(shared.rules.map(({ id }) => id));
    for (const id of this.#over) if (!ids.has(id)) this.#over.delete(id);
    for (const id of this.#inForce.keys()) if (!ids.has(id)) this.#drop(id);
    for (const { id, rule, setAtMs } of shared.rules) {
      if (!this.#inForce.has(id) && !this.#over.has(id)) this.#begin(id, rule, isNew ? undefined : setAtMs);
    }
    this.#tellLags();
  }

  /** @param setAtMs when it was set, in ms since 1970; undefined: now */
  #begin(id: string, rule: SeededRule, setAtMs: number | undefined): void {
    const { seeded, salt, timers, nowMs } = this.#parts;
    const begun = new RuleInForce(id, rule, seeded, salt);
    this.#inForce.set(id, begun);
    this.#noteExpiry(rule);
    if (rule.forMs === undefined) return;
    // Clocks differ: what was set just now lasts for all of its time here, and nothing lasts longer.
    const pastMs = setAtMs === undefined ? 0 : Math.max(0, nowMs() - setAtMs);
    begun.timer = timers.after(Math.max(0, rule.forMs - pastMs), () => this.#endInTime(begun));
  }

  /** The time of a rule is over, here as elsewhere: whoever has set it removes it, or another one if that is gone. */
  #endInTime({ id }: RuleInForce): void {
    const isOwn = this.#own.has(id);
    this.#end(id);
    this.#later(isOwn ? 0 : TIDY_MS)
      .then(() => this.#removeOver(id))
      .catch(this.#parts.onFailure);
  }

  /** Resolves after a while. Never, if this stops before. */
  #later(ms: number): Promise<void> {
    const { timers } = this.#parts;
    if (this.#isStopped) return new Promise(() => {});
    return new Promise((resolve) => {
      const timer = timers.after(ms, () => {
        this.#timers.delete(timer);
        resolve();
      });
      this.#timers.add(timer);
    });
  }

  /** A rule ends here, and is still in the register. */
  #end(id: string): void {
    this.#over.add(id);
    this.#drop(id);
    this.#tellLags();
  }

  #drop(id: string): void {
    const dropped = this.#inForce.get(id);
    if (dropped === undefined) return;
    this.#inForce.delete(id);
    this.#own.delete(id);
    this.#parts.timers.cancel(dropped.timer);
    this.#noteExpiry(dropped.rule);
  }

  #tellLags(): void {
    this.#lags.follow(this.#shared.rules.filter(({ id }) => this.#inForce.has(id)));
  }

  #noteExpiry({ kind }: FaultRule): void {
    if (kind === 'expiry') this.#expiryVersion++;
  }

  async #lookNowAndThen(): Promise<never> {
    for (;;) {
      await this.#later(LOOK_MS);
      try {
        await this.#read(false);
        for (const id of this.#over) await this.#removeOver(id);
      } catch (error) {
        this.#parts.onFailure(error);
      }
    }
  }
}
