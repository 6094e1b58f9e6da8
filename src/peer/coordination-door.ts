import { Departing } from '../api/departure.ts';
import type { Failure } from '../dynamo/client.ts';
import type { CoordinatingNode, CoordinationReply, CoordinatorTrace, NotBegun } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { Serve } from '../env/peer-channel.ts';

/** So many requests of other processes are under way at once; further ones are not begun. */
const UNDER_WAY = 10_000;

/** Keeps what this node does for requests of other processes that are traced. */
export interface OwnTraces {
  /**
   * A request begins. @returns ends it, with what was done so far; undefined: as many as can be kept are under way
   */
  begin(requestId: string, isWrite: boolean): (() => CoordinatorTrace) | undefined;
}

/**
 * The door of a peer for clients of the ring in other processes. It counts what is under way, refuses what is too much,
 * and lets a peer that stops end what it has begun: so a restart in order fails no request.
 */
export class CoordinationDoor {
  /** The peer's own door, which may be another one at any time: a peer may be paused. */
  readonly #node: () => CoordinatingNode | undefined;
  readonly #most: number;
  readonly #traces: OwnTraces | undefined;
  #underWay = 0;
  #isLeaving = false;
  readonly #whenIdle: (() => void)[] = [];

  /**
   * @param node undefined: none runs here
   * @param most requests under way at once
   */
  constructor(node: () => CoordinatingNode | undefined, most = UNDER_WAY, traces?: OwnTraces) {
    this.#node = node;
    this.#most = most;
    this.#traces = traces;
  }

  /** To be given to the channel of coordination. */
  readonly serve: Serve<CoordinationRequest, CoordinationReply> = (_from, request, answer, whenGone) => {
    const node = this.#node();
    if (node === undefined) return answer(NO_NODE);
    if (this.#isLeaving) return answer(LEAVING);
    if (this.#underWay >= this.#most) return answer(OVERLOADED);
    this.#underWay++;
    let isOver = false;
    const { requestId } = request as { readonly requestId?: string };
    const traced =
      requestId === undefined ? undefined : this.#traces?.begin(requestId, request.kind === 'coordinate-write');
    const end = () => {
      if (isOver) return;
      isOver = true;
      if (--this.#underWay === 0) this.#noteIdle();
    };
    const gone = () => {
      if (!isOver) traced?.();
      end();
    };
    const reply = (outcome: AnswerTo<CoordinationRequest>) => {
      const trace = isOver ? undefined : traced?.();
      answer(trace === undefined ? outcome : { kind: 'traced', trace, answer: outcome });
      end();
    };
    if (request.kind === 'coordinate-write') {
      // It goes on without its asker. What it may take is bounded by the queues of keys.
      whenGone(gone);
      return node.coordinate(request, reply);
    }
    const asker = new Departing();
    whenGone(() => {
      asker.go();
      gone();
    });
    node.coordinate(request, reply, asker);
  };

  /** From now on nothing is begun. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Calls `done`, perhaps within the call, when nothing is under way for an asker that still waits. */
  whenIdle(done: () => void): void {
    if (this.#underWay === 0) done();
    else this.#whenIdle.push(done);
  }

  #noteIdle(): void {
    for (const done of this.#whenIdle.splice(0)) done();
  }
}

const NO_NODE: Failure = { kind: 'unavailable', needed: 1, got: 0 };
const LEAVING: NotBegun = { kind: 'not-begun', reason: 'leaving' };
const OVERLOADED: NotBegun = { kind: 'not-begun', reason: 'overloaded' };
