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
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';
import type { NodeLimits } from './settings.ts';

type Ask<Outcome> = (node: CoordinatingNode, done: (outcome: Outcome | Failure) => void, id: NodeId) => void;

/** Told of the way of each request that names itself. */
export interface RequestObserver {
  /** A node is about to coordinate the request. It may be the second one, if the first did not answer. */
  asked(requestId: string, key: StoreKey, coordinator: NodeId, isWrite: boolean): void;
  answered(requestId: string, coordinator: NodeId, outcome: (WriteOutcome | ReadOutcome)['kind']): void;
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
 * else rests on it.
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
  }

  get partitions(): number {
    return this.#view.partitions;
  }

  write(key: ItemKey, mutation: Mutation, options: WriteOptions): Promise<WriteOutcome> {
    const storeKey = storeKeyOf(key, this.#view.partitions);
    const ask: Ask<WriteOutcome> = (node, done) => node.write(storeKey, key.partitionKey, mutation, options, done);
    return this.#ask(storeKey, { kind: 'unknown' }, false, this.#observed(options.requestId, storeKey, true, ask));
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
    return this.#ask(storeKey, undefined, isBehind, this.#observed(requestId, storeKey, false, ask));
  }

  range(request: RangeRequest): Promise<RangeOutcome> {
    const { table, partitionKey, after, before, limit, consistent, consistency, isLagging = false } = request;
    const prefix = collectionPrefix(table, partitionKey, this.#view.partitions);
    const from = after === undefined ? prefix : `${prefix}${after}\x00`;
    const to = before === undefined ? prefixEnd(prefix) : prefix + before;
    const isBehind = isLagging && !consistent;
    return this.#ask(prefix, undefined, isBehind, (node, done) =>
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
    const outcome = await this.#ask<RangeOutcome>(from, undefined, isBehind, (node, done) =>
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
    return (node, done, id) => {
      observer.asked(requestId, key, id, isWrite);
      const observe = (outcome: Outcome | Failure) => {
        observer.answered(requestId, id, outcome.kind);
        done(outcome);
      };
      ask(node, observe, id);
    };
  }

  /**
   * @param whenLost what a lost request means; undefined: it changes nothing and may be asked again elsewhere
   * @param isLagging whether to ask one of those that rules of lag hold records back from
   */
  #ask<Outcome>(
    key: StoreKey,
    whenLost: Failure | undefined,
    isLagging: boolean,
    ask: Ask<Outcome>,
  ): Promise<Outcome | Failure> {
    const partition = partitionOf(key);
    return new Promise((resolve) => {
      let isOver = false;
      let call: Call | undefined;
      const finish = (outcome: Outcome | Failure) => {
        if (isOver) return;
        isOver = true;
        if (call !== undefined) this.#calls.delete(call);
        resolve(outcome);
      };
      const fail = () => finish(whenLost ?? UNAVAILABLE);
      /** @returns the node that has not answered yet, if any */
      const tryOne = (except: NodeId | undefined): NodeId | undefined => {
        const found =
          (isLagging ? this.#chooseLagging(partition, except) : undefined) ?? this.#choose(partition, except);
        if (found === undefined) {
          finish(UNAVAILABLE);
          return undefined;
        }
        const [id, node] = found;
        const hear = (outcome: Outcome | Failure) => {
          if (call !== undefined) this.#detector.noteHeard(id);
          finish(outcome);
        };
        ask(node, hear, id);
        return id;
      };
      const id = tryOne(undefined);
      if (isOver || id === undefined) return;
      this.#detector.noteSent(id);
      const askAgain = () => {
        const next = tryOne(call!.node);
        if (next === undefined || isOver) return;
        call!.node = next;
        this.#detector.noteSent(next);
      };
      call = {
        node: id,
        sinceMs: this.#clock.elapsedMs(),
        askAgain: whenLost === undefined ? askAgain : undefined,
        fail,
      };
      this.#calls.add(call);
      this.#sweepTimer ??= this.#clock.after(this.#limits.suspectAfterMs, () => this.#sweep());
    });
  }

  #choose(partition: number, except: NodeId | undefined): readonly [NodeId, CoordinatingNode] | undefined {
    let fallback: readonly [NodeId, CoordinatingNode] | undefined;
    for (const id of this.#view.preferenceList(partition)) {
      const node = this.#nodes.get(id);
      if (node === undefined || id === except) continue;
      if (this.#detector.isUp(id)) return [id, node];
      fallback ??= [id, node];
    }
    return fallback;
  }

  /**
   * The first home replica behind W that seem well: their copies are those that writes wait for (`LagGate`). If there is
   * none, as when some are down, the first behind W that seems well: it is behind in what was written before.
   */
  #chooseLagging(partition: number, except: NodeId | undefined): readonly [NodeId, CoordinatingNode] | undefined {
    const homes = this.#view.configOf(partition).members.map(({ node }) => node);
    const isWell = (id: NodeId) => this.#nodes.has(id) && id !== except && this.#detector.isUp(id);
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
    this.#sweepTimer = isIdle ? undefined : this.#clock.after(suspectAfterMs, () => this.#sweep());
  }
}

const IDLE_POLL_MS = 2;
const UNAVAILABLE: Failure = { kind: 'unavailable', needed: 1, got: 0 };
