import type { Clock, Timer } from '../../env/clock.ts';
import type { AntiEntropy } from '../healing/anti-entropy.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { RingView } from '../ring-view.ts';
import type { EpochStaging } from './epoch-staging.ts';
import type { PartitionVotes } from './partition-votes.ts';

/**
 * The partitions of which a node holds records although they belong to others: it has left them, or a late record came. They
 * are handed to their members, and then erased here.
 */
export class Orphans {
  readonly #parts: OrphansParts;
  /** Partitions that are being handed to their members. */
  readonly #givingUp = new Set<number>();
  #timer: Timer | undefined;

  constructor(parts: OrphansParts) {
    this.#parts = parts;
  }

  /** A record may still arrive for a partition that this node has given up; or its members were not ready to take it. */
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

  /** Hands what is here of a partition to its members, then erases it; nothing if this node has to do with it again. */
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

  /** Whether what is here of a partition belongs to others, and not to a newcomer that is about to vote. */
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
