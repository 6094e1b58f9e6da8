import type { ItemImage } from '../../api/item.ts';
import type { StoreKey } from '../../env/store.ts';
import { compareBallots, TICKS_PER_MS } from '../ballot.ts';
import type { Failure, ReadOutcome } from '../client.ts';
import type { Member, PartitionConfig, Reply } from '../messages.ts';
import { highestCommitted, highestOf, type ItemRecord, isSettled, type ReplicaState } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Task } from '../task.ts';
import { type Coordinator, storageFailure } from './coordinator.ts';
import { identityRound } from './register-write.ts';

export type RegisterReadOutcome = { readonly kind: 'read'; readonly record: ItemRecord | undefined } | Failure;

/**
 * A linearizable read (docs/protocol.md section 3.4): the newest record of a majority if these replies prove it
 * chosen, else what an identity round chooses. Replicas that were seen to be behind are told afterwards.
 */
export function* readStrongly(coordinator: Coordinator, key: StoreKey, deadlineMs: number): Task<RegisterReadOutcome> {
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const config = coordinator.configOfKey(key);
    needed = coordinator.majorityOf(config);
    const late = new LateRepair(coordinator, key);
    const { agreed, replies } = yield* coordinator.ask(
      config.members,
      { kind: 'read', key, epoch: config.epoch },
      'state',
      needed,
      late,
    );
    if (agreed.length >= needed) {
      const outcome = yield* proveNewest(coordinator, key, agreed, needed, deadlineMs);
      if (outcome.kind === 'read') late.begin(outcome.record);
      return outcome;
    }
    const failure = storageFailure(replies);
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
  key: StoreKey,
  states: readonly (ReplicaState & { readonly from: NodeId })[],
  majority: number,
  deadlineMs: number,
): Task<RegisterReadOutcome> {
  const newest = highestOf(states);
  if (newest === undefined) return { kind: 'read', record: undefined };
  if (isSettled(newest, states, majority)) {
    repairLaggards(coordinator, key, newest, states);
    return { kind: 'read', record: newest };
  }
  if (!coordinator.settings.rules.identityRound) return { kind: 'read', record: newest };
  const proven = yield* identityRound(coordinator, key, 'strict', deadlineMs);
  return proven.kind === 'proven' ? { kind: 'read', record: proven.record } : proven;
}

/**
 * Read repair (the Dynamo paper, section 5): replicas whose committed record is older than one that is known to be chosen
 * are told of that.
 */
export function repairLaggards(
  coordinator: Coordinator,
  key: StoreKey,
  newest: ItemRecord,
  states: readonly (Pick<ReplicaState, 'committed'> & { readonly from: NodeId })[],
): void {
  if (!coordinator.settings.readRepair) return;
  const { members } = coordinator.configOfKey(key);
  const { clock, settings } = coordinator;
  const isYoung = newest.ballot.hlc >= (clock.now() - settings.limits.hintLifeMs) * TICKS_PER_MS;
  for (const { from, committed } of states) {
    // A substitute that was asked is no replica.
    if (!members.some(({ node }) => node === from)) continue;
    // Who has nothing of a key may have purged it. A node that was away for long must not bring it back.
    if (committed === undefined ? isYoung : compareBallots(committed.ballot, newest.ballot) < 0) {
      coordinator.tell([{ node: from }], key, newest);
    }
  }
}

/** Repairs also the replicas whose answer to a read came when the client had its own. */
export class LateRepair {
  readonly #coordinator: Coordinator;
  readonly #key: StoreKey;
  #newest: ItemRecord | undefined;

  constructor(coordinator: Coordinator, key: StoreKey) {
    this.#coordinator = coordinator;
    this.#key = key;
  }

  /** @param newest what the read has answered, which is chosen */
  begin(newest: ItemRecord | undefined): void {
    this.#newest = newest;
  }

  readonly onLate = (reply: Reply): void => {
    if (reply.kind === 'state' && this.#newest !== undefined) {
      repairLaggards(this.#coordinator, this.#key, this.#newest, [reply]);
    }
  };
}

/**
 * An eventually consistent read: the newest committed record among R home replicas (docs/protocol.md section 3.5).
 * If one of those does not answer in time, or cannot read what it has, all home replicas are asked.
 *
 * @param readQuorum how many
 */
export function* readEventually(
  coordinator: Coordinator,
  key: StoreKey,
  deadlineMs: number,
  readQuorum = coordinator.settings.readQuorum,
): Task<RegisterReadOutcome> {
  let got = 0;
  let isRetry = false;
  let targets = chooseReplicas(coordinator, coordinator.configOfKey(key), readQuorum);
  while (!coordinator.isPast(deadlineMs)) {
    const late = new LateRepair(coordinator, key);
    const { agreed, replies } = yield* coordinator.ask(
      targets,
      { kind: 'read-committed', key },
      'state',
      readQuorum,
      late,
    );
    if (agreed.length >= readQuorum) {
      const newest = highestCommitted(agreed);
      if (newest !== undefined) repairLaggards(coordinator, key, newest, agreed);
      late.begin(newest);
      return { kind: 'read', record: newest };
    }
    got = agreed.length;
    if (isRetry && isAnyUnable(replies)) yield* coordinator.pause();
    isRetry = true;
    targets = coordinator.configOfKey(key).members;
    if (coordinator.isCutOff(targets, readQuorum)) break;
  }
  return { kind: 'unavailable', needed: readQuorum, got };
}

/** Whether a replica could not read what it has, or not write. It says so at once, and is asked again when that may be over. */
export function isAnyUnable(replies: readonly Reply[]): boolean {
  return replies.some(({ kind }) => kind === 'damaged' || kind === 'storage-failed');
}

/** Whether an eventually consistent read asks nobody but the replica of the node that coordinates it, which has a vote. */
export function isReadLocal({ settings }: Coordinator): boolean {
  return settings.readQuorum === 1 && settings.readFrom === 'first';
}

/**
 * The replicas that an eventually consistent read asks: this node, which is the first healthy one, and the next; or random
 * ones. Those that are taken for down come last.
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

/** For a client, who sees no records. */
export function toReadOutcome(outcome: RegisterReadOutcome): ReadOutcome {
  return outcome.kind === 'read' ? found(outcome.record?.item) : outcome;
}

export function found(item: ItemImage | undefined): ReadOutcome {
  return item === undefined ? { kind: 'none' } : { kind: 'found', item };
}
