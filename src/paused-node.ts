import type { CoordinatingNode } from './dynamo/coordinating-node.ts';
import type { StorageNode } from './dynamo/node.ts';
import type { Clock } from './env/clock.ts';

/** Requests that may wait for a paused node; further ones get no answer, and their clients' time-outs. */
const HELD_REQUESTS = 10_000;

/**
 * Stands at the door of a node that is paused: requests wait, and get no answer until it goes on. Those that nobody waits
 * for any more by then are dropped, as from the socket of a client that has gone.
 */
export class PausedNode implements CoordinatingNode {
  readonly #node: StorageNode;
  readonly #clock: Clock;
  /** How long a client waits. */
  readonly #patienceMs: number;
  #held: { readonly untilMs: number; readonly ask: () => void }[] = [];

  constructor(node: StorageNode, clock: Clock, patienceMs: number) {
    this.#node = node;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** The node goes on: it gets what has waited. */
  release(): void {
    const nowMs = this.#clock.elapsedMs();
    for (const { untilMs, ask } of this.#held.splice(0)) if (untilMs > nowMs) ask();
  }

  write(...args: Parameters<CoordinatingNode['write']>): void {
    this.#hold(() => this.#node.write(...args));
  }

  read(...args: Parameters<CoordinatingNode['read']>): void {
    this.#hold(() => this.#node.read(...args));
  }

  range(...args: Parameters<CoordinatingNode['range']>): void {
    this.#hold(() => this.#node.range(...args));
  }

  /** It does not answer. */
  tablesIn(): readonly [] {
    return [];
  }

  forgetTable(...args: Parameters<CoordinatingNode['forgetTable']>): void {
    // Nobody waits for it, and nobody will ask again: what stays here would go to the others by repair.
    this.#hold(() => this.#node.forgetTable(...args), Number.POSITIVE_INFINITY);
  }

  #hold(ask: () => void, patienceMs = this.#patienceMs): void {
    if (this.#held.length < HELD_REQUESTS) this.#held.push({ untilMs: this.#clock.elapsedMs() + patienceMs, ask });
  }
}
