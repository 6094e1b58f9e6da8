import { type Ballot, compareBallots, NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { Request } from '../../src/dynamo/messages.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { RegisterValue } from './linearizability.ts';
import type { Observer } from './simulated-network.ts';

/** A put or delete in `dynamo` mode that asked for nothing: it goes to N nodes and the last one wins. */
export interface BlindWrite {
  readonly key: StoreKey;
  readonly value: RegisterValue;
  /** Which of two wins. */
  readonly ballot: Ballot;
  outcome: 'applied' | 'not-applied' | 'unknown' | 'unanswered';
  /** The node that it was sent to has not crashed since. */
  readonly isCoordinatorAlive: () => boolean;
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
  readonly writes: BlindWrite[] = [];
  readonly reads: SloppyRead[] = [];
  #lastTold: Ballot = NO_BALLOT;

  sent(_from: NodeId, request: Request): void {
    if (request.kind === 'learn' || request.kind === 'hint') this.#lastTold = request.record.ballot;
  }

  received(): Ballot {
    return NO_BALLOT;
  }

  answered(): void {}

  delivered(): void {}

  /** The ballot of the write that a node has just begun: it tells replicas of it at once. */
  get lastTold(): Ballot {
    return this.#lastTold;
  }

  read(key: StoreKey, value: RegisterValue): void {
    const wasWritten = value === null || this.writes.some((write) => write.key === key && write.value === value);
    this.reads.push({ key, value, wasWritten });
  }

  /** The acknowledged write of a key that wins over all others. */
  newestAcknowledged(key: StoreKey): BlindWrite | undefined {
    let newest: BlindWrite | undefined;
    for (const write of this.writes) {
      if (write.key !== key || write.outcome !== 'applied') continue;
      if (newest === undefined || compareBallots(write.ballot, newest.ballot) > 0) newest = write;
    }
    return newest;
  }
}
