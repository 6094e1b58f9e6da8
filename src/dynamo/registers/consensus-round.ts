import { type Ballot, compareBallots } from '../ballot.ts';
import type { BallotClock } from '../ballot-clock.ts';
import type { Settled } from '../derived/settled.ts';
import { assertInvariant } from '../invariants.ts';
import type { PartitionConfig, Reply } from '../messages.ts';
import { highestOf, type ItemRecord, type ReplicaState } from '../record.ts';
import type { Task } from '../task.ts';
import { type Coordinator, type Refusal, refusalIn } from './coordinator.ts';
import type { Operation } from './operation.ts';

/** One consensus round on a register: `prepare`, `propose`, and if it is refused `pauseAfter` before the next one. */
export interface Round {
  readonly operation: Operation;
  readonly ballot: Ballot;
  /** Both phases go to the members of one epoch, even if a newer one is learned in between. */
  readonly config: PartitionConfig;
  /** A majority of its members. */
  readonly needed: number;
  /** Where the ballot is from. */
  readonly ballots: BallotClock;
}

/** The replies to a phase, of whatever kind. */
interface AnyPhase {
  readonly agreed: readonly Reply[];
  readonly replies: readonly Reply[];
}

/** A majority has promised. `top`: the newest record that they hold. */
export interface Promised {
  readonly kind: 'promised';
  readonly top: ItemRecord | undefined;
  readonly promises: readonly PromisedState[];
}

/** What a replica holds that has promised, and up to where it knows what is derived of the item to be in place. */
export interface PromisedState extends ReplicaState {
  readonly settled?: Settled | undefined;
}

type Prepared = Promised | ({ readonly kind: 'refused' } & AnyPhase) | Refusal;

export function beginRound(coordinator: Coordinator, operation: Operation, ballots: BallotClock): Round {
  const ballot = ballots.next();
  const config = coordinator.configOfKey(operation.key);
  return { operation, ballot, config, needed: coordinator.majorityOf(config), ballots };
}

/**
 * Asks the home replicas for promises.
 * @param asked how many to wait for, if they come in time; a majority is enough
 */
export function* prepare(coordinator: Coordinator, round: Round, asked = round.needed): Task<Prepared> {
  const { operation, ballot, config, needed } = round;
  const { requestId, key } = operation;
  const request = { kind: 'prepare', requestId, key, ballot, epoch: config.epoch } as const;
  const { agreed, replies } = yield* coordinator.ask(config.members, request, { reply: 'promise', needed: asked });
  if (agreed.length >= needed) {
    const top = highestOf(agreed);
    const isNewest = top === undefined || compareBallots(top.ballot, ballot) < 0;
    assertInvariant(isNewest, 'docs/protocol.md I3', 'a record would derive from one with a higher ballot');
    return { kind: 'promised', top, promises: agreed };
  }
  return refusalIn(replies) ?? { kind: 'refused', agreed, replies };
}

/**
 * Asks the home replicas to accept a record. As long as none refuses, slow disks are waited for: the same accept again
 * changes nothing, whereas another round would only give them more to write.
 */
export function* propose(
  coordinator: Coordinator,
  { operation, config, needed }: Round,
  record: ItemRecord,
): Task<AnyPhase> {
  const { requestId, key } = operation;
  const request = { kind: 'accept', requestId, key, record, epoch: config.epoch } as const;
  for (;;) {
    const phase = yield* coordinator.ask(config.members, request, { reply: 'accepted', needed });
    const isUndecided = phase.agreed.length < needed && phase.agreed.length === phase.replies.length;
    const isInVain = coordinator.isPast(operation.deadlineMs) || coordinator.isCutOff(config.members, needed);
    if (!isUndecided || isInVain) return phase;
  }
}

/**
 * Before the next round: learns from the refusals of the last one how high a ballot has to be, and pauses. If no
 * majority is left without the replicas that refuse because of a ceiling and those that are silent, waits until that
 * ceiling has passed.
 */
export function* pauseAfter(
  coordinator: Coordinator,
  { operation, config, needed, ballots }: Round,
  { agreed, replies }: AnyPhase,
): Task<void> {
  const { members } = config;
  let waitMs = 0;
  let waiting = 0;
  for (const reply of replies) {
    const aheadMs = reply.kind === 'rejected' ? ballots.refused(reply.effective) : 0;
    if (aheadMs > 0) waiting++;
    waitMs = Math.max(waitMs, aheadMs);
  }
  const spare = members.length - needed;
  // Members that did not answer are not silent if the round ended before, because enough others had refused.
  const silent = replies.length - agreed.length > spare ? 0 : members.length - replies.length;
  const leftMs = operation.deadlineMs - coordinator.clock.elapsedMs();
  yield* coordinator.pause(waiting + silent > spare ? Math.max(0, Math.min(waitMs, leftMs)) : 0);
}
