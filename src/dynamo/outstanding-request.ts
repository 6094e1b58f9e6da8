import type { Departure } from '../api/departure.ts';
import type { Clock } from '../env/clock.ts';
import type { Failure } from './client.ts';
import { isNoAnswer, type Lost, type NotBegun } from './coordinating-node.ts';
import type { AnswerTo, PassableRequest } from './coordination-messages.ts';
import type { CoordinatorChoice } from './coordinator-choice.ts';
import { partitionOf } from './keyspace.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodesAtHand } from './nodes-at-hand.ts';
import { type HandedBack, mayBePassedOn } from './registers/handed-back.ts';
import type { RequestObserver } from './request-observer.ts';
import type { NodeId } from './ring.ts';

/** The answer that a client of the ring gets: what is handed back goes to another node instead. */
export type OutcomeOf<R extends PassableRequest> = Exclude<AnswerTo<R>, HandedBack> | Failure;

/** A request in the hands of a node that has not answered within the call, as the client that watches it sees it. */
export interface Outstanding {
  /** The node that was asked last. */
  readonly node: NodeId;
  /** Since when an answer is waited for, on the clock's `elapsedMs`. */
  readonly sinceMs: number;
  /** Whether another node may be asked while this one has not answered: not for a write, which may have happened. */
  readonly mayBeAskedAgain: boolean;
  /** Whether it is a strong read whose asker has gone: its node may yet choose a record for it. */
  readonly isLoose: boolean;
  /** Asks another node than the one that was asked last. */
  askAgain(): void;
  /** Gives the request up. */
  fail(): void;
}

/** What all requests of one client of the ring share. */
export interface RequestParts {
  readonly nodes: NodesAtHand;
  readonly choice: CoordinatorChoice;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly observer: RequestObserver | undefined;
  /** Called once for a request that no node has answered within the call: it may need another node, or a time-out. */
  readonly watch: (request: Outstanding) => void;
  /** Called when a watched request has its outcome. */
  readonly unwatch: (request: Outstanding) => void;
}

/**
 * One request of a client of the ring. It asks one node after the other to coordinate, until one has an answer or the
 * life of an operation (`opLifeMs`) is over.
 */
export class OutstandingRequest<R extends PassableRequest> implements Outstanding {
  readonly #parts: RequestParts;
  /** Told of the outcome. */
  readonly #resolve: (outcome: OutcomeOf<R>) => void;
  readonly #partition: number;
  /** Of who waits for a read. */
  readonly #departure: Departure | undefined;
  /** What the next node is asked: a write carries what another coordinator has handed back of it. */
  #request: R;
  /** The nodes that have given the request back, or not answered it, since all of them were last asked. */
  #tried: Set<NodeId> | undefined;
  #node: NodeId = '';
  #isOver = false;
  /** Whether some node has not answered within the call; then `#sinceMs` is set. */
  #isWatched = false;
  #sinceMs = 0;

  constructor(parts: RequestParts, request: R, resolve: (outcome: OutcomeOf<R>) => void, departure?: Departure) {
    this.#parts = parts;
    this.#request = request;
    this.#resolve = resolve;
    this.#departure = departure;
    this.#partition = partitionOf('range' in request ? request.range.from : request.key);
  }

  get node(): NodeId {
    return this.#node;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  get mayBeAskedAgain(): boolean {
    return this.#request.kind !== 'coordinate-write';
  }

  get isLoose(): boolean {
    return this.#departure?.isGone === true && this.mayBeAskedAgain && this.#provesQuorum;
  }

  /** Asks the first node. Called once. */
  begin(): void {
    if (this.#departure?.isGone) return this.fail();
    if (!this.#askNext()) return this.#finish(UNAVAILABLE);
    if (this.#isOver || this.#isWatched) return;
    this.#parts.choice.noteSent(this.#node);
    this.#watch();
  }

  askAgain(): void {
    this.#askOtherThan(this.#node);
  }

  fail(): void {
    this.#finish(this.#request.kind === 'coordinate-write' ? UNKNOWN : UNAVAILABLE);
  }

  /** @returns false if no node is left to ask; if true, the request may have been answered by now */
  #askNext(): boolean {
    const { choice, nodes, observer } = this.#parts;
    const request = this.#request;
    const id = this.#choose();
    if (id === undefined) return false;
    this.#node = id;
    if (request.requestId !== undefined) observer?.asked(request.requestId, id, request.kind);
    nodes.get(id)!.coordinate(request, (answer) => this.#hear(id, answer), this.#departure);
    // The node may have answered, or given the request back so that another one is asked by now, within the call.
    if (!this.#isOver && this.#isWatched && this.#node === id) choice.noteSent(id);
    return true;
  }

  #choose(): NodeId | undefined {
    const { choice } = this.#parts;
    const request = this.#request;
    const isLaggard = 'from' in request && request.from === 'laggard';
    const laggard = isLaggard ? choice.laggard(this.#partition, this.#tried) : undefined;
    const isEventual = 'from' in request && request.from === 'committed';
    const nearest = isEventual ? choice.nearest(this.#partition, this.#tried) : undefined;
    return laggard ?? nearest ?? choice.preferred(this.#partition, this.#tried);
  }

  #hear(id: NodeId, answer: AnswerTo<R> | NotBegun | Lost): void {
    const { choice, observer } = this.#parts;
    const { requestId } = this.#request;
    if (requestId !== undefined) observer?.answered(requestId, id, answer.kind);
    if (isNoAnswer(answer)) return this.#hearNoAnswer(id, answer);
    if (this.#departure?.isGone) return this.#hearInVain(id);
    const isGivenBack = mayBePassedOn(answer);
    // A late answer counts too: nothing probes a node that was suspected, so this may be all that brings it back.
    if (this.#isWatched) choice.noteHeard(id);
    if (isGivenBack) choice.noteGaveBack(id);
    if (this.#isOver) return;
    if (isGivenBack) return this.#passOn(id, answer as unknown as HandedBack | Failure);
    if (this.#provesQuorum && answer.kind !== 'unknown') choice.noteServed(id);
    this.#finish(answer as unknown as OutcomeOf<R>);
  }

  /** Nobody waits for the answer of a node, which says nothing of whether the node could have done what was asked. */
  #hearInVain(id: NodeId): void {
    if (this.#isWatched) this.#parts.choice.noteHeard(id);
    this.fail();
  }

  /** The node has not begun what was asked; or what it has made of it will never be known, as of a node that was lost. */
  #hearNoAnswer(id: NodeId, answer: NotBegun | Lost): void {
    const { choice } = this.#parts;
    const isWithdrawn = this.#departure?.isGone === true;
    // The node owes nothing now. One that was lost stays suspected until it can be reached again.
    if (this.#isWatched && answer.kind === 'not-begun') choice.noteHeard(id);
    else if (this.#isWatched && isWithdrawn) choice.noteWithdrawn(id);
    const isBarred = answer.kind === 'not-begun' && answer.reason !== 'overloaded';
    if (isBarred) choice.noteGaveBack(id);
    // Another node may have been asked meanwhile.
    if (this.#isOver || id !== this.#node) return;
    if (isWithdrawn || (answer.kind === 'lost' && !this.mayBeAskedAgain)) return this.fail();
    const isOverloaded = answer.kind === 'not-begun' && answer.reason === 'overloaded';
    this.#passOn(id, isOverloaded ? OVERLOADED : UNAVAILABLE);
  }

  /** Whether the node that answers it has reached a quorum. */
  get #provesQuorum(): boolean {
    return !('from' in this.#request) || this.#request.from === 'latest';
  }

  #passOn(id: NodeId, answer: HandedBack | Failure): void {
    if (answer.kind === 'handed-back') this.#request = { ...this.#request, carried: answer.carried };
    this.#watch();
    if (this.#parts.clock.elapsedMs() - this.#sinceMs >= this.#parts.limits.opLifeMs) {
      const request: PassableRequest = this.#request;
      const mayHaveBegun = request.kind === 'coordinate-write' && request.carried !== undefined;
      return this.#finish(mayHaveBegun ? UNKNOWN : (answer as Failure));
    }
    this.#askOtherThan(id);
  }

  #askOtherThan(node: NodeId): void {
    this.#tried ??= new Set();
    this.#tried.add(node);
    if (this.#askAnew()) return;
    // All have been asked: perhaps those that were cut off, or down, are back soon.
    this.#tried.clear();
    this.#parts.clock.after(this.#parts.limits.maxBackoffMs, () => {
      if (!this.#isOver && !this.#askAnew()) this.fail();
    });
  }

  /** As `#askNext`, for what is left of the operation's life. */
  #askAnew(): boolean {
    if (this.#departure?.isGone) {
      this.fail();
      return true;
    }
    const { clock, limits } = this.#parts;
    const budgetMs = Math.max(1, Math.ceil(limits.opLifeMs - (clock.elapsedMs() - this.#sinceMs)));
    this.#request = { ...this.#request, budgetMs };
    return this.#askNext();
  }

  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#sinceMs = this.#parts.clock.elapsedMs();
    this.#parts.watch(this);
  }

  #finish(outcome: OutcomeOf<R>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isWatched) this.#parts.unwatch(this);
    this.#resolve(outcome);
  }
}

const UNKNOWN: Failure = { kind: 'unknown' };
const OVERLOADED: Failure = { kind: 'overloaded' };
const UNAVAILABLE: Failure = { kind: 'unavailable', needed: 1, got: 0 };
