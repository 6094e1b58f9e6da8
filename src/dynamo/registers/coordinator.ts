import type { Clock, Timer } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import type { BallotClocks } from '../ballot-clock.ts';
import type { Failure } from '../client.ts';
import { partitionOf } from '../keyspace.ts';
import { isCopy, type PartitionConfig, type Reply, type Request } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { RingView } from '../ring-view.ts';
import { type Task, wait } from '../task.ts';
import type { OperationId } from './handed-back.ts';

export type ReplyOf<Kind extends Reply['kind']> = Extract<Reply, { kind: Kind }>;

/** What happened in one phase: those who did what was asked, and all who answered. */
export interface Phase<Kind extends Reply['kind']> {
  readonly agreed: readonly ReplyOf<Kind>[];
  readonly replies: readonly Reply[];
}

export interface AskOptions {
  /** Default: the limit of a phase. */
  readonly timeoutMs?: number;
  /** Gets the answers that come when the phase is over. */
  readonly onLate?: (reply: Reply) => void;
}

export interface CoordinatorParts {
  readonly settings: NodeSettings;
  readonly ballots: BallotClocks;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport<Request, Reply>;
  readonly view: RingView;
  readonly boot: number;
  /** This node's own opinion, of which nothing but speed depends. */
  readonly isUp: (node: NodeId) => boolean;
  /** Whether it has left a message of this node unanswered for so long, or is taken for down. */
  readonly isSilent: (node: NodeId, forMs: number) => boolean;
  /** Keeps a committed record for a home replica that did not take it. */
  readonly keepHint: (home: NodeId, key: StoreKey, record: ItemRecord) => void;
  /** A replica answered with a config that is newer than the one known. */
  readonly onConfig: (config: PartitionConfig) => void;
}

/** A committed record that not all home replicas have taken yet. */
export interface Spreading {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  /** The home replicas that have it; late answers are added. */
  readonly holders: Set<NodeId>;
  /** Those from which a rule of lag holds it back: they are not to be told again. */
  readonly lagging: Set<NodeId>;
  readonly sinceMs: number;
}

/**
 * What the coordinating side of a node has in common: it asks replicas, counts answers, and remembers what they taught
 * it. The rules themselves are in `register-write`, `register-read`, `range-read` and `sloppy-quorum`.
 */
export class Coordinator {
  readonly settings: NodeSettings;
  readonly ballots: BallotClocks;
  readonly clock: Clock;
  readonly random: Random;
  readonly view: RingView;
  readonly boot: number;
  readonly isUp: (node: NodeId) => boolean;
  readonly #isSilent: (node: NodeId, forMs: number) => boolean;
  readonly keepHint: (home: NodeId, key: StoreKey, record: ItemRecord) => void;
  readonly #transport: Transport<Request, Reply>;
  readonly #onConfig: (config: PartitionConfig) => void;
  /** Own operations that have not been answered, by sequence number: their ids must stay in the lineage. */
  readonly #running = new Set<number>();
  #lastSequence = 0;
  /** Answered writes, oldest first, that some home replica may still lack. */
  readonly #spreading = new Set<Spreading>();
  #spreadTimer: Timer | undefined;
  #isStopped = false;

  constructor(parts: CoordinatorParts) {
    this.settings = parts.settings;
    this.ballots = parts.ballots;
    this.clock = parts.clock;
    this.random = parts.random;
    this.view = parts.view;
    this.boot = parts.boot;
    this.isUp = parts.isUp;
    this.#isSilent = parts.isSilent;
    this.keepHint = parts.keepHint;
    this.#transport = parts.transport;
    this.#onConfig = parts.onConfig;
  }

  /** The key's home replicas as far as this node knows. */
  configOfKey(key: StoreKey): PartitionConfig {
    return this.view.newestConfig(partitionOf(key));
  }

  majorityOf(config: Pick<PartitionConfig, 'members'>): number {
    return this.settings.rules.majorityQuorums ? Math.floor(config.members.length / 2) + 1 : 1;
  }

  /** Begins an operation that must take effect at most once. */
  beginOperation(): OperationId {
    this.#running.add(++this.#lastSequence);
    return { coordinator: this.settings.diskId, boot: this.boot, sequence: this.#lastSequence };
  }

  endOperation({ sequence }: OperationId): void {
    this.#running.delete(sequence);
  }

  /** Another coordinator may go on with the operation: its id stays in lineages for as long as anybody may look for it. */
  letGoOfOperation(operation: OperationId): void {
    this.clock.after(this.settings.limits.lineageWindowMs, () => this.endOperation(operation));
  }

  isRunning(sequence: number): boolean {
    return this.#running.has(sequence);
  }

  /** A config was decided. */
  learnConfig(config: PartitionConfig): void {
    this.#onConfig(config);
  }

  send(node: NodeId, request: Request, onReply: (reply: Reply) => void): void {
    this.#transport.send(node, request, onReply);
  }

  /**
   * Sends `request` to all members and waits until `needed` answered with `kind`, until so many answered otherwise or are
   * down that this cannot be reached, or until the phase timed out. Learns of configs from refusals.
   */
  *ask<Kind extends Reply['kind']>(
    members: readonly { readonly node: NodeId }[],
    request: Request,
    kind: Kind,
    needed: number,
    { timeoutMs = this.settings.limits.phaseTimeoutMs, onLate }: AskOptions = {},
  ): Task<Phase<Kind>> {
    const phase = yield* wait<Phase<Kind>>((resume) => {
      const agreed: ReplyOf<Kind>[] = [];
      const replies: Reply[] = [];
      let isOver = false;
      const finish = () => {
        if (isOver) return;
        isOver = true;
        this.clock.cancel(timer);
        resume({ agreed, replies });
      };
      const timer = this.clock.after(timeoutMs, finish);
      const onReply = (reply: Reply) => {
        if (isOver) return onLate?.(reply);
        if (replies.some(({ from }) => from === reply.from)) return;
        replies.push(reply);
        if (reply.kind === kind) agreed.push(reply as ReplyOf<Kind>);
        if (agreed.length >= needed || replies.length === members.length) return finish();
        // Who refuses often says why, and nodes that are taken for down are not waited for to hear the same.
        if (reply.kind === kind) return;
        const hopes = members.filter(({ node }) => this.isUp(node) && !replies.some(({ from }) => from === node));
        if (agreed.length + hopes.length < needed) finish();
      };
      for (const { node } of members) this.#transport.send(node, request, onReply);
    });
    this.#observe(phase.replies);
    return phase;
  }

  /** Tells replicas of a chosen record without waiting. */
  tell(nodes: readonly { readonly node: NodeId }[], key: StoreKey, record: ItemRecord): void {
    for (const { node } of nodes) this.#transport.send(node, { kind: 'learn', key, record }, () => {});
  }

  /**
   * Sends a chosen record to all home replicas and waits until `copies` of them hold it as committed, this node among
   * them if it is one: eventually consistent reads ask the first healthy home replica, so by default they see what was
   * answered. What the others do not take in time is kept for them as a hint.
   * @returns false if the deadline passed first, or this node is cut off; the record is chosen all the same
   */
  *learnAt(key: StoreKey, record: ItemRecord, copies: number, deadlineMs: number): Task<boolean> {
    const sinceMs = this.clock.elapsedMs();
    const spreading: Spreading = { key, record, holders: new Set(), lagging: new Set(), sinceMs };
    const { holders, lagging } = spreading;
    for (let isRetry = false; ; isRetry = true) {
      // The members may change meanwhile; only present ones count.
      const { members } = this.configOfKey(key);
      const isHome = members.some(({ node }) => node === this.settings.id);
      const isEnough = () => holders.size >= copies && (!isHome || holders.has(this.settings.id));
      for (const holder of holders) if (!members.some(({ node }) => node === holder)) holders.delete(holder);
      if (!isEnough()) {
        yield* wait<void>((resume) => {
          let isOver = false;
          const finish = () => {
            if (isOver) return;
            isOver = true;
            this.clock.cancel(timer);
            resume();
          };
          const timer = this.clock.after(this.settings.limits.phaseTimeoutMs, finish);
          const onReply = (reply: Reply) => {
            if (isCopy(reply)) holders.add(reply.from);
            else if (reply.kind === 'learned' && reply.isHeld === true) lagging.add(reply.from);
            if (!isOver && isEnough()) finish();
            else if (isOver && this.#isSpread(spreading)) this.#spreading.delete(spreading);
          };
          for (const { node } of members) {
            if (holders.has(node)) continue;
            const isNeeded = isRetry || node === this.settings.id;
            this.#transport.send(node, { kind: 'learn', key, record, isNeeded }, onReply);
          }
        });
      }
      const isDone = isEnough();
      if (!isDone && !this.isPast(deadlineMs) && !this.isCutOff(members, this.majorityOf({ members }))) continue;
      this.spread(spreading);
      return isDone;
    }
  }

  /** From now on nobody is waited for any more. */
  stop(): void {
    this.#isStopped = true;
    this.clock.cancel(this.#spreadTimer);
    this.#spreadTimer = undefined;
    this.#spreading.clear();
  }

  deadline(): number {
    return this.clock.elapsedMs() + this.settings.limits.opLifeMs;
  }

  isPast(deadlineMs: number): boolean {
    return this.clock.elapsedMs() >= deadlineMs;
  }

  /**
   * Whether this node seems to be cut off: so many of these members are taken for down, or would be before the next phase
   * is half over, that `needed` of them are not to be had. Another coordinator may reach them, so this one should not use up
   * the life of an operation. It is an opinion: nobody may give up for it before trying once. A slow disk is no reason,
   * since a node answers probes meanwhile.
   */
  isCutOff(members: readonly { readonly node: NodeId }[], needed: number): boolean {
    const { suspectAfterMs, phaseTimeoutMs } = this.settings.limits;
    const silentMs = Math.max(suspectAfterMs - phaseTimeoutMs / 2, 0);
    let there = 0;
    for (const { node } of members) if (!this.#isSilent(node, silentMs)) there++;
    return there < needed;
  }

  /**
   * A random pause, so that two coordinators that refuse each other do not go on doing so.
   * @param leastMs how long it is at least
   */
  *pause(leastMs = 0): Task<void> {
    const delayMs = leastMs + 1 + this.random.next() * this.settings.limits.maxBackoffMs;
    yield* wait<void>((resume) => this.clock.after(delayMs, () => resume()));
  }

  /** Gives the home replicas that do not hold a record a little longer, then keeps hints for them. */
  spread(spreading: Spreading): void {
    // Operations under way end by themselves; hints have no store to go to any more.
    if (this.#isStopped) return;
    if (this.#isSpread(spreading)) return;
    this.#spreading.add(spreading);
    if (this.#spreadTimer === undefined) this.#armSpread(this.settings.limits.phaseTimeoutMs);
    // Records are not to be held in memory for replicas that take none.
    if (this.#spreading.size > this.settings.limits.spreadingKept) {
      const [oldest] = this.#spreading;
      this.#hint(oldest!);
    }
  }

  /** Whether no home replica is left to be told. */
  #isSpread({ key, holders, lagging }: Spreading): boolean {
    const { members } = this.configOfKey(key);
    if (lagging.size === 0) return holders.size >= members.length;
    return members.every(({ node }) => holders.has(node) || lagging.has(node));
  }

  #armSpread(delayMs: number): void {
    this.#spreadTimer = this.clock.after(delayMs, () => {
      this.#spreadTimer = undefined;
      const { phaseTimeoutMs } = this.settings.limits;
      const nowMs = this.clock.elapsedMs();
      for (const spreading of this.#spreading) {
        const leftMs = spreading.sinceMs + phaseTimeoutMs - nowMs;
        if (leftMs > 0) return this.#armSpread(leftMs);
        this.#hint(spreading);
      }
    });
  }

  #hint(spreading: Spreading): void {
    this.#spreading.delete(spreading);
    const { key, record, holders, lagging } = spreading;
    for (const { node } of this.configOfKey(key).members) {
      if (holders.has(node) || lagging.has(node) || node === this.settings.id) continue;
      this.keepHint(node, key, record);
    }
  }

  #observe(replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (reply.kind === 'wrong-epoch' && reply.config !== undefined) this.#observeConfig(reply.from, reply.config);
    }
  }

  /** A replica that is behind is told the newer config, one that is ahead tells it. */
  #observeConfig(from: NodeId, config: PartitionConfig): void {
    const known = this.view.newestConfig(config.partition);
    if (config.epoch > known.epoch) this.#onConfig(config);
    else if (config.epoch < known.epoch) {
      this.#transport.send(from, { kind: 'activate', config: known }, () => {});
    }
  }
}

/** Whether a replica could not write: then trying again at once only makes it worse. */
export function storageFailure(replies: readonly Reply[]): Extract<Failure, { kind: 'storage-failed' }> | undefined {
  for (const reply of replies) {
    if (reply.kind === 'storage-failed') return { kind: 'storage-failed', message: reply.message };
  }
  return undefined;
}
