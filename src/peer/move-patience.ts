import type { PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Random } from '../env/random.ts';

/** What has failed is tried again after up to such a part of `mostPatienceMs`. */
const PAUSE_PART = 1 / 4;

/** What this node has seen of a partition that is sealed, or not as wanted. */
interface Contest {
  /** Of the config under which it was sealed or not as wanted at first. */
  readonly fromAttempt: number;
  epoch: number;
  /** The last attempt that was begun, as far as this node knows. */
  begun: number;
  isSealed: boolean;
  waitUntilMs: number;
  /** Members that seemed down when an attempt of this node failed: once one is back it need not wait. */
  down: readonly NodeId[];
}

export interface MovePatienceParts {
  readonly node: Pick<StorageNode, 'id' | 'seemsUp' | 'isSealed' | 'votingConfig' | 'begunAttempt'>;
  readonly clock: Clock;
  readonly random: Random;
  /** For how long the first attempt is left alone, and a partition that is sealed without one. */
  readonly patienceMs: number;
  /** For how long any attempt is left alone: as long as a stage may last, or more. */
  readonly mostPatienceMs: number;
}

/**
 * When a mover may begin an attempt to change the epoch of a partition. A later attempt ends the earlier ones, so whoever
 * sees that another one has begun leaves the partition to it for a while, which doubles with each attempt: however long
 * the partition takes to be staged, one attempt is given that time in the end. Attempts are counted from the last time at
 * which the partition was as wanted. Else a partition that is moved and reopened in turn, each of which succeeds, would be
 * so for ever.
 */
export class MovePatience {
  readonly #parts: MovePatienceParts;
  readonly #contests = new Map<number, Contest>();

  constructor(parts: MovePatienceParts) {
    this.#parts = parts;
  }

  /** @param config the newest one known of the partition */
  mayBegin(config: PartitionConfig): boolean {
    const { clock, node } = this.#parts;
    const { waitUntilMs, down } = this.#look(config);
    return clock.elapsedMs() >= waitUntilMs || down.some((each) => node.seemsUp(each));
  }

  /** Whether this node votes in the epoch, and is sealed. */
  isSealed({ partition, epoch }: PartitionConfig): boolean {
    const { node } = this.#parts;
    return node.isSealed(partition) && node.votingConfig(partition)?.epoch === epoch;
  }

  /**
   * This node could not change the epoch of a partition.
   * @param config the newest one known of it
   * @param attempt the one that it had begun; undefined: it came to none
   */
  noteFailure(config: PartitionConfig, attempt: number | undefined): void {
    const { node, clock } = this.#parts;
    const contest = this.#look(config);
    if (attempt !== undefined && contest.begun > attempt) return this.#leave(contest);
    contest.begun = Math.max(contest.begun, attempt ?? 0);
    const untilMs = clock.elapsedMs() + this.#pauseMs(contest);
    // Without an attempt of its own, whatever it has seen begin is another's.
    contest.waitUntilMs = attempt === undefined ? Math.max(contest.waitUntilMs, untilMs) : untilMs;
    const others = config.members.filter((member) => member.node !== node.id);
    contest.down = others.map((member) => member.node).filter((each) => !node.seemsUp(each));
  }

  /** @param isDone whether a partition is as wanted, and not sealed: its next attempt is a first one again */
  forget(isDone: (partition: number) => boolean): void {
    for (const partition of this.#contests.keys()) if (isDone(partition)) this.#contests.delete(partition);
  }

  /** What is known of the partition now; whoever has begun or sealed since the last look is given time. */
  #look(config: PartitionConfig): Contest {
    const { clock, node } = this.#parts;
    const { partition, epoch, attempt } = config;
    let contest = this.#contests.get(partition);
    if (contest === undefined) {
      contest = { fromAttempt: attempt, epoch, begun: attempt, isSealed: false, waitUntilMs: 0, down: [] };
      this.#contests.set(partition, contest);
    }
    if (contest.epoch !== epoch) {
      contest.epoch = epoch;
      contest.begun = Math.max(contest.begun, attempt);
      contest.isSealed = false;
      contest.waitUntilMs = clock.elapsedMs() + this.#pauseMs(contest);
    }
    const begun = node.begunAttempt(partition, epoch) ?? attempt;
    const isSealed = this.isSealed(config);
    const isNews = begun > contest.begun || (isSealed && !contest.isSealed);
    contest.begun = Math.max(begun, contest.begun);
    contest.isSealed = isSealed;
    if (isNews) this.#leave(contest);
    return contest;
  }

  /** Gives whoever is at it the time that it may need, from now on. */
  #leave(contest: Contest): void {
    contest.waitUntilMs = this.#parts.clock.elapsedMs() + this.#patienceMs(contest);
    contest.down = [];
  }

  #patienceMs({ begun, fromAttempt }: Contest): number {
    const { patienceMs, mostPatienceMs } = this.#parts;
    return Math.min(patienceMs * 2 ** Math.max(begun - fromAttempt - 1, 0), mostPatienceMs);
  }

  #pauseMs(contest: Contest): number {
    const { random, mostPatienceMs } = this.#parts;
    return random.next() * Math.min(this.#patienceMs(contest), mostPatienceMs * PAUSE_PART);
  }
}
