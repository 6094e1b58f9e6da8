import type { StoreKey } from '../env/store.ts';
import { compareBallots } from './ballot.ts';
import type { Failure } from './client.ts';
import { type Coordinator, storageFailure } from './coordinator.ts';
import type { PartitionConfig } from './messages.ts';
import { highestCommitted, highestOf, type ItemRecord, isSettled, type ReplicaState } from './record.ts';
import { identityRound } from './register-write.ts';
import type { NodeId } from './ring.ts';
import type { Task } from './task.ts';

export type RegisterReadOutcome = { readonly kind: 'read'; readonly record: ItemRecord | undefined } | Failure;

/**
 * A linearizable read (REPLICATION section 3, `strongRead`): the newest record of a majority if these replies prove it
 * chosen, else what an identity round chooses. Replicas that were seen to be behind are told afterwards.
 */
export function* readStrongly(coordinator: Coordinator, key: StoreKey, deadlineMs: number): Task<RegisterReadOutcome> {
  let got = 0;
  let needed = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const config = coordinator.configOf(key);
    needed = coordinator.majorityOf(config);
    const { agreed, replies } = yield* coordinator.ask(
      config.members,
      { kind: 'read', key, epoch: config.epoch },
      'state',
      needed,
    );
    if (agreed.length >= needed) return yield* proveNewest(coordinator, key, agreed, needed, deadlineMs);
    const failure = storageFailure(replies);
    if (failure !== undefined) return failure;
    got = agreed.length;
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
    coordinator.tell(laggards(newest, states), key, newest);
    return { kind: 'read', record: newest };
  }
  if (!coordinator.settings.rules.identityRound) return { kind: 'read', record: newest };
  const proven = yield* identityRound(coordinator, key, deadlineMs);
  return proven.kind === 'proven' ? { kind: 'read', record: proven.record } : proven;
}

function laggards(
  newest: ItemRecord,
  states: readonly (ReplicaState & { readonly from: NodeId })[],
): { node: NodeId }[] {
  const behind: { node: NodeId }[] = [];
  for (const { from, committed } of states) {
    if (committed === undefined || compareBallots(committed.ballot, newest.ballot) < 0) behind.push({ node: from });
  }
  return behind;
}

/**
 * An eventually consistent read: the newest committed record among R home replicas (REPLICATION section 3, `ecRead`).
 * If one of those does not answer in time, all home replicas are asked.
 */
export function* readEventually(
  coordinator: Coordinator,
  key: StoreKey,
  deadlineMs: number,
): Task<RegisterReadOutcome> {
  const { readQuorum } = coordinator.settings;
  const config = coordinator.configOf(key);
  let targets = chooseReplicas(coordinator, config, readQuorum);
  let got = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const { agreed } = yield* coordinator.ask(targets, { kind: 'read-committed', key }, 'state', readQuorum);
    if (agreed.length >= readQuorum) return { kind: 'read', record: highestCommitted(agreed) };
    got = agreed.length;
    targets = [...config.members];
  }
  return { kind: 'unavailable', needed: readQuorum, got };
}

/** Whether an eventually consistent read asks nobody but the replica of the node that coordinates it. */
export function isReadLocal({ settings }: Coordinator): boolean {
  return settings.readQuorum === 1 && settings.readFrom === 'first';
}

/** The replicas that an eventually consistent read asks: this node, which is the first healthy one, and the next; or random ones. */
export function chooseReplicas(
  coordinator: Coordinator,
  { members }: PartitionConfig,
  count: number,
): { readonly node: NodeId }[] {
  const { id, readFrom } = coordinator.settings;
  const start =
    readFrom === 'random'
      ? Math.floor(coordinator.random.next() * members.length)
      : members.findIndex(({ node }) => node === id);
  return Array.from({ length: count }, (_, i) => members[(start + i) % members.length]!);
}
