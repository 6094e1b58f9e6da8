import { type Ballot, compareBallots, maxBallot, NO_BALLOT } from '../ballot.ts';
import { assertInvariant } from '../invariants.ts';
import type { AcceptedConfig, ConfigValue, PartitionConfig, Reply } from '../messages.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import type { Task } from '../task.ts';
import type { Begun } from './config-register.ts';

/** How often a round is tried again after it was refused, or too few members have answered. */
const TRIES = 4;

/** How many epochs `confirmConfig` follows before it gives up: somebody changes them faster than it can ask. */
const EPOCHS_FOLLOWED = 16;

/**
 * The ballots of one process in config registers. Their `hlc` is a counter that begins at 0, not a time: a clock that is
 * ahead must not push the ballots of records ahead. The disk and its boot number tell the ballots of two processes apart.
 */
export class ConfigBallots {
  readonly #diskId: number;
  readonly #boot: number;
  #last = 0;

  constructor(diskId: number, boot: number) {
    this.#diskId = diskId;
    this.#boot = boot;
  }

  next(): Ballot {
    const hlc = this.#last + 1;
    assertInvariant(hlc > this.#last, 'docs/protocol.md I1', 'a node issues a ballot twice');
    this.#last = hlc;
    return { hlc, coordinator: this.#diskId, boot: this.#boot };
  }

  /** The next ballot will be above those for which this one was refused. */
  noteRefusals(replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (reply.kind === 'rejected') this.#last = Math.max(this.#last, reply.effective.hlc);
    }
  }
}

export interface ConfigRoundParts {
  readonly coordinator: Coordinator;
  readonly ballots: ConfigBallots;
}

type RoundOutcome =
  /** A majority of the members has this value. */
  | { readonly kind: 'chosen'; readonly value: ConfigValue }
  /** The epoch is over: this node knows a newer config by now. */
  | { readonly kind: 'over' }
  /** Too few members have answered. What was asked for may be chosen later all the same. */
  | { readonly kind: 'unknown' };

/**
 * A round of CASPaxos in the config register of the epoch of `base`, among its members (docs/protocol.md section 8.6).
 *
 * @param change makes the new value of the present one; may be called again, and then finds what it has made before
 */
function* round(
  { coordinator, ballots }: ConfigRoundParts,
  base: PartitionConfig,
  change: (present: ConfigValue) => ConfigValue,
): Task<RoundOutcome> {
  const { partition, epoch, members, attempt } = base;
  const needed = coordinator.majorityOf(base);
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) yield* coordinator.pause();
    if (coordinator.view.newestConfig(partition).epoch > epoch) return { kind: 'over' };
    const ballot = ballots.next();
    const prepare = { kind: 'config-prepare', partition, epoch, ballot } as const;
    const promised = yield* coordinator.ask(members, prepare, { reply: 'config-promise', needed });
    ballots.noteRefusals(promised.replies);
    if (promised.agreed.length < needed) continue;
    // Whatever one of them has accepted may be chosen, so it is kept, also if it is not what this node wants.
    const value = change(highest(promised.agreed.map(({ accepted }) => accepted))?.value ?? { begun: attempt });
    const accept = { kind: 'config-accept', partition, epoch, ballot, value } as const;
    const accepted = yield* coordinator.ask(members, accept, { reply: 'config-accepted', needed });
    ballots.noteRefusals(accepted.replies);
    if (accepted.agreed.length < needed) continue;
    if (value.decided !== undefined) coordinator.learnConfig(value.decided);
    return { kind: 'chosen', value };
  }
  return { kind: 'unknown' };
}

function highest(accepted: readonly (AcceptedConfig | undefined)[]): AcceptedConfig | undefined {
  const ballot = accepted.reduce((top, each) => maxBallot(top, each?.ballot ?? NO_BALLOT), NO_BALLOT);
  return accepted.find((each) => each !== undefined && compareBallots(each.ballot, ballot) === 0);
}

/** Begins an attempt to change the epoch of `base`. @returns undefined if too few of its members have answered */
export function* beginAttempt(parts: ConfigRoundParts, base: PartitionConfig): Task<Begun | undefined> {
  const { view } = parts.coordinator;
  const outcome = yield* round(parts, base, (present) =>
    present.decided === undefined ? { begun: present.begun + 1 } : present,
  );
  if (outcome.kind === 'unknown') return undefined;
  const newest = view.newestConfig(base.partition);
  if (outcome.kind === 'over' || outcome.value.decided !== undefined) return { kind: 'decided', config: newest };
  return { kind: 'attempt', attempt: outcome.value.begun };
}

/**
 * Decides `next`, unless another config has been decided or another attempt begun.
 * @param base the config of the epoch before
 * @returns what is decided now, `base` if that is nothing; undefined if the outcome is unknown
 */
export function* decideConfig(
  parts: ConfigRoundParts,
  base: PartitionConfig,
  next: PartitionConfig,
): Task<PartitionConfig | undefined> {
  const { view, settings } = parts.coordinator;
  const mayDecide = ({ begun }: ConfigValue) => begun === next.attempt || !settings.rules.lastAttemptDecides;
  const outcome = yield* round(parts, base, (present) =>
    present.decided === undefined && mayDecide(present) ? { begun: present.begun, decided: next } : present,
  );
  if (outcome.kind === 'unknown') return undefined;
  if (outcome.kind === 'over') return view.newestConfig(base.partition);
  return outcome.value.decided ?? base;
}

/**
 * Finds the newest config of a partition: follows what is decided until a majority of an epoch's members says that
 * nothing was decided after it. They all vote in it then, durably.
 * @returns undefined if too few members of an epoch have answered, or epochs change faster than they can be followed
 */
export function* confirmConfig(parts: ConfigRoundParts, partition: number): Task<PartitionConfig | undefined> {
  const { view } = parts.coordinator;
  for (let followed = 0; followed < EPOCHS_FOLLOWED; followed++) {
    const base = view.newestConfig(partition);
    const outcome = yield* round(parts, base, (present) => present);
    if (outcome.kind === 'unknown') return undefined;
    if (outcome.kind === 'chosen' && outcome.value.decided === undefined) return base;
  }
  return undefined;
}
