import type { ItemImage } from '../../api/item.ts';
import { compareBallots, TICKS_PER_MS } from '../ballot.ts';
import type { Failure, ReadOutcome } from '../client.ts';
import { basisOf } from '../derived/basis.ts';
import { chosenAgain, isDerivedBefore } from '../derived/derive.ts';
import type { Member, PartitionConfig, Reply } from '../messages.ts';
import { highestCommitted, highestOf, type ItemRecord, isSettled, type ReplicaState } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Task } from '../task.ts';
import { type Coordinator, refusalIn } from './coordinator.ts';
import type { Operation } from './operation.ts';
import { identityRound } from './register-write.ts';

export type RegisterReadOutcome = { readonly kind: 'read'; readonly record: ItemRecord | undefined } | Failure;

/**
 * A linearizable read (docs/protocol.md section 3.4): the newest record of a majority if these replies prove it
 * chosen, else what an identity round chooses. Stale replicas that it meets are repaired afterwards.
 */
export function* readStrongly(coordinator: Coordinator, operation: Operation): Task<RegisterReadOutcome> {
  const { requestId, key, deadlineMs } = operation;
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const config = coordinator.configOfKey(key);
    needed = coordinator.majorityOf(config);
    const late = new LateRepair(coordinator, operation);
    const request = { kind: 'read', requestId, key, epoch: config.epoch } as const;
    const quorum = { reply: 'state', needed, onLate: late.onLate } as const;
    const { agreed, replies } = yield* coordinator.ask(config.members, request, quorum);
    if (agreed.length >= needed) {
      for (const { settled } of agreed) if (settled !== undefined) coordinator.settler.noteSettled(key, settled);
      const outcome = yield* proveNewest(coordinator, operation, agreed, needed);
      if (outcome.kind === 'read') late.begin(outcome.record);
      return outcome;
    }
    const failure = refusalIn(replies);
    if (failure !== undefined) return failure;
    got = agreed.length;
    if (coordinator.isCutOff(config.members, needed)) break;
    yield* coordinator.pause();
  }
  return { kind: 'unavailable', needed, got };
}

/**
 * The strong-read rule for one key on the states that a majority reported.
 * @param states each with the replica it is from
 */
export function* proveNewest(
  coordinator: Coordinator,
  operation: Operation,
  states: readonly (ReplicaState & { readonly from: NodeId })[],
  majority: number,
): Task<RegisterReadOutcome> {
  const newest = highestOf(states);
  if (newest === undefined) return { kind: 'read', record: undefined };
  const { rules } = coordinator.settings;
  const isBehind = isDerivedBefore(newest, operation.derivation);
  if (isBehind && !rules.fillByIdentityRound) yield* settleAsRead(coordinator, operation, newest);
  // A record that was made before an index was added is chosen again, with what it owes to the index.
  if (isSettled(newest, states, majority) && !(isBehind && rules.fillByIdentityRound)) {
    repairStale(coordinator, operation, newest, states);
    return { kind: 'read', record: newest };
  }
  if (!rules.identityRound) return { kind: 'read', record: newest };
  const proven = yield* identityRound(coordinator, { ...operation, mode: 'strict' });
  return proven.kind === 'proven' ? { kind: 'read', record: proven.record } : proven;
}

/** Sends the entries of a record that was made before an index was added, under its own ballot: what a read must not do. */
function* settleAsRead(coordinator: Coordinator, operation: Operation, newest: ItemRecord): Task<void> {
  const basis = yield* basisOf(coordinator, operation, { top: newest, promises: [] });
  if ('kind' in basis) return;
  coordinator.settler.chosen(operation, chosenAgain(newest, newest.ballot, basis));
}

/** Read repair (the Dynamo paper, section 5): sends a chosen record to the replicas whose committed record is older. */
export function repairStale(
  coordinator: Coordinator,
  operation: Operation,
  newest: ItemRecord,
  states: readonly (Pick<ReplicaState, 'committed'> & { readonly from: NodeId })[],
): void {
  if (!coordinator.settings.readRepair) return;
  const { members } = coordinator.configOfKey(operation.key);
  const { clock, settings } = coordinator;
  const isYoung = newest.ballot.hlc >= (clock.now() - settings.limits.hintLifeMs) * TICKS_PER_MS;
  for (const { from, committed } of states) {
    // A substitute is no home replica: its hint is no replica's record.
    if (!members.some(({ node }) => node === from)) continue;
    // A replica without a record of the key may have purged it. A node that was away for long must not bring it back.
    if (committed === undefined ? isYoung : compareBallots(committed.ballot, newest.ballot) < 0) {
      coordinator.sendChosen(from, operation, newest);
    }
  }
}

/** Repairs the replicas whose reply to a read comes after the client was answered. */
export class LateRepair {
  readonly #coordinator: Coordinator;
  readonly #operation: Operation;
  #newest: ItemRecord | undefined;

  constructor(coordinator: Coordinator, operation: Operation) {
    this.#coordinator = coordinator;
    this.#operation = operation;
  }

  /** @param newest what the read has answered, which is chosen */
  begin(newest: ItemRecord | undefined): void {
    this.#newest = newest;
  }

  readonly onLate = (reply: Reply): void => {
    if (reply.kind === 'state' && this.#newest !== undefined) {
      repairStale(this.#coordinator, this.#operation, this.#newest, [reply]);
    }
  };
}

/**
 * An eventually consistent read: the newest committed record among R home replicas (docs/protocol.md section 3.5).
 * If one of those does not answer in time, or cannot read what it has, all home replicas are asked.
 *
 * @param readQuorum how many have to answer
 */
export function* readEventually(
  coordinator: Coordinator,
  operation: Operation,
  readQuorum = coordinator.settings.readQuorum,
): Task<RegisterReadOutcome> {
  const { key, deadlineMs } = operation;
  let got = 0;
  let isRetry = false;
  let targets = chooseReplicas(coordinator, coordinator.configOfKey(key), readQuorum);
  while (!coordinator.isPast(deadlineMs)) {
    const { outcome, agreed, replies } = yield* askCommitted(coordinator, operation, targets, readQuorum);
    if (outcome !== undefined) return outcome;
    got = agreed;
    if (isRetry && isAnyUnable(replies)) yield* coordinator.pause();
    isRetry = true;
    targets = coordinator.configOfKey(key).members;
    if (coordinator.isCutOff(targets, readQuorum)) break;
  }
  return { kind: 'unavailable', needed: readQuorum, got };
}

/** The answers to one question for committed records. */
interface CommittedAnswers {
  /** Undefined: too few have answered, and others may. */
  readonly outcome: RegisterReadOutcome | undefined;
  /** How many have answered. */
  readonly agreed: number;
  readonly replies: readonly Reply[];
}

/**
 * Asks for what replicas have committed of a key. If `needed` of them answer, the outcome is the newest record among
 * the answers, and stale replicas are repaired, those that answer later too.
 */
export function* askCommitted(
  coordinator: Coordinator,
  operation: Operation,
  targets: readonly { readonly node: NodeId }[],
  needed: number,
): Task<CommittedAnswers> {
  const { requestId, key } = operation;
  const late = new LateRepair(coordinator, operation);
  const quorum = { reply: 'state', needed, onLate: late.onLate } as const;
  const { agreed, replies } = yield* coordinator.ask(targets, { kind: 'read-committed', requestId, key }, quorum);
  if (agreed.length < needed) {
    const refusal = refusalIn(replies);
    const outcome = refusal?.kind === 'table-gone' ? refusal : undefined;
    return { outcome, agreed: agreed.length, replies };
  }
  const newest = highestCommitted(agreed);
  if (newest !== undefined) repairStale(coordinator, operation, newest, agreed);
  late.begin(newest);
  return { outcome: { kind: 'read', record: newest }, agreed: agreed.length, replies };
}

/**
 * Whether a replica could not read what it has, or not write. It replies so at once; it is asked again after a pause.
 */
export function isAnyUnable(replies: readonly Reply[]): boolean {
  return replies.some(({ kind }) => kind === 'damaged' || kind === 'storage-failed');
}

/** Whether an eventually consistent read asks only the replica of the node that coordinates it, if that has a vote. */
export function isReadLocal({ settings }: Coordinator): boolean {
  return settings.readQuorum === 1 && settings.readFrom !== 'random';
}

/**
 * The replicas that an eventually consistent read asks: this node, which is the first healthy one, and the next; or
 * random ones. Those that are suspected to be down come last.
 */
export function chooseReplicas(
  coordinator: Coordinator,
  { members }: PartitionConfig,
  count: number,
): readonly Member[] {
  const { id, readFrom } = coordinator.settings;
  const start =
    readFrom === 'random'
      ? Math.floor(coordinator.random.next() * members.length)
      : Math.max(
          0,
          members.findIndex(({ node }) => node === id),
        );
  const inOrder = [...members.slice(start), ...members.slice(0, start)];
  const healthy = inOrder.filter(({ node }) => coordinator.isUp(node));
  return healthy.length >= count ? healthy.slice(0, count) : inOrder.slice(0, count);
}

/** What a client is answered: an item, without the record around it. */
export function toReadOutcome(outcome: RegisterReadOutcome): ReadOutcome {
  return outcome.kind === 'read' ? found(outcome.record?.item) : outcome;
}

export function found(item: ItemImage | undefined): ReadOutcome {
  return item === undefined ? { kind: 'none' } : { kind: 'found', item };
}
