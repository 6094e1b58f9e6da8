import type { Mutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { StoreKey } from '../env/store.ts';
import type {
  Consistency,
  DynamoClient,
  Failure,
  ItemKey,
  RangeOutcome,
  RangeRequest,
  ReadOutcome,
  ScanOutcome,
  ScanRequest,
  Segment,
  WriteOptions,
  WriteOutcome,
} from './client.ts';
import type { CoordinatingNode } from './coordinating-node.ts';
import { FailureDetector } from './failure-detector.ts';
import {
  collectionPrefix,
  haveOverlap,
  partitionOf,
  prefixEnd,
  sliceOf,
  sliceRange,
  storeKeyOf,
  tableRange,
} from './keyspace.ts';
import type { NodeLimits } from './node-settings.ts';
import { CoordinatorStanding } from './registers/coordinator-standing.ts';
import { type Carried, type HandedBack, mayBePassedOn } from './registers/handed-back.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';

type Ask<Outcome> = (
  node: CoordinatingNode,
  done: (outcome: Outcome | Failure | HandedBack) => void,
  id: NodeId,
  carried: Carried | undefined,
) => void;

/** What the ring is asked, as far as it matters to whom to turn. */
interface Question {
  readonly key: StoreKey;
  /** What a lost request means; undefined: it changes nothing and may be asked again elsewhere. */
  readonly whenLost?: Failure;
  /** Whether to ask one of those that rules of lag hold records back from. */
  readonly isLagging?: boolean;
  /** Whether who answers it has reached a quorum. */
  readonly provesQuorum: boolean;
}

/** Told of the way of each request that names itself. */
export interface RequestObserver {
  /** A node is about to coordinate the request. It may be the second one, if the first did not answer. */
  asked(requestId: string, key: StoreKey, coordinator: NodeId, isWrite: boolean): void;
  answered(requestId: string, coordinator: NodeId, outcome: (WriteOutcome | ReadOutcome | HandedBack)['kind']): void;
}

/** A request that a node has not answered within the call. */
interface Call {
  /** The node that was asked last. */
  node: NodeId;
  readonly sinceMs: number;
  /** Asks another node; undefined for a write, which may have happened. */
  readonly askAgain: (() => void) | undefined;
  readonly fail: () => void;
}

/**
 * The client of a ring whose nodes it can reach by themselves: hands each request to the first node of the key's
 * preference list that seems well. Sending the writes of a key to one node keeps them from refusing one another; nothing
 * else rests on it. A node that cannot do it gives the request back, and another is asked, within the life of an operation.
 */
export class RingClient implements DynamoClient {
  readonly #view: RingView;
  readonly #nodes: ReadonlyMap<NodeId, CoordinatingNode>;
  readonly #clock: Clock;
  readonly #limits: NodeLimits;
  readonly #writeQuorum: number;
  readonly #observer: RequestObserver | undefined;
  /** Its own opinion, from what is answered and what is not. */
  readonly #detector: FailureDetector;
  readonly #standing: CoordinatorStanding;
  /** Oldest first. */
  readonly #calls = new Set<Call>();
  #sweepTimer: Timer | undefined;

  constructor(parts: {
    readonly view: RingView;
    /** The nodes that can be asked; one that is missing counts as down. The owner may add and remove. */
    readonly nodes: ReadonlyMap<NodeId, CoordinatingNode>;
    readonly clock: Clock;
    readonly limits: NodeLimits;
    /** W of the nodes. */
    readonly writeQuorum: number;
    readonly observer?: RequestObserver | undefined;
  }) {
    this.#view = parts.view;
    this.#nodes = parts.nodes;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    this.#writeQuorum = parts.writeQuorum;
    this.#observer = parts.observer;
    this.#detector = new FailureDetector({ self: '', clock: parts.clock, limits: parts.limits, probe: () => {} });
    this.#standing = new CoordinatorStanding(parts.clock, parts.limits.suspectAfterMs);
  }

  get partitions(): number {
    return this.#view.partitions;
  }

  write(key: ItemKey, mutation: Mutation, options: WriteOptions): Promise<WriteOutcome> {
    const storeKey = storeKeyOf(key, this.#view.partitions);
    const ask: Ask<WriteOutcome> = (node, done, _, carried) =>
      node.write(storeKey, key.partitionKey, mutation, options, done, carried);
    const question = { key: storeKey, whenLost: UNKNOWN, provesQuorum: true };
    return this.#ask(question, this.#observed(options.requestId, storeKey, true, ask));
  }

  read(
    key: ItemKey,
    consistent: boolean,
    consistency: Consistency,
    isLagging = false,
    requestId?: string,
  ): Promise<ReadOutcome> {
    const storeKey = storeKeyOf(key, this.#view.partitions);
    const isBehind = isLagging && !consistent;
    const ask: Ask<ReadOutcome> = (node, done) => node.read(storeKey, consistent, consistency, done, isBehind);
    const question = { key: storeKey, isLagging: isBehind, provesQuorum: consistent };
    return this.#ask(question, this.#observed(requestId, storeKey, false, ask));
  }

  range(request: RangeRequest): Promise<RangeOutcome> {
    const { table, partitionKey, after, before, limit, consistent, consistency, isLagging = false } = request;
    const prefix = collectionPrefix(table, partitionKey, this.#view.partitions);
    const from = after === undefined ? prefix : `${prefix}${after}\x00`;
    const to = before === undefined ? prefixEnd(prefix) : prefix + before;
    const isBehind = isLagging && !consistent;
    return this.#ask({ key: prefix, isLagging: isBehind, provesQuorum: consistent }, (node, done) =>
      node.range(from, to, limit, consistent, consistency, done, isBehind),
    );
  }

  async scan(request: ScanRequest): Promise<ScanOutcome> {
    const { table, start, segment, limit, consistent, consistency, isLagging = false } = request;
    const last = start.kind === 'after' ? storeKeyOf({ table, ...start }, this.partitions) : undefined;
    const partition = start.kind === 'after' ? partitionOf(last!) : start.partition;
    const all = this.#segmentRange(partition, table, segment);
    const from = last === undefined ? all?.from : `${last}\x00`;
    if (all === undefined || from === undefined || from >= all.to) {
      return { kind: 'items', items: [], partition, more: false };
    }
    const isBehind = isLagging && !consistent;
    const question = { key: from, isLagging: isBehind, provesQuorum: consistent };
    const outcome = await this.#ask<RangeOutcome>(question, (node, done) =>
      node.range(from, all.to, limit, consistent, consistency, done, isBehind),
    );
    return outcome.kind === 'items' ? { ...outcome, partition } : outcome;
  }

  segmentOf({ partitionKey }: Pick<ItemKey, 'table' | 'partitionKey'>, total: number): number {
    return sliceOf(partitionKey, total);
  }

  /** Undefined: the partition has nothing of the segment. */
  #segmentRange(partition: number, table: ByteString, segment: Segment | undefined) {
    if (segment === undefined) return tableRange(partition, table);
    const { index, total } = segment;
    return haveOverlap(partition, this.partitions, index, total)
      ? sliceRange(partition, table, index, total)
      : undefined;
  }

  async tables(): Promise<ReadonlySet<ByteString>> {
    const tables = new Set<ByteString>();
    for (let partition = 0; partition < this.#view.partitions; partition++) {
      for (const node of this.#nodes.values()) for (const table of node.tablesIn(partition)) tables.add(table);
      // Requests come first.
      await new Promise<void>((resolve) => this.#clock.after(0, resolve));
    }
    return tables;
  }

  async forgetTable(table: ByteString): Promise<void> {
    for (const node of this.#nodes.values()) node.forgetTable(table);
  }

  /** Calls `done` when a node owes nothing any more: the owner has removed it, so it is asked nothing new. */
  whenIdle(node: NodeId, done: () => void): void {
    if (![...this.#calls].some((call) => call.node === node)) return done();
    this.#clock.after(IDLE_POLL_MS, () => this.whenIdle(node, done));
  }

  /** A node can be asked again. Without this one that was missed would stay so: nobody probes it, and nobody asks it. */
  attach(node: NodeId): void {
    this.#detector.noteHeard(node);
    this.#standing.noteServed(node);
  }

  /** A node has stopped and was removed: what it still owes is asked elsewhere, or has an unknown outcome. */
  detach(node: NodeId): void {
    for (const call of this.#calls) {
      if (call.node !== node) continue;
      if (call.askAgain === undefined) call.fail();
      else call.askAgain();
    }
  }

  /** Fails what is under way. No other call may follow. */
  stop(): void {
    for (const call of this.#calls) call.fail();
    this.#clock.cancel(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  #observed<Outcome extends WriteOutcome | ReadOutcome>(
    requestId: string | undefined,
    key: StoreKey,
    isWrite: boolean,
    ask: Ask<Outcome>,
  ): Ask<Outcome> {
    const observer = this.#observer;
    if (observer === undefined || requestId === undefined) return ask;
    return (node, done, id, carried) => {
      observer.asked(requestId, key, id, isWrite);
      const observe = (outcome: Outcome | Failure | HandedBack) => {
        observer.answered(requestId, id, outcome.kind);
        done(outcome);
      };
      ask(node, observe, id, carried);
    };
  }

  /** Asks one node after the other, until one has answered for itself or the life of an operation is over. */
  #ask<Outcome extends { readonly kind: string }>(
    { key, whenLost, isLagging = false, provesQuorum }: Question,
    ask: Ask<Outcome>,
  ): Promise<Outcome | Failure> {
    const partition = partitionOf(key);
    return new Promise((resolve) => {
      let isOver = false;
      let call: Call | undefined;
      /** Those that gave the request back, or did not answer. */
      let tried: Set<NodeId> | undefined;
      let carried: Carried | undefined;
      const finish = (outcome: Outcome | Failure) => {
        if (isOver) return;
        isOver = true;
        if (call !== undefined) this.#calls.delete(call);
        resolve(outcome);
      };
      const fail = () => finish(whenLost ?? UNAVAILABLE);
      let asked: NodeId | undefined;
      /** @returns false if none is left to ask; else it may have been answered by then */
      const askOne = (): boolean => {
        const found = (isLagging ? this.#chooseLagging(partition, tried) : undefined) ?? this.#choose(partition, tried);
        if (found === undefined) return false;
        const [id, node] = found;
        asked = id;
        if (call !== undefined) call.node = id;
        ask(node, (outcome) => hear(id, outcome), id, carried);
        // It may have passed the request on within the call.
        if (!isOver && call?.node === id) this.#detector.noteSent(id);
        return true;
      };
      const hear = (id: NodeId, outcome: Outcome | Failure | HandedBack) => {
        const isGivenBack = mayBePassedOn(outcome);
        // Late as well: nobody probes a node that was missed, so this may be all that brings it back.
        if (call !== undefined) this.#detector.noteHeard(id);
        if (isGivenBack) this.#standing.noteGaveBack(id);
        if (isOver) return;
        if (isGivenBack) return passOn(id, outcome);
        if (provesQuorum && outcome.kind !== 'unknown') this.#standing.noteServed(id);
        finish(outcome as Outcome | Failure);
      };
      const passOn = (id: NodeId, outcome: HandedBack | Failure) => {
        if (outcome.kind === 'handed-back') carried = outcome.carried;
        const { sinceMs } = track(id);
        if (this.#clock.elapsedMs() - sinceMs >= this.#limits.opLifeMs) {
          return finish(carried === undefined ? (outcome as Failure) : UNKNOWN);
        }
        askAnother(id);
      };
      const askAnother = (except: NodeId) => {
        tried ??= new Set();
        tried.add(except);
        if (askOne()) return;
        // All have been asked: perhaps those that were cut off, or down, are back soon.
        tried.clear();
        this.#clock.after(this.#limits.maxBackoffMs, () => {
          if (!isOver && !askOne()) fail();
        });
      };
      const track = (node: NodeId): Call => {
        if (call !== undefined) return call;
        const askAgain = () => askAnother(call!.node);
        const sinceMs = this.#clock.elapsedMs();
        call = { node, sinceMs, askAgain: whenLost === undefined ? askAgain : undefined, fail };
        this.#calls.add(call);
        this.#sweepTimer ??= this.#clock.after(this.#sweepMs, () => this.#sweep());
        return call;
      };

      if (!askOne()) return finish(UNAVAILABLE);
      if (isOver || call !== undefined) return;
      this.#detector.noteSent(asked!);
      track(asked!);
    });
  }

  #choose(partition: number, tried: ReadonlySet<NodeId> | undefined): readonly [NodeId, CoordinatingNode] | undefined {
    let fallback: readonly [NodeId, CoordinatingNode] | undefined;
    for (const id of this.#view.preferenceList(partition)) {
      const node = this.#nodes.get(id);
      if (node === undefined || tried?.has(id) === true) continue;
      if (this.#detector.isUp(id) && this.#standing.admits(id)) return [id, node];
      fallback ??= [id, node];
    }
    return fallback;
  }

  /**
   * The first home replica behind W that seem well: their copies are those that writes wait for (`LagGate`). If there is
   * none, as when some are down, the first behind W that seems well: it is behind in what was written before.
   */
  #chooseLagging(
    partition: number,
    tried: ReadonlySet<NodeId> | undefined,
  ): readonly [NodeId, CoordinatingNode] | undefined {
    const homes = this.#view.newestConfig(partition).members.map(({ node }) => node);
    const isWell = (id: NodeId) => this.#nodes.has(id) && tried?.has(id) !== true && this.#detector.isUp(id);
    const wellAfterW = homes.filter(isWell)[this.#writeQuorum];
    const id = wellAfterW ?? homes.slice(this.#writeQuorum).find(isWell);
    return id === undefined ? undefined : [id, this.#nodes.get(id)!];
  }

  /** A node that does not answer is not waited for: coordinators give up by themselves after `opLifeMs`. */
  #sweep(): void {
    const nowMs = this.#clock.elapsedMs();
    const { opLifeMs, suspectAfterMs } = this.#limits;
    for (const call of [...this.#calls]) {
      const ageMs = nowMs - call.sinceMs;
      if (ageMs > opLifeMs + suspectAfterMs) call.fail();
      else if (ageMs >= suspectAfterMs && !this.#detector.isUp(call.node)) call.askAgain?.();
    }
    const isIdle = this.#calls.size === 0;
    this.#sweepTimer = isIdle ? undefined : this.#clock.after(this.#sweepMs, () => this.#sweep());
  }

  /** Often enough that a request waits little longer than it takes to suspect a node. */
  get #sweepMs(): number {
    return this.#limits.suspectAfterMs / 4;
  }
}

const IDLE_POLL_MS = 2;
const UNKNOWN: Failure = { kind: 'unknown' };
const UNAVAILABLE: Failure = { kind: 'unavailable', needed: 1, got: 0 };
