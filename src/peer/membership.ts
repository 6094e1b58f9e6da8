import type { DynamoClient } from '../dynamo/client.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Port } from '../env/peer-channel.ts';
import type { FoundedCluster, Founder } from '../env/peer-record.ts';
import type { Random } from '../env/random.ts';
import {
  firstGoal,
  type Goal,
  type GoalSettings,
  wantedMembers,
  withAdded,
  withAdopted,
  withMoved,
  withRemoved,
  withReplaced,
  withSettings,
} from './goal.ts';
import { GoalRegister } from './goal-register.ts';
import { DEFAULT_LEAVING_LIMITS, Leaving } from './leaving.ts';
import { type LevelReport, levelRefusal, levelReport, type Release, withHighestLevel } from './level.ts';
import { Mover, type MoverProgress, moverLimits, type WantedMembers } from './mover.ts';
import { nameOf, peerNodeId } from './node-name.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';

/** How often a disk that the goal does not name asks to be taken in, in ms. */
const ASK_MS = 2_000;
/** For how long a disk that waits to take the place of another one is remembered after it has asked, in ms. */
const WAITING_MS = 10_000;
/** Disks that wait: as many as a cluster may have nodes. */
const MOST_WAITING = 64;

export interface MembershipParts {
  readonly self: NodeId;
  /** The disk of this process; undefined in a front. */
  readonly disk: Founder | undefined;
  readonly cluster: FoundedCluster;
  readonly client: Pick<DynamoClient, 'read' | 'write'>;
  /** The ring as this process knows it. */
  readonly view: Pick<RingView, 'configs'>;
  /** The node of this process; undefined if it has none, or none yet. */
  readonly node: StorageNode | undefined;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The peers that can be asked now. */
  readonly present: () => readonly NodeId[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What a process runs, this one too; undefined: it is not there now. */
  readonly releaseOf: (node: NodeId) => Release | undefined;
  /** The cluster is at this level, or a higher one than before. */
  readonly onLevel: (level: number) => void;
  /** This process cannot be in the cluster, now that it knows of the level. @param reason one line */
  readonly onUnfit: (reason: string) => void;
  /** The settings of the newest goal known. */
  readonly onSettings: (settings: GoalSettings) => void;
  /** The goal names the disk of this process, which has no node yet. Called once. */
  readonly onTakenIn: () => void;
  /** The node of this process has left: nobody needs its disk any more. Called once. */
  readonly onLeft: () => void;
}

/**
 * Who belongs to the cluster, as one process sees and changes it: it edits the goal for operators and for newcomers,
 * tells other processes that there is a newer one, moves partitions towards it, and leaves if it has to.
 */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #goals: GoalRegister;
  readonly #mover: Mover | undefined;
  #leaving: Leaving | undefined;
  /** By name, a disk that would take the place of the one that has the name, and when it last asked. */
  readonly #waiting = new Map<string, { readonly diskId: number; readonly askedAtMs: number }>();
  #timer: Timer | undefined;
  #isStopped = false;
  #isTakenIn = false;

  constructor(parts: MembershipParts) {
    const { node, cluster, client, clock, random, log } = parts;
    this.#parts = parts;
    this.#goals = new GoalRegister(
      client,
      () => firstGoal(cluster),
      (goal) => {
        this.#follow(goal);
        try {
          parts.onSettings(goal.settings);
        } catch (error) {
          log.error('the settings of the cluster cannot be noted', { error });
        }
      },
    );
    this.#mover =
      node &&
      new Mover({
        node,
        clock,
        random,
        log,
        limits: moverLimits(node.limits),
        goal: () => this.#goals.known && wantedBy(this.#goals.known),
        readGoal: (done) =>
          void this.#goals.read().then(
            (goal) => done(wantedBy(goal)),
            () => done(undefined),
          ),
      });
  }

  start(): void {
    this.#mover?.start();
    // A mover reads it some seconds later; until then nobody here knows what is wanted.
    this.noteVersion(1);
    if (this.#parts.node === undefined && this.#parts.disk !== undefined) this.#askToBeTakenIn();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#mover?.stop();
    this.#leaving?.stop();
  }

  /** The nodes of the newest goal known: connections to them are kept, also to those that hold nothing yet. */
  get nodes(): readonly NodeId[] {
    return (this.#goals.known?.roster ?? []).map(({ name, diskId }) => peerNodeId(name, diskId));
  }

  get progress(): MoverProgress {
    return this.#mover?.progress ?? { ...NO_MOVES, left: this.#unwanted };
  }

  /** The names of disks that wait for an operator to say that they take the place of another one. */
  get waiting(): readonly string[] {
    const nowMs = this.#parts.clock.elapsedMs();
    return [...this.#waiting].filter(([, { askedAtMs }]) => nowMs - askedAtMs <= WAITING_MS).map(([name]) => name);
  }

  /** Who shall hold what, read strongly. @throws RingError if the cluster cannot tell */
  readGoal(): Promise<Goal> {
    return this.#goals.read();
  }

  /** The level of the cluster by this goal, and the one that `finalize` would raise it to now. */
  levelOf(goal: Goal): LevelReport {
    return levelReport(goal, this.#others, this.#parts.releaseOf);
  }

  /** Another process has changed the goal: it is read, if it is newer than the one known. */
  noteVersion(version: number): void {
    if (version <= (this.#goals.known?.version ?? 0)) return;
    this.#goals.read().catch((error: unknown) => this.#parts.log.debug('the goal cannot be read', { error }));
  }

  /**
   * Takes a newcomer in, for whoever has started it has said so.
   *
   * @throws RingError if there is a node of that name, which an operator has to replace first, or the disk was in the
   *   ring before
   */
  async admit(disk: Founder): Promise<void> {
    try {
      await this.#edit((goal) => {
        if (isNamed(goal, disk)) return goal;
        this.#checkFit(goal, disk);
        return withAdded(goal, disk);
      });
      this.#waiting.delete(disk.name);
    } catch (error) {
      const isKnown = this.#goals.known?.roster.some(({ name }) => name === disk.name) === true;
      if (isKnown && !this.#goals.known!.past.includes(disk.diskId)) this.#noteWaiting(disk);
      throw error;
    }
  }

  /**
   * Takes a node out for ever. Its partitions move to others, then its process ends.
   *
   * @throws RingError if there is no such node, or fewer than N would be left
   */
  async remove(name: string): Promise<void> {
    await this.#edit((goal) => withRemoved(goal, [name], this.#parts.cluster.replication));
  }

  /**
   * Gives a node whose disk is lost the empty disk of the process that waits under its name.
   *
   * @throws RingError if there is no such node, or no such process
   */
  async replace(name: string): Promise<void> {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined || this.#parts.clock.elapsedMs() - waiting.askedAtMs > WAITING_MS) {
      throw new RingError(`no process waits to be ${name}: start one with --node-id ${name} on an empty directory`);
    }
    const { roster } = await this.#goals.read();
    const current = roster.find((node) => node.name === name);
    if (current === undefined) throw new RingError(`there is no node ${name}`);
    await this.#edit((goal) => {
      this.#checkFit(goal, { name, diskId: waiting.diskId });
      return withReplaced(goal, name, current.diskId, waiting.diskId);
    });
    this.#waiting.delete(name);
  }

  /**
   * Raises the level as far as all processes can go.
   *
   * @returns the level before, and how it is now
   * @throws RingError if some node is not there
   */
  async finalize(): Promise<LevelReport & { readonly before: number }> {
    let before = 0;
    const goal = await this.#edit((current) => {
      before = current.level;
      return withHighestLevel(current, this.#others, this.#parts.releaseOf);
    });
    return { ...this.levelOf(goal), before };
  }

  /**
   * Has other nodes hold a partition; movers bring that about.
   *
   * @returns who was wanted before
   * @throws RingError as `withMoved` does
   */
  async move(partition: number, names: readonly string[]): Promise<readonly string[]> {
    let before: readonly string[] = [];
    await this.#edit((goal) => {
      before = goal.wanted[partition] ?? [];
      return withMoved(goal, partition, names);
    });
    return before;
  }

  /** The settings of the cluster, which gets those of these that it lacks. @throws RingError if it cannot tell */
  async adoptSettings(settings: GoalSettings): Promise<GoalSettings> {
    return (await this.#goals.edit((goal) => withAdopted(goal, settings))).settings;
  }

  /**
   * Changes settings of the cluster, for processes that start from now on.
   *
   * @param settings may be none
   * @returns all of them
   * @throws RingError if that cannot be done
   */
  async changeSettings(settings: GoalSettings): Promise<GoalSettings> {
    if (Object.keys(settings).length > 0) await this.#edit((goal) => withSettings(goal, settings));
    return (await this.#goals.read()).settings;
  }

  /** How many partitions have other members than the goal wants, as far as a process without a node knows. */
  get #unwanted(): number {
    const goal = this.#goals.known && wantedBy(this.#goals.known);
    if (goal === undefined) return 0;
    const isWanted = ({ partition, members }: PartitionConfig) =>
      members.every(({ node }) => goal.membersOf(partition).some((member) => member.node === node));
    return this.#parts.view.configs.filter((config) => !isWanted(config)).length;
  }

  /** The processes that are there, in the roster or not. */
  get #others(): readonly NodeId[] {
    return [this.#parts.self, ...this.#parts.present()];
  }

  /** The level may have been raised since the newcomer was let in. */
  #checkFit({ level }: Goal, { name, diskId }: Founder): void {
    const release = this.#parts.releaseOf(peerNodeId(name, diskId));
    const refusal = release && levelRefusal({ ...release, name }, level);
    if (refusal !== undefined) throw new RingError(refusal.line);
  }

  async #edit(change: (goal: Goal) => Goal): Promise<Goal> {
    const goal = await this.#goals.edit(change);
    const { version } = goal;
    // Whoever misses this reads the goal within some seconds anyway.
    for (const peer of this.#parts.present()) this.#parts.port.ask(peer, { kind: 'goal', version }, () => {});
    return goal;
  }

  #noteWaiting({ name, diskId }: Founder): void {
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(name)) return;
    this.#waiting.set(name, { diskId, askedAtMs: this.#parts.clock.elapsedMs() });
  }

  #follow(goal: Goal): void {
    const { self, disk, node, clock, log, onTakenIn, onLeft, onLevel, onUnfit, releaseOf } = this.#parts;
    if (this.#isStopped) return;
    const unfit = levelRefusal({ ...releaseOf(self)!, name: nameOf(self) }, goal.level);
    if (unfit !== undefined) return onUnfit(unfit.line);
    onLevel(goal.level);
    if (disk === undefined) return;
    if (node === undefined) {
      if (!isNamed(goal, disk) || this.#isTakenIn) return;
      try {
        onTakenIn();
        this.#isTakenIn = true;
      } catch (error) {
        // It goes on asking, and so comes here again.
        log.error('the cluster has taken this disk in, which cannot be noted on it', { error });
      }
    } else if (goal.past.includes(disk.diskId) && this.#leaving === undefined) {
      this.#leaving = new Leaving({ node, clock, log, limits: DEFAULT_LEAVING_LIMITS, done: onLeft });
      this.#leaving.start();
    }
  }

  /** What is known already is followed too: the last time may have failed. */
  #followNow(): void {
    this.#goals.read().then(
      (goal) => this.#follow(goal),
      (error: unknown) => this.#parts.log.debug('the goal cannot be read', { error }),
    );
  }

  /** Asks everybody: a name that is taken has to be known wherever an operator says that it is to be replaced. */
  #askToBeTakenIn(): void {
    const { disk, port, present, clock, log } = this.#parts;
    if (this.#isStopped || this.#isTakenIn) return;
    for (const peer of present()) {
      port.ask(peer, { kind: 'admit', ...disk! }, (outcome) => {
        if (outcome.kind !== 'answered' || this.#isStopped) return;
        const { answer } = outcome;
        if (answer.kind === 'cannot') log.debug('is not taken in', { peer, reason: answer.reason });
        else if (answer.kind === 'done') this.#followNow();
      });
    }
    this.#timer = clock.after(ASK_MS, () => this.#askToBeTakenIn());
  }
}

const NO_MOVES: MoverProgress = {
  moved: 0,
  left: 0,
  longestPauseMs: 0,
  lastFailure: undefined,
  moving: undefined,
  stuck: [],
};

function isNamed(goal: Goal, { name, diskId }: Founder): boolean {
  return goal.roster.some((node) => node.name === name && node.diskId === diskId);
}

/** What a goal wants, as a mover goes by it. */
export function wantedBy(goal: Goal): WantedMembers {
  return {
    version: goal.version,
    membersOf: (partition) => wantedMembers(goal, partition, peerNodeId),
  };
}
