import type { Failure } from '../dynamo/client.ts';
import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import { untried } from '../dynamo/registers/handed-back.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** Requests that may wait for a paused node; further ones are refused at once. */
const HELD_REQUESTS = 10_000;

interface Held {
  readonly ask: () => void;
  readonly timer: Timer | undefined;
}

/**
 * Stands at the door of a node that is paused: requests wait until it goes on, but not for longer than `patienceMs`. Then
 * they are given back as if they had never been sent, which is true: the node has not seen them, and never will.
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

  /** The node goes on: it gets what still waits. */
  release(): void {
    for (const { ask, timer } of this.#held) {
      this.#clock.cancel(timer);
      ask();
    }
    this.#held.clear();
  }

  write(...args: Parameters<CoordinatingNode['write']>): void {
    const [, , , , done, carried] = args;
    this.#hold(
      () => this.#node.write(...args),
      () => done(untried(NOT_SENT, carried)),
    );
  }

  read(...args: Parameters<CoordinatingNode['read']>): void {
    this.#hold(
      () => this.#node.read(...args),
      () => args[3](NOT_SENT),
    );
  }

  range(...args: Parameters<CoordinatingNode['range']>): void {
    this.#hold(
      () => this.#node.range(...args),
      () => args[5](NOT_SENT),
    );
  }

  /** It does not answer. */
  tablesIn(): readonly [] {
    return [];
  }

  forgetTable(...args: Parameters<CoordinatingNode['forgetTable']>): void {
    // Nobody waits for it, and nobody will ask again: what stays here would go to the others by repair.
    this.#hold(() => this.#node.forgetTable(...args));
  }

  /** @param giveBack if it may be given back */
  #hold(ask: () => void, giveBack?: () => void): void {
    if (this.#held.size >= HELD_REQUESTS) return giveBack?.();
    const letGo = () => {
      this.#held.delete(held);
      giveBack!();
    };
    const held: Held = { ask, timer: giveBack === undefined ? undefined : this.#clock.after(this.#patienceMs, letGo) };
    this.#held.add(held);
  }
}

const NOT_SENT: Failure = { kind: 'unavailable', needed: 1, got: 0 };
