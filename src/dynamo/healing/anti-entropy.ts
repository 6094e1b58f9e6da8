import type { Timer } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';
import type { NodeId } from '../ring.ts';
import type { RingView } from '../ring-view.ts';
import { runTask, type Task } from '../task.ts';
import { type ComparisonReport, NOTHING_REPAIRED, type RepairTotal, withComparison } from './repair-report.ts';
import { type ComparisonParts, compareWithPeer } from './replica-comparison.ts';

/** What repair did. */
export interface RepairReport extends RepairTotal {
  readonly ms: number;
}

const CATCH_UP_TRIES = 5;

/** A comparison to be made. */
interface Pair {
  readonly partition: number;
  readonly peer: NodeId;
}

/** Keeps the replicas of a node's partitions alike, in the background and on demand. */
export class AntiEntropy {
  readonly #parts: AntiEntropyParts;
  /** Comparisons of the present round that are still to be made. */
  #round: Pair[] = [];
  #stepMs = 0;
  #timer: Timer | undefined;
  /** Comparisons that are retried later, with members that were in another epoch or did not answer. */
  readonly #retries = new Set<Timer>();
  #total = NOTHING_REPAIRED;
  /** Ends a repair on demand before it is complete. */
  readonly #repairs = new Set<() => void>();
  #isStopped = false;

  constructor(parts: AntiEntropyParts) {
    this.#parts = parts;
  }

  /** The sum of all comparisons since the start, those of catching up and handing off among them. */
  get total(): RepairTotal {
    return this.#total;
  }

  #count(report: ComparisonReport | undefined): void {
    if (report !== undefined) this.#total = withComparison(this.#total, report);
  }

  /** In each interval every own partition is compared with every other member once, at an even pace. */
  start(): void {
    if (this.#parts.intervalMs > 0) this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
    for (const timer of this.#retries) this.#parts.clock.cancel(timer);
    this.#retries.clear();
    // The replies that they wait for may never come.
    for (const end of this.#repairs) end();
  }

  /** Compares all own partitions with all other members that are up, now. */
  repairNow(done: (report: RepairReport) => void): void {
    const { clock, isUp, limits } = this.#parts;
    const startMs = clock.elapsedMs();
    const parts = this.#parts;
    let total = NOTHING_REPAIRED;
    const count = (report: ComparisonReport) => {
      this.#count(report);
      total = withComparison(total, report);
    };
    const end = () => {
      if (this.#repairs.delete(end)) done({ ...total, ms: clock.elapsedMs() - startMs });
    };
    this.#repairs.add(end);
    // One peer after the other, so that no record is sent by two.
    function* repairPartition(pairs: readonly Pair[]): Task<void> {
      for (const pair of pairs) {
        // A peer that was found silent is not waited for again with each partition.
        if (!isUp(pair.peer)) continue;
        const report = yield* compareWithPeer(parts, { ...pair, direction: 'both' });
        if (report !== undefined) count(report);
      }
    }
    const waiting = this.#pairsByPartition();
    let running = Math.min(limits.repairsAtOnce, waiting.length);
    if (running === 0) return end();
    const next = () => {
      const pairs = waiting.pop();
      if (pairs !== undefined) runTask(repairPartition(pairs), next);
      else if (--running === 0) end();
    };
    for (let i = running; i > 0; i--) next();
  }

  /**
   * Pulls what the other members of a partition have, at once. A member that has not begun the epoch yet is asked
   * again; the rest is left to the comparisons in the background.
   */
  catchUp(partition: number): void {
    const { self, view, isUp, epochOf } = this.#parts;
    const epoch = epochOf(partition);
    for (const { node } of view.newestConfig(partition).members) {
      if (node !== self && isUp(node)) this.#catchUpWith({ partition, peer: node }, epoch, CATCH_UP_TRIES);
    }
  }

  #catchUpWith(pair: Pair, epoch: number | undefined, tries: number): void {
    const { clock, limits, epochOf } = this.#parts;
    runTask(compareWithPeer(this.#parts, { ...pair, direction: 'pull' }), (report) => {
      this.#count(report);
      if (report !== undefined || tries <= 1 || this.#isStopped) return;
      const timer = clock.after(limits.phaseTimeoutMs, () => {
        this.#retries.delete(timer);
        if (epochOf(pair.partition) === epoch) this.#catchUpWith(pair, epoch, tries - 1);
      });
      this.#retries.add(timer);
    });
  }

  /** Hands what is here of a partition to one of its members, before it is erased here. */
  handOff(partition: number, done: (isDone: boolean) => void): void {
    const { self, view, isUp } = this.#parts;
    // This node is no member any more, or not yet.
    const parts = { ...this.#parts, epochOf: () => view.newestConfig(partition).epoch };
    const members = view.newestConfig(partition).members.filter(({ node }) => node !== self && isUp(node));
    const count = (report: ComparisonReport | undefined) => this.#count(report);
    function* handOver(): Task<boolean> {
      for (const { node } of members) {
        const report = yield* compareWithPeer(parts, { partition, peer: node, direction: 'hand-off' });
        count(report);
        if (report !== undefined) return true;
      }
      return false;
    }
    runTask(handOver(), done);
  }

  #next(): void {
    const { clock, intervalMs, isUp } = this.#parts;
    if (this.#round.length === 0) {
      this.#round = this.#shuffled(this.#pairsByPartition().flat());
      this.#stepMs = intervalMs / Math.max(1, this.#round.length);
    }
    this.#timer = clock.after(this.#stepMs, () => {
      const pair = this.#round.pop();
      if (pair === undefined || !isUp(pair.peer)) return this.#next();
      runTask(compareWithPeer(this.#parts, { ...pair, direction: 'both' }), (report) => {
        this.#count(report);
        if (!this.#isStopped) this.#next();
      });
    });
  }

  /** The comparisons of a round: for each partition of this node, one with each other member. */
  #pairsByPartition(): Pair[][] {
    const { self, view } = this.#parts;
    return view.configs
      .filter(({ members }) => members.some(({ node }) => node === self))
      .map(({ partition, members }) =>
        members.filter(({ node }) => node !== self).map(({ node }) => ({ partition, peer: node })),
      );
  }

  #shuffled<T>(values: T[]): T[] {
    for (let i = values.length - 1; i > 0; i--) {
      const j = Math.floor(this.#parts.random.next() * (i + 1));
      [values[i], values[j]] = [values[j]!, values[i]!];
    }
    return values;
  }
}

interface AntiEntropyParts extends ComparisonParts {
  readonly random: Random;
  readonly view: RingView;
  readonly isUp: (node: NodeId) => boolean;
  /** 0: only on demand. */
  readonly intervalMs: number;
}
