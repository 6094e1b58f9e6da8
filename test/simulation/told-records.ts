import { type Ballot, compareBallots, NO_BALLOT, sameBallot } from '../../src/dynamo/ballot.ts';
import type { Request } from '../../src/dynamo/messages.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { registerValueOf } from './item-value.ts';
import type { RegisterValue } from './linearizability.ts';
import type { Observer } from './simulated-network.ts';

/** A put or delete in `dynamo` mode: it goes to N nodes and the last one wins. One with a condition is a consensus round. */
export interface ToldWrite {
  readonly key: StoreKey;
  readonly value: RegisterValue;
  /** Whether it was told at once: it had no condition. */
  readonly isBlind: boolean;
  /** The node that it was sent to has not crashed since. */
  readonly isCoordinatorAlive: () => boolean;
}

/** What became of it. Of what happens, each has a number of its own. */
export interface Told extends ToldWrite {
  readonly calledAt: number;
  answeredAt: number;
  /** Which of two wins, as it stood when this was answered. */
  ballot: Ballot;
  outcome: 'applied' | 'not-applied' | 'unknown' | 'unanswered';
}

/** A read in `dynamo` mode. */
export interface SloppyRead {
  readonly key: StoreKey;
  readonly value: RegisterValue;
  /** Whether a put of this value had begun when the read was answered. */
  readonly wasWritten: boolean;
}

/** What was written and read in `dynamo` mode. Sees the ballots of writes as they leave their coordinators. */
export class ToldRecords implements Observer {
  readonly writes: Told[] = [];
  readonly reads: SloppyRead[] = [];
  #now = 0;
  #lastTold: Ballot = NO_BALLOT;
  /** The highest ballot under which replicas were told of each value. */
  readonly #ballots = new Map<string, Ballot>();

  sent(_from: NodeId, request: Request): void {
    if (request.kind !== 'learn' && request.kind !== 'hint') return;
    const { ballot, item } = request.record;
    this.#lastTold = ballot;
    const value = registerValueOf(item);
    if (value === null || compareBallots(ballot, this.#ballots.get(value) ?? NO_BALLOT) <= 0) return;
    this.#ballots.set(value, ballot);
  }

  received(): Ballot {
    return NO_BALLOT;
  }

  answered(): void {}

  delivered(): void {}

  /** Notes a write, and what is answered. @param ask begins it at its node, which tells replicas of it at once */
  write(write: ToldWrite, ask: (answered: (outcome: Told['outcome']) => void) => void): void {
    const told: Told = {
      ...write,
      calledAt: ++this.#now,
      answeredAt: Number.POSITIVE_INFINITY,
      ballot: NO_BALLOT,
      outcome: 'unanswered',
    };
    this.writes.push(told);
    ask((outcome) => {
      told.outcome = outcome;
      told.answeredAt = ++this.#now;
      // A round under a condition has tried several.
      if (write.value !== null) told.ballot = this.#ballots.get(write.value) ?? told.ballot;
    });
    if (write.isBlind && told.outcome === 'unanswered') told.ballot = this.#lastTold;
  }

  read(key: StoreKey, value: RegisterValue): void {
    const wasWritten = value === null || this.writes.some((write) => write.key === key && write.value === value);
    this.reads.push({ key, value, wasWritten });
  }

  /** The acknowledged write of a key that wins over all others. */
  newestAcknowledged(key: StoreKey): Told | undefined {
    let newest: Told | undefined;
    for (const write of this.#acknowledged(key)) {
      if (newest === undefined || compareBallots(write.ballot, newest.ballot) > 0) newest = write;
    }
    return newest;
  }

  /**
   * Acknowledged writes of a key that lose to one that had been answered before they began. Unless that was chosen again
   * meanwhile, as by a condition that it did not meet: who mixes such writes with others may lose some.
   */
  overtaken(key: StoreKey): { readonly write: Told; readonly by: Told }[] {
    // One that was found in another's lineage has been overwritten before anybody was told of it.
    const writes = this.#acknowledged(key).filter(({ ballot }) => !sameBallot(ballot, NO_BALLOT));
    return writes.flatMap((write) => {
      const by = writes.find((earlier) => {
        return earlier.answeredAt < write.calledAt && compareBallots(earlier.ballot, write.ballot) > 0;
      });
      return by === undefined ? [] : [{ write, by }];
    });
  }

  #acknowledged(key: StoreKey): Told[] {
    return this.writes.filter((write) => write.key === key && write.outcome === 'applied');
  }
}
