import type { Clock, Timer } from '../../env/clock.ts';
import type { PartitionConfig } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { RingView } from '../ring-view.ts';
import type { EpochSwitch } from './epoch-switch.ts';
import type { PartitionVotes } from './partition-votes.ts';

/** Keeps a node's votes in line with the newest configs that it knows. */
export class EpochFollower {
  readonly #parts: EpochFollowerParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: EpochFollowerParts) {
    this.#parts = parts;
  }

  /** Takes a config that was decided, and acts on it unless it was known. */
  learnConfig(config: PartitionConfig): void {
    if (!this.#isStopped && this.#parts.view.learnConfig(config)) this.#activate(config);
  }

  /** Begins the newest epoch of a partition, or leaves the partition, if that has not been done yet. */
  followNewest(partition: number): void {
    const { view, votes } = this.#parts;
    const config = view.newestConfig(partition);
    const present = votes.votingConfig(partition);
    const isBehind = present === undefined ? votes.isNamedIn(config) : present.epoch < config.epoch;
    if (isBehind) this.#activate(config);
  }

  /** Looks at all partitions, now and then again: an earlier attempt may have failed, as when the disk refused. */
  start(): void {
    const { view, clock, limits } = this.#parts;
    for (let partition = 0; partition < view.partitions; partition++) this.followNewest(partition);
    this.#timer = clock.after(limits.gossipIntervalMs, () => this.start());
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #activate(config: PartitionConfig): void {
    this.#parts.epochSwitch.activate(config, () => {});
  }
}

interface EpochFollowerParts {
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly view: RingView;
  readonly votes: PartitionVotes;
  readonly epochSwitch: EpochSwitch;
}
