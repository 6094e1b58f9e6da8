import type { Clock } from '../../env/clock.ts';
import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import type { PartitionVotes } from '../epochs/partition-votes.ts';
import { partitionOf } from '../keyspace.ts';
import type { PurgeRequest, Reply } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import { isPurgeable } from '../record.ts';
import type { Acceptor } from '../registers/acceptor.ts';

type Of<Kind extends PurgeRequest['kind']> = Extract<PurgeRequest, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/** A member's part in the purge of a tombstone (docs/protocol.md section 9.1), which `TombstonePurge` leads. */
export class PurgeMember {
  readonly #parts: PurgeMemberParts;

  constructor(parts: PurgeMemberParts) {
    this.#parts = parts;
  }

  receive(request: PurgeRequest, answer: Answer): void {
    const { settings, votes, acceptor } = this.#parts;
    if (acceptor.isStopped) return;
    const partition = partitionOf(request.key);
    if (!votes.has(partition, request.epoch)) {
      return answer({ kind: 'wrong-epoch', from: settings.id, config: votes.votingConfig(partition) });
    }
    if (request.kind === 'purge') this.#purge(request, answer);
    else this.#confirm(request, answer);
  }

  /**
   * First step: takes the tombstone, and confirms, once that is durable, that there is nothing else of the key here.
   * Each member looks at its own clock, so that one that is ahead does not purge too soon.
   */
  #confirm({ key, record }: Of<'confirm-tombstone'>, answer: Answer): void {
    const { settings, store, clock, acceptor, hasOtherRecord } = this.#parts;
    const { id, limits } = settings;
    const ageMs = clock.now() - record.ballot.hlc / TICKS_PER_MS;
    if (ageMs < limits.tombstoneGraceMs || !isPurgeable(record.stored))
      return answer({ kind: 'unconfirmed', from: id });
    acceptor.learn(key, record);
    store.flush((error) => {
      if (error !== undefined) return answer({ kind: 'storage-failed', from: id, message: error.message });
      const isAlone = this.#isOnly(key, record.ballot) && !hasOtherRecord(key);
      answer({ kind: isAlone ? 'confirmed' : 'unconfirmed', from: id });
    });
  }

  /**
   * Last step: drops the tombstone, and from now on refuses whatever is older, as if the tombstone were still there.
   */
  #purge(request: Of<'purge'>, answer: Answer): void {
    const { key, ballot } = request;
    const { settings, acceptor } = this.#parts;
    const { promises } = acceptor;
    if (promises.isAboveCeiling(ballot.hlc)) {
      return promises.raiseCeiling(ballot.hlc, (error) => {
        if (error !== undefined) answer({ kind: 'storage-failed', from: settings.id, message: error.message });
        else this.receive(request, answer);
      });
    }
    promises.raiseFloor(ballot.hlc);
    // A promise outlives its tombstone: its coordinator was told of the tombstone, and nothing else is lost.
    if (this.#isOnly(key, ballot)) acceptor.remove(key);
    answer({ kind: 'purged', from: settings.id });
  }

  /** Whether the committed record of the key has this ballot, and nothing was accepted since. */
  #isOnly(key: StoreKey, ballot: Ballot): boolean {
    const { accepted, committed, isDamaged } = this.#parts.acceptor.stateOf(key);
    return (
      isDamaged !== true && accepted === undefined && committed !== undefined && sameBallot(committed.ballot, ballot)
    );
  }
}

export interface PurgeMemberParts {
  readonly settings: NodeSettings;
  readonly store: Store;
  readonly clock: Clock;
  readonly votes: PartitionVotes;
  readonly acceptor: Acceptor;
  /**
   * Whether there is a record of the key here besides the replica's own: as a hint, or held back by a rule of lag. Or whether
   * the item still owes something to an index: nobody else knows where.
   */
  readonly hasOtherRecord: (key: StoreKey) => boolean;
}
