import type { Clock } from '../../env/clock.ts';
import type { NodeId } from '../ring.ts';

/**
 * The nodes that a client of the ring should not ask to coordinate for now: they gave a request back because they are
 * cut off from the other nodes. Now and then one request is let through as a probe; if the node is still cut off, that
 * request is delayed. Affects routing only.
 */
export class CoordinatorStanding {
  readonly #clock: Clock;
  readonly #retryMs: number;
  /** For each node that gave a request back: when it may be asked again. */
  readonly #barredUntilMs = new Map<NodeId, number>();

  /** @param retryMs between two requests that are let through */
  constructor(clock: Clock, retryMs: number) {
    this.#clock = clock;
    this.#retryMs = retryMs;
  }

  /**
   * Whether a node may be asked now. If so, the caller asks it: a node that gave a request back gets one per `retryMs`.
   */
  admits(node: NodeId): boolean {
    const barredUntilMs = this.#barredUntilMs.get(node);
    if (barredUntilMs === undefined) return true;
    if (this.#clock.elapsedMs() < barredUntilMs) return false;
    this.noteGaveBack(node);
    return true;
  }

  /** The node could not reach enough of the others. */
  noteGaveBack(node: NodeId): void {
    this.#barredUntilMs.set(node, this.#clock.elapsedMs() + this.#retryMs);
  }

  /** The node has reached enough of the others, or has started again. */
  noteServed(node: NodeId): void {
    if (this.#barredUntilMs.size > 0) this.#barredUntilMs.delete(node);
  }
}
