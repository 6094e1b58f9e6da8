import type { Clock } from '../../env/clock.ts';
import type { NodeId } from '../ring.ts';

/**
 * Which nodes a client of the ring had better not ask to coordinate: those that gave a request back because they are
 * cut off from the others. Now and then one request is let through to see whether they still are; it costs that one a
 * delay. Nothing but routing rests on it.
 */
export class CoordinatorStanding {
  readonly #clock: Clock;
  readonly #retryMs: number;
  /** When each of them may be asked again. */
  readonly #barredUntilMs = new Map<NodeId, number>();

  /** @param retryMs between two requests that are let through */
  constructor(clock: Clock, retryMs: number) {
    this.#clock = clock;
    this.#retryMs = retryMs;
  }

  /** Called for a node that is asked next if the answer is yes. */
  admits(node: NodeId): boolean {
    const barredUntilMs = this.#barredUntilMs.get(node);
    if (barredUntilMs === undefined) return true;
    if (this.#clock.elapsedMs() < barredUntilMs) return false;
    this.noteGaveBack(node);
    return true;
  }

  /** It could not reach enough of the others. */
  noteGaveBack(node: NodeId): void {
    this.#barredUntilMs.set(node, this.#clock.elapsedMs() + this.#retryMs);
  }

  /** It has reached enough of the others, or is back. */
  noteServed(node: NodeId): void {
    if (this.#barredUntilMs.size > 0) this.#barredUntilMs.delete(node);
  }
}
