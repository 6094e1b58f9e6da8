import type { FaultTimers } from './fault-rules.ts';
import type { Claimed } from './rules-register.ts';

/** How long a request waits for its claim, in ms: too few nodes may be there to decide, and a rule must not hold it up. */
const PATIENCE_MS = 3_000;

interface FiringClaimsParts {
  /** Claims firings for all processes. Never rejects for what the cluster cannot do: it grants none then. */
  readonly claim: (id: string, times: number, wanted: number) => Promise<Claimed>;
  /** No firing of the rule is left. */
  readonly onSpent: (id: string) => void;
  readonly onFailure: (error: unknown) => void;
  readonly timers: FaultTimers;
}

/** A request that waits for its claim. */
interface Waiter {
  readonly resolve: (isGranted: boolean) => void;
  readonly timer: unknown;
  isGone: boolean;
}

/**
 * Claims firings of rules with `times`, one write at a time for each rule: what is asked for meanwhile is claimed
 * together by the next one. As many wait as there are requests under way, none for longer than some seconds: what is
 * granted later, when nobody waits for it any more, is used up.
 */
export class FiringClaims {
  readonly #parts: FiringClaimsParts;
  /** By the rule's id, those who wait; a rule is here while a write for it is under way. */
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(parts: FiringClaimsParts) {
    this.#parts = parts;
  }

  /** @returns whether the rule may fire once more */
  claim(id: string, times: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#parts.timers.after(PATIENCE_MS, () => {
        this.#waiting.get(id)?.delete(waiter);
        waiter.isGone = true;
        resolve(false);
      });
      const waiter: Waiter = { resolve, timer, isGone: false };
      const waiting = this.#waiting.get(id);
      if (waiting !== undefined) waiting.add(waiter);
      else {
        this.#waiting.set(id, new Set([waiter]));
        void this.#claimAll(id, times);
      }
    });
  }

  async #claimAll(id: string, times: number): Promise<void> {
    const waiting = this.#waiting.get(id)!;
    while (waiting.size > 0) {
      const asked = [...waiting];
      waiting.clear();
      const { granted, isSpent } = await this.#parts.claim(id, times, Math.min(times, asked.length)).catch((error) => {
        this.#parts.onFailure(error);
        return { granted: 0, isSpent: false };
      });
      const present = asked.filter(({ isGone }) => !isGone);
      for (const [at, { resolve, timer }] of present.entries()) {
        this.#parts.timers.cancel(timer);
        resolve(at < granted);
      }
      // Those who were granted the last ones have begun by then.
      if (isSpent) this.#parts.onSpent(id);
    }
    this.#waiting.delete(id);
  }
}
