import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import type { NodeLimits } from '../node-settings.ts';
import { RepeatedPass } from '../registers/repeated-pass.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

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
  readonly #passes: RepeatedPass<OutboxRow>;

  constructor(parts: OutboxFinisherParts) {
    this.#parts = parts;
    const { clock, limits } = parts;
    const work = this.#settle('in-turn');
    this.#passes = new RepeatedPass({ clock, intervalMs: limits.finishIntervalMs, find: () => this.#due(), work });
  }

  start(): void {
    this.#passes.start();
  }

  stop(): void {
    this.#passes.stop();
  }

  /** Tries to settle all items that are due here, whatever holds them back, then calls `done`. */
  settleAll(done: () => void): void {
    const page = (last: OutboxRow | undefined, limit: number) => this.#parts.outbox.page(last?.key ?? '', limit);
    this.#passes.workThrough(page, this.#settle('at-once'), done);
  }

  #due(): readonly OutboxRow[] {
    const { outbox } = this.#parts;
    const rows = outbox.count === 0 ? [] : outbox.page(this.#after, PASS_LIMIT);
    this.#after = rows.length === PASS_LIMIT ? rows.at(-1)!.key : '';
    return rows.filter((row) => this.#isDue(row));
  }

  /** A clock that was set back must not keep a row for ever. */
  #isDue({ key, sinceMs }: OutboxRow): boolean {
    const { clock, limits, isFirst } = this.#parts;
    const first = isFirst(key);
    if (first === undefined) return false;
    const ageMs = clock.now() - sinceMs;
    return ageMs < 0 || ageMs >= limits.outboxAgeMs + (first ? 0 : limits.outboxLaterMs);
  }

  #settle(when: 'in-turn' | 'at-once') {
    return ({ key }: OutboxRow, done: () => void): void => this.#parts.settle(key, when, () => done());
  }
}
