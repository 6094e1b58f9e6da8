import { ByteBudget, type Room } from './byte-budget.ts';
import { Progress } from './progress.ts';

/** A request body that is being received, or an answer that is being sent. */
export interface Transfer {
  readonly progress: Progress;
  /** Ends the transfer and releases the bytes that it holds. */
  cut(): void;
}

/**
 * Room for the bytes of large request bodies, or of large answers, which clients send or read at their own speed.
 *
 * While there is room, no transfer is cut. When there is none, the slowest one below `leastRate` is. So stalled clients
 * cannot shut out others.
 */
export class Transfers implements Room {
  readonly #budget: ByteBudget;
  readonly #elapsedMs: () => number;
  readonly #limitBytes: number;
  readonly #leastRate: number;
  readonly #transfers = new Set<Transfer>();

  /** @param leastRate bytes a second; a slower transfer may be cut when there is no room */
  constructor(limitBytes: number, leastRate: number, elapsedMs: () => number) {
    this.#budget = new ByteBudget(limitBytes);
    this.#limitBytes = limitBytes;
    this.#leastRate = leastRate;
    this.#elapsedMs = elapsedMs;
  }

  /** From now on the transfer may be cut. */
  add(transfer: Transfer): void {
    this.#transfers.add(transfer);
  }

  remove(transfer: Transfer): void {
    this.#transfers.delete(transfer);
  }

  newProgress(): Progress {
    return new Progress(this.#elapsedMs());
  }

  /** Reports progress of a transfer by `bytes`. */
  moved(transfer: Transfer, bytes: number): void {
    transfer.progress.moved(bytes, this.#elapsedMs());
  }

  /**
   * Reserve this much for a transfer of `bytes`: one larger than all the room is charged all of it.
   * @returns the charge, to be given back later
   */
  chargeOf(bytes: number): number {
    return Math.min(bytes, this.#limitBytes);
  }

  /**
   * Reserves room, and cuts slow transfers if necessary.
   * @param by the transfer that needs it, which is not cut for itself
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
      // Transfers are in order of age, so the first stalled one has been stalled longest, or nearly so.
      if (rate === 0) break;
    }
    return found;
  }
}
