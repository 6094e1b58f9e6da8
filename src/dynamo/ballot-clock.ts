import type { Clock } from '../env/clock.ts';
import { type Ballot, consistencyOf, isFloor, TICKS_PER_MS } from './ballot.ts';
import type { Consistency } from './client.ts';
import { assertInvariant } from './invariants.ts';
import type { NodeLimits } from './node-settings.ts';
import type { Rules } from './rules.ts';

/**
 * Issues the ballots of one coordinator for the tables of one mode: a hybrid logical clock above every ballot that it
 * has issued or followed. It begins at the computer's time. The ceiling, up to which this disk may have promised before
 * a restart, bounds promises and not ballots: the boot number tells the ballots of two starts apart.
 *
 * For `strict` tables the clock may run ahead of the computer: after a refusal it goes above the ballot that caused it.
 * For `dynamo` tables, where the later of two writes wins, a ballot that is ahead would win over writes that come after
 * it. So this clock never goes above another node's ceiling; the coordinator waits until the ceiling has passed.
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
    // The two modes take turns: the next tick is this mode's.
    if (consistencyOf(ballot) !== this.#mode) ballot.hlc++;
    // A clock that is no number, or is beyond the whole numbers, would issue one ballot again and again.
    assertInvariant(ballot.hlc > this.#lastHlc, 'docs/protocol.md I1', 'a coordinator issues a ballot twice');
    this.#lastHlc = ballot.hlc;
    return ballot;
  }

  /**
   * A ballot of this clock was refused: the next one has to be above `effective`, or to wait.
   * @returns how many ms to wait before the next try; 0: the next ballot will be above `effective`
   */
  refused(effective: Ballot): number {
    const { clock, limits, rules } = this.#parts;
    const aheadMs = effective.hlc / TICKS_PER_MS - clock.now();
    // A ceiling further ahead belongs to a clock that differs by seconds; no wait would mend the order of writes then.
    const isCeiling = isFloor(effective) && aheadMs <= limits.ceilingAheadMs + limits.opLifeMs / 2;
    if (this.#mode === 'dynamo' && isCeiling && aheadMs > 0 && rules.ceilingsAreWaitedFor) return aheadMs;
    this.goAbove(effective.hlc);
    return 0;
  }

  /**
   * The next ballots will be above this one, of a record that arrived here. Unless it is too far ahead of the clock: by
   * more than half of the drift that replicas refuse, because replicas whose clocks are behind must still take the
   * ballots issued then.
   */
  follow(ballot: Ballot): void {
    const { clock, limits } = this.#parts;
    if (ballot.hlc <= (clock.now() + limits.maxDriftMs / 2) * TICKS_PER_MS) this.goAbove(ballot.hlc);
  }

  /** The next ballots will be above this time, for example that of another coordinator's attempt at the same write. */
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
  /** Where the clock begins if the rule `ballotsBeginAtClock` is broken. Ticks. */
  readonly ceilingHlc: number;
  readonly limits: NodeLimits;
  readonly rules: Rules;
}

/** The two clocks of a node. They never issue the same ballot: one uses the even ticks, the other the odd ones. */
export class BallotClocks {
  readonly strict: BallotClock;
  readonly dynamo: BallotClock;

  constructor(parts: BallotClockParts) {
    this.strict = new BallotClock(parts, 'strict');
    this.dynamo = new BallotClock(parts, 'dynamo');
  }

  /**
   * Follows a record that arrived here, with the clock of its table's mode only: strict ballots may be ahead of time.
   */
  follow({ ballot }: { readonly ballot: Ballot }): void {
    this[consistencyOf(ballot)].follow(ballot);
  }
}
