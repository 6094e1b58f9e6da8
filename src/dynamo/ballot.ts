import type { Consistency } from './client.ts';

/**
 * Orders all attempts to write one key (docs/protocol.md section 1.1): a hybrid logical time, then the disk of the
 * coordinator that issued it, then that disk's boot count. A ballot names at most one record: a coordinator never
 * issues one twice, because its times only grow within a boot and its boots are counted durably.
 */
export interface Ballot {
  /** Hybrid logical time in ticks of 1/1024 ms. */
  readonly hlc: number;
  /** Id of the coordinator's disk: 48 bits. A node whose disk was replaced is another coordinator. */
  readonly coordinator: number;
  readonly boot: number;
}

/** Ticks of `Ballot.hlc` in a millisecond: a safe integer until the year 2248. */
export const TICKS_PER_MS = 1024;

/** Below every ballot that was ever issued. */
export const NO_BALLOT: Ballot = { hlc: 0, coordinator: 0, boot: 0 };

/** Whether a number from another process can be the time of a ballot. */
export function isTime(hlc: number): boolean {
  return Number.isSafeInteger(hlc) && hlc >= 0;
}

/** Negative, zero or positive as `a` is below, the same as, or above `b`. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.hlc - b.hlc || a.coordinator - b.coordinator || a.boot - b.boot;
}

export function sameBallot(a: Ballot, b: Ballot): boolean {
  return a.hlc === b.hlc && a.coordinator === b.coordinator && a.boot === b.boot;
}

export function maxBallot(a: Ballot, b: Ballot): Ballot {
  return compareBallots(a, b) >= 0 ? a : b;
}

/** Above every ballot of this time, whoever issues it. */
export function highestAt(hlc: number): Ballot {
  return { hlc, coordinator: Number.MAX_SAFE_INTEGER, boot: Number.MAX_SAFE_INTEGER };
}

/** Whether this is no ballot that was issued, but the floor of a replica, below which it refuses all. */
export function isFloor({ coordinator }: Ballot): boolean {
  return coordinator === Number.MAX_SAFE_INTEGER;
}

/**
 * The mode of the table that a ballot was issued for: its ticks are even in a `dynamo` table and odd in a `strict` one.
 * Records of versions before this rule may give the wrong answer, so whatever rests on it must work with either.
 */
export function consistencyOf({ hlc }: Pick<Ballot, 'hlc'>): Consistency {
  return hlc % 2 === 0 ? 'dynamo' : 'strict';
}
