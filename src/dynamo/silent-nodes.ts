import type { Clock } from '../env/clock.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodeId } from './ring.ts';

/** The nodes that do not answer a client which asks what they owe. */
export class SilentNodes {
  readonly #clock: Clock;
  readonly #limits: NodeLimits;
  /** Since when, and when they were last asked. */
  readonly #silent = new Map<NodeId, { readonly sinceMs: number; readonly askedMs: number }>();

  constructor(clock: Clock, limits: NodeLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether a node may owe what nobody else knows of: it is silent, and others have not had the time to settle it. */
  mayOwe(id: NodeId, isSilent: boolean): boolean {
    if (!isSilent) {
      this.#silent.delete(id);
      return false;
    }
    const { outboxAgeMs, outboxLaterMs, finishIntervalMs, opLifeMs } = this.#limits;
    const takenOverMs = outboxAgeMs + outboxLaterMs + finishIntervalMs + opLifeMs;
    const nowMs = this.#clock.elapsedMs();
    const known = this.#silent.get(id);
    // If nobody has asked for so long, it may have answered meanwhile.
    const sinceMs = known === undefined || nowMs - known.askedMs > takenOverMs ? nowMs : known.sinceMs;
    this.#silent.set(id, { sinceMs, askedMs: nowMs });
    return nowMs - sinceMs <= takenOverMs;
  }

  /** The node has left: nothing is asked of it any more. */
  forget(id: NodeId): void {
    this.#silent.delete(id);
  }
}
