import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';

/** What is remembered, so that it is not repeated. */
const MOST_COMPLAINTS = 1_000;

/** Says what is wrong between this process and others, each thing once in a while. */
export class Complaints {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #remindMs: number;
  /** Until when nothing more is said of it. */
  readonly #complained = new Map<string, number>();

  /** @param remindMs after which the same is said again */
  constructor(clock: Clock, log: Log, remindMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.#remindMs = remindMs;
  }

  /** @param fields the same thing is what has the same message, `peer` and `code` */
  complain(message: string, fields: Readonly<Record<string, unknown>>): void {
    const about = JSON.stringify([message, fields.peer, fields.code]);
    const nowMs = this.#clock.elapsedMs();
    if (nowMs < (this.#complained.get(about) ?? 0)) return;
    if (this.#complained.size >= MOST_COMPLAINTS) this.#complained.clear();
    this.#complained.set(about, nowMs + this.#remindMs);
    this.#log.error(message, fields);
  }
}
