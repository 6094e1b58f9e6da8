import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import type { Member, PartitionConfig } from '../messages.ts';
import { assignPartitions, type NodeId } from '../ring.ts';
import { RingError } from '../ring-error.ts';
import type { EpochChangeOutcome } from './epoch-change.ts';

/** A change of the members of one partition. */
export interface Move {
  readonly partition: number;
  readonly members: readonly Member[];
}

/**
 * Plans the moves after which `roster` holds the ring evenly. As few replicas as possible change their node (the Dynamo
 * paper, section 6.2, strategy 3). A member whose disk was replaced moves in place.
 *
 * @param configs the present ones, of all partitions
 * @param replication N; at most as many as the roster has
 */
export function planMoves(configs: readonly PartitionConfig[], roster: readonly Member[], replication: number): Move[] {
  const previous = configs.map(({ members }) => members.map(({ node }) => node));
  const nodes = roster.map(({ node }) => node);
  const assignment = assignPartitions(configs.length, nodes, replication, previous);
  const byNode = new Map(roster.map((member) => [member.node, member]));
  const moves: Move[] = [];
  const leads = new Map<NodeId, number>();
  for (const [partition, list] of assignment.entries()) {
    const members = list.map((node) => byNode.get(node)!);
    const config = configs[partition]!;
    // Another order of the same members is not worth a pause.
    if (!isSameSet(members, config.members)) moves.push({ partition, members });
    else countLead(leads, config.members[0]!);
  }
  return moves.map(({ partition, members }) => ({ partition, members: withLead(members, leads) }));
}

/**
 * Puts the member that leads the fewest partitions first. Partitions that do not move keep their leader, so these even
 * out the numbers.
 */
function withLead(members: readonly Member[], leads: Map<NodeId, number>): readonly Member[] {
  const of = ({ node }: Member) => leads.get(node) ?? 0;
  const lead = members.reduce((best, member) => (of(member) < of(best) ? member : best));
  countLead(leads, lead);
  return [lead, ...members.filter((member) => member !== lead)];
}

function countLead(leads: Map<NodeId, number>, { node }: Member): void {
  leads.set(node, (leads.get(node) ?? 0) + 1);
}

function isSameSet(one: readonly Member[], other: readonly Member[]): boolean {
  return (
    one.length === other.length &&
    one.every((member) => other.some(({ node, diskId }) => node === member.node && diskId === member.diskId))
  );
}

/** The progress of the moves that a change of the roster causes. */
export interface MoveProgress {
  /** How many partitions have moved since the process started. */
  readonly moved: number;
  readonly left: number;
  /** The longest time for which a move has kept strict requests of a partition waiting. */
  readonly longestPauseMs: number;
  /** The reason of the last failure. */
  readonly lastFailure: string | undefined;
}

export interface RebalancerParts {
  /**
   * The newest configs that are known, by partition. They may be stale: an epoch change begins with what the register
   * says, and a config that it finds must be here afterwards, or the move is planned again without end.
   */
  readonly configs: () => readonly PartitionConfig[];
  /** N */
  readonly replication: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The pause before moves that failed are tried again. */
  readonly retryMs: number;
  /** Which nodes shall hold the ring. The owner decides and keeps that. */
  readonly roster: () => readonly Member[];
  /** Partitions that an earlier attempt may have left sealed. They are moved first, in place. */
  readonly sealed: () => readonly number[];
  /** Sends the decided configs to all nodes that are up. */
  readonly publish: (configs: readonly PartitionConfig[]) => void;
  /** Has some node that is up lead one partition into its next epoch. */
  readonly changeEpoch: (move: Move, done: (outcome: EpochChangeOutcome) => void) => void;
}

/**
 * Moves partitions, one after the other, until the roster holds the ring evenly. It keeps no plan: each run works the
 * moves out from the configs, so it can stop anywhere and begin again.
 */
export class Rebalancer {
  readonly #parts: RebalancerParts;
  #moved = 0;
  #longestPauseMs = 0;
  #lastFailure: string | undefined;
  #isRunning = false;
  #isStopped = false;
  /** Callbacks of `rebalance`, called once no move is left. */
  #waiting: (() => void)[] = [];
  #timer: Timer | undefined;
  #watchTimer: Timer | undefined;

  constructor(parts: RebalancerParts) {
    this.#parts = parts;
  }

  get progress(): MoveProgress {
    const left = this.left.length;
    return { moved: this.#moved, left, longestPauseMs: this.#longestPauseMs, lastFailure: this.#lastFailure };
  }

  /** The moves that are still to be made. */
  get left(): readonly Move[] {
    return this.#isStopped ? [] : this.#moves();
  }

  /** Moves partitions until the configs fit the roster, then calls `done`. A call during moves joins them. */
  rebalance(done: () => void): void {
    this.#waiting.push(done);
    if (!this.#isRunning) this.#run();
  }

  /**
   * Every `intervalMs` finishes what a controller that died may have left: publishes the configs again, and moves
   * partitions that are sealed.
   */
  watch(intervalMs: number): void {
    this.#watchTimer = this.#parts.clock.after(intervalMs, () => {
      this.#parts.publish(this.#parts.configs());
      if (!this.#isRunning && this.#parts.sealed().length > 0) this.#run();
      this.watch(intervalMs);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#parts.clock.cancel(this.#watchTimer);
    this.#waiting = [];
  }

  #run(): void {
    this.#isRunning = true;
    const roster = this.#parts.roster();
    const moves = this.#moves();
    let hasFailed = false;
    const next = () => {
      if (this.#isStopped) return;
      // A plan for another roster is void.
      const move = this.#parts.roster() === roster ? moves.shift() : undefined;
      if (move !== undefined) {
        this.#parts.changeEpoch(move, (outcome) => {
          if (outcome.kind === 'failed') hasFailed = true;
          this.#note(move, outcome);
          next();
        });
        return;
      }
      if (hasFailed) this.#timer = this.#parts.clock.after(this.#parts.retryMs, () => this.#run());
      else if (this.#moves().length > 0) this.#run();
      else this.#finish();
    };
    next();
  }

  #note(move: Move, outcome: EpochChangeOutcome): void {
    const { log } = this.#parts;
    if (outcome.kind === 'failed') {
      this.#lastFailure = outcome.reason;
      log.warn('a partition could not be moved yet', { partition: move.partition, reason: outcome.reason });
    } else if (outcome.kind === 'changed') {
      this.#moved++;
      this.#longestPauseMs = Math.max(this.#longestPauseMs, outcome.pausedMs);
      log.debug('moved a partition', { partition: move.partition, epoch: outcome.config.epoch });
    }
  }

  #finish(): void {
    this.#isRunning = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  #moves(): Move[] {
    const { replication, roster, sealed } = this.#parts;
    const configs = this.#parts.configs();
    const moves = new Map(planMoves(configs, roster(), replication).map((move) => [move.partition, move]));
    // A partition that was left sealed serves no strict request. With the members it has it is back soonest; the move
    // that the roster wants follows, and takes as long as newcomers copy.
    for (const partition of sealed()) moves.set(partition, { partition, members: configs[partition]!.members });
    return [...moves.values()];
  }
}

/** @throws RingError if the node is there already */
export function withNode(roster: readonly Member[], added: Member): Member[] {
  if (roster.some(({ node }) => node === added.node)) throw new RingError(`${added.node} is in the ring already`);
  return [...roster, added];
}

/** @throws RingError if there is no such node, or fewer than N would be left */
export function withoutNode(roster: readonly Member[], removed: NodeId, replication: number): Member[] {
  const rest = roster.filter(({ node }) => node !== removed);
  if (rest.length === roster.length) throw new RingError(`there is no ${removed} in the ring`);
  if (rest.length < replication) {
    throw new RingError(
      `${removed} cannot be removed: ${rest.length} nodes would be left for ${replication} copies of each item`,
    );
  }
  return rest;
}
