import type { Timer } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';
import type { NodeId } from '../ring.ts';
import type { RingView } from '../ring-view.ts';
import { runTask, type Task } from '../task.ts';
import { addTo, type ExchangeReport, type RepairTotal } from './repair-report.ts';
import { type ExchangeParts, exchange } from './replica-comparison.ts';

/** What repair did. */
export interface RepairReport extends Readonly<RepairTotal> {
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
  /** Comparisons that are tried again, with members that were in another epoch or did not answer. */
  readonly #retries = new Set<Timer>();
  readonly #total: RepairTotal = { partitions: 0, hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0 };
  /** Ends a repair on demand as far as it has come. */
  readonly #repairs = new Set<() => void>();
  #isStopped = false;

  constructor(parts: AntiEntropyParts) {
    this.#parts = parts;
  }

  /** What all comparisons since the start have done, those of catching up and handing off among them. */
  get total(): Readonly<RepairTotal> {
    return this.#total;
  }

  #count(report: ExchangeReport | undefined): void {
    if (report !== undefined) addTo(this.#total, report);
  }

  /** In each interval every own partition is compared with every other member once, evenly spread. */
  start(): void {
    if (this.#parts.intervalMs > 0) this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
    for (const timer of this.#retries) this.#parts.clock.cancel(timer);
    this.#retries.clear();
    // What they wait for may never come.
    for (const end of this.#repairs) end();
  }

  /** Compares all own partitions with all other members that are up, now. */
  repairNow(done: (report: RepairReport) => void): void {
    const { clock, isUp, limits } = this.#parts;
    const startMs = clock.elapsedMs();
    const parts = this.#parts;
    const total: RepairTotal = { partitions: 0, hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0 };
    const count = (report: ExchangeReport) => this.#count(report);
    const end = () => {
      if (this.#repairs.delete(end)) done({ ...total, ms: clock.elapsedMs() - startMs });
    };
    this.#repairs.add(end);
    // One peer after the other, so that nothing is brought by two.
    function* repairPartition(pairs: readonly Pair[]): Task<void> {
      for (const { partition, peer } of pairs) {
        // One that has been found silent is not waited for with each partition again.
        if (!isUp(peer)) continue;
        const report = yield* exchange(parts, partition, peer, 'both');
        if (report === undefined) continue;
        count(report);
        addTo(total, report);
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
   * Takes what the other members of a partition have, at once. One that has not begun the epoch yet is asked again; the
   * rest is left to the comparisons in the background.
   */
  catchUp(partition: number): void {
    const { self, view, isUp, epochOf } = this.#parts;
    const epoch = epochOf(partition);
    for (const { node } of view.newestConfig(partition).members) {
      if (node !== self && isUp(node)) this.#catchUpWith(node, partition, epoch, CATCH_UP_TRIES);
    }
  }

  #catchUpWith(peer: NodeId, partition: number, epoch: number | undefined, tries: number): void {
    const { clock, limits, epochOf } = this.#parts;
    runTask(exchange(this.#parts, partition, peer, 'pull'), (report) => {
      this.#count(report);
      if (report !== undefined || tries <= 1 || this.#isStopped) return;
      const timer = clock.after(limits.phaseTimeoutMs, () => {
        this.#retries.delete(timer);
        if (epochOf(partition) === epoch) this.#catchUpWith(peer, partition, epoch, tries - 1);
      });
      this.#retries.add(timer);
    });
  }

  /** Gives what is here of a partition to one of its members, before it is erased. */
  handOff(partition: number, done: (isDone: boolean) => void): void {
    const { self, view, isUp } = this.#parts;
    // This node is none of the members any more, or not yet.
    const parts = { ...this.#parts, epochOf: () => view.newestConfig(partition).epoch };
    const members = view.newestConfig(partition).members.filter(({ node }) => node !== self && isUp(node));
    const count = (report: ExchangeReport | undefined) => this.#count(report);
    function* handOver(): Task<boolean> {
      for (const { node } of members) {
        const report = yield* exchange(parts, partition, node, 'hand-off');
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
      runTask(exchange(this.#parts, pair.partition, pair.peer, 'both'), (report) => {
        this.#count(report);
        if (!this.#isStopped) this.#next();
      });
    });
  }

  /** What this node has to compare: its partitions, each with each other member. */
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

interface AntiEntropyParts extends ExchangeParts {
  readonly random: Random;
  readonly view: RingView;
  readonly isUp: (node: NodeId) => boolean;
  /** 0: only on demand. */
  readonly intervalMs: number;
}
