import type { CoordinatingNode, StorageNode } from './dynamo/node.ts';

/** Requests that may wait for a paused node; further ones get no answer, and their clients' time-outs. */
const HELD_REQUESTS = 10_000;

/** Stands at the door of a node that is paused: requests wait, and get no answer until it goes on. */
export class PausedNode implements CoordinatingNode {
  readonly #node: StorageNode;
  #held: (() => void)[] = [];

  constructor(node: StorageNode) {
    this.#node = node;
  }

  /** The node goes on: it gets what has waited. */
  release(): void {
    for (const ask of this.#held.splice(0)) ask();
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

  forgetTable(...args: Parameters<CoordinatingNode['forgetTable']>): void {
    this.#hold(() => this.#node.forgetTable(...args));
  }

  #hold(ask: () => void): void {
    if (this.#held.length < HELD_REQUESTS) this.#held.push(ask);
  }
}
