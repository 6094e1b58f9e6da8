import { strict as assert } from 'node:assert';
import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import type { Consistency, Failure, Writer } from '../client.ts';
import { basisOf, basisOfChoice, isPlain, NOTHING_DERIVED } from '../derived/basis.ts';
import { type Basis, chosenAgain, overCap, successor } from '../derived/derive.ts';
import { ItemRecord, isSettled, type LineageEntry, mostHeldOf } from '../record.ts';
import type { Task } from '../task.ts';
import type { Pending } from '../transactions/pending-section.ts';
import { beginRound, type Promised, pauseAfter, prepare, propose, type Round } from './consensus-round.ts';
import { type Coordinator, refusalIn } from './coordinator.ts';
import type { Carried, HandedBack, OperationId } from './handed-back.ts';
import type { Operation } from './operation.ts';

/**
 * Computes the outcome of a write from the item before it, and its record, which a deleted item has too. Without effects: it may
 * be applied to several versions before one is chosen.
 */
export type Change = (current: ItemImage | undefined, record: ItemRecord | undefined) => MutationOutcome;

/** The part of a write that another coordinator may continue. */
export type CarriedRound = Extract<Carried, { kind: 'round' }>;

/** A write that reads what it changes. */
export interface RegisterWrite extends Operation {
  /** In full, since the key holds a hash of it. */
  readonly partitionKey: ByteString;
  readonly change: Change;
  /**
   * If the write only prepares its item for a transaction: the item stays what it is, and the record carries this of what it
   * would become.
   */
  readonly prepares?: ((next: ItemImage | undefined) => Pending) | undefined;
  /** The mode of the table. In `dynamo` mode the record is not dated ahead of the clock. */
  readonly mode: Consistency;
  /** What another coordinator has handed back of the same write. */
  readonly carried: CarriedRound | undefined;
  /** As in `WriteOptions`. */
  readonly by?: Writer | undefined;
  /** Whether it settles what a transaction has prepared, which was looked at for what it would owe. Default: no. */
  readonly isExempt?: boolean;
}

/**
 * One write to one register: a CASPaxos round on a majority of the home replicas, tried until it is chosen, refused by
 * its condition, or out of time (docs/protocol.md section 3.2). Takes effect once or not at all: a retry that finds
 * its own id in the lineage of the newest record does not apply the change again.
 *
 * A coordinator that is cut off does not use up that time: it answers `unavailable` if it has proposed nothing, and
 * else hands back what another coordinator needs to continue.
 */
export function* writeRegister(
  coordinator: Coordinator,
  write: RegisterWrite,
): Task<MutationOutcome | Failure | HandedBack> {
  const { carried } = write;
  const id = carried?.operation ?? coordinator.beginOperation();
  let isLetGo = false;
  try {
    const outcome = yield* writeRounds(coordinator, { write, id, attempts: new Map(carried?.attempts) });
    isLetGo = outcome.kind === 'handed-back' && coordinator.settings.rules.remembersHandedBack;
    if (mayYetHappen(outcome)) coordinator.derivations.noteLoose();
    return outcome;
  } finally {
    // The coordinator that has begun an operation is the one that remembers its id.
    if (carried === undefined) {
      if (isLetGo) coordinator.letGoOfOperation(id);
      else coordinator.endOperation(id);
    }
  }
}

function mayYetHappen({ kind }: { readonly kind: string }): boolean {
  return kind === 'unknown' || kind === 'storage-failed' || kind === 'handed-back';
}

/** A write and what was sent of it so far. */
interface WriteUnderWay {
  readonly write: RegisterWrite;
  readonly id: OperationId;
  /**
   * What each attempt that was sent would have answered, by the time of its ballot, oldest first. From the first one on
   * the write may have happened.
   */
  readonly attempts: Map<number, MutationOutcome>;
}

function* writeRounds(coordinator: Coordinator, underWay: WriteUnderWay): Task<MutationOutcome | Failure | HandedBack> {
  const { write, id, attempts } = underWay;
  const { limits, rules, writeQuorum } = coordinator.settings;
  const ballots = coordinator.ballots[write.mode];
  // An attempt is found by the time of its ballot, so no two attempts have the same time, also of different
  // coordinators.
  for (const hlc of attempts.keys()) ballots.goAbove(hlc);
  let isCutOff = false;
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(write.deadlineMs)) {
    const round = beginRound(coordinator, write, ballots);
    const { config, ballot } = round;
    needed = round.needed;
    const [firstHlc] = attempts.keys();
    if (firstHlc !== undefined && ballot.hlc - firstHlc > limits.lineageWindowMs * TICKS_PER_MS)
      return { kind: 'unknown' };

    const prepared = yield* prepare(coordinator, round);
    if (prepared.kind === 'storage-failed' || prepared.kind === 'table-gone') {
      return attempts.size === 0 ? prepared : { kind: 'unknown' };
    }
    if (prepared.kind === 'refused') {
      got = prepared.agreed.length;
      isCutOff = coordinator.isCutOff(config.members, needed);
      if (isCutOff) break;
      yield* pauseAfter(coordinator, round, prepared);
      continue;
    }
    const basis = isPlain(write, prepared.top) ? NOTHING_DERIVED : yield* basisOf(coordinator, write, prepared);
    if ('kind' in basis) return attempts.size === 0 ? basis : { kind: 'unknown' };
    const { outcome, record, becomes } = applyChange(coordinator, underWay, { round, basis }, prepared);
    if (record === undefined) return outcome;
    const behind = becomes && overCap(becomes, basis);
    if (behind !== undefined) {
      // This attempt is not sent.
      attempts.delete(ballot.hlc);
      const isRoom = yield* makeRoom(coordinator, write);
      if (isRoom) continue;
      return attempts.size === 0 ? { kind: 'index-behind', index: behind } : { kind: 'unknown' };
    }

    const { settler } = coordinator;
    if (record.derived !== undefined && !rules.settlesChosenOnly) settler.chosen(write, record);
    const accepted = yield* propose(coordinator, round, record);
    if (accepted.agreed.length >= needed) {
      if (record.derived !== undefined) settler.chosen(write, record);
      const isCommitted = yield* coordinator.learnAt(write, record, writeQuorum);
      if (isCommitted) return outcome;
      isCutOff = !coordinator.isPast(write.deadlineMs);
      break;
    }
    const failure = refusalIn(accepted.replies);
    // An attempt that was sent may have been chosen before the table was deleted, and been seen.
    if (failure?.kind === 'table-gone' && attempts.size > 0) return { kind: 'unknown' };
    if (failure !== undefined) return failure;
    isCutOff = coordinator.isCutOff(config.members, needed);
    if (isCutOff) break;
    yield* pauseAfter(coordinator, round, accepted);
  }
  if (attempts.size === 0) return { kind: 'unavailable', needed, got };
  return isCutOff ? { kind: 'handed-back', carried: { kind: 'round', operation: id, attempts } } : { kind: 'unknown' };
}

/**
 * The item owes an index or a stream as much as it may: chooses its newest record again and settles that, so that the next round finds
 * nothing owed. @returns false if that is not done by the deadline
 */
function* makeRoom(coordinator: Coordinator, write: RegisterWrite): Task<boolean> {
  const proven = yield* identityRound(coordinator, write);
  if (proven.kind !== 'proven' || proven.record === undefined) return false;
  return yield* coordinator.settler.settle(write, proven.record);
}

/** What a round is to propose, and what the write answers once that is chosen; without a record, it answers at once. */
interface Proposal {
  readonly outcome: MutationOutcome;
  readonly record: ItemRecord | undefined;
  /**
   * The record of the new value, which may not owe too much: of a write that prepares its item, the one that follows if the
   * transaction is committed, since that cannot be refused any more. Undefined: no value is made that was not before.
   */
  readonly becomes: ItemRecord | undefined;
}

/**
 * Applies the change to the newest record that a majority knows of, unless an attempt of this write is in its lineage.
 */
function applyChange(
  coordinator: Coordinator,
  { write, id, attempts }: WriteUnderWay,
  { round: { ballot, needed }, basis }: { readonly round: Round; readonly basis: Basis },
  { top, promises }: Promised,
): Proposal {
  const { partitionKey, change, prepares, by } = write;
  const { rules } = coordinator.settings;
  assert(top === undefined || top.partitionKey === partitionKey, 'two partition keys with one hash');
  const earlier = rules.lineage ? findAttempt(top, id) : undefined;
  if (earlier !== undefined) {
    const outcome = attempts.get(earlier.hlc);
    assert(outcome !== undefined, 'an attempt of this operation that it did not make: is its boot number unique?');
    return { outcome, record: chosenAgain(top!, ballot, basis), becomes: undefined };
  }
  const outcome = change(top?.item, top);
  if (outcome.kind === 'applied') {
    attempts.set(ballot.hlc, outcome);
    const lineage = extendLineage(coordinator, top, ballot, id);
    const becomes = successor(top, { ballot, item: outcome.next, partitionKey, lineage }, basis, by);
    if (prepares === undefined) {
      return { outcome, record: becomes, becomes: write.isExempt === true ? undefined : becomes };
    }
    const held = { ballot, item: top?.item, partitionKey, lineage, pending: prepares(outcome.next) };
    const record = rules.derivedWhenCommitted
      ? successor(top, held, basis)
      : new ItemRecord({ ...held, derived: becomes.derived });
    return { outcome, record, becomes };
  }
  const isUnsent = attempts.size === 0 || !rules.conditionFalseNeedsNoOwnAccept;
  if (isUnsent && (top === undefined || isSettled(top, promises, needed))) {
    return { outcome, record: undefined, becomes: undefined };
  }
  // The record that refuses must be chosen before the refusal is answered; choosing it again does that.
  const nothing = { ballot, item: undefined, partitionKey, lineage: [] };
  const record = top === undefined ? successor(top, nothing, basis) : chosenAgain(top, ballot, basis);
  return { outcome, record, becomes: undefined };
}

/** An identity round on one register. */
export interface Proof extends Operation {
  /** The mode of the table. */
  readonly mode: Consistency;
  /** Whether replicas hold different records under one ballot: then all that answer in time are asked. Default: no. */
  readonly isConflict?: boolean;
}

/**
 * Proves the newest record of a register by choosing it again unchanged (docs/protocol.md section 3.3), so
 * that it may be shown to a reader. A register of which no majority member has a record stays without one.
 */
export function* identityRound(
  coordinator: Coordinator,
  proof: Proof,
): Task<{ readonly kind: 'proven'; readonly record: ItemRecord | undefined } | Failure> {
  const { requestId, key, deadlineMs, isConflict = false } = proof;
  const ballots = coordinator.ballots[proof.mode];
  let got = 0;
  let needed = 0;
  let isProposed = false;
  while (!coordinator.isPast(deadlineMs)) {
    const round = beginRound(coordinator, proof, ballots);
    const { config, ballot } = round;
    needed = round.needed;
    const prepared = yield* prepare(coordinator, round, isConflict && got === 0 ? config.members.length : needed);
    if (prepared.kind === 'storage-failed' || prepared.kind === 'table-gone') return prepared;
    if (prepared.kind === 'refused') {
      got = prepared.agreed.length;
      if (coordinator.isCutOff(config.members, needed)) break;
      yield* pauseAfter(coordinator, round, prepared);
      continue;
    }
    const top = isConflict ? mostHeldOf(prepared.promises) : prepared.top;
    if (top === undefined) return { kind: 'proven', record: undefined };
    const basis = yield* basisOfChoice(coordinator, proof, { top, states: prepared.promises, needed });
    if ('kind' in basis) return basis;
    const record = chosenAgain(top, ballot, basis);
    const accepted = yield* propose(coordinator, round, record);
    if (accepted.agreed.length >= needed) {
      if (record.derived !== undefined) coordinator.settler.chosen(proof, record);
      // The reader could be answered without these copies, but an eventually consistent read after it should not be
      // older.
      const { settings, clock } = coordinator;
      const patienceMs = Math.min(deadlineMs, clock.elapsedMs() + settings.limits.phaseTimeoutMs);
      yield* coordinator.learnAt({ requestId, key, deadlineMs: patienceMs }, record, settings.writeQuorum);
      return { kind: 'proven', record };
    }
    isProposed = true;
    const failure = refusalIn(accepted.replies);
    if (failure !== undefined) {
      coordinator.derivations.noteLoose();
      return failure;
    }
    if (coordinator.isCutOff(config.members, needed)) break;
    yield* pauseAfter(coordinator, round, accepted);
  }
  if (isProposed) coordinator.derivations.noteLoose();
  return { kind: 'unavailable', needed, got };
}

function findAttempt(
  top: ItemRecord | undefined,
  { coordinator, boot, sequence }: OperationId,
): LineageEntry | undefined {
  return top?.lineage.find(
    (entry) => entry.sequence === sequence && entry.boot === boot && entry.coordinator === coordinator,
  );
}

/** The ids in the lineage of a successor of `top`: those that a coordinator may still look for, and its own. */
function extendLineage(
  coordinator: Coordinator,
  top: ItemRecord | undefined,
  ballot: Ballot,
  operation: OperationId,
): LineageEntry[] {
  const { settings, boot } = coordinator;
  // Written out: a copy by `...` takes longer than the rest of this function.
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
    return !isOwn || coordinator.isWanted(entry.sequence);
  };
  return [...top.lineage.filter(isWanted), own];
}
