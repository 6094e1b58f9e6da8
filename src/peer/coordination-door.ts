import { Departing } from '../api/departure.ts';
import type { CoordinatingNode, CoordinationReply, NotBegun } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { Serve } from '../env/peer-channel.ts';

/** So many requests of other processes are under way at once; further ones are not begun. */
const UNDER_WAY = 10_000;

/**
 * The door of a peer for clients of the ring in other processes. It counts what is under way, refuses what is too much,
 * and lets a peer that stops end what it has begun: so a restart in order fails no request.
 */
export class CoordinationDoor {
  /** The peer's own door, which may be another one at any time: a peer may be paused. */
  readonly #node: () => CoordinatingNode;
  readonly #most: number;
  #underWay = 0;
  #isLeaving = false;
  readonly #whenIdle: (() => void)[] = [];

  /** @param most requests under way at once */
  constructor(node: () => CoordinatingNode, most = UNDER_WAY) {
    this.#node = node;
    this.#most = most;
  }

  /** To be given to the channel of coordination. */
  readonly serve: Serve<CoordinationRequest, CoordinationReply> = (_from, request, answer, whenGone) => {
    if (this.#isLeaving) return answer(LEAVING);
    if (this.#underWay >= this.#most) return answer(OVERLOADED);
    this.#underWay++;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      if (--this.#underWay === 0) this.#noteIdle();
    };
    const reply = (outcome: AnswerTo<CoordinationRequest>) => {
      answer(outcome);
      end();
    };
    if (request.kind === 'coordinate-write') {
      // It goes on without its asker. What it may take is bounded by the queues of keys.
      whenGone(end);
      return this.#node().coordinate(request, reply);
    }
    const asker = new Departing();
    whenGone(() => {
      asker.go();
      end();
    });
    this.#node().coordinate(request, reply, asker);
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

const LEAVING: NotBegun = { kind: 'not-begun', reason: 'leaving' };
const OVERLOADED: NotBegun = { kind: 'not-begun', reason: 'overloaded' };
