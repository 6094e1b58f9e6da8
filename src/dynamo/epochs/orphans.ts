import type { Clock, Timer } from '../../env/clock.ts';
import type { AntiEntropy } from '../healing/anti-entropy.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { RingView } from '../ring-view.ts';
import type { EpochStaging } from './epoch-staging.ts';
import type { PartitionVotes } from './partition-votes.ts';

/**
 * Finds partitions of which this node holds records without being a member: it has left them, or a late record came.
 * Their records are handed to the members, and then erased here.
 */
export class Orphans {
  readonly #parts: OrphansParts;
  /** Partitions that are being handed to their members. */
  readonly #givingUp = new Set<number>();
  #timer: Timer | undefined;

  constructor(parts: OrphansParts) {
    this.#parts = parts;
  }

  /**
   * Looks again and again: a record may arrive for a partition that was given up, or its members were not ready before.
   */
  start(): void {
    const { view, acceptor, clock, limits } = this.#parts;
    for (let partition = 0; partition < view.partitions; partition++) {
      if (this.#isOrphan(partition) && acceptor.rows.holdsAnyOf(partition)) this.giveUp(partition);
    }
    this.#timer = clock.after(limits.gossipIntervalMs, () => this.start());
  }

  stop(): void {
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Hands this node's records of a partition to the members, then erases them; stops if the node becomes a member
   * again.
   */
  giveUp(partition: number): void {
    if (!this.#isOrphan(partition) || this.#givingUp.has(partition)) return;
    this.#givingUp.add(partition);
    const finish = () => void this.#givingUp.delete(partition);
    const isWanted = () => {
      const isOrphan = this.#isOrphan(partition);
      if (!isOrphan) finish();
      return isOrphan;
    };
    this.#parts.antiEntropy.handOff(partition, (isDone) => {
      if (isDone) this.#parts.acceptor.erasePartition(partition, isWanted, finish);
      else finish();
    });
  }

  /** Whether this node is no member of a partition, nor a newcomer that is about to become one. */
  #isOrphan(partition: number): boolean {
    const { votes, view, epochStaging } = this.#parts;
    const isNamed = votes.isNamedIn(view.newestConfig(partition));
    return !isNamed && votes.votingConfig(partition) === undefined && !epochStaging.isCopying(partition);
  }
}

interface OrphansParts {
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly votes: PartitionVotes;
  readonly view: RingView;
  readonly acceptor: Acceptor;
  readonly antiEntropy: AntiEntropy;
  readonly epochStaging: EpochStaging;
}
