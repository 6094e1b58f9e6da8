import type { Clock } from '../env/clock.ts';
import { type Ballot, consistencyOf, isFloor, TICKS_PER_MS } from './ballot.ts';
import type { Consistency } from './client.ts';
import { assertInvariant } from './invariants.ts';
import type { NodeLimits } from './node-settings.ts';
import type { Rules } from './rules.ts';

/**
 * Issues the ballots of one coordinator for the tables of one mode: a hybrid logical clock that is above every ballot it has
 * issued or was told to be above. It begins at the time of the computer: what this disk may have promised before a restart
 * (the ceiling) bounds promises, not ballots, which the boot number keeps apart.
 *
 * In a `strict` table it may run ahead of the computer's clock: a refusal makes it go above whatever was refused for. In a
 * `dynamo` table, where of two writes the later clock wins, a ballot that is ahead would win over what is written after it.
 * There nobody's ceiling is gone above; it is waited for.
 */
export class BallotClock {
  readonly #parts: BallotClockParts;
  readonly #mode: Consistency;
  #lastHlc: number;

  constructor(parts: BallotClockParts, mode: Consistency) {
    this.#parts = parts;
    this.#mode = mode;
    this.#lastHlc = parts.rules.ballotsBeginAtClock ? 0 : parts.ceilingHlc;
  }

  next(): Ballot {
    const { clock, coordinator, boot } = this.#parts;
    const ballot = { hlc: Math.max(this.#lastHlc + 1, Math.floor(clock.now() * TICKS_PER_MS)), coordinator, boot };
    // The next tick is of this mode, then.
    if (consistencyOf(ballot) !== this.#mode) ballot.hlc++;
    // A clock that is no number, or is beyond the whole numbers, would issue one ballot again and again.
    assertInvariant(ballot.hlc > this.#lastHlc, 'docs/protocol.md I1', 'a coordinator issues a ballot twice');
    this.#lastHlc = ballot.hlc;
    return ballot;
  }

  /**
   * A ballot of this clock was refused: it has to be above `effective`, or to wait.
   * @returns after how many ms to try again; 0: at once, for the next ballots will be above it
   */
  refused(effective: Ballot): number {
    const { clock, limits, rules } = this.#parts;
    const aheadMs = effective.hlc / TICKS_PER_MS - clock.now();
    // One that is further ahead is that of a clock which differs by seconds: then the order of writes is that of clocks.
    const isCeiling = isFloor(effective) && aheadMs <= limits.ceilingAheadMs + limits.opLifeMs / 2;
    if (this.#mode === 'dynamo' && isCeiling && aheadMs > 0 && rules.ceilingsAreWaitedFor) return aheadMs;
    this.goAbove(effective.hlc);
    return 0;
  }

  /**
   * The next ballots will be above this one, of a record that came here, unless it is too far ahead of the clock: by half of
   * what replicas refuse, since others, whose clock may be behind this one, must still take what is issued then.
   */
  follow(ballot: Ballot): void {
    const { clock, limits } = this.#parts;
    if (ballot.hlc <= (clock.now() + limits.maxDriftMs / 2) * TICKS_PER_MS) this.goAbove(ballot.hlc);
  }

  /** The next ballots will be above this time, of an attempt that another coordinator made of the same write. */
  goAbove(hlc: number): void {
    this.#lastHlc = Math.max(this.#lastHlc, hlc);
  }
}

export interface BallotClockParts {
  readonly clock: Clock;
  /** Id of this node's disk. */
  readonly coordinator: number;
  /** Counted durably before the first ballot. */
  readonly boot: number;
  /** Where a clock begins that keeps no rules. */
  readonly ceilingHlc: number;
  readonly limits: NodeLimits;
  readonly rules: Rules;
}

/** The two clocks of a node. They never issue the same ballot: one has the even ticks, the other the odd ones. */
export class BallotClocks {
  readonly strict: BallotClock;
  readonly dynamo: BallotClock;

  constructor(parts: BallotClockParts) {
    this.strict = new BallotClock(parts, 'strict');
    this.dynamo = new BallotClock(parts, 'dynamo');
  }

  /** Follows a record that came here, with the clock of its table's mode: those of strict tables may be ahead. */
  follow({ ballot }: { readonly ballot: Ballot }): void {
    this[consistencyOf(ballot)].follow(ballot);
  }
}
