import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, highestAt, maxBallot, NO_BALLOT, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import type { NodeSettings } from '../node-settings.ts';
import { type NodeState, writeCeiling } from '../node-state.ts';
import type { ReplicaState } from '../record.ts';

/**
 * What a replica has promised (docs/protocol.md section 1.3): in memory, key by key, under a durable ceiling. After a
 * restart all that may have been promised before is refused: the floor is the ceiling as it was read.
 */
export class Promises {
  readonly #store: Store;
  readonly #limits: NodeSettings['limits'];
  /** Only promises that are above the key's records; in the order they were first made, for eviction. */
  readonly #promised = new Map<StoreKey, Ballot>();
  /** Ballots of up to this time are refused: they may have been promised to others. Ticks. */
  #floorHlc: number;
  /** Ballots of up to this time may be promised without a write. Durable. Ticks. */
  #ceilingHlc: number;
  /** The highest ceiling on its way to the disk: raises overlap, and a later one must not lower it. Ticks. */
  #ceilingWrittenHlc: number;
  /** The highest ballot that was promised since this start. Ticks. */
  #highestHlc = 0;

  /** @param ceilingHlc as read at this start */
  constructor({ limits, rules }: NodeSettings, store: Store, { ceilingHlc }: Pick<NodeState, 'ceilingHlc'>) {
    this.#store = store;
    this.#limits = limits;
    this.#floorHlc = rules.promisesSurviveRestart ? ceilingHlc : 0;
    this.#ceilingHlc = ceilingHlc;
    this.#ceilingWrittenHlc = ceilingHlc;
  }

  /** eff(k): what a ballot must be above to be promised. */
  effective(key: StoreKey, { accepted, committed }: ReplicaState): Ballot {
    let effective = maxBallot(this.#promised.get(key) ?? NO_BALLOT, highestAt(this.#floorHlc));
    if (accepted !== undefined) effective = maxBallot(effective, accepted.ballot);
    if (committed !== undefined) effective = maxBallot(effective, committed.ballot);
    return effective;
  }

  /** Whether this very ballot was the last to be promised for the key. */
  isPromised(key: StoreKey, ballot: Ballot): boolean {
    return sameBallot(ballot, this.#promised.get(key) ?? NO_BALLOT);
  }

  /** Whether a ballot of that time may be promised, or a floor set there, only after `raiseCeiling`. */
  isAboveCeiling(hlc: number): boolean {
    return hlc > this.#ceilingHlc;
  }

  /** Sets the ceiling above a time, durably; `done` gets the error of a disk that refuses. */
  raiseCeiling(hlc: number, done: (error?: Error) => void): void {
    const ceilingHlc = Math.ceil(hlc + this.#limits.ceilingAheadMs * TICKS_PER_MS);
    if (ceilingHlc > this.#ceilingWrittenHlc) {
      this.#ceilingWrittenHlc = ceilingHlc;
      writeCeiling(this.#store, ceilingHlc);
    }
    this.#store.flush((error) => {
      if (error === undefined) this.#ceilingHlc = Math.max(this.#ceilingHlc, ceilingHlc);
      done(error);
    });
  }

  /** @param ballot not above the ceiling */
  promise(key: StoreKey, ballot: Ballot): void {
    this.#promised.set(key, ballot);
    this.#highestHlc = Math.max(this.#highestHlc, ballot.hlc);
    if (this.#promised.size <= this.#limits.promisesKept) return;
    const [oldest, evicted] = this.#promised.entries().next().value!;
    this.#promised.delete(oldest);
    this.raiseFloor(evicted.hlc);
  }

  /** From now on ballots of up to this time are refused, of all keys. @param hlc not above the ceiling */
  raiseFloor(hlc: number): void {
    this.#floorHlc = Math.max(this.#floorHlc, hlc);
  }

  /** A record with this ballot says as much as the promise, if that is not higher. */
  settle(key: StoreKey, ballot: Ballot): void {
    const promised = this.#promised.get(key);
    if (promised !== undefined && compareBallots(promised, ballot) <= 0) this.#promised.delete(key);
  }

  forget(key: StoreKey): void {
    this.#promised.delete(key);
  }

  /**
   * The replica has stopped in order, and promises nothing any more. The ceiling comes down to what it has promised: the next
   * start has then nothing to refuse that was not. As long as the disk does not have this, it has the higher one.
   */
  close(): void {
    const promisedHlc = Math.ceil(Math.max(this.#floorHlc, this.#highestHlc));
    if (promisedHlc < this.#ceilingWrittenHlc) writeCeiling(this.#store, promisedHlc);
  }

  /** Writes were lost, so what rests on them is as after a restart. */
  lost(): void {
    this.#floorHlc = Math.max(this.#floorHlc, this.#ceilingHlc);
    this.#ceilingWrittenHlc = this.#ceilingHlc;
    this.#promised.clear();
  }
}
