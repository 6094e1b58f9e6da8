import { strict as assert } from 'node:assert';
import type { Clock, Timer } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import type { BallotClocks } from '../ballot-clock.ts';
import type { Failure } from '../client.ts';
import type { DerivationSource } from '../derived/derivation-source.ts';
import type { Settler } from '../derived/settler.ts';
import { partitionOf } from '../keyspace.ts';
import { isCopy, type PartitionConfig, type Reply, type Request } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { RingView } from '../ring-view.ts';
import { pause, type Task, waitAtMost } from '../task.ts';
import type { OperationId } from './handed-back.ts';
import type { Operation } from './operation.ts';
import { type LateCopies, PendingHints } from './pending-hints.ts';

export type ReplyOf<Kind extends Reply['kind']> = Extract<Reply, { kind: Kind }>;

/** What one phase came to. */
export interface Phase<Kind extends Reply['kind']> {
  /** The replies of those that did what was asked. */
  readonly agreed: readonly ReplyOf<Kind>[];
  /** All replies, at most one of each member. */
  readonly replies: readonly Reply[];
}

/** What a phase waits for. */
export interface Quorum<Kind extends Reply['kind']> {
  /** The kind of reply of a member that did what was asked. */
  readonly reply: Kind;
  readonly needed: number;
  /** Default: the time-out of a phase. */
  readonly timeoutMs?: number;
  /** Gets the replies that come when the phase is over. */
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
  /** What the failure detector of this node says. Affects latency only, never safety. */
  readonly isUp: (node: NodeId) => boolean;
  /** Whether the node has left a message of this one unanswered for so long, or is suspected to be down. */
  readonly isSilent: (node: NodeId, forMs: number) => boolean;
  /** Keeps a committed record for a home replica that did not take it. */
  readonly keepHint: (home: NodeId, operation: Operation, record: ItemRecord) => void;
  readonly derivations: DerivationSource;
  readonly settler: Settler;
  /** A replica answered with a config that is newer than the one known. */
  readonly onConfig: (config: PartitionConfig) => void;
}

/**
 * What all rounds of a coordinator have in common: it sends requests to replicas, counts their replies, and learns
 * newer configs and ballots from refusals. The rules themselves are in `register-write`, `register-read`, `range-read`
 * and `sloppy-quorum`.
 */
export class Coordinator {
  readonly settings: NodeSettings;
  readonly ballots: BallotClocks;
  readonly clock: Clock;
  readonly random: Random;
  readonly view: RingView;
  readonly boot: number;
  readonly isUp: (node: NodeId) => boolean;
  readonly derivations: DerivationSource;
  readonly settler: Settler;
  readonly #isSilent: (node: NodeId, forMs: number) => boolean;
  readonly #transport: Transport<Request, Reply>;
  readonly #onConfig: (config: PartitionConfig) => void;
  readonly #pendingHints: PendingHints;
  /** Own operations that have not ended, by sequence number. */
  readonly #running = new Set<number>();
  /** Own operations that another coordinator may continue, each with the timer that forgets it. */
  readonly #letGo = new Map<number, Timer>();
  #lastSequence = 0;

  constructor(parts: CoordinatorParts) {
    this.settings = parts.settings;
    this.ballots = parts.ballots;
    this.clock = parts.clock;
    this.random = parts.random;
    this.view = parts.view;
    this.boot = parts.boot;
    this.isUp = parts.isUp;
    this.derivations = parts.derivations;
    this.settler = parts.settler;
    this.#isSilent = parts.isSilent;
    this.#transport = parts.transport;
    this.#onConfig = parts.onConfig;
    this.#pendingHints = new PendingHints({
      self: this.settings.id,
      clock: this.clock,
      limits: this.settings.limits,
      membersOf: (key) => this.configOfKey(key).members,
      keepHint: parts.keepHint,
    });
  }

  /** The newest config of the key's partition that this node knows. */
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

  /** Ends an operation that this coordinator has begun, once. */
  endOperation({ sequence }: OperationId): void {
    if (!this.#running.delete(sequence)) assert.fail('an operation that ends was begun, and has not ended');
  }

  /**
   * Ends an operation here that another coordinator may continue. Its id stays in lineages for as long as that
   * coordinator may look for it.
   */
  letGoOfOperation(id: OperationId): void {
    this.endOperation(id);
    const { sequence } = id;
    const forget = () => this.#letGo.delete(sequence);
    this.#letGo.set(sequence, this.clock.after(this.settings.limits.lineageWindowMs, forget));
  }

  /** Whether a coordinator may still look for the id of this operation in a lineage. */
  isWanted(sequence: number): boolean {
    return this.#running.has(sequence) || this.#letGo.has(sequence);
  }

  /** How many operations are under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Learns a config that was decided. */
  learnConfig(config: PartitionConfig): void {
    this.#onConfig(config);
  }

  send(node: NodeId, request: Request, onReply: (reply: Reply) => void): void {
    this.#transport.send(node, request, onReply);
  }

  /**
   * Sends `request` to all members and waits until enough of them have replied as wanted, until so many have refused or
   * are down that no quorum can be reached, or until the time-out. Learns of newer configs from refusals.
   */
  *ask<Kind extends Reply['kind']>(
    members: readonly { readonly node: NodeId }[],
    request: Request,
    { reply: kind, needed, timeoutMs = this.settings.limits.phaseTimeoutMs, onLate }: Quorum<Kind>,
  ): Task<Phase<Kind>> {
    const agreed: ReplyOf<Kind>[] = [];
    const replies: Reply[] = [];
    yield* waitAtMost<void>(this.clock, timeoutMs, (phase) => {
      const onReply = (reply: Reply) => {
        if (phase.isOver) return onLate?.(reply);
        if (replies.some(({ from }) => from === reply.from)) return;
        replies.push(reply);
        if (reply.kind === kind) agreed.push(reply as ReplyOf<Kind>);
        const isEnough = agreed.length >= needed || replies.length === members.length;
        if (isEnough || reply.kind === 'table-gone') return phase.finish();
        // A refusal often says why. To get the same from further nodes, those that seem down are not waited for.
        if (reply.kind === kind) return;
        const hopes = members.filter(({ node }) => this.isUp(node) && !replies.some(({ from }) => from === node));
        if (agreed.length + hopes.length < needed) phase.finish();
      };
      for (const { node } of members) this.#transport.send(node, request, onReply);
    });
    this.#learnConfigs(replies);
    return { agreed, replies };
  }

  /** Sends a chosen record to a replica without waiting for its reply. */
  sendChosen(node: NodeId, { requestId, key }: Operation, record: ItemRecord): void {
    this.#transport.send(node, { kind: 'learn', requestId, key, record }, () => {});
  }

  /**
   * Sends a chosen record to all home replicas and waits until `copies` of them have committed it, this node among them
   * if it is one: eventually consistent reads ask the first healthy home replica, so by default they see what was
   * answered. For a replica that does not take it in time a hint is kept.
   * @returns false if the deadline passed first, or this node is cut off; the record is chosen all the same
   */
  *learnAt(operation: Operation, record: ItemRecord, copies: number): Task<boolean> {
    const { requestId, key, deadlineMs } = operation;
    const holders = new Set<NodeId>();
    const lagging = new Set<NodeId>();
    const late: LateCopies = { operation, record, holders, lagging, sinceMs: this.clock.elapsedMs() };
    for (let isRetry = false; ; isRetry = true) {
      // The members may change meanwhile; only present ones count.
      const { members } = this.configOfKey(key);
      const isHome = members.some(({ node }) => node === this.settings.id);
      const isEnough = () => holders.size >= copies && (!isHome || holders.has(this.settings.id));
      for (const holder of holders) if (!members.some(({ node }) => node === holder)) holders.delete(holder);
      if (!isEnough()) {
        yield* waitAtMost<void>(this.clock, this.settings.limits.phaseTimeoutMs, (phase) => {
          const onReply = (reply: Reply) => {
            if (isCopy(reply)) holders.add(reply.from);
            else if (reply.kind === 'learned' && reply.isHeld === true) lagging.add(reply.from);
            if (phase.isOver) this.#pendingHints.noteCopy(late);
            else if (isEnough()) phase.finish();
          };
          for (const { node } of members) {
            if (holders.has(node)) continue;
            const isNeeded = isRetry || node === this.settings.id;
            this.#transport.send(node, { kind: 'learn', requestId, key, record, isNeeded }, onReply);
          }
        });
      }
      const isDone = isEnough();
      if (!isDone && !this.isPast(deadlineMs) && !this.isCutOff(members, this.majorityOf({ members }))) continue;
      this.hintLater(late);
      return isDone;
    }
  }

  /** Gives the home replicas that lack a record until the time-out of a phase, then keeps hints for them. */
  hintLater(late: LateCopies): void {
    this.#pendingHints.add(late);
  }

  /** A replica has taken a record late, for which `hintLater` may have been called. */
  noteCopy(late: LateCopies): void {
    this.#pendingHints.noteCopy(late);
  }

  /** From now on no hint is kept: the store may be closed. Operations under way end by themselves. */
  stop(): void {
    this.#pendingHints.stop();
    for (const timer of this.#letGo.values()) this.clock.cancel(timer);
  }

  /**
   * When an operation that begins now is given up.
   * @param budgetMs what is left of its life, if it has begun elsewhere
   */
  deadline(budgetMs?: number): number {
    const { opLifeMs } = this.settings.limits;
    return this.clock.elapsedMs() + (budgetMs === undefined ? opLifeMs : Math.min(budgetMs, opLifeMs));
  }

  isPast(deadlineMs: number): boolean {
    return this.clock.elapsedMs() >= deadlineMs;
  }

  /**
   * Whether this node seems to be cut off: so many of these members are suspected to be down, or would be before the
   * next phase is half over, that `needed` of them cannot be reached. Another coordinator may reach them, so this one
   * should not use up the life of an operation. The failure detector may be wrong, so try once before you give up for
   * this. A slow disk does not count, since a node answers probes meanwhile.
   */
  isCutOff(members: readonly { readonly node: NodeId }[], needed: number): boolean {
    const { suspectAfterMs, phaseTimeoutMs } = this.settings.limits;
    const silentMs = Math.max(suspectAfterMs - phaseTimeoutMs / 2, 0);
    let there = 0;
    for (const { node } of members) if (!this.#isSilent(node, silentMs)) there++;
    return there < needed;
  }

  /**
   * A random pause before a retry, so that two coordinators do not keep refusing each other's ballots.
   * @param leastMs how long it is at least
   */
  *pause(leastMs = 0): Task<void> {
    yield* pause(this.clock, leastMs + 1 + this.random.next() * this.settings.limits.maxBackoffMs);
  }

  /** A replica whose config is older gets the newer one; a newer one of a replica is learned. */
  #learnConfigs(replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (reply.kind !== 'wrong-epoch' || reply.config === undefined) continue;
      const known = this.view.newestConfig(reply.config.partition);
      if (reply.config.epoch > known.epoch) this.#onConfig(reply.config);
      else if (reply.config.epoch < known.epoch) {
        this.#transport.send(reply.from, { kind: 'activate', config: known }, () => {});
      }
    }
  }
}

/** Why a phase is not tried again: what one replica says is true of all, or a retry at once only makes it worse. */
export type Refusal = Extract<Failure, { kind: 'storage-failed' | 'table-gone' }>;

/** The first refusal because the table was deleted, or by a disk, if there is one. */
export function refusalIn(replies: readonly Reply[]): Refusal | undefined {
  let failed: Refusal | undefined;
  for (const reply of replies) {
    if (reply.kind === 'table-gone') return { kind: 'table-gone', table: reply.table };
    if (reply.kind === 'storage-failed') failed ??= { kind: 'storage-failed', message: reply.message };
  }
  return failed;
}
