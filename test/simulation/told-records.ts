import { type Ballot, compareBallots, NO_BALLOT, sameBallot } from '../../src/dynamo/ballot.ts';
import { partitionOf } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import type { ItemRecord } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { Beginning } from './chosen-records.ts';
import { registerValueOf } from './item-value.ts';
import type { RegisterValue } from './linearizability.ts';
import type { Observer } from './simulated-network.ts';
import { showBallot, showRecord } from './trace.ts';

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

/** Members of one epoch that have a record. */
interface Keepers {
  readonly key: StoreKey;
  readonly epoch: number;
  readonly record: ItemRecord;
  readonly nodes: Set<NodeId>;
}

/** What was written and read in `dynamo` mode. Sees the ballots of writes as they leave their coordinators. */
export class ToldRecords implements Observer {
  readonly writes: Told[] = [];
  readonly reads: SloppyRead[] = [];
  #now = 0;
  #lastTold: Ballot = NO_BALLOT;
  /** The highest ballot under which replicas were told of each value. */
  readonly #ballots = new Map<string, Ballot>();
  /** The first one: that of the write itself, if it is blind. */
  readonly #firstBallots = new Map<string, Ballot>();
  /** Who has a record on its disk and was not sealed, by epoch, key and ballot. */
  readonly #keepers = new Map<string, Keepers>();
  /** Up to where tombstones were purged. */
  readonly #purged = new Map<StoreKey, Ballot>();
  readonly #violations: string[] = [];
  readonly #majority: number;

  /** @param replication N */
  constructor(replication: number) {
    this.#majority = Math.floor(replication / 2) + 1;
  }

  /** What was on the disks of a majority of one epoch and is not where the next one begins. */
  get violations(): readonly string[] {
    return this.#violations;
  }

  sent(_from: NodeId, request: Request): void {
    if (request.kind === 'purge') this.#purged.set(request.key, request.ballot);
    if (request.kind !== 'learn' && request.kind !== 'hint') return;
    const { ballot, item } = request.record;
    this.#lastTold = ballot;
    const value = registerValueOf(item);
    if (value === null || compareBallots(ballot, this.#ballots.get(value) ?? NO_BALLOT) <= 0) return;
    this.#ballots.set(value, ballot);
    if (!this.#firstBallots.has(value)) this.#firstBallots.set(value, ballot);
  }

  received(): Ballot {
    return NO_BALLOT;
  }

  answered(replica: NodeId, request: Request, reply: Reply): void {
    if (request.kind !== 'learn' || request.isFlushed !== true || reply.kind !== 'learned') return;
    const { key, record } = request;
    const { vote } = reply;
    if (vote === undefined || vote.isSealed) return;
    const name = `${vote.epoch} ${key} ${showBallot(record.ballot)}`;
    const { nodes } = this.#keepers.get(name) ?? { nodes: new Set<NodeId>() };
    this.#keepers.set(name, { key, epoch: vote.epoch, record, nodes: nodes.add(replica) });
  }

  /**
   * An epoch was decided, and each of these members has staged it: it has to begin with what a majority of the epoch before
   * has said that it has. Tombstones do not count, which are not told of when they are old.
   */
  decided({ partition, epoch }: PartitionConfig, beginnings: readonly Beginning[]): void {
    for (const { key, epoch: of, record, nodes } of this.#keepers.values()) {
      if (partitionOf(key) !== partition || of !== epoch - 1 || nodes.size < this.#majority) continue;
      if (record.item === undefined || compareBallots(record.ballot, this.#purged.get(key) ?? NO_BALLOT) <= 0) continue;
      for (const beginning of beginnings) {
        if (beginning.isDamaged(key)) continue;
        const top = beginning.topOf(key);
        if (compareBallots(top?.ballot ?? NO_BALLOT, record.ballot) >= 0) continue;
        const what = `epoch ${epoch} begins with ${showRecord(top)}, without ${showRecord(record)}`;
        this.#violations.push(`${what} that a majority of the epoch before had`);
      }
    }
  }

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

  /** The newest tombstone of a key that members were told to drop. */
  purgedUpTo(key: StoreKey): Ballot {
    return this.#purged.get(key) ?? NO_BALLOT;
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

  /**
   * Acknowledged writes of a key that lose to an older one, of which replicas were told under a second ballot. Nothing may
   * do that where all writes are blind.
   */
  chosenAgain(key: StoreKey): { readonly write: Told; readonly by: Told }[] {
    if (!this.writes.every(({ isBlind }) => isBlind)) return [];
    const ballotsOf = ({ value }: Told) => {
      return { first: this.#firstBallots.get(value ?? ''), last: this.#ballots.get(value ?? '') };
    };
    return this.#acknowledged(key).flatMap((write) => {
      const by = this.writes.find((other) => {
        const { first, last } = ballotsOf(other);
        if (other.key !== key || first === undefined || last === undefined) return false;
        return compareBallots(first, write.ballot) < 0 && compareBallots(write.ballot, last) < 0;
      });
      return by === undefined ? [] : [{ write, by }];
    });
  }

  #acknowledged(key: StoreKey): Told[] {
    return this.writes.filter((write) => write.key === key && write.outcome === 'applied');
  }
}
