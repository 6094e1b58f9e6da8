import type { ConfigRegister } from '../dynamo/epochs/config-register.ts';
import type { EpochChangeOutcome } from '../dynamo/epochs/epoch-change.ts';
import type { MoveProgress } from '../dynamo/epochs/rebalancer.ts';
import type { Member, PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeLimits } from '../dynamo/node-settings.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Random } from '../env/random.ts';
import { MovePatience } from './move-patience.ts';

/** What a goal says of members. */
export interface WantedMembers {
  /** Of two goals the one with the higher version is newer. */
  readonly version: number;
  membersOf(partition: number): readonly Member[];
}

export interface MoverLimits {
  /** How often the mover looks whether there is something to move, about. */
  readonly lookMs: number;
  /** How often it reads the goal strongly although it has heard of no newer one, about. */
  readonly goalReadMs: number;
  /** The k-th member that seems up leads a move so many times k later than the first. */
  readonly turnMs: number;
  /**
   * A partition that has been sealed here for so long is reopened with the members that it has. The more attempts to change
   * its epoch have failed, the longer each is left alone (`MovePatience`).
   */
  readonly sealedMs: number;
  /** At most for so long. */
  readonly mostSealedMs: number;
}

/** What fits the limits of a node: at first two steps of a move are waited for, at last both parts of a long stage. */
export function moverLimits({ phaseTimeoutMs, repairTimeoutMs }: NodeLimits): MoverLimits {
  const [sealedMs, mostSealedMs] = [2 * phaseTimeoutMs, 2 * repairTimeoutMs];
  return { lookMs: 500, goalReadMs: 10_000, turnMs: 2_000, sealedMs, mostSealedMs };
}

/** A wait between reads grows to so many doublings of itself. */
const MOST_DOUBLINGS = 5;

export interface MoverParts {
  readonly node: Pick<
    StorageNode,
    'id' | 'view' | 'seemsUp' | 'isSealed' | 'votingConfig' | 'begunAttempt' | 'changeEpoch' | 'configRegister'
  >;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: MoverLimits;
  /** The newest goal that this process has heard of, however. */
  readonly goal: () => WantedMembers | undefined;
  /** Reads the goal strongly; undefined if that failed, or there is none. May never answer. */
  readonly readGoal: (done: (goal: WantedMembers | undefined) => void) => void;
}

/** What one process does towards the goal. */
export interface MoverProgress extends MoveProgress {
  /** The partition that it moves at the moment. */
  readonly moving: number | undefined;
  /** Partitions that it has tried to move and could not, and why. */
  readonly stuck: readonly StuckMove[];
}

/** A partition that could not be moved. */
export interface StuckMove {
  readonly partition: number;
  /** One line. */
  readonly reason: string;
}

/** A partition that is not as it should be, and since when this node has known that. */
interface Due {
  readonly epoch: number;
  readonly version: number;
  readonly sinceMs: number;
}

/**
 * Moves partitions towards the goal, from any process of the cluster (docs/protocol.md section 8.7). Every process has
 * one, and there is no controller: that several move a partition at a time is safe, and only slow. So the members take
 * turns, and whoever is overtaken leaves the partition to the other for a while.
 *
 * A stale goal is safe as well: what it moves is moved back. A mover reads the goal strongly before it plans, since the
 * news of a change may be lost together with the process that made it (docs/protocol.md counterexample 52).
 */
export class Mover {
  readonly #parts: MoverParts;
  readonly #due = new Map<number, Due>();
  readonly #patience: MovePatience;
  #moved = 0;
  #longestPauseMs = 0;
  #lastFailure: string | undefined;
  /** By partition that is still to be moved, or sealed, why this node could not. */
  readonly #stuck = new Map<number, string>();
  #moving: number | undefined;
  /**
   * Since the last read that succeeded. While a change of the goal is not settled, each read is a round that refuses the
   * rounds of the others: so whoever fails waits for twice as long.
   */
  #failedReads = 0;
  /** When the goal is read again at the latest. */
  #readAtMs = 0;
  /** Where the search for a partition begins, so that one that cannot be moved does not keep the others waiting. */
  #first = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: MoverParts) {
    const { node, clock, random, limits } = parts;
    this.#parts = parts;
    this.#patience = new MovePatience({
      node,
      clock,
      random,
      patienceMs: limits.sealedMs,
      mostPatienceMs: limits.mostSealedMs,
    });
  }

  get progress(): MoverProgress {
    return {
      moved: this.#moved,
      left: this.#unwanted(this.#parts.goal()).length,
      longestPauseMs: this.#longestPauseMs,
      lastFailure: this.#lastFailure,
      moving: this.#moving,
      stuck: [...this.#stuck].map(([partition, reason]) => ({ partition, reason })),
    };
  }

  /** Begins to look, and goes on until `stop`. */
  start(): void {
    const { clock, limits } = this.#parts;
    this.#readAtMs = clock.elapsedMs() + this.#about(limits.goalReadMs);
    this.#lookAfter(this.#about(limits.lookMs));
  }

  /** A move under way goes on, as its node does. */
  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
  }

  #lookAfter(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(ms, () => this.#look());
  }

  #look(): void {
    const { clock, limits, goal } = this.#parts;
    const sealed = this.#sealedTooLong();
    // The goal itself may be in a partition that is sealed: it is reopened without one.
    if (sealed !== undefined) return this.#move(sealed, sealed.members);
    const isDue = clock.elapsedMs() >= this.#readAtMs || this.#nextMove(goal()) !== undefined;
    if (isDue) this.#readAndMove();
    else this.#lookAfter(this.#about(limits.lookMs));
  }

  #readAndMove(): void {
    const { clock, limits, readGoal } = this.#parts;
    let isOver = false;
    const finish = (goal: WantedMembers | undefined) => {
      if (isOver || this.#isStopped) return;
      isOver = true;
      clock.cancel(this.#timer);
      this.#failedReads = goal === undefined ? Math.min(this.#failedReads + 1, MOST_DOUBLINGS) : 0;
      if (goal !== undefined) this.#readAtMs = clock.elapsedMs() + this.#about(limits.goalReadMs);
      const move = this.#nextMove(goal);
      if (move === undefined) this.#lookAfter(this.#about(limits.lookMs * 2 ** this.#failedReads));
      else this.#move(move.config, move.members);
    };
    this.#timer = clock.after(limits.goalReadMs, () => finish(undefined));
    readGoal(finish);
  }

  #move(config: PartitionConfig, members: readonly Member[]): void {
    const { node } = this.#parts;
    const { partition } = config;
    const patience = this.#patience;
    const register = node.configRegister();
    // Newcomers have copied meanwhile, which takes long: another one may have begun, and would be overtaken.
    const patient: ConfigRegister = {
      read: (of, done) => register.read(of, done),
      begin: (base, done) =>
        patience.mayBegin(base) ? register.begin(base, done) : done(undefined, new Error('another process moves it')),
      decide: (next, done) => register.decide(next, done),
    };
    this.#moving = partition;
    this.#first = partition + 1;
    node.changeEpoch(patient, partition, members, (outcome) => this.#noteOutcome(config, outcome));
  }

  #noteOutcome(config: PartitionConfig, outcome: EpochChangeOutcome): void {
    const { limits, log, node, random } = this.#parts;
    const { partition } = config;
    this.#moving = undefined;
    if (outcome.kind === 'changed') {
      this.#stuck.delete(partition);
      this.#moved++;
      this.#longestPauseMs = Math.max(this.#longestPauseMs, outcome.pausedMs);
      log.debug('moved a partition', { node: node.id, partition, epoch: outcome.config.epoch });
      return this.#lookAfter(0);
    }
    if (outcome.kind === 'failed') {
      this.#patience.noteFailure(node.view.newestConfig(partition), outcome.attempt);
      this.#lastFailure = outcome.reason;
      this.#stuck.set(partition, outcome.reason);
      log.info('a partition could not be moved yet', { node: node.id, partition, reason: outcome.reason });
    }
    this.#lookAfter(random.next() * limits.lookMs);
  }

  /** A partition that has been sealed here for too long: whoever has sealed it has died, or does not get on. */
  #sealedTooLong(): PartitionConfig | undefined {
    return this.#rotated().find((config) => this.#patience.isSealed(config) && this.#patience.mayBegin(config));
  }

  /** The first move towards a goal that it is this node's turn to lead. */
  #nextMove(goal: WantedMembers | undefined): { config: PartitionConfig; members: readonly Member[] } | undefined {
    const { node } = this.#parts;
    if (goal === undefined) return undefined;
    const unwanted = this.#unwanted(goal);
    const isUnwanted = (partition: number) => unwanted.some((config) => config.partition === partition);
    for (const partition of this.#due.keys()) if (!isUnwanted(partition)) this.#due.delete(partition);
    const isOpen = (partition: number) =>
      !isUnwanted(partition) && !this.#patience.isSealed(node.view.newestConfig(partition));
    this.#patience.forget(isOpen);
    for (const partition of this.#stuck.keys()) if (isOpen(partition)) this.#stuck.delete(partition);
    for (const config of unwanted) {
      const { partition } = config;
      const members = goal.membersOf(partition);
      if (!this.#isMyTurn(config, goal.version) || !this.#patience.mayBegin(config)) continue;
      const missing = this.#newcomersDown(config, members);
      if (missing.length === 0) return { config, members };
      this.#stuck.set(partition, `${missing.map(({ node }) => node).join(', ')} cannot be reached`);
    }
    return undefined;
  }

  /** A copy to nobody only wastes its time-out. */
  #newcomersDown(config: PartitionConfig, members: readonly Member[]): readonly Member[] {
    return members.filter((member) => !config.members.some((old) => isSame(old, member)) && !this.#isUp(member));
  }

  #isUp({ node }: Member): boolean {
    return node === this.#parts.node.id || this.#parts.node.seemsUp(node);
  }

  #isMyTurn({ partition, epoch, members }: PartitionConfig, version: number): boolean {
    const { node, clock, limits } = this.#parts;
    const nowMs = clock.elapsedMs();
    let due = this.#due.get(partition);
    if (due?.epoch !== epoch || due.version !== version) {
      due = { epoch, version, sinceMs: nowMs };
      this.#due.set(partition, due);
    }
    const up = members.filter((member) => this.#isUp(member));
    const rank = up.findIndex((member) => member.node === node.id);
    return nowMs - due.sinceMs >= (rank < 0 ? up.length : rank) * limits.turnMs;
  }

  /** The newest configs known of those partitions that have other members than the goal wants. */
  #unwanted(goal: WantedMembers | undefined): PartitionConfig[] {
    if (goal === undefined) return [];
    // Another order of the same members is not worth a pause.
    return this.#rotated().filter(({ partition, members }) => !isSameSet(members, goal.membersOf(partition)));
  }

  #rotated(): PartitionConfig[] {
    const { configs } = this.#parts.node.view;
    const first = this.#first % configs.length;
    return [...configs.slice(first), ...configs.slice(0, first)];
  }

  /** A random time around this one, so that processes that were started together do not all look together. */
  #about(ms: number): number {
    return ms * (0.5 + this.#parts.random.next());
  }
}

function isSame(one: Member, other: Member): boolean {
  return one.node === other.node && one.diskId === other.diskId;
}

function isSameSet(one: readonly Member[], other: readonly Member[]): boolean {
  return one.length === other.length && one.every((member) => other.some((each) => isSame(each, member)));
}
