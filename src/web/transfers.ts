import { ByteBudget, type Room } from './byte-budget.ts';
import { Progress } from './progress.ts';

/** A body that is coming in, or an answer that is going out. */
export interface Transfer {
  readonly progress: Progress;
  /** Ends it; the bytes that it holds are given back. */
  cut(): void;
}

/**
 * Room for the bytes of large bodies, or of large answers, that clients send or fetch as fast as they like.
 *
 * While there is room, nobody is hurried. When there is none, the slowest gives up its own, if it is slower than anybody who
 * means it: so those that stand still shut nobody out.
 */
export class Transfers implements Room {
  readonly #budget: ByteBudget;
  readonly #elapsedMs: () => number;
  readonly #limitBytes: number;
  readonly #leastRate: number;
  readonly #transfers = new Set<Transfer>();

  /** @param leastRate bytes a second; who is slower may be cut when there is no room */
  constructor(limitBytes: number, leastRate: number, elapsedMs: () => number) {
    this.#budget = new ByteBudget(limitBytes);
    this.#limitBytes = limitBytes;
    this.#leastRate = leastRate;
    this.#elapsedMs = elapsedMs;
  }

  /** From now on it may be cut. */
  add(transfer: Transfer): void {
    this.#transfers.add(transfer);
  }

  remove(transfer: Transfer): void {
    this.#transfers.delete(transfer);
  }

  newProgress(): Progress {
    return new Progress(this.#elapsedMs());
  }

  /** It has moved on by so many bytes. */
  moved(transfer: Transfer, bytes: number): void {
    transfer.progress.moved(bytes, this.#elapsedMs());
  }

  /** What is larger than all the room takes all of it. @returns what is to be given back for so many bytes */
  chargeOf(bytes: number): number {
    return Math.min(bytes, this.#limitBytes);
  }

  /**
   * Takes room, at the cost of slow transfers if need be.
   * @param by what it is for, which is not cut for itself
   */
  take(bytes: number, by?: Transfer): boolean {
    while (!this.#budget.take(bytes)) {
      const slowest = this.#slowest(by);
      if (slowest === undefined) return false;
      this.#transfers.delete(slowest);
      slowest.cut();
    }
    return true;
  }

  give(bytes: number): void {
    this.#budget.give(bytes);
  }

  #slowest(but: Transfer | undefined): Transfer | undefined {
    const nowMs = this.#elapsedMs();
    let found: Transfer | undefined;
    let least = this.#leastRate;
    for (const transfer of this.#transfers) {
      const rate = transfer === but ? Number.POSITIVE_INFINITY : transfer.progress.rate(nowMs);
      if (rate >= least) continue;
      found = transfer;
      least = rate;
      // Of those that stand still, the first has stood longest, or nearly so.
      if (rate === 0) break;
    }
    return found;
  }
}
