import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, highestAt, maxBallot, NO_BALLOT, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import { assertInvariant } from '../invariants.ts';
import type { NodeSettings } from '../node-settings.ts';
import { type NodeState, writeCeiling } from '../node-state.ts';
import type { ReplicaState } from '../record.ts';

/**
 * The promises of a replica (docs/protocol.md section 1.3): in memory, key by key, under a durable ceiling. After a
 * restart the replica refuses whatever it may have promised before: the floor is then the ceiling as it was read.
 */
export class Promises {
  readonly #store: Store;
  readonly #limits: NodeSettings['limits'];
  /** Only promises above the key's records, in the order in which they were first made: the oldest is evicted. */
  readonly #promised = new Map<StoreKey, Ballot>();
  /** Ballots up to this time are refused: higher ones may have been promised. Only grows. Ticks. */
  #floorHlc: number;
  /** Ballots up to this time may be promised without a write. Durable, and only grows. Ticks. */
  #ceilingHlc: number;
  /** The highest ceiling on its way to the disk. Raises overlap, and a later one must not lower it. Ticks. */
  #ceilingWrittenHlc: number;
  /** The highest ballot promised or accepted since this start. Ticks. */
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

  /** Promises a ballot, which is not above the ceiling. */
  promise(key: StoreKey, ballot: Ballot): void {
    assertInvariant(
      ballot.hlc <= this.#ceilingHlc,
      'docs/protocol.md I2',
      'a promise above the ceiling is not durable',
    );
    this.#set(key, ballot);
  }

  /** A record with this ballot was accepted. It is durable itself, so it may be above the ceiling. */
  accepted(key: StoreKey, ballot: Ballot): void {
    this.#set(key, ballot);
  }

  #set(key: StoreKey, ballot: Ballot): void {
    const before = this.#promised.get(key);
    const grows = before === undefined || compareBallots(before, ballot) <= 0;
    assertInvariant(grows, 'docs/protocol.md I2', 'a promise falls');
    this.#promised.set(key, ballot);
    this.#highestHlc = Math.max(this.#highestHlc, ballot.hlc);
    if (this.#promised.size <= this.#limits.promisesKept) return;
    const [oldest, evicted] = this.#promised.entries().next().value!;
    this.#promised.delete(oldest);
    // May be above the ceiling, if a record was accepted there: that is on disk, and counts after a restart.
    this.#floorHlc = Math.max(this.#floorHlc, evicted.hlc);
  }

  /** From now on ballots up to this time are refused, of all keys. @param hlc not above the ceiling */
  raiseFloor(hlc: number): void {
    assertInvariant(
      hlc <= this.#ceilingHlc,
      'docs/protocol.md I2',
      'a floor above the ceiling does not survive a restart',
    );
    this.#floorHlc = Math.max(this.#floorHlc, hlc);
  }

  /** The key's record has this ballot now: a promise that is not higher is no longer needed. */
  dropUpTo(key: StoreKey, ballot: Ballot): void {
    const promised = this.#promised.get(key);
    if (promised !== undefined && compareBallots(promised, ballot) <= 0) this.#promised.delete(key);
  }

  forget(key: StoreKey): void {
    this.#promised.delete(key);
  }

  /**
   * The replica has stopped in order and promises nothing any more. The ceiling comes down to the highest ballot that
   * was promised: the next start then refuses nothing else. Until the disk has the lower ceiling, it has the higher
   * one.
   */
  close(): void {
    const promisedHlc = Math.ceil(Math.max(this.#floorHlc, this.#highestHlc));
    if (promisedHlc < this.#ceilingWrittenHlc) writeCeiling(this.#store, promisedHlc);
  }

  /** Writes were lost, among them perhaps the last ceiling: everything is as after a restart. */
  lost(): void {
    this.#floorHlc = Math.max(this.#floorHlc, this.#ceilingHlc);
    this.#ceilingWrittenHlc = this.#ceilingHlc;
    this.#promised.clear();
  }
}
