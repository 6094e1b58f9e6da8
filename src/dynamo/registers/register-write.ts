import { strict as assert } from 'node:assert';
import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import type { BallotClock } from '../ballot-clock.ts';
import type { Consistency, Failure } from '../client.ts';
import type { PartitionConfig, Reply } from '../messages.ts';
import { highestOf, ItemRecord, isSettled, type LineageEntry, mostHeldOf, type ReplicaState } from '../record.ts';
import type { Task } from '../task.ts';
import { type Coordinator, storageFailure } from './coordinator.ts';
import type { Carried, HandedBack, OperationId } from './handed-back.ts';

/** What a write makes of the item it finds. Pure: it may be applied to several versions on the way to one outcome. */
export type Change = (current: ItemImage | undefined) => MutationOutcome;

/** The part of a write that another coordinator may carry on with. */
export type CarriedRound = Extract<Carried, { kind: 'round' }>;

/**
 * One write to one register: a CASPaxos round on a majority of the home replicas, tried until it is chosen, refused by
 * its condition, or out of time (docs/protocol.md section 3.2). Takes effect once or not at all: a retry that finds
 * its own id in the lineage of the newest record does not apply the change again.
 *
 * A coordinator that is cut off does not use up that time: it answers `unavailable` if it has proposed nothing, and else
 * hands back what another needs to go on.
 *
 * @param mode of the table: in `dynamo` mode the record is not dated ahead of the clock
 * @param carried what another coordinator has handed back of the same write
 */
export function* writeRegister(
  coordinator: Coordinator,
  key: StoreKey,
  partitionKey: ByteString,
  change: Change,
  mode: Consistency,
  deadlineMs: number,
  carried?: CarriedRound,
): Task<MutationOutcome | Failure | HandedBack> {
  const operation = carried?.operation ?? coordinator.beginOperation();
  const attempts = new Map(carried?.attempts);
  const outcome = yield* writeRounds(coordinator, key, partitionKey, change, mode, deadlineMs, operation, attempts);
  if (carried === undefined) {
    const isLetGo = outcome.kind === 'handed-back' && coordinator.settings.rules.remembersHandedBack;
    if (isLetGo) coordinator.letGoOfOperation(operation);
    else coordinator.endOperation(operation);
  }
  return outcome;
}

/** @param attempts what each attempt that was sent would have answered, by the time of its ballot, oldest first */
function* writeRounds(
  coordinator: Coordinator,
  key: StoreKey,
  partitionKey: ByteString,
  change: Change,
  mode: Consistency,
  deadlineMs: number,
  operation: OperationId,
  attempts: Map<number, MutationOutcome>,
): Task<MutationOutcome | Failure | HandedBack> {
  const { limits, rules, writeQuorum } = coordinator.settings;
  const ballots = coordinator.ballots[mode];
  // An attempt is found by the time of its ballot, so no two have the same, whoever makes them.
  for (const hlc of attempts.keys()) ballots.goAbove(hlc);
  /** When the first attempt was sent: from here on the operation may have happened. */
  let [firstHlc] = attempts.keys();
  let isCutOff = false;
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const ballot = ballots.next();
    // Both phases of a round go to the members of one epoch, even if a newer one is learned in between.
    const config = coordinator.configOfKey(key);
    needed = coordinator.majorityOf(config);
    if (firstHlc !== undefined && ballot.hlc - firstHlc > limits.lineageWindowMs * TICKS_PER_MS)
      return { kind: 'unknown' };

    const prepared = yield* prepare(coordinator, config, key, ballot);
    if (prepared.kind === 'storage-failed') return firstHlc === undefined ? prepared : { kind: 'unknown' };
    if (prepared.kind === 'refused') {
      got = prepared.agreed.length;
      isCutOff = coordinator.isCutOff(config.members, needed);
      if (isCutOff) break;
      yield* pauseAfter(coordinator, ballots, config, prepared, deadlineMs);
      continue;
    }
    const { top, promises } = prepared;
    assert(top === undefined || top.partitionKey === partitionKey, 'two partition keys with one hash');

    const earlier = rules.lineage ? findAttempt(top, operation) : undefined;
    let outcome: MutationOutcome;
    let record: ItemRecord;
    if (earlier !== undefined) {
      const attempted = attempts.get(earlier.hlc);
      assert(attempted !== undefined, 'an attempt of this operation that it did not make: is its boot number unique?');
      outcome = attempted;
      record = top!.withBallot(ballot);
    } else {
      outcome = change(top?.item);
      if (outcome.kind === 'applied') {
        firstHlc ??= ballot.hlc;
        attempts.set(ballot.hlc, outcome);
        const lineage = extendLineage(coordinator, top, ballot, operation);
        record = new ItemRecord({ ballot, item: outcome.next, partitionKey, lineage });
      } else {
        const isUnsent = firstHlc === undefined || !rules.conditionFalseNeedsNoOwnAccept;
        if (isUnsent && (top === undefined || isSettled(top, promises, needed))) return outcome;
        // The record that refuses must be chosen before the refusal is told; choosing it again does that.
        record = top?.withBallot(ballot) ?? new ItemRecord({ ballot, item: undefined, partitionKey, lineage: [] });
      }
    }

    const accepted = yield* propose(coordinator, config, key, record, deadlineMs);
    if (accepted.agreed.length >= needed) {
      const isCommitted = yield* coordinator.learnAt(key, record, writeQuorum, deadlineMs);
      if (isCommitted) return outcome;
      isCutOff = !coordinator.isPast(deadlineMs);
      break;
    }
    const failure = storageFailure(accepted.replies);
    if (failure !== undefined) return failure;
    isCutOff = coordinator.isCutOff(config.members, needed);
    if (isCutOff) break;
    yield* pauseAfter(coordinator, ballots, config, accepted, deadlineMs);
  }
  if (firstHlc === undefined) return { kind: 'unavailable', needed, got };
  return isCutOff ? { kind: 'handed-back', carried: { kind: 'round', operation, attempts } } : { kind: 'unknown' };
}

/**
 * Proves the newest record of a register by choosing it again unchanged (docs/protocol.md section 3.3), so that
 * it may be shown to a reader. A register that no majority member knows of stays without a record.
 *
 * @param isConflict whether replicas hold different records under one ballot: then all are asked that answer in time
 */
export function* identityRound(
  coordinator: Coordinator,
  key: StoreKey,
  mode: Consistency,
  deadlineMs: number,
  isConflict = false,
): Task<{ readonly kind: 'proven'; readonly record: ItemRecord | undefined } | Failure> {
  const ballots = coordinator.ballots[mode];
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const ballot = ballots.next();
    const config = coordinator.configOfKey(key);
    needed = coordinator.majorityOf(config);
    const asked = isConflict && got === 0 ? config.members.length : needed;
    const prepared = yield* prepare(coordinator, config, key, ballot, asked);
    if (prepared.kind === 'storage-failed') return prepared;
    if (prepared.kind === 'refused') {
      got = prepared.agreed.length;
      if (coordinator.isCutOff(config.members, needed)) break;
      yield* pauseAfter(coordinator, ballots, config, prepared, deadlineMs);
      continue;
    }
    const top = isConflict ? mostHeldOf(prepared.promises) : prepared.top;
    if (top === undefined) return { kind: 'proven', record: undefined };
    const record = top.withBallot(ballot);
    const accepted = yield* propose(coordinator, config, key, record, deadlineMs);
    if (accepted.agreed.length >= needed) {
      // The reader may go on without the copies; an eventually consistent read after it should not be older, though.
      const { settings, clock } = coordinator;
      const patienceMs = Math.min(deadlineMs, clock.elapsedMs() + settings.limits.phaseTimeoutMs);
      yield* coordinator.learnAt(key, record, settings.writeQuorum, patienceMs);
      return { kind: 'proven', record };
    }
    const failure = storageFailure(accepted.replies);
    if (failure !== undefined) return failure;
    if (coordinator.isCutOff(config.members, needed)) break;
    yield* pauseAfter(coordinator, ballots, config, accepted, deadlineMs);
  }
  return { kind: 'unavailable', needed, got };
}

/**
 * Before the next round: learns from the refusals of the last one how high a ballot has to be. Or, where too few are left
 * without those that refuse because of a ceiling and those that are silent, waits for that.
 */
function* pauseAfter(
  coordinator: Coordinator,
  ballots: BallotClock,
  config: PartitionConfig,
  { agreed, replies }: Round,
  deadlineMs: number,
): Task<void> {
  const { members } = config;
  let waitMs = 0;
  let waiting = 0;
  for (const reply of replies) {
    const aheadMs = reply.kind === 'rejected' ? ballots.refused(reply.effective) : 0;
    if (aheadMs > 0) waiting++;
    waitMs = Math.max(waitMs, aheadMs);
  }
  const spare = members.length - coordinator.majorityOf(config);
  // A round that enough have refused does not wait for the others, which may be there.
  const silent = replies.length - agreed.length > spare ? 0 : members.length - replies.length;
  const leftMs = deadlineMs - coordinator.clock.elapsedMs();
  yield* coordinator.pause(waiting + silent > spare ? Math.max(0, Math.min(waitMs, leftMs)) : 0);
}

/** Those who did what was asked in a round, and all who answered. */
interface Round {
  readonly agreed: readonly Reply[];
  readonly replies: readonly Reply[];
}

/**
 * Asks the home replicas to accept a record. As long as none refuses, slow disks are waited for: the same accept again
 * changes nothing, whereas another round would only give them more to write.
 */
function* propose(
  coordinator: Coordinator,
  config: PartitionConfig,
  key: StoreKey,
  record: ItemRecord,
  deadlineMs: number,
): Task<Round> {
  const needed = coordinator.majorityOf(config);
  const request = { kind: 'accept', key, record, epoch: config.epoch } as const;
  for (;;) {
    const { agreed, replies } = yield* coordinator.ask(config.members, request, 'accepted', needed);
    const isUndecided = agreed.length < needed && agreed.length === replies.length;
    const isInVain = coordinator.isPast(deadlineMs) || coordinator.isCutOff(config.members, needed);
    if (!isUndecided || isInVain) return { agreed, replies };
  }
}

type Prepared =
  | { readonly kind: 'promised'; readonly top: ItemRecord | undefined; readonly promises: readonly ReplicaState[] }
  | ({ readonly kind: 'refused' } & Round)
  | Extract<Failure, { kind: 'storage-failed' }>;

/** @param asked how many promises to wait for, if they come in time; a majority of them will do */
function* prepare(
  coordinator: Coordinator,
  config: PartitionConfig,
  key: StoreKey,
  ballot: Ballot,
  asked = coordinator.majorityOf(config),
): Task<Prepared> {
  const needed = coordinator.majorityOf(config);
  const { agreed, replies } = yield* coordinator.ask(
    config.members,
    { kind: 'prepare', key, ballot, epoch: config.epoch },
    'promise',
    asked,
  );
  if (agreed.length >= needed) return { kind: 'promised', top: highestOf(agreed), promises: agreed };
  return storageFailure(replies) ?? { kind: 'refused', agreed, replies };
}

function findAttempt(
  top: ItemRecord | undefined,
  { coordinator, boot, sequence }: OperationId,
): LineageEntry | undefined {
  return top?.lineage.find(
    (entry) => entry.sequence === sequence && entry.boot === boot && entry.coordinator === coordinator,
  );
}

/** The ids that a successor of `top` carries: those that somebody may still look for, and its own. */
function extendLineage(
  coordinator: Coordinator,
  top: ItemRecord | undefined,
  ballot: Ballot,
  operation: OperationId,
): LineageEntry[] {
  const { settings, boot } = coordinator;
  // Written out: a copy by `...` takes longer than all else that is done here.
  const own = {
    coordinator: operation.coordinator,
    boot: operation.boot,
    sequence: operation.sequence,
    hlc: ballot.hlc,
  };
  if (top === undefined) return [own];
  const isWanted = (entry: LineageEntry) => {
    if (ballot.hlc - entry.hlc > settings.limits.lineageWindowMs * TICKS_PER_MS) return false;
    const isOwn = entry.coordinator === settings.diskId && entry.boot === boot;
    return !isOwn || coordinator.isRunning(entry.sequence);
  };
  return [...top.lineage.filter(isWanted), own];
}
