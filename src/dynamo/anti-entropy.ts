import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Random } from '../env/random.ts';
import type { StoreKey } from '../env/store.ts';
import type { Transport } from '../env/transport.ts';
import { compareBallots, TICKS_PER_MS } from './ballot.ts';
import type { ReplyOf } from './coordinator.ts';
import type { MerkleForest } from './merkle-forest.ts';
import { FANOUT, HASH_BYTES } from './merkle-tree.ts';
import { isKeptSince, type KeyDigest, type Reply, type Request } from './messages.ts';
import { encodeRecord, type ItemRecord } from './record.ts';
import { addTo, type ExchangeReport, type RepairTotal } from './repair-report.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';
import type { NodeLimits } from './settings.ts';
import { runTask, type Task, wait } from './task.ts';

/** What repair did. */
export interface RepairReport extends Readonly<RepairTotal> {
  readonly ms: number;
}

/**
 * `both`: each side takes what is newer at the other. `pull`: only this one does. `hand-off`: only the other one does, and
 * only records as young as a hint may be: an older one may have been deleted, and purged, since this node was a member. Not
 * as old as a tombstone may be, for the clocks of those who purge and of this node differ.
 */
export type Direction = 'both' | 'pull' | 'hand-off';

export interface ExchangeParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  readonly forest: MerkleForest;
  /** The epoch of a partition of which the other side has to be a member; undefined: there is nobody to compare with. */
  readonly epochOf: (partition: number) => number | undefined;
  /** The node's own door for chosen records. */
  readonly learnHere: (key: StoreKey, record: ItemRecord) => void;
  /** The store is about to be closed, or is: nothing may be looked up in it any more. */
  readonly isStopped: () => boolean;
}

/** A ballot on the wire: time, disk and boot. */
const BALLOT_BYTES = 18;
/** Tree nodes asked for in one message. */
const HASHES_AT_A_TIME = 256;

/**
 * Compares what this node has committed of a partition with what `peer` has (the Dynamo paper, section 4.7): the roots,
 * then the children of nodes that differ, then the keys of leaves that differ, then only the records that differ. Safe
 * while writes go on, since all it does is to learn chosen records. May be broken off anywhere: the next comparison finds
 * what is left.
 *
 * @param onExtra gets each key that is here and not at the peer
 * @returns undefined if the peer did not answer in time, or cannot be compared with
 */
export function* exchange(
  parts: ExchangeParts,
  partition: number,
  peer: NodeId,
  direction: Direction,
  onExtra?: (key: StoreKey) => void,
): Task<ExchangeReport | undefined> {
  const report: ExchangeReport = { hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0 };
  const epoch = parts.epochOf(partition);
  // The store of a node that has stopped may be closed.
  if (epoch === undefined || parts.isStopped()) return undefined;
  const leaves = yield* differingLeaves(parts, partition, epoch, peer, report);
  if (leaves === undefined) return undefined;
  for (const leaf of leaves) {
    const isDone = yield* repairLeaf(parts, partition, epoch, leaf, peer, direction, report, onExtra);
    if (!isDone) return undefined;
  }
  return report;
}

function* differingLeaves(
  parts: ExchangeParts,
  partition: number,
  epoch: number,
  peer: NodeId,
  report: ExchangeReport,
): Task<number[] | undefined> {
  const { forest } = parts;
  yield* wait<void>((resume) => {
    let isWithin = true;
    forest.refresh(partition, () => {
      // A task is never resumed within the call that waits.
      if (isWithin) parts.clock.after(0, () => resume());
      else resume();
    });
    isWithin = false;
  });
  if (parts.isStopped()) return undefined;
  let differing = [0];
  for (let level = 0; level <= forest.depth; level++) {
    const next: number[] = [];
    for (let at = 0; at < differing.length; at += HASHES_AT_A_TIME) {
      const indexes = differing.slice(at, at + HASHES_AT_A_TIME);
      const reply = yield* ask(
        parts,
        peer,
        { kind: 'merkle-hashes', epoch, partition, level, indexes },
        'merkle-hashes',
      );
      if (reply === undefined || reply.hashes.length !== indexes.length * HASH_BYTES) return undefined;
      report.hashesExchanged += indexes.length;
      report.bytesExchanged += reply.hashes.length;
      const own = forest.hashes(partition, level, indexes);
      for (const [i, index] of indexes.entries()) {
        const from = i * HASH_BYTES;
        if (
          Buffer.compare(own.subarray(from, from + HASH_BYTES), reply.hashes.subarray(from, from + HASH_BYTES)) !== 0
        ) {
          next.push(index);
        }
      }
    }
    if (level === forest.depth || next.length === 0) return next;
    differing = next.flatMap((index) => Array.from({ length: FANOUT }, (_, child) => index * FANOUT + child));
  }
  return differing;
}

/** Goes through the keys of a leaf on both sides, page by page. @returns false if the peer did not answer */
function* repairLeaf(
  parts: ExchangeParts,
  partition: number,
  epoch: number,
  leaf: number,
  peer: NodeId,
  direction: Direction,
  report: ExchangeReport,
  onExtra: ((key: StoreKey) => void) | undefined,
): Task<boolean> {
  const { forest, limits, clock } = parts;
  const limit = limits.repairBatch;
  let after: StoreKey | undefined;
  for (;;) {
    if (parts.isStopped()) return false;
    const page = yield* ask(parts, peer, { kind: 'merkle-keys', epoch, partition, leaf, after, limit }, 'merkle-keys');
    if (page === undefined) return false;
    for (const { key } of page.entries) report.bytesExchanged += key.length + BALLOT_BYTES + HASH_BYTES;
    const own = forest.keys(partition, leaf, after, limit);
    // Only as far as both have told.
    const ends = [page, own].filter(({ more }) => more).map(({ entries }) => entries.at(-1)!.key);
    const end = ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b));
    const upTo = (entries: readonly KeyDigest[]) => entries.filter(({ key }) => end === undefined || key <= end);
    const { missing, extra } = compare(parts, upTo(own.entries), upTo(page.entries), onExtra);
    if (direction !== 'hand-off' && !(yield* pull(parts, partition, peer, epoch, missing, report))) return false;
    if (direction !== 'pull' && !(yield* push(parts, peer, epoch, extra, direction, report))) return false;
    if (end === undefined) return true;
    after = end;
    if (missing.length + extra.length > 0)
      yield* wait<void>((resume) => clock.after(limits.repairPauseMs, () => resume()));
  }
}

/** What is newer there, and what is newer here. Both lists are in key order. */
function compare(
  { log, self }: ExchangeParts,
  own: readonly KeyDigest[],
  theirs: readonly KeyDigest[],
  onExtra: ((key: StoreKey) => void) | undefined,
): { missing: StoreKey[]; extra: StoreKey[] } {
  const missing: StoreKey[] = [];
  const extra: StoreKey[] = [];
  const byKey = new Map(theirs.map((entry) => [entry.key, entry]));
  for (const { key, ballot, digest } of own) {
    const other = byKey.get(key);
    byKey.delete(key);
    if (other === undefined) onExtra?.(key);
    const order = other === undefined ? 1 : compareBallots(ballot, other.ballot);
    if (order > 0) extra.push(key);
    else if (order < 0) missing.push(key);
    else if (digest !== other!.digest)
      log.error('two replicas hold different records under one ballot', { node: self });
  }
  missing.push(...byKey.keys());
  return { missing, extra };
}

function* pull(
  parts: ExchangeParts,
  partition: number,
  peer: NodeId,
  epoch: number,
  keys: readonly StoreKey[],
  report: ExchangeReport,
): Task<boolean> {
  if (keys.length === 0) return true;
  const reply = yield* ask(parts, peer, { kind: 'fetch', epoch, keys }, 'records');
  if (reply === undefined || reply.records.length !== keys.length) return false;
  // In a later one its members, of which the peer need not be one, may have purged meanwhile what the peer still has.
  if (parts.epochOf(partition) !== epoch) return false;
  for (const [i, record] of reply.records.entries()) {
    // It may have been purged meanwhile.
    if (record === undefined) continue;
    report.recordsRepaired++;
    report.bytesExchanged += keys[i]!.length * 2 + encodeRecord(record).length;
    parts.learnHere(keys[i]!, record);
  }
  return true;
}

function* push(
  parts: ExchangeParts,
  peer: NodeId,
  epoch: number,
  keys: readonly StoreKey[],
  direction: Direction,
  report: ExchangeReport,
): Task<boolean> {
  const { clock, limits, forest } = parts;
  const oldestHlc = direction === 'hand-off' ? (clock.now() - limits.hintLifeMs) * TICKS_PER_MS : 0;
  for (const key of keys) {
    const record = forest.recordOf(key);
    if (record === undefined || record.ballot.hlc < oldestHlc) continue;
    // What was handed off is erased here, so it has to be on a disk there, of a member that keeps it.
    const isFlushed = direction === 'hand-off';
    const reply = yield* ask(parts, peer, { kind: 'learn', key, record, isFlushed }, 'learned');
    if (reply === undefined || (isFlushed && !isKeptSince(epoch, reply))) return false;
    report.recordsRepaired++;
    report.bytesExchanged += key.length + encodeRecord(record).length;
  }
  return true;
}

/** One answer of one node, or undefined if it was another or took too long. */
function* ask<Kind extends Reply['kind']>(
  { transport, clock, limits, isStopped }: ExchangeParts,
  node: NodeId,
  request: Request,
  kind: Kind,
): Task<ReplyOf<Kind> | undefined> {
  return yield* wait<ReplyOf<Kind> | undefined>((resume) => {
    let isOver = false;
    const finish = (reply: ReplyOf<Kind> | undefined) => {
      if (isOver) return;
      isOver = true;
      clock.cancel(timer);
      resume(isStopped?.() === true ? undefined : reply);
    };
    const timer = clock.after(limits.repairTimeoutMs, () => finish(undefined));
    transport.send(node, request, (reply) => finish(reply.kind === kind ? (reply as ReplyOf<Kind>) : undefined));
  });
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
    for (const { node } of view.configOf(partition).members) {
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
    const parts = { ...this.#parts, epochOf: () => view.configOf(partition).epoch };
    const members = view.configOf(partition).members.filter(({ node }) => node !== self && isUp(node));
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
