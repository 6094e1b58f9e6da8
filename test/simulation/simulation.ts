import type { DelayDistribution } from '../../src/api/delay-model.ts';
import { type Ballot, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { LagPlace, LagRelease, LagRule } from '../../src/dynamo/client.ts';
import { collectionPrefix, isLogKey, partitionOf } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import type { NodeSettings } from '../../src/dynamo/node-settings.ts';
import { assignPartitions, type NodeId, type PreferenceList } from '../../src/dynamo/ring.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';
import { type Random, randomBelow, SeededRandom } from '../../src/env/random.ts';
import { askMerkleRoot } from '../merkle-root.ts';
import type { Defects } from './broken-rules.ts';
import { findLostWrites, findViolations, type Violation } from './checks.ts';
import { ChosenRecords } from './chosen-records.ts';
import { ConfigJudge } from './config-judge.ts';
import { drawFaults, type Faults, type PlannedLag } from './faults.ts';
import { FoundingHistory, type FoundingPlan } from './founding-history.ts';
import { GoalMembership } from './goal-membership.ts';
import { History } from './history.ts';
import { IndexChange } from './index-change.ts';
import {
  EntryObserver,
  findIndexFaults,
  findRowFaults,
  findStaleEntries,
  hasEntryTombstone,
  type IndexState,
  isEntryKey,
} from './index-checker.ts';
import { IndexedItems, STREAM } from './indexed-items.ts';
import type { Membership } from './membership.ts';
import { isBlind, type Scenario } from './scenarios.ts';
import { SimulatedHost } from './simulated-host.ts';
import { SimulatedMembership } from './simulated-membership.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { findStreamFaults } from './stream-checker.ts';
import { StreamReaders } from './stream-readers.ts';
import { ToldRecords } from './told-records.ts';
import { Trace } from './trace.ts';
import { CLOCK_START_MS, VirtualTime } from './virtual-time.ts';
import { type SimulatedKey, Workload } from './workload.ts';
import { findWounds, hasTombstone, type Roots } from './wounds.ts';

export interface Result {
  readonly violations: readonly Violation[];
  readonly hash: string;
  /** What happened, line by line, if asked for. */
  readonly trace: readonly string[] | undefined;
  readonly operations: number;
  /** Writes whose outcome no client learned. */
  readonly unknown: number;
}

/** Far more than the longest history has needed. */
const MAX_EVENTS = 200_000;
/** After the faults have ended, the ring has to be whole by then; how often that is looked at. */
const HEALED_WITHIN_MS = 2_500;
/** Tombstones of entries come after those of items, and may come twice when two members lead purges of one item. */
const ENTRIES_PURGED_WITHIN_MS = 4_500;
/** Readers come to the end of a log by then, a few changes at a time. */
const STREAM_READ_WITHIN_MS = 3_000;
/** Several nodes have left by then, one after the other. */
const GOAL_REACHED_WITHIN_MS = 8_000;
const LOOK_INTERVAL_MS = 80;
/** How long the building of Merkle trees may take. */
const ROOTS_WITHIN_MS = 20;
/** The last reads come when the ring is whole, and the history ends so long after them. */
const LAST_READS_MS = [0, 60];
const AFTER_LAST_READS_MS = 120;
const ANTI_ENTROPY_INTERVAL_MS = 400;
/** That a client turns to a node at which the key is not at home. */
const STRANGER_CHANCE = 0.1;
/** How long a rule of lag holds each record that it releases by itself: about 120 ms, now and then much longer. */
const LAG_DELAYS: DelayDistribution = { share: 0.5, pareto: { xm: 10, alpha: 1 }, lambda: 1 / 150 };
/** By which a clock that was wrong at its start and was stepped since may be ahead. */
const WORST_SKEW_MS = 800;
/** Of so many histories, one sends every message as bytes, and compares it with what these decode to. */
const SENDS_BYTES_ONE_IN = 16;
const TABLE = 'table-01';

/**
 * Runs one history and judges it. The same arguments give the same result, event for event.
 * @param sendsBytes whether messages are sent as bytes, which makes no difference but for the time that it takes
 */
export function simulateHistory(
  scenario: Scenario,
  seed: number,
  defects: Defects = {},
  keepsTrace = false,
  sendsBytes = sendsAsBytes(seed),
): Result {
  const { founding } = scenario;
  if (founding !== undefined) return simulateFounding(founding, seed, defects, keepsTrace);
  return new Simulation(scenario, seed, defects, keepsTrace, sendsBytes).run();
}

function simulateFounding(plan: FoundingPlan, seed: number, defects: Defects, keepsTrace: boolean): Result {
  const trace = new Trace(keepsTrace);
  const history = new FoundingHistory(plan, scattered(seed), defects.founding ?? {}, trace);
  history.run();
  const { violations, asked } = history;
  for (const { kind, what } of violations) trace.add(0, `!! ${kind}: ${what}`);
  return { violations, hash: trace.hash(), trace: trace.lines, operations: asked, unknown: 0 };
}

/** Not by the seed itself: it also tells the scenario. */
function sendsAsBytes(seed: number): boolean {
  return (scattered(seed) >>> 16) % SENDS_BYTES_ONE_IN === 0;
}

/** Neighbouring seeds would otherwise draw numbers that are alike at first. */
function scattered(seed: number): number {
  return Math.imul(seed, 0x9e3779b1);
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #defects: Defects;
  readonly #random: Random;
  readonly #time = new VirtualTime();
  readonly #trace: Trace;
  readonly #history = new History();
  readonly #chosen: ChosenRecords;
  /** If the members of each epoch decide the next one. */
  readonly #judge: ConfigJudge | undefined;
  /** Takes the place of the chosen records where nothing is chosen. */
  readonly #told: ToldRecords | undefined;
  readonly #faults: Faults;
  readonly #network: SimulatedNetwork;
  readonly #hosts: readonly SimulatedHost[];
  readonly #keys: readonly SimulatedKey[];
  /** If the table has indexes. */
  readonly #items: IndexedItems | undefined;
  readonly #entries: EntryObserver | undefined;
  readonly #change: IndexChange | undefined;
  /** If the table has a stream. */
  readonly #streamReaders: StreamReaders | undefined;
  readonly #workload: Workload;
  readonly #unanswered = new Set<string>();
  readonly #rebalancer: Membership;
  #lags: readonly LagRule[] = [];
  #wounds: readonly string[] | undefined;
  /** How the indexes differed from the table before the last reads. */
  #unreadFaults: readonly string[] = [];
  #isHealed = false;
  /** The epochs of all partitions together, when the ring was found whole last. */
  #epochsWhenWhole = 0;

  constructor(scenario: Scenario, seed: number, defects: Defects, keepsTrace: boolean, sendsBytes: boolean) {
    this.#scenario = scenario;
    this.#defects = defects;
    this.#random = new SeededRandom(scattered(seed));
    for (let i = 0; i < 3; i++) this.#random.next();
    this.#trace = new Trace(keepsTrace);
    this.#told = isBlind(scenario) ? new ToldRecords(scenario.replication) : undefined;
    const ids = Array.from({ length: scenario.nodes }, (_, i) => String.fromCharCode(65 + i));
    const inside = ids.slice(0, scenario.nodes - scenario.spares);
    const assignment = assignPartitions(scenario.partitions, inside, scenario.replication);
    const founded = configsOf(assignment, ids);
    const configs = [...founded];
    this.#chosen = new ChosenRecords(scenario.replication, configs, (id) => this.#hostOf(id));
    const { indexes, isCollection, partitions } = scenario;
    this.#items =
      indexes && new IndexedItems({ plan: indexes, table: TABLE, partitions, isCollection, random: this.#random });
    this.#entries =
      this.#items &&
      new EntryObserver(this.#chosen, this.#items, {
        rots: scenario.rots,
        limits: scenario.limits,
        nowMs: () => this.#time.nowMs,
        keys: () => this.#keys,
        hostOf: (id) => this.#hostOf(id),
        configOf: (partition) => this.#rebalancer.configs[partition]!,
      });
    const judge = this.#told ?? this.#entries ?? this.#chosen;
    this.#judge = scenario.decidesByMembers
      ? new ConfigJudge({
          inner: judge,
          configs,
          hostOf: (id) => this.#hostOf(id),
          isIntact: ({ node, diskId }) => this.#hostOf(node).member.diskId === diskId && !this.#hostOf(node).isGone,
          decided: (config) => {
            const members = config.members.map(({ node }) => node).join('');
            this.#trace.add(
              this.#time.nowMs,
              `-- partition ${config.partition} is decided: epoch ${config.epoch}, ${members}`,
            );
            this.#noteDecided(config);
          },
        })
      : undefined;
    this.#faults = drawFaults(scenario, ids, this.#random);
    this.#network = new SimulatedNetwork({
      time: this.#time,
      random: this.#random,
      faults: this.#faults.network,
      trace: this.#trace,
      observer: this.#judge ?? judge,
      tampering: defects.tampering?.() ?? {},
      sendsBytes,
    });
    this.#hosts = this.#makeHosts(ids, founded);
    this.#rebalancer = this.#makeMembership(configs, inside);
    this.#change =
      this.#items &&
      new IndexChange({
        ...scenario,
        time: this.#time,
        random: this.#random,
        trace: this.#trace,
        hosts: this.#hosts,
        items: this.#items,
        keys: () => this.#keys,
        isOlderUnderWay: () => this.#workload.isOlderUnderWay(),
        hasBarrier: defects.fillsAtOnce !== true,
      });
    this.#keys = Array.from({ length: scenario.keys }, (_, i) =>
      this.#makeKey(`k${String(i + 1).padStart(2, '0')}`, assignment),
    );
    const stream = this.#items?.stream;
    this.#streamReaders =
      stream &&
      new StreamReaders({
        time: this.#time,
        random: this.#random,
        trace: this.#trace,
        hosts: this.#hosts,
        partitions,
        shards: stream.shards,
        trimsAfterMs: scenario.trimsAfterMs,
      });
    this.#workload = new Workload({
      ...scenario,
      time: this.#time,
      random: this.#random,
      trace: this.#trace,
      history: this.#history,
      chosen: this.#chosen,
      keys: this.#keys,
      told: this.#told,
      forgetsHandedBack: defects.forgetsHandedBack === true,
      rules: { ...SOUND_RULES, ...defects.rules },
      items: this.#items,
      homesOf: (partition) => this.#homesOf(partition),
    });
  }

  run(): Result {
    for (const host of this.#hosts) host.start();
    this.#planFaults();
    if (this.#scenario.hasGoal) this.#rebalancer.watch();
    if (this.#faults.repairs && !this.#scenario.heals) this.#repair();
    this.#planChanges();
    this.#planLags();
    const begin = () => {
      this.#workload.start(() => this.#time.after(60, () => this.#heal()));
      this.#streamReaders?.start();
    };
    if (this.#change === undefined) begin();
    else this.#change.create(begin);
    this.#time.after(this.#scenario.lastsMs, () => this.#heal());
    this.#planPowerLosses();
    this.#planIndexChange();
    const violations = this.#runAndJudge();
    for (const { kind, what } of violations) this.#trace.add(this.#time.nowMs, `!! ${kind}: ${what}`);
    return { violations, hash: this.#trace.hash(), trace: this.#trace.lines, ...this.#count() };
  }

  #count(): { readonly operations: number; readonly unknown: number } {
    const { operations } = this.#history;
    if (this.#told !== undefined) {
      const { writes, reads } = this.#told;
      const unknown = writes.filter(({ outcome }) => outcome === 'unknown' || outcome === 'unanswered');
      return { operations: writes.length + reads.length, unknown: unknown.length };
    }
    const { transactions } = this.#history;
    const writes = operations.filter(({ call }) => call.kind !== 'read');
    const unknown = [...writes, ...transactions].filter(({ answer }) => answer.kind === 'unknown');
    return { operations: operations.length + transactions.length, unknown: unknown.length };
  }

  #runAndJudge(): readonly Violation[] {
    try {
      this.#time.run(MAX_EVENTS);
      const { operations, transactions, eventualReads } = this.#history;
      if (this.#told !== undefined) {
        return findLostWrites({
          ...this.#scenario,
          told: this.#told,
          keys: this.#keys,
          wounds: this.#wounds!,
          unanswered: this.#unanswered,
          keepsAll: this.#faults.diskLoss === undefined && this.#scenario.changes.count === 0,
        });
      }
      return findViolations({
        operations,
        transactions,
        eventualReads,
        chosen: this.#chosen,
        keys: this.#keys,
        unanswered: this.#unanswered,
        wounds: this.#wounds,
        isFresh: this.#isFresh(),
        dirtyEntries: this.#history.dirtyEntries,
        configViolations: this.#judge?.violations ?? [],
        falseEntries: this.#entries?.violations ?? [],
        staleEntries: this.#findStaleEntries(),
        indexFaults: [...new Set([...this.#unreadFaults, ...this.#findIndexFaults()])],
        streamFaults: this.#findStreamFaults(),
      });
    } catch (error) {
      // An assertion of the code under test: what it noticed itself counts as found.
      return [{ kind: 'threw', what: (error as Error).stack ?? String(error) }];
    }
  }

  /**
   * Whether an eventually consistent read must show every write that was answered before. Not where a disk forgets
   * committed records that were not flushed: then W + R > N promises nothing until they are learned again.
   */
  #isFresh(): boolean {
    const { writeQuorum, readQuorum, replication } = this.#scenario;
    return writeQuorum + readQuorum > replication && !this.#forgets();
  }

  /** Whether committed records may be lost before they are flushed, or members come in late that lack some. */
  #forgets(): boolean {
    const { crashes, diskFailures, diskLoss } = this.#faults;
    return crashes.length > 0 || diskFailures.length > 0 || diskLoss !== undefined || this.#scenario.changes.count > 0;
  }

  #planFaults(): void {
    const { crashes, clockSteps, diskFailures, diskLoss } = this.#faults;
    const plan = (index: number, atMs: number, strike: (host: SimulatedHost) => void) => {
      this.#time.after(atMs, () => {
        if (!this.#isHealed) strike(this.#hosts[index]!);
      });
    };
    for (const crash of crashes) plan(crash.host, crash.atMs, (victim) => victim.crash(crash.downMs, crash.isInOrder));
    for (const { host, atMs, downMs } of this.#faults.outages) plan(host, atMs, (victim) => victim.crash(downMs));
    for (const { host, atMs, byMs } of clockSteps) plan(host, atMs, (victim) => victim.stepClock(byMs));
    for (const { host, atMs } of diskFailures) plan(host, atMs, (victim) => victim.failDisk());
    for (const { host, atMs, key, name } of this.#faults.rot) {
      plan(host, atMs, (victim) => victim.rot(name, this.#keys[key]!.storeKey));
    }
    for (const { host, atMs, name, share } of this.#faults.derivedRot) {
      plan(host, atMs, (victim) =>
        victim.rotAny(name, share, name === 'items' ? (key) => isEntryKey(key) || isLogKey(key) : () => true),
      );
    }
    if (diskLoss === undefined) return;
    plan(diskLoss.host, diskLoss.atMs, (victim) => {
      victim.crash(diskLoss.downMs);
      victim.replaceDisk(this.#defects.emptyDiskVotes === true);
    });
  }

  #planLags(): void {
    const { lags, releasesMs } = this.#faults;
    for (const [index, planned] of lags.entries()) {
      const rule = this.#lagOf(`lag ${index + 1}`, planned);
      this.#time.after(planned.startMs, () => this.#setLags([...this.#lags, rule]));
      if (planned.endMs < Number.POSITIVE_INFINITY) {
        this.#time.after(planned.endMs, () => this.#setLags(this.#lags.filter((other) => other !== rule)));
      }
    }
    for (const atMs of releasesMs) {
      this.#time.after(atMs, () => {
        this.#trace.add(this.#time.nowMs, '-- what is held back is released');
        for (const { node } of this.#hosts) node?.releaseLags();
      });
    }
  }

  #lagOf(id: string, { startMs, holds, release }: PlannedLag): LagRule {
    const keys = this.#keys.filter((_key, index) => holds[index]);
    const scope = keys.map(({ storeKey, partitionKey, collection }): LagPlace => {
      return { kind: 'item', key: { table: TABLE, partitionKey, sortKey: storeKey.slice(collection.length) } };
    });
    for (const [index, { storageId }] of this.#items?.globals.entries() ?? []) {
      if (holds[index]) scope.push({ kind: 'table', table: storageId! });
      // Entries are not even sent.
      if (!holds[(index + 1) % holds.length]) scope.push({ kind: 'propagation', index: storageId! });
    }
    if (this.#items?.stream !== undefined && holds[0]) scope.push({ kind: 'propagation', index: STREAM });
    if (release.kind !== 'after') return { id, scope, release: release as LagRelease };
    // Drawn with the history's seed, as when it starts is.
    const seed = Math.floor(startMs * 1e6);
    return { id, scope, release: { kind: 'after', delay: { kind: 'drawn', distribution: LAG_DELAYS, seed } } };
  }

  #setLags(rules: readonly LagRule[]): void {
    if (this.#isHealed && rules.length > 0) return;
    this.#lags = rules;
    const shown = rules.map(({ id, release }) => `${id} (${release.kind})`);
    this.#trace.add(this.#time.nowMs, `-- rules of lag: ${shown.join(', ') || 'none'}`);
    for (const { node } of this.#hosts) node?.setLags(rules);
  }

  /** All nodes are killed at once. */
  #planPowerLosses(): void {
    for (const { atMs, downMs } of this.#faults.powerLosses) {
      this.#time.after(atMs, () => {
        if (this.#isHealed) return;
        for (const [at, host] of this.#hosts.entries()) host.crash(downMs[at]!);
      });
    }
  }

  #planIndexChange(): void {
    const { indexes } = this.#scenario;
    if (indexes === undefined || indexes.change === 'none') return;
    this.#time.after(10 + this.#random.next() * 150, () => this.#change!.begin());
  }

  #planChanges(): void {
    const { count, kinds } = this.#scenario.changes;
    for (let i = 0; i < count; i++) {
      const kind = kinds[randomBelow(this.#random, kinds.length)]!;
      this.#time.after(20 + this.#random.next() * 700, () => {
        if (!this.#isHealed) this.#rebalancer.change(kind);
      });
    }
  }

  /** Ends all faults, and asks for what every key holds. */
  #heal(): void {
    if (this.#isHealed) return;
    this.#isHealed = true;
    this.#trace.add(this.#time.nowMs, '-- all faults end');
    this.#network.heal();
    if (this.#scenario.lags) this.#setLags([]);
    for (const host of this.#hosts) host.heal();
    if (this.#scenario.heals) {
      this.#rebalancer.settle();
      if (!this.#scenario.hasGoal) this.#rebalancer.watch();
      const { indexes, purges, hasGoal } = this.#scenario;
      const indexedMs = indexes !== undefined && purges ? ENTRIES_PURGED_WITHIN_MS : HEALED_WITHIN_MS;
      const healedWithinMs = hasGoal ? GOAL_REACHED_WITHIN_MS : indexedMs;
      // Whatever clients had begun is over by then.
      this.#time.after(this.#scenario.limits.opLifeMs, () => this.#examine(this.#time.nowMs + healedWithinMs));
    } else this.#readAll([100, 300]);
  }

  /**
   * Looks again and again whether the ring is whole; then the last reads are made, and after them it has to be whole again:
   * a late message may still bring something that has to be cleared away.
   */
  #examine(untilMs: number, isRead = false): void {
    const look = (roots?: Roots) => {
      const hasToBePurged = this.#scenario.purges && this.#hasTombstone(0);
      const wounds = { hosts: this.#hosts, keys: this.#keys, membership: this.#rebalancer, roots, hasToBePurged };
      const isFilled = this.#scenario.indexes?.change !== 'add' || this.#change!.isDone;
      return [...findWounds(wounds), ...(isFilled ? [] : ['an index is not filled'])];
    };
    const again = (wounds: readonly string[]) => {
      if (this.#time.nowMs < untilMs) this.#time.after(LOOK_INTERVAL_MS, () => this.#examine(untilMs, isRead));
      else this.#end(wounds);
    };
    const wounds = look();
    if (wounds.length > 0) return again(wounds);
    const roots = this.#askRoots();
    this.#time.after(ROOTS_WITHIN_MS, () => {
      const later = look(roots);
      if (later.length > 0) return again(later);
      const hasMoved = this.#epochsWhenWhole !== this.#epochs();
      // A leader that was given up as dead may live, and move a partition while that is read: then the reads are made again.
      if (isRead && (!hasMoved || this.#unanswered.size === 0)) return this.#readStreams(() => this.#end([]));
      this.#unanswered.clear();
      this.#epochsWhenWhole = this.#epochs();
      this.#trace.add(this.#time.nowMs, '-- the ring is whole');
      // A strong read would mend an item that was made by an older derivation.
      this.#unreadFaults = this.#findIndexFaults();
      if (this.#streamReaders !== undefined) this.#workload.end();
      this.#readAll(LAST_READS_MS);
      this.#time.after(AFTER_LAST_READS_MS, () => this.#examine(untilMs, true));
    });
  }

  /** Whoever follows a log reads to its end; nobody writes any more. */
  #readStreams(done: () => void): void {
    if (this.#streamReaders === undefined) return done();
    this.#unanswered.add('the stream');
    const end = this.#time.after(STREAM_READ_WITHIN_MS, done);
    this.#streamReaders.finish(() => {
      this.#unanswered.delete('the stream');
      this.#time.cancel(end);
      done();
    });
  }

  #epochs(): number {
    return this.#rebalancer.configs.reduce((sum, { epoch }) => sum + epoch, 0);
  }

  #end(wounds: readonly string[]): void {
    this.#wounds = wounds;
    for (const host of this.#hosts) host.stop();
    this.#rebalancer.stop();
  }

  /**
   * @returns filled as soon as the trees are built; undefined if there is a tombstone about to grow too old to count, which
   *   it does not everywhere at once
   */
  #askRoots(): Roots | undefined {
    const { tombstoneGraceMs } = this.#scenario.limits;
    if (this.#hasTombstone(tombstoneGraceMs - 2 * ROOTS_WITHIN_MS)) return undefined;
    const roots = new Map<string, Uint8Array>();
    for (const { partition } of this.#rebalancer.configs) {
      for (const { id, node } of this.#hosts) {
        if (node) askMerkleRoot(node, partition, (root) => roots.set(`${id} ${partition}`, root));
      }
    }
    return roots;
  }

  #hasTombstone(ageMs: number): boolean {
    const { nowMs } = this.#time;
    if (hasTombstone(this.#keys, nowMs, ageMs)) return true;
    return this.#items !== undefined && hasEntryTombstone(this.#indexState(this.#items), nowMs, ageMs);
  }

  #findIndexFaults(): readonly string[] {
    if (this.#items === undefined) return [];
    const state = this.#indexState(this.#items);
    return [...findIndexFaults(state), ...findRowFaults(state)];
  }

  #findStreamFaults(): readonly string[] {
    if (this.#streamReaders === undefined) return [];
    return [...findStreamFaults(this.#chosen, this.#keys), ...this.#streamReaders.findFaults(this.#chosen)];
  }

  #findStaleEntries(): readonly string[] {
    if (this.#items === undefined || this.#scenario.faults !== 'calm') return [];
    const { operations, entryReads } = this.#history;
    return findStaleEntries(this.#indexState(this.#items), entryReads, operations, this.#chosen);
  }

  #indexState(items: IndexedItems): IndexState {
    return { hosts: this.#hosts, keys: this.#keys, items, membership: this.#rebalancer };
  }

  #readAll(delaysMs: readonly number[]): void {
    for (const delayMs of delaysMs) {
      this.#time.after(delayMs, () => {
        for (const key of this.#keys) this.#readFinally(key, `${key.name} after ${delayMs} ms`);
        // Where nobody ends what dead leaders have left, items may be held for ever.
        const { mix, heals } = this.#scenario;
        if (mix.transaction !== undefined && heals) this.#readAllFinally(`all keys after ${delayMs} ms`);
      });
    }
  }

  #readAllFinally(name: string): void {
    this.#unanswered.add(name);
    this.#workload.readAllFinally(() => this.#unanswered.delete(name));
  }

  #readFinally(key: SimulatedKey, name: string): void {
    this.#unanswered.add(name);
    const homes = key.homes.filter(({ votes }) => votes);
    if (homes.length === 0) return;
    const host = homes[randomBelow(this.#random, homes.length)]!;
    this.#workload.readFinally(key, host, () => this.#unanswered.delete(name));
  }

  /**
   * Stands for hints, read repair and anti-entropy: now and then one replica sends what it has committed to another.
   */
  #repair(): void {
    if (this.#isHealed) return;
    const key = this.#keys[randomBelow(this.#random, this.#keys.length)]!;
    const from = key.homes[randomBelow(this.#random, key.homes.length)]!;
    const to = key.homes[randomBelow(this.#random, key.homes.length)]!;
    if (from !== to) from.repair(to.id, key.storeKey, this.#defects.repairsUnchosen === true);
    this.#time.after(5 + this.#random.next() * 40, () => this.#repair());
  }

  #noteDecided(config: PartitionConfig): void {
    const voters = config.members.filter(({ node, diskId }) => {
      const host = this.#hostOf(node);
      return host.member.diskId === diskId && !host.isGone;
    });
    const staged = voters.flatMap(({ node }) => this.#hostOf(node).beginningOf(config) ?? []);
    this.#told?.decided(config, staged);
    const oldestMs = CLOCK_START_MS + this.#time.nowMs - this.#scenario.limits.tombstoneGraceMs + WORST_SKEW_MS;
    const mayForget = ({ hlc }: Ballot) => hlc / TICKS_PER_MS < oldestMs;
    this.#chosen.decided(config, staged, voters.length - staged.length, mayForget);
    this.#entries?.decided(config, staged, mayForget);
  }

  #hostOf(node: NodeId): SimulatedHost {
    return this.#hosts.find(({ id }) => id === node)!;
  }

  #makeHosts(ids: readonly NodeId[], configs: readonly PartitionConfig[]): SimulatedHost[] {
    const { writeQuorum, readQuorum, readFrom } = this.#scenario;
    const limits = { ...this.#scenario.limits, ...this.#defects.limits };
    const rules = { ...SOUND_RULES, ...this.#defects.rules };
    return ids.map((id) => {
      const diskId = ids.indexOf(id) + 1;
      const settings: NodeSettings = {
        id,
        diskId,
        writeQuorum,
        readQuorum,
        readFrom,
        readRepair: true,
        antiEntropyIntervalMs: this.#scenario.heals ? ANTI_ENTROPY_INTERVAL_MS : 0,
        ring: configs,
        isBootstrap: true,
        limits,
        rules,
        checks: this.#defects.checks ?? 'all',
      };
      return new SimulatedHost(settings, {
        time: this.#time,
        random: this.#random,
        faults: this.#faults.host,
        network: this.#network,
        trace: this.#trace,
        sabotage: this.#defects.sabotage ?? {},
        settlesAtStart: this.#faults.settlesAtStart,
        heals: this.#scenario.heals,
        // Of what members decide, a node that starts knows what its disk has.
        ring: () => (this.#scenario.decidesByMembers ? configs : this.#rebalancer.configs),
        lags: () => this.#lags,
        started: (host, node, clock) => {
          if (this.#rebalancer instanceof GoalMembership) this.#rebalancer.started(host, node, clock);
        },
      });
    });
  }

  #makeMembership(configs: PartitionConfig[], inside: readonly NodeId[]): Membership {
    const { replication, decidesByMembers, hasGoal } = this.#scenario;
    const founders = this.#hosts.filter(({ id }) => inside.includes(id));
    const parts = {
      time: this.#time,
      random: this.#random,
      trace: this.#trace,
      hosts: this.#hosts,
      configs,
      replication,
    };
    if (hasGoal) {
      return new GoalMembership({
        ...parts,
        founders,
        chosen: this.#chosen,
        judge: this.#judge!,
        defects: this.#defects.goal ?? {},
      });
    }
    return new SimulatedMembership({
      ...parts,
      roster: founders.map(({ member }) => member),
      emptyDiskVotes: this.#defects.emptyDiskVotes === true,
      emptyDiskKeepsId: this.#defects.emptyDiskKeepsId === true,
      tellsNobody: this.#defects.tellsNobody === true,
      decidesByMembers,
      decidesAnyAttempt: this.#defects.decidesAnyAttempt === true,
      decided: (config) => this.#noteDecided(config),
    });
  }

  #homesOf(partition: number): readonly SimulatedHost[] {
    return this.#rebalancer.configs[partition]!.members.map(({ node }) => this.#hostOf(node));
  }

  #makeKey(name: string, assignment: readonly PreferenceList[]): SimulatedKey {
    const [partitionKey, sortKey] = this.#scenario.isCollection ? ['c', name] : [name, ''];
    const collection = collectionPrefix(TABLE, partitionKey, assignment.length);
    const partition = partitionOf(collection);
    const homesOf = () => this.#homesOf(partition);
    const hosts = this.#hosts;
    const { heals } = this.#scenario;
    const random = this.#random;
    return {
      name,
      storeKey: collection + sortKey,
      partitionKey,
      collection,
      get homes() {
        return homesOf();
      },
      coordinators() {
        const isStranger = heals && random.next() < STRANGER_CHANCE;
        return (isStranger ? hosts : this.homes).filter(({ votes }) => votes);
      },
    };
  }
}

function configsOf(assignment: readonly PreferenceList[], ids: readonly NodeId[]): PartitionConfig[] {
  return assignment.map((home, partition) => ({
    partition,
    epoch: 0,
    members: home.map((node) => ({ node, diskId: ids.indexOf(node) + 1 })),
    attempt: 0,
  }));
}
