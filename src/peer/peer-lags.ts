import type { LagRule } from '../dynamo/client.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** Processes that make replicas alike at a time; further ones wait for the others. */
const MOST_RESTING = 64;
/** What a rest may last at most, in ms, unless it is asked for again. */
export const LONGEST_REST_MS = 60_000;

/**
 * The rules of lag of a cluster at the node of one process. While some process makes all replicas alike, no node keeps
 * them, or what is repaired would be held back again. A rest ends by itself if who asked for it dies.
 */
export class PeerLags {
  readonly #node: Pick<StorageNode, 'setLags'> | undefined;
  readonly #clock: Clock;
  #rules: readonly LagRule[] = [];
  /** By who asked, the timer that ends the rest. */
  readonly #resting = new Map<string, Timer>();

  /** @param node undefined in a front */
  constructor(node: Pick<StorageNode, 'setLags'> | undefined, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Sets the rules, in place of those before. */
  set(rules: readonly LagRule[]): void {
    this.#rules = rules;
    this.#tell();
  }

  /** @param forMs how long no rule is kept, from now on, for this asker; 0: the rest is over */
  rest(asker: string, forMs: number): void {
    if (!this.#resting.has(asker) && this.#resting.size >= MOST_RESTING) return;
    this.#clock.cancel(this.#resting.get(asker));
    const end = () => {
      this.#resting.delete(asker);
      this.#tell();
    };
    if (forMs === 0) return end();
    this.#resting.set(asker, this.#clock.after(Math.min(forMs, LONGEST_REST_MS), end));
    this.#tell();
  }

  stop(): void {
    for (const timer of this.#resting.values()) this.#clock.cancel(timer);
    this.#resting.clear();
  }

  #tell(): void {
    this.#node?.setLags(this.#resting.size > 0 ? [] : this.#rules);
  }
}
