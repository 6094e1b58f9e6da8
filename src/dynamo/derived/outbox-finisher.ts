import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

/** Items that are settled at a time. */
const BATCH = 64;
/** The most rows that one pass looks at; the next pass goes on behind them. */
const PASS_LIMIT = 1_024;

interface OutboxFinisherParts {
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly outbox: Outbox;
  /** Whether this node is the first member that seems up of a key's partition; undefined if it has no vote there. */
  readonly isFirst: (key: StoreKey) => boolean | undefined;
  /** Settles an item; `done` gets whether nothing is due any more. `in-turn`: unless a rule of lag holds it back. */
  readonly settle: (key: StoreKey, when: 'in-turn' | 'at-once', done: (isSettled: boolean) => void) => void;
}

/**
 * Settles the items whose coordinator has not (docs/protocol.md section 14.3): it may have crashed, or the homes of their
 * entries were down.
 */
export class OutboxFinisher {
  readonly #parts: OutboxFinisherParts;
  /** Where the last pass ended. */
  #after: StoreKey = '';
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: OutboxFinisherParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, limits } = this.#parts;
    this.#timer = clock.after(limits.finishIntervalMs, () => this.#pass());
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Tries to settle all items that are due here, whatever holds them back, then calls `done`. */
  settleAll(done: () => void): void {
    const settleAfter = (last: StoreKey) => {
      const rows = this.#isStopped ? [] : this.#parts.outbox.page(last, BATCH);
      if (rows.length === 0) return done();
      this.#settleEach(rows, 'at-once', () => settleAfter(rows.at(-1)!.key));
    };
    settleAfter('');
  }

  #pass(): void {
    const { outbox } = this.#parts;
    const rows = outbox.count === 0 ? [] : outbox.page(this.#after, PASS_LIMIT);
    this.#after = rows.length === PASS_LIMIT ? rows.at(-1)!.key : '';
    const due = rows.filter((row) => this.#isDue(row));
    const settleFrom = (first: number) => {
      const batch = this.#isStopped ? [] : due.slice(first, first + BATCH);
      if (batch.length > 0) this.#settleEach(batch, 'in-turn', () => settleFrom(first + BATCH));
      else if (!this.#isStopped) this.start();
    };
    settleFrom(0);
  }

  /** A clock that was set back must not keep a row for ever. */
  #isDue({ key, sinceMs }: OutboxRow): boolean {
    const { clock, limits, isFirst } = this.#parts;
    const first = isFirst(key);
    if (first === undefined) return false;
    const ageMs = clock.now() - sinceMs;
    return ageMs < 0 || ageMs >= limits.outboxAgeMs + (first ? 0 : limits.outboxLaterMs);
  }

  #settleEach(rows: readonly OutboxRow[], when: 'in-turn' | 'at-once', done: () => void): void {
    let running = rows.length;
    for (const { key } of rows) {
      this.#parts.settle(key, when, () => {
        if (--running === 0) done();
      });
    }
  }
}
