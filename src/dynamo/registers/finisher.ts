import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, consistencyOf, sameBallot } from '../ballot.ts';
import type { Consistency } from '../client.ts';
import type { NodeLimits } from '../node-settings.ts';
import { RepeatedPass } from './repeated-pass.ts';

/** The most records that one pass in the background reads, including those for which no majority can be reached. */
const PASS_LIMIT = 1_024;

/**
 * Settles the records that this replica accepted without learning the outcome (docs/protocol.md section 3.8): their
 * coordinator may have crashed. For each, an identity round chooses the record, or a newer one, and sends it to all
 * replicas.
 */
export class Finisher {
  readonly #parts: FinisherParts;
  /** What the last pass found. If a record is still there at the next pass, no coordinator is about to settle it. */
  #seen = new Map<StoreKey, Ballot>();
  readonly #passes: RepeatedPass<Accepted>;

  constructor(parts: FinisherParts) {
    this.#parts = parts;
    const { clock, limits } = parts;
    const find = () => this.#abandoned();
    this.#passes = new RepeatedPass({ clock, intervalMs: limits.finishIntervalMs, find, work: this.#finish });
  }

  start(): void {
    this.#passes.start();
  }

  stop(): void {
    this.#passes.stop();
  }

  /** Tries to settle all records now, then calls `done`. A record for which no majority could be reached stays. */
  settleAll(done: () => void): void {
    const page = (last: Accepted | undefined, limit: number) => this.#parts.acceptedKeys(last?.key ?? '', limit);
    this.#passes.workThrough(page, this.#finish, done);
  }

  #abandoned(): readonly Accepted[] {
    const found = this.#parts.acceptedKeys('', PASS_LIMIT);
    const abandoned = found.filter(({ key, ballot }) => {
      const seen = this.#seen.get(key);
      return seen !== undefined && sameBallot(seen, ballot);
    });
    this.#seen = new Map(found.map(({ key, ballot }) => [key, ballot]));
    return abandoned;
  }

  readonly #finish = ({ key, ballot }: Accepted, done: () => void): void =>
    this.#parts.finish(key, consistencyOf(ballot), done);
}

interface Accepted {
  readonly key: StoreKey;
  readonly ballot: Ballot;
}

interface FinisherParts {
  /**
   * Keys after `after`, at most `limit`, whose newest record was accepted and is not known to be committed. Leaves out
   * keys that a rule of lag holds back: to settle them would end their lag.
   */
  readonly acceptedKeys: (after: StoreKey, limit: number) => readonly Accepted[];
  /** Runs an identity round on a key of a table of that mode; calls `done` when it ended, whatever the outcome. */
  readonly finish: (key: StoreKey, mode: Consistency, done: () => void) => void;
  readonly clock: Clock;
  readonly limits: NodeLimits;
}
