import type { ClockMove, ClockView } from '../api/admin.ts';
import { DURATION_FORM, durationOf } from '../api/duration.ts';
import { AdminError } from '../api/fault-rule.ts';
import { isoTime, timeOfIso } from '../api/iso-time.ts';

/** The end of the year 9999, the last that ISO 8601 writes with four digits; in ms since 1970. */
const LAST_MS = 253_402_300_799_999;

/** Moves that are remembered: a test that makes more of them cannot tell when records of before the first of these were made. */
const MAX_MOVES = 1_000;

/** The computer's clock, as `Clock` of the edge is one. */
export interface ClockSource {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment in the past; never steps. */
  elapsedMs(): number;
}

/**
 * Time as the API means it: that of the computer, and an offset that a test moves. Requests have it as their time, and
 * so has all that follows from it: expiry, dates in descriptions, statuses that are seen for a while, units of
 * throughput. Nothing of the ring takes part: ballots, time-outs and timers are the computer's.
 */
export class ApiClock {
  readonly #source: ClockSource;
  readonly #startOffsetMs: number;
  #offsetMs: number;
  /** The offsets that there were, and from when on by the computer's clock; the newest last. Before the first: that of the start. */
  readonly #offsets: { readonly fromMs: number; readonly offsetMs: number }[] = [];

  /** @param offsetMs how far it is ahead at first, and after `reset` */
  constructor(source: ClockSource, offsetMs = 0) {
    this.#source = source;
    this.#startOffsetMs = offsetMs;
    this.#offsetMs = offsetMs;
  }

  /** Whole milliseconds since 1970. */
  now(): number {
    // A start with an offset, or a computer whose clock is set, may lead beyond what `move` allows.
    return Math.min(Math.max(Math.floor(this.#source.now() + this.#offsetMs), 0), LAST_MS);
  }

  /** For rates. It runs as the computer's does, and steps by what the clock is moved, also backward. */
  elapsedMs(): number {
    return this.#source.elapsedMs() + this.#offsetMs;
  }

  /** @throws AdminError if that is no time, or one before 1970 or after 9999 */
  move(move: ClockMove): ClockView {
    const byMs = 'advance' in move ? advanceOf(move.advance) : timeOf(move.set) - this.now();
    const field = 'advance' in move ? 'advance' : 'set';
    const nowMs = this.now() + byMs;
    if (nowMs < 0 || nowMs > LAST_MS) throw new AdminError('the clock goes from 1970 to the end of 9999', field);
    return this.#become(this.#offsetMs + byMs);
  }

  /** Puts the clock back to where it would be had it never been moved. */
  reset(): ClockView {
    return this.#become(this.#startOffsetMs);
  }

  /** What this clock said when the computer's said `atMs`, in ms since 1970. Before this process began: by the offset of its start. */
  timeOf(atMs: number): number {
    const moved = this.#offsets.findLast(({ fromMs }) => fromMs <= atMs);
    return atMs + (moved?.offsetMs ?? this.#startOffsetMs);
  }

  #become(offsetMs: number): ClockView {
    this.#offsetMs = offsetMs;
    this.#offsets.push({ fromMs: Math.floor(this.#source.now()), offsetMs });
    if (this.#offsets.length > MAX_MOVES) this.#offsets.shift();
    return this.view();
  }

  view(): ClockView {
    const nowMs = this.now();
    return { now: isoTime(nowMs), nowMs, offsetMs: this.#offsetMs };
  }
}

function advanceOf(by: string | number): number {
  const ms = typeof by === 'string' ? durationOf(by) : by;
  if (ms === undefined || !Number.isFinite(ms)) {
    throw new AdminError(`advance must be ${DURATION_FORM}, or a number of ms`, 'advance');
  }
  return Math.round(ms);
}

function timeOf(to: string | number): number {
  const ms = typeof to === 'string' ? timeOfIso(to) : to;
  if (ms === undefined || !Number.isFinite(ms)) {
    throw new AdminError('set must be a time such as 2030-01-31T12:00:00Z, or ms since 1970', 'set');
  }
  return Math.round(ms);
}
