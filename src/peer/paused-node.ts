import type { Departure } from '../api/departure.ts';
import type { Failure } from '../dynamo/client.ts';
import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import { untried } from '../dynamo/registers/handed-back.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** So many requests may wait for a paused node; further ones are refused at once. */
const HELD_REQUESTS = 10_000;

interface Held {
  readonly ask: () => void;
  readonly timer: Timer | undefined;
}

/**
 * Queues the requests to a paused node until it goes on. A request waits for `patienceMs` at most and is then handed
 * back as not sent, which is true: the node has not seen it, and never will.
 */
export class PausedNode implements CoordinatingNode {
  readonly #node: CoordinatingNode;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #held = new Set<Held>();

  constructor(node: CoordinatingNode, clock: Clock, patienceMs: number) {
    this.#node = node;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** The node goes on: it gets the requests that still wait. */
  release(): void {
    for (const { ask, timer } of this.#held) {
      this.#clock.cancel(timer);
      ask();
    }
    this.#held.clear();
  }

  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R>) => void,
    departure?: Departure,
  ): void {
    const ask = () => this.#node.coordinate(request, reply, departure);
    const giveBack = () => reply(refusalOf(request) as AnswerTo<R>);
    switch (request.kind) {
      case 'tables-in':
      case 'count-items':
      case 'use-derivation':
      case 'due-of':
        return giveBack();
      case 'forget-table':
        // It waits without a limit: nobody will ask again, and a record that stays here would go to the others by
        // repair.
        if (this.#held.size < HELD_REQUESTS) this.#held.add({ ask, timer: undefined });
        return;
      default:
        return this.#hold(ask, giveBack);
    }
  }

  #hold(ask: () => void, giveBack: () => void): void {
    if (this.#held.size >= HELD_REQUESTS) return giveBack();
    const letGo = () => {
      this.#held.delete(held);
      giveBack();
    };
    const held: Held = { ask, timer: this.#clock.after(this.#patienceMs, letGo) };
    this.#held.add(held);
  }
}

const NOT_SENT: Failure = { kind: 'unavailable', needed: 1, got: 0 };

function refusalOf(request: CoordinationRequest): AnswerTo<CoordinationRequest> {
  return request.kind === 'coordinate-write' ? untried(NOT_SENT, request.carried) : NOT_SENT;
}
