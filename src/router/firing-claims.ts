import type { Claimed } from './rules-register.ts';

interface FiringClaimsParts {
  /** Claims firings for all processes. Never rejects for what the cluster cannot do: it grants none then. */
  readonly claim: (id: string, times: number, wanted: number) => Promise<Claimed>;
  /** No firing of the rule is left. */
  readonly onSpent: (id: string) => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Claims firings of rules with `times`, one write at a time for each rule: what is asked for meanwhile is claimed
 * together by the next one. As many wait as there are requests under way.
 */
export class FiringClaims {
  readonly #parts: FiringClaimsParts;
  /** By the rule's id, those who wait; a rule is here while a write for it is under way. */
  readonly #waiting = new Map<string, ((isGranted: boolean) => void)[]>();

  constructor(parts: FiringClaimsParts) {
    this.#parts = parts;
  }

  /** @returns whether the rule may fire once more */
  claim(id: string, times: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id);
      if (waiting !== undefined) waiting.push(resolve);
      else {
        this.#waiting.set(id, [resolve]);
        void this.#claimAll(id, times);
      }
    });
  }

  async #claimAll(id: string, times: number): Promise<void> {
    const waiting = this.#waiting.get(id)!;
    while (waiting.length > 0) {
      const asked = waiting.splice(0);
      const { granted, isSpent } = await this.#parts.claim(id, times, Math.min(times, asked.length)).catch((error) => {
        this.#parts.onFailure(error);
        return { granted: 0, isSpent: false };
      });
      for (const [at, resolve] of asked.entries()) resolve(at < granted);
      // Those who were granted the last ones have begun by then.
      if (isSpent) this.#parts.onSpent(id);
    }
    this.#waiting.delete(id);
  }
}
