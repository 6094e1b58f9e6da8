import type { Log } from '../../env/log.ts';
import type { Member, PartitionConfig, Reply } from '../messages.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import type { NodeId } from '../ring.ts';
import { type Task, wait } from '../task.ts';
import type { Begun, ConfigRegister } from './config-register.ts';

export type EpochChangeOutcome =
  /**
   * `pausedMs`: how long strict requests of the partition had to wait, from the first seal to a majority that votes.
   */
  | { readonly kind: 'changed'; readonly config: PartitionConfig; readonly pausedMs: number }
  /** Another controller has decided the next epoch. */
  | { readonly kind: 'superseded'; readonly config: PartitionConfig }
  /**
   * Nothing was decided, or the outcome is unknown; it may be tried again. The partition may be sealed.
   * `attempt`: the one that had been begun, if it came to that.
   */
  | { readonly kind: 'failed'; readonly reason: string; readonly attempt?: number };

export interface EpochChangeParts {
  readonly coordinator: Coordinator;
  readonly register: ConfigRegister;
  readonly log: Log;
}

/** How often a step is tried for members that do not answer. */
const TRIES = 5;

/**
 * Leads a partition into its next epoch, with `members` (docs/protocol.md section 8.2; decision 0006). Requests go on
 * until the old members are sealed, and again as soon as a majority of the new ones votes. It may die anywhere: another
 * one begins again, and of several at a time one is decided.
 */
export function* changeEpoch(
  parts: EpochChangeParts,
  partition: number,
  members: readonly Member[],
): Task<EpochChangeOutcome> {
  const { coordinator, register } = parts;
  const { clock } = coordinator;
  // What this node knows of the partition may be stale: the new epoch has to follow the one that was decided.
  const { value: base, error: unread } = yield* askRegister<PartitionConfig>(clock, (done) =>
    register.read(partition, done),
  );
  if (base === undefined) return { kind: 'failed', reason: unread?.message ?? 'the present config is unknown' };
  const isCopied = yield* copy(parts, base, members);
  if (!isCopied) return { kind: 'failed', reason: `new members of partition ${partition} have not copied it yet` };
  const { value: begun, error: unbegun } = yield* askRegister<Begun>(clock, (done) => register.begin(base, done));
  if (begun === undefined) return { kind: 'failed', reason: unbegun?.message ?? 'no attempt could be begun' };
  if (begun.kind === 'decided') return yield* activateOther(parts, base, begun.config);
  const { attempt } = begun;
  const next: PartitionConfig = { partition, epoch: base.epoch + 1, members, attempt };

  const startMs = clock.elapsedMs();
  const sources = yield* seal(parts, base);
  if (sources === undefined) {
    return yield* giveUp(parts, base, attempt, `too few members of partition ${partition} could be sealed`);
  }
  const isStaged = yield* stage(parts, base, next, sources);
  if (!isStaged) return yield* giveUp(parts, base, attempt, `too few new members of partition ${partition} are ready`);
  const { value: decided, error: undecided } = yield* askRegister<PartitionConfig>(clock, (done) =>
    register.decide(next, done),
  );
  if (decided === undefined) {
    return { kind: 'failed', attempt, reason: undecided?.message ?? 'the config could not be decided' };
  }
  if (decided.epoch === base.epoch) return { kind: 'failed', attempt, reason: 'another attempt was begun meanwhile' };
  if (decided.attempt !== attempt) return yield* activateOther(parts, base, decided);
  const votingSinceMs = yield* activate(parts, base, decided);
  return { kind: 'changed', config: decided, pausedMs: (votingSinceMs ?? clock.elapsedMs()) - startMs };
}

/**
 * Step 0: newcomers copy what is committed, while requests go on.
 * @returns whether all have. A seal before that would make requests wait for as long as newcomers copy
 */
function* copy({ coordinator }: EpochChangeParts, base: PartitionConfig, members: readonly Member[]): Task<boolean> {
  const { repairTimeoutMs } = coordinator.settings.limits;
  const newcomers = newcomersOf(base, members);
  const copied = new Set<NodeId>();
  const note = (reply: Reply) => {
    if (reply.kind === 'copied') copied.add(reply.from);
  };
  for (let tries = 0; tries < TRIES; tries++) {
    const missing = newcomers.filter(({ node }) => !copied.has(node));
    if (missing.length === 0) return true;
    if (tries > 0 && !missing.some(({ node }) => coordinator.isUp(node))) return false;
    // Nodes that seem up first: newcomers copy from the first one that answers.
    const sources = base.members
      .map(({ node }) => node)
      .sort((a, b) => Number(coordinator.isUp(b)) - Number(coordinator.isUp(a)));
    const request = { kind: 'copy', partition: base.partition, epoch: base.epoch, sources } as const;
    const quorum = { reply: 'copied', needed: missing.length, timeoutMs: repairTimeoutMs, onLate: note } as const;
    const { agreed } = yield* coordinator.ask(missing, request, quorum);
    agreed.forEach(note);
    if (agreed.length < missing.length) yield* coordinator.pause();
  }
  return newcomers.every(({ node }) => copied.has(node));
}

/** Waits for one answer of the register. */
function* askRegister<T>(
  clock: Coordinator['clock'],
  ask: (done: (value: T | undefined, error?: Error) => void) => void,
): Task<{ readonly value: T | undefined; readonly error: Error | undefined }> {
  return yield* wait(clock, (resume) => ask((value, error) => resume({ value, error })));
}

/**
 * Whether this node knows of a later epoch. If it does not, there may be one all the same: this only ends vain tries
 * early.
 */
function isSuperseded({ view }: Coordinator, partition: number, epoch: number): boolean {
  return view.newestConfig(partition).epoch > epoch;
}

/** Step 1. @returns a majority of the old members, durably sealed */
function* seal({ coordinator }: EpochChangeParts, base: PartitionConfig): Task<NodeId[] | undefined> {
  const { partition, epoch, members } = base;
  const needed = coordinator.majorityOf(base) - (coordinator.settings.rules.majoritySeals ? 0 : 1);
  const sealed = new Set<NodeId>();
  for (let tries = 0; tries < TRIES && !isSuperseded(coordinator, partition, epoch); tries++) {
    const { agreed } = yield* coordinator.ask(members, { kind: 'seal', partition, epoch }, { reply: 'sealed', needed });
    for (const { from } of agreed) sealed.add(from);
    if (sealed.size >= needed) return [...sealed];
    yield* coordinator.pause();
  }
  return undefined;
}

/**
 * Steps 2 and 3: the new members durably gather what the sealed ones have. @returns whether a majority has, and every
 * newcomer: nobody is named who has not the data, and who may have left the cluster meanwhile
 */
function* stage(
  { coordinator }: EpochChangeParts,
  base: PartitionConfig,
  next: PartitionConfig,
  sources: NodeId[],
): Task<boolean> {
  const { clock, settings } = coordinator;
  const { limits, rules } = settings;
  const needed = coordinator.majorityOf(next) - (rules.majorityStages ? 0 : 1);
  const newcomers = rules.newcomersStage ? newcomersOf(base, next.members) : [];
  const staged = new Set<NodeId>();
  const request = { kind: 'stage', next, sources } as const;
  const note = (reply: Reply) => {
    if (reply.kind === 'staged') staged.add(reply.from);
  };
  const missingOf = (members: readonly Member[]) => members.filter(({ node }) => !staged.has(node));
  const askMissing = function* (members: readonly Member[], count: number, timeoutMs: number): Task<void> {
    const quorum = { reply: 'staged', needed: count, timeoutMs, onLate: note } as const;
    const { agreed } = yield* coordinator.ask(missingOf(members), request, quorum);
    agreed.forEach(note);
  };
  // Requests wait meanwhile, so newcomers, which have copied all but the last of it, get this time once.
  let untilMs: number | undefined;
  for (let tries = 0; tries < TRIES && !isSuperseded(coordinator, next.partition, base.epoch); tries++) {
    if (staged.size < needed) yield* askMissing(next.members, needed - staged.size, limits.repairTimeoutMs);
    // Asked again, a member that is still at it answers when it is done.
    while (staged.size >= needed && missingOf(newcomers).length > 0) {
      untilMs ??= clock.elapsedMs() + limits.repairTimeoutMs;
      yield* askMissing(newcomers, missingOf(newcomers).length, limits.phaseTimeoutMs);
      const late = missingOf(newcomers);
      if (late.some((each) => !coordinator.isUp(each.node)) || clock.elapsedMs() >= untilMs) return late.length === 0;
      if (late.length > 0) yield* coordinator.pause();
    }
    if (staged.size >= needed && missingOf(newcomers).length === 0) {
      // A member that has not staged begins with less than the others. If it seems up, it is worth a short wait.
      const late = missingOf(next.members);
      const isWorth = late.some(({ node }) => coordinator.isUp(node));
      if (isWorth) yield* askMissing(late, late.length, limits.phaseTimeoutMs);
      return true;
    }
    yield* coordinator.pause();
  }
  return false;
}

/**
 * Step 5: sends the config to old and new members until all that are up have answered. Gossip brings it to the others.
 * @returns when a majority of the new members had begun to vote, undefined if that was not seen
 */
function* activate(
  { coordinator }: EpochChangeParts,
  base: PartitionConfig,
  config: PartitionConfig,
): Task<number | undefined> {
  // From here on gossip spreads the config too, in case the messages below are lost.
  coordinator.learnConfig(config);
  const everybody = [...config.members, ...base.members.filter(({ node }) => !names(config, node))];
  const request = { kind: 'activate', config } as const;
  const active = new Set<NodeId>();
  const needed = coordinator.majorityOf(config);
  let votingSinceMs: number | undefined;
  const note = (reply: Reply) => {
    if (reply.kind === 'activated') active.add(reply.from);
    if (config.members.filter(({ node }) => active.has(node)).length < needed) return;
    votingSinceMs ??= coordinator.clock.elapsedMs();
  };
  for (let tries = 0; tries < TRIES; tries++) {
    const missing = everybody.filter(({ node }) => !active.has(node) && (tries === 0 || coordinator.isUp(node)));
    if (missing.length === 0) break;
    // The first try waits for a majority only: from then on requests are served again.
    const count = tries === 0 ? needed : missing.length;
    const { agreed } = yield* coordinator.ask(missing, request, { reply: 'activated', needed: count, onLate: note });
    agreed.forEach(note);
    if (active.size === everybody.length) break;
    if (tries > 0) yield* coordinator.pause();
  }
  return votingSinceMs;
}

/** Ends an attempt that cannot go on, unless another one has decided the next epoch. */
function* giveUp(
  parts: EpochChangeParts,
  base: PartitionConfig,
  attempt: number,
  reason: string,
): Task<EpochChangeOutcome> {
  const { coordinator, register } = parts;
  const { value: decided } = yield* askRegister<PartitionConfig>(coordinator.clock, (done) =>
    register.read(base.partition, done),
  );
  if (decided !== undefined && decided.epoch > base.epoch) return yield* activateOther(parts, base, decided);
  return { kind: 'failed', attempt, reason };
}

function* activateOther(
  parts: EpochChangeParts,
  base: PartitionConfig,
  config: PartitionConfig,
): Task<EpochChangeOutcome> {
  yield* activate(parts, base, config);
  return { kind: 'superseded', config };
}

function newcomersOf(base: PartitionConfig, members: readonly Member[]): readonly Member[] {
  return members.filter((member) => !base.members.some((old) => isSame(old, member)));
}

function isSame(one: Member, other: Member): boolean {
  return one.node === other.node && one.diskId === other.diskId;
}

function names({ members }: PartitionConfig, node: Reply['from']): boolean {
  return members.some((member) => member.node === node);
}
