import { collectionPrefix, partitionOf } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import { assignPartitions, type NodeId, type PreferenceList } from '../../src/dynamo/ring.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';
import type { NodeSettings } from '../../src/dynamo/settings.ts';
import { type Random, randomBelow, SeededRandom } from '../../src/env/random.ts';
import type { Defects } from './broken-rules.ts';
import { findViolations, type Violation } from './checks.ts';
import { ChosenRecords } from './chosen-records.ts';
import { drawFaults, type Faults } from './faults.ts';
import { History } from './history.ts';
import type { Scenario } from './scenarios.ts';
import { SimulatedHost } from './simulated-host.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { Trace } from './trace.ts';
import { VirtualTime } from './virtual-time.ts';
import { type SimulatedKey, Workload } from './workload.ts';

export interface Result {
  readonly violations: readonly Violation[];
  readonly hash: string;
  /** What happened, line by line, if asked for. */
  readonly trace: readonly string[] | undefined;
  readonly operations: number;
  /** Writes whose outcome no client learned. */
  readonly unknown: number;
}

/** Clients are cut off at this time even if they are not done. */
const LONGEST_WORKLOAD_MS = 1_600;
/** Ten times more than the longest history has needed. */
const MAX_EVENTS = 200_000;
const TABLE = 'table-01';

/** Runs one history and judges it. The same arguments give the same result, event for event. */
export function simulateHistory(scenario: Scenario, seed: number, defects: Defects = {}, keepsTrace = false): Result {
  return new Simulation(scenario, seed, defects, keepsTrace).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #defects: Defects;
  readonly #random: Random;
  readonly #time = new VirtualTime();
  readonly #trace: Trace;
  readonly #history = new History();
  readonly #chosen: ChosenRecords;
  readonly #faults: Faults;
  readonly #network: SimulatedNetwork;
  readonly #hosts: readonly SimulatedHost[];
  readonly #keys: readonly SimulatedKey[];
  readonly #workload: Workload;
  readonly #unanswered = new Set<string>();
  #isHealed = false;

  constructor(scenario: Scenario, seed: number, defects: Defects, keepsTrace: boolean) {
    this.#scenario = scenario;
    this.#defects = defects;
    // Neighbouring seeds would otherwise draw numbers that are alike at first.
    this.#random = new SeededRandom(Math.imul(seed, 0x9e3779b1));
    for (let i = 0; i < 3; i++) this.#random.next();
    this.#trace = new Trace(keepsTrace);
    this.#chosen = new ChosenRecords(scenario.replication);
    const ids = Array.from({ length: scenario.nodes }, (_, i) => String.fromCharCode(65 + i));
    this.#faults = drawFaults(scenario, ids, this.#random);
    this.#network = new SimulatedNetwork({
      time: this.#time,
      random: this.#random,
      faults: this.#faults.network,
      trace: this.#trace,
      observer: this.#chosen,
      tampering: defects.tampering?.() ?? {},
    });
    const assignment = assignPartitions(scenario.partitions, ids, scenario.replication);
    this.#hosts = this.#makeHosts(ids, assignment);
    this.#keys = Array.from({ length: scenario.keys }, (_, i) =>
      this.#makeKey(`k${String(i + 1).padStart(2, '0')}`, assignment),
    );
    this.#workload = new Workload({
      ...scenario,
      time: this.#time,
      random: this.#random,
      trace: this.#trace,
      history: this.#history,
      chosen: this.#chosen,
      keys: this.#keys,
    });
  }

  run(): Result {
    for (const host of this.#hosts) host.start();
    this.#planFaults();
    if (this.#faults.repairs) this.#repair();
    this.#workload.start(() => this.#time.after(60, () => this.#heal()));
    this.#time.after(LONGEST_WORKLOAD_MS, () => this.#heal());
    const violations = this.#runAndJudge();
    const { operations } = this.#history;
    for (const { kind, what } of violations) this.#trace.add(this.#time.nowMs, `!! ${kind}: ${what}`);
    return {
      violations,
      hash: this.#trace.hash(),
      trace: this.#trace.lines,
      operations: operations.length,
      unknown: operations.filter(({ call, answer }) => call.kind !== 'read' && answer.kind === 'unknown').length,
    };
  }

  #runAndJudge(): readonly Violation[] {
    try {
      this.#time.run(MAX_EVENTS);
      const { operations, eventualReads } = this.#history;
      return findViolations({
        operations,
        eventualReads,
        chosen: this.#chosen,
        keys: this.#keys,
        unanswered: this.#unanswered,
        isFresh: this.#isFresh(),
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
    const { crashes, diskFailures, diskLoss } = this.#faults;
    const forgets = crashes.length > 0 || diskFailures.length > 0 || diskLoss !== undefined;
    return writeQuorum + readQuorum > replication && !forgets;
  }

  #planFaults(): void {
    const { crashes, clockSteps, diskFailures, diskLoss } = this.#faults;
    const plan = (index: number, atMs: number, strike: (host: SimulatedHost) => void) => {
      this.#time.after(atMs, () => {
        if (!this.#isHealed) strike(this.#hosts[index]!);
      });
    };
    for (const { host, atMs, downMs } of crashes) plan(host, atMs, (victim) => victim.crash(downMs));
    for (const { host, atMs, byMs } of clockSteps) plan(host, atMs, (victim) => victim.stepClock(byMs));
    for (const { host, atMs } of diskFailures) plan(host, atMs, (victim) => victim.failDisk());
    if (diskLoss === undefined) return;
    plan(diskLoss.host, diskLoss.atMs, (victim) => {
      victim.crash(diskLoss.downMs);
      victim.replaceDisk(this.#defects.emptyDiskVotes === true);
    });
  }

  /** Ends all faults, and asks for what every key holds. */
  #heal(): void {
    if (this.#isHealed) return;
    this.#isHealed = true;
    this.#trace.add(this.#time.nowMs, '-- all faults end');
    this.#network.heal();
    for (const host of this.#hosts) host.heal();
    for (const delayMs of [100, 300]) {
      this.#time.after(delayMs, () => {
        for (const key of this.#keys) this.#readFinally(key, `${key.name} after ${delayMs} ms`);
      });
    }
  }

  #readFinally(key: SimulatedKey, name: string): void {
    const homes = key.homes.filter(({ votes }) => votes);
    const host = homes[randomBelow(this.#random, homes.length)]!;
    this.#unanswered.add(name);
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

  #makeHosts(ids: readonly NodeId[], assignment: readonly PreferenceList[]): SimulatedHost[] {
    const diskIdOf = (node: NodeId) => ids.indexOf(node) + 1;
    const bootstrap: PartitionConfig[] = assignment.map((home, partition) => ({
      partition,
      epoch: 0,
      attempt: '',
      members: home.map((node) => ({ node, diskId: diskIdOf(node) })),
    }));
    const { writeQuorum, readQuorum, readFrom } = this.#scenario;
    const limits = { ...this.#scenario.limits, ...this.#defects.limits };
    const rules = { ...SOUND_RULES, ...this.#defects.rules };
    return ids.map((id) => {
      const diskId = diskIdOf(id);
      const settings: NodeSettings = {
        id,
        diskId,
        writeQuorum,
        readQuorum,
        readFrom,
        readRepair: true,
        antiEntropyIntervalMs: 0,
        ring: bootstrap,
        isBootstrap: true,
        limits,
        rules,
      };
      return new SimulatedHost(settings, {
        time: this.#time,
        random: this.#random,
        faults: this.#faults.host,
        network: this.#network,
        trace: this.#trace,
        sabotage: this.#defects.sabotage ?? {},
        settlesAtStart: this.#faults.settlesAtStart,
      });
    });
  }

  #makeKey(name: string, assignment: readonly PreferenceList[]): SimulatedKey {
    const [partitionKey, sortKey] = this.#scenario.isCollection ? ['c', name] : [name, ''];
    const collection = collectionPrefix(TABLE, partitionKey, assignment.length);
    const home = assignment[partitionOf(collection)]!;
    const homes = home.map((id) => this.#hosts.find((host) => host.id === id)!);
    return { name, storeKey: collection + sortKey, partitionKey, collection, homes };
  }
}
