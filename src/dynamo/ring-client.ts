import type { Departure } from '../api/departure.ts';
import type { Derivation } from '../api/derivation.ts';
import type { Mutation, TransactionMutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import type { HalfOpenRange, KeyOrder } from '../env/store.ts';
import { askAll, type Patience } from './ask-all.ts';
import type {
  DynamoClient,
  ItemKey,
  RangeOutcome,
  RangeRequest,
  ReadOutcome,
  ReadRequest,
  ScanOutcome,
  ScanRequest,
  TableCount,
  WriteOptions,
  WriteOutcome,
} from './client.ts';
import type {
  CollectionSizeOf,
  CoordinateLook,
  CoordinateRange,
  CoordinateRead,
  CoordinationRequest,
  LookAnswer,
  PassableRequest,
} from './coordination-messages.ts';
import { type ChoiceParts, CoordinatorChoice } from './coordinator-choice.ts';
import { countItems } from './count-items.ts';
import { fenceTables } from './fence-tables.ts';
import { collectionPrefix, localRows, sliceOf, sortKeyRange, storeKeyOf } from './keyspace.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodesAtHand } from './nodes-at-hand.ts';
import { type OutcomeOf, type Outstanding, OutstandingRequest, type RequestParts } from './outstanding-request.ts';
import type { RequestObserver } from './request-observer.ts';
import type { NodeId } from './ring.ts';
import { RingStreams } from './ring-streams.ts';
import type { RingView } from './ring-view.ts';
import { scanRange } from './scan-range.ts';
import { SilentNodes } from './silent-nodes.ts';
import type { StreamClient } from './stream-client.ts';
import type { TransactingClient } from './transaction-client.ts';
import { RingTransactions } from './transactions/ring-transactions.ts';
import type { ItemLook } from './transactions/transaction-door.ts';

/**
 * The client of a ring. It hands each request to the first node of the key's preference list that seems well: writes of
 * a key that go to one node do not refuse one another. Nothing else depends on that choice. A node that cannot
 * coordinate a request gives it back, and another node is asked, within the life of an operation. So it is with one
 * that was not reached, or takes nothing new; a node that is lost with a request is asked no more, and its writes have
 * an unknown outcome.
 */
export class RingClient implements DynamoClient, StreamClient, TransactingClient {
  readonly transact: TransactingClient['transact'];
  readonly readTogether: TransactingClient['readTogether'];
  readonly #view: RingView;
  readonly #nodes: NodesAtHand;
  readonly #clock: Clock;
  readonly #limits: NodeLimits;
  readonly #choice: CoordinatorChoice;
  readonly #parts: RequestParts;
  /** The requests that were not answered within the call, oldest first. */
  readonly #outstanding = new Set<Outstanding>();
  readonly #silent: SilentNodes;
  readonly #streams: RingStreams;
  #sweepTimer: Timer | undefined;
  readonly #waits = new Set<() => void>();
  /** The derivations of tables whose indexes have changed since this client began: nothing is asked by an older one. */
  readonly #newest = new Map<ByteString, Derivation>();
  /** Until when messages of a node that was removed, or for a read that was given up, may be on their way, on the clock's `elapsedMs`. */
  #quietAtMs = 0;

  constructor(
    parts: ChoiceParts & { readonly observer?: RequestObserver | undefined; readonly random?: Random | undefined },
  ) {
    const { view, nodes, clock, limits, observer, random } = parts;
    this.#view = view;
    this.#nodes = nodes;
    this.#clock = clock;
    this.#limits = limits;
    this.#silent = new SilentNodes(clock, limits);
    this.#streams = new RingStreams({
      partitions: view.partitions,
      ask: (request, departure) => this.#ask(request, departure),
      askAll: (request, patience) => this.#askAll([...this.#nodes.keys()], request, patience),
    });
    this.#choice = new CoordinatorChoice(parts);
    const transactions = new RingTransactions({
      ...{ clock, random, limits, partitions: view.partitions },
      write: ({ key, mutation }, options) => this.#write(key, mutation, options),
      look: (request) => this.#look(request),
    });
    this.transact = (request) => transactions.transact(request);
    this.readTogether = (request) => transactions.readTogether(request);
    this.#parts = {
      nodes,
      choice: this.#choice,
      clock,
      limits,
      observer,
      watch: (request) => {
        this.#outstanding.add(request);
        this.#sweepTimer ??= clock.after(this.#sweepMs, () => this.#sweep());
      },
      unwatch: (request) => {
        this.#outstanding.delete(request);
        if (request.isLoose) this.#quietAtMs = clock.elapsedMs() + limits.opLifeMs + limits.messageLifeMs;
      },
    };
  }

  get partitions(): number {
    return this.#view.partitions;
  }

  write(key: ItemKey, mutation: Mutation, options: WriteOptions): Promise<WriteOutcome> {
    return this.#write(key, mutation, options);
  }

  #write(key: ItemKey, mutation: Mutation | TransactionMutation, options: WriteOptions): Promise<WriteOutcome> {
    const { consistency, wantsOld, derivation, by, requestId } = options;
    return this.#ask({
      kind: 'coordinate-write',
      requestId: this.#traced(requestId),
      key: storeKeyOf(key, this.#view.partitions),
      partitionKey: key.partitionKey,
      mutation,
      consistency,
      wantsOld,
      derivation: this.#newestOf(key.table, derivation),
      by,
      carried: undefined,
      budgetMs: undefined,
    });
  }

  #look({ key, derivation, requestId }: ItemLook): Promise<LookAnswer> {
    return this.#ask<CoordinateLook>({
      kind: 'coordinate-look',
      requestId: this.#traced(requestId),
      key: storeKeyOf(key, this.#view.partitions),
      derivation: this.#newestOf(key.table, derivation),
    });
  }

  read({ key, from, consistency, derivation, requestId, departure }: ReadRequest): Promise<ReadOutcome> {
    const request: CoordinateRead = {
      kind: 'coordinate-read',
      requestId: this.#traced(requestId),
      key: storeKeyOf(key, this.#view.partitions),
      from,
      consistency,
      derivation: this.#newestOf(key.table, derivation),
      budgetMs: undefined,
    };
    return this.#ask(request, departure);
  }

  range(request: RangeRequest): Promise<RangeOutcome> {
    const { table, partitionKey, localIndex, lower, upper, order } = request;
    const collection = collectionPrefix(table, partitionKey, this.#view.partitions);
    const prefix = localIndex === undefined ? collection : localRows(collection, localIndex);
    return this.#askRange(request, sortKeyRange(prefix, lower, upper), order);
  }

  async scan(request: ScanRequest): Promise<ScanOutcome> {
    const { partition, range } = scanRange(request, this.partitions);
    if (range === undefined) return { kind: 'items', items: [], partition, more: false };
    const outcome = await this.#askRange(request, range, 'forward');
    return outcome.kind === 'items' ? { ...outcome, partition } : outcome;
  }

  async collectionBytes({ table, partitionKey }: Pick<ItemKey, 'table' | 'partitionKey'>): Promise<number | undefined> {
    const key = collectionPrefix(table, partitionKey, this.#view.partitions);
    const outcome = await this.#ask<CollectionSizeOf>({
      kind: 'collection-size',
      requestId: undefined,
      key,
      budgetMs: undefined,
    });
    return outcome.kind === 'size' ? outcome.bytes : undefined;
  }

  segmentOf({ partitionKey }: Pick<ItemKey, 'table' | 'partitionKey'>, total: number): number {
    return sliceOf(partitionKey, total);
  }

  async tables(): Promise<ReadonlySet<ByteString>> {
    const tables = new Set<ByteString>();
    const silent = new Set<NodeId>();
    for (let partition = 0; partition < this.#view.partitions; partition++) {
      const asked = [...this.#nodes.keys()].filter((id) => !silent.has(id));
      const answers = await this.#askAll(asked, { kind: 'tables-in', partition });
      for (const id of asked) {
        const answer = answers.get(id);
        // A node that does not answer is not waited for again in each partition.
        if (answer === undefined) silent.add(id);
        else if (answer.kind === 'tables') for (const table of answer.tables) tables.add(table);
      }
      // Requests come first.
      await new Promise<void>((resolve) => this.#clock.after(0, resolve));
    }
    return tables;
  }

  countItems(tables: readonly ByteString[]): Promise<readonly TableCount[]> {
    return countItems(
      {
        partitions: this.partitions,
        nodes: this.#nodes,
        choice: this.#choice,
        whenSilent: (run) => this.#after(this.#limits.suspectAfterMs, run),
      },
      tables,
    );
  }

  async useDerivation(derivation: Derivation): Promise<void> {
    const { derivationFreshMs, opLifeMs, messageLifeMs } = this.#limits;
    const sinceMs = this.#clock.elapsedMs();
    const isNewer = (this.#newest.get(derivation.table)?.version ?? 0) < derivation.version;
    if (isNewer) this.#newest.set(derivation.table, derivation);
    const asked = [...this.#nodes.keys()];
    const older = new Set(this.#outstanding);
    const answers = await this.#askAll(asked, { kind: 'use-derivation', derivation }, { withinMs: opLifeMs });
    const haveAll = asked.every((id) => answers.get(id)?.kind === 'used') && this.#clock.elapsedMs() >= this.#quietAtMs;
    // Requests that other nodes serve have ended there when they are answered here.
    while ([...older].some((request) => this.#outstanding.has(request))) await this.#pause(IDLE_POLL_MS);
    // A node that does not say so may begin rounds by what it has read, until it reads anew. They end by themselves, and their
    // last messages get lost.
    const quietMs = derivationFreshMs + opLifeMs + messageLifeMs;
    const leftMs = haveAll ? 0 : sinceMs + quietMs - this.#clock.elapsedMs();
    if (leftMs > 0) await this.#pause(leftMs);
  }

  async due(table: ByteString, ageMs = 0): Promise<number> {
    const asked = [...this.#nodes.keys()];
    const answers = await this.#askAll(asked, { kind: 'due-of', table, ageMs });
    const mayOwe = (id: NodeId) => this.#silent.mayOwe(id, answers.get(id)?.kind !== 'due');
    // All of them are looked at.
    let most = asked.filter(mayOwe).length > 0 ? 1 : 0;
    for (const answer of answers.values()) if (answer.kind === 'due') most = Math.max(most, answer.items);
    return most;
  }

  fenceTables(tables: readonly ByteString[]): Promise<boolean> {
    const untilMs = this.#clock.elapsedMs() + this.#limits.opLifeMs;
    return fenceTables(
      {
        view: this.#view,
        ask: (request, isEnough) => this.#askAll([...this.#nodes.keys()], request, { isEnough }),
        pause: () => this.#pause(this.#limits.maxBackoffMs).then(() => this.#clock.elapsedMs() < untilMs),
      },
      tables,
    );
  }

  async forgetTable(table: ByteString): Promise<void> {
    this.#newest.delete(table);
    for (const id of this.#nodes.keys()) this.#nodes.get(id)?.coordinate({ kind: 'forget-table', table }, () => {});
  }

  readonly readLog: StreamClient['readLog'] = (request) =>
    this.#streams.readLog({ ...request, requestId: this.#traced(request.requestId) });
  readonly logEnds: StreamClient['logEnds'] = (shard) => this.#streams.logEnds(shard);
  readonly endStream: StreamClient['endStream'] = (stream) => this.#streams.endStream(stream);
  readonly trimLog: StreamClient['trimLog'] = (request) => this.#streams.trimLog(request);
  readonly forgetStream: StreamClient['forgetStream'] = (stream) => this.forgetTable(stream);

  /** Calls `done` when a node owes no answer any more. The owner has removed the node, so it is asked nothing new. */
  whenIdle(node: NodeId, done: () => void): void {
    if (![...this.#outstanding].some((request) => request.node === node)) return done();
    this.#clock.after(IDLE_POLL_MS, () => this.whenIdle(node, done));
  }

  /** A node can be asked again. */
  attach(node: NodeId): void {
    this.#choice.noteAttached(node);
  }

  /**
   * A node has stopped and was removed. The reads that it owes are asked of others; its writes have an unknown outcome.
   */
  detach(node: NodeId): void {
    this.#silent.forget(node);
    this.#quietAtMs = this.#clock.elapsedMs() + this.#limits.messageLifeMs;
    for (const request of this.#outstanding) {
      if (request.node !== node) continue;
      if (request.mayBeAskedAgain) request.askAgain();
      else request.fail();
    }
  }

  /** Fails the requests under way. No other call may follow. */
  stop(): void {
    for (const request of this.#outstanding) request.fail();
    for (const run of [...this.#waits]) run();
    this.#clock.cancel(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  #askRange(
    { table, localIndex, limit, from, consistency, derivation, requestId, departure }: RangeRequest | ScanRequest,
    range: HalfOpenRange,
    order: KeyOrder,
  ): Promise<RangeOutcome> {
    const request: CoordinateRange = {
      kind: 'coordinate-range',
      requestId: this.#traced(requestId),
      range,
      localIndex,
      order,
      limit,
      from,
      consistency,
      derivation: this.#newestOf(table, derivation),
      budgetMs: undefined,
    };
    return this.#ask(request, departure);
  }

  /** What a request is to say that its sender has told to derive, perhaps some time ago. */
  #newestOf(table: ByteString, told: Derivation | undefined): Derivation | undefined {
    const newest = this.#newest.size === 0 ? undefined : this.#newest.get(table);
    return newest !== undefined && newest.version > (told?.version ?? 0) ? newest : told;
  }

  /** Calls `run` after a while, or when this client stops. @returns a function that takes it back */
  #after(ms: number, run: () => void): () => void {
    const end = () => {
      this.#clock.cancel(timer);
      this.#waits.delete(runOnce);
    };
    const runOnce = () => {
      end();
      run();
    };
    const timer = this.#clock.after(ms, runOnce);
    this.#waits.add(runOnce);
    return end;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  /** The id that messages carry: without an observer nobody looks at it. */
  #traced(requestId: string | undefined): string | undefined {
    return this.#parts.observer === undefined ? undefined : requestId;
  }

  #ask<R extends PassableRequest>(request: R, departure?: Departure): Promise<OutcomeOf<R>> {
    return new Promise((resolve) => new OutstandingRequest(this.#parts, request, resolve, departure).begin());
  }

  /** Asks these nodes, for as long as it takes to suspect one that is silent. */
  #askAll<R extends CoordinationRequest>(ids: readonly NodeId[], request: R, patience: Partial<Patience<R>> = {}) {
    const parts = { nodes: this.#nodes, after: (ms: number, run: () => void) => this.#after(ms, run) };
    return askAll(parts, ids, request, { withinMs: this.#limits.suspectAfterMs, ...patience });
  }

  /** Stops waiting for nodes that do not answer: coordinators give up by themselves after `opLifeMs`. */
  #sweep(): void {
    const nowMs = this.#clock.elapsedMs();
    const { opLifeMs, suspectAfterMs } = this.#limits;
    for (const request of [...this.#outstanding]) {
      const ageMs = nowMs - request.sinceMs;
      if (ageMs > opLifeMs + suspectAfterMs) request.fail();
      else if (ageMs >= this.#askAgainMs && request.mayBeAskedAgain && !this.#choice.isUp(request.node)) {
        request.askAgain();
      }
    }
    const isIdle = this.#outstanding.size === 0;
    this.#sweepTimer = isIdle ? undefined : this.#clock.after(this.#sweepMs, () => this.#sweep());
  }

  /** How long a read is left to a node that does not answer, at least. */
  get #askAgainMs(): number {
    return Math.min(this.#limits.suspectAfterMs, this.#limits.quietAfterMs);
  }

  /** Often enough that a read waits little longer than that. */
  get #sweepMs(): number {
    return this.#askAgainMs / 4;
  }
}

const IDLE_POLL_MS = 2;
