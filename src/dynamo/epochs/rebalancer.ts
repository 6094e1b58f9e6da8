import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import type { Member, PartitionConfig } from '../messages.ts';
import { assignPartitions, type NodeId } from '../ring.ts';
import type { EpochChangeOutcome } from './epoch-change.ts';

/** A partition that is to have other members than it has. */
export interface Move {
  readonly partition: number;
  readonly members: readonly Member[];
}

/**
 * What has to move so that `roster` holds the ring evenly: as few replicas as possible change their node (the Dynamo
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
    // Another order alone is not worth a pause.
    if (!isSameSet(members, config.members)) moves.push({ partition, members });
    else countLead(leads, config.members[0]!);
  }
  return moves.map(({ partition, members }) => ({ partition, members: withLead(members, leads) }));
}

/** The same members, first the one that leads fewest partitions so far: the others keep their leads, so these make up. */
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

/** How far a change of the roster has come. */
export interface MoveProgress {
  /** Since it began, or since this process did. */
  readonly moved: number;
  readonly left: number;
  /** The longest pause of a partition. */
  readonly longestPauseMs: number;
  /** Why the last attempt that failed did. */
  readonly lastFailure: string | undefined;
}

export interface RebalancerParts {
  /**
   * The newest configs that are known, by partition. They may be stale: an epoch change begins with what the register says,
   * and a config that it finds must be here afterwards, or the move is planned again without end.
   */
  readonly configs: () => readonly PartitionConfig[];
  /** N */
  readonly replication: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The pause before moves that failed are tried again. */
  readonly retryMs: number;
  /** Who should hold the ring: decided before, and kept elsewhere. */
  readonly roster: () => readonly Member[];
  /** Partitions that an earlier attempt may have left sealed. */
  readonly sealed: () => readonly number[];
  /** Tells all nodes that are there what is decided. */
  readonly publish: (configs: readonly PartitionConfig[]) => void;
  /** Leads one partition into its next epoch at some node that is there. */
  readonly changeEpoch: (move: Move, done: (outcome: EpochChangeOutcome) => void) => void;
}

/**
 * Moves partitions, one after the other, until the configs are as the roster wants them. It keeps nothing: what is to be
 * done is worked out from the configs each time, so it can end anywhere and begin again.
 */
export class Rebalancer {
  readonly #parts: RebalancerParts;
  #moved = 0;
  #longestPauseMs = 0;
  #lastFailure: string | undefined;
  #isRunning = false;
  #isStopped = false;
  /** What to call when the configs fit the roster. */
  #waiting: (() => void)[] = [];
  #timer: Timer | undefined;
  #watchTimer: Timer | undefined;

  constructor(parts: RebalancerParts) {
    this.#parts = parts;
  }

  get progress(): MoveProgress {
    const left = this.#isStopped ? 0 : this.#moves().length;
    return { moved: this.#moved, left, longestPauseMs: this.#longestPauseMs, lastFailure: this.#lastFailure };
  }

  /** Makes the configs fit the roster, also a roster that changes meanwhile; `done` is called when they do. */
  rebalance(done: () => void): void {
    this.#waiting.push(done);
    if (!this.#isRunning) this.#run();
  }

  /**
   * Now and then does what a controller that died may have left: tells the nodes what is decided, and goes on with
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
      // What was planned for another roster may not be wanted any more.
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
    // One that was sealed and left answers nobody. With the same members it does so soonest: what else is wanted of it
    // follows, and takes as long as the newcomers copy.
    for (const partition of sealed()) moves.set(partition, { partition, members: configs[partition]!.members });
    return [...moves.values()];
  }
}

/** Why something cannot be done to the ring: `message` is one line for the user. */
export class RingError extends Error {
  override readonly name = 'RingError';
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
