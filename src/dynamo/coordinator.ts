import { strict as assert } from 'node:assert';
import type { Clock } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import type { StoreKey } from '../env/store.ts';
import type { Transport } from '../env/transport.ts';
import type { BallotClock } from './ballot-clock.ts';
import type { Failure } from './client.ts';
import { partitionOf } from './keyspace.ts';
import type { PartitionConfig, Reply, Request } from './messages.ts';
import type { ItemRecord } from './record.ts';
import type { NodeId } from './ring.ts';
import type { NodeSettings } from './settings.ts';
import { type Task, wait } from './task.ts';

export type ReplyOf<Kind extends Reply['kind']> = Extract<Reply, { kind: Kind }>;

/** What happened in one phase: those who did what was asked, and all who answered. */
interface Phase<Kind extends Reply['kind']> {
  readonly agreed: readonly ReplyOf<Kind>[];
  readonly replies: readonly Reply[];
}

/**
 * What the coordinating side of a node has in common: it asks replicas, counts answers, and remembers what they taught
 * it. The rules themselves are in `register-write`, `register-read` and `range-read`.
 */
export class Coordinator {
  readonly settings: NodeSettings;
  readonly ballots: BallotClock;
  readonly clock: Clock;
  readonly random: Random;
  readonly #transport: Transport<Request, Reply>;
  readonly #configs: Map<number, PartitionConfig>;
  /** Own operations that have not been answered, by sequence number: their ids must stay in the lineage. */
  readonly #running = new Set<number>();
  #lastSequence = 0;
  readonly boot: number;

  constructor(parts: {
    readonly settings: NodeSettings;
    readonly ballots: BallotClock;
    readonly clock: Clock;
    readonly random: Random;
    readonly transport: Transport<Request, Reply>;
    readonly configs: ReadonlyMap<number, PartitionConfig>;
    readonly boot: number;
  }) {
    this.settings = parts.settings;
    this.ballots = parts.ballots;
    this.clock = parts.clock;
    this.random = parts.random;
    this.#transport = parts.transport;
    this.#configs = new Map(parts.configs);
    this.boot = parts.boot;
  }

  /** The key's home replicas as far as this node knows. Only a home replica coordinates. */
  configOf(key: StoreKey): PartitionConfig {
    const config = this.#configs.get(partitionOf(key));
    assert(config !== undefined, 'asked to coordinate a partition that is not at home here');
    return config;
  }

  majorityOf(config: PartitionConfig): number {
    return this.settings.rules.majorityQuorums ? Math.floor(config.members.length / 2) + 1 : 1;
  }

  /** Begins an operation that must take effect at most once. @returns its number in this boot */
  beginOperation(): number {
    this.#running.add(++this.#lastSequence);
    return this.#lastSequence;
  }

  endOperation(sequence: number): void {
    this.#running.delete(sequence);
  }

  isRunning(sequence: number): boolean {
    return this.#running.has(sequence);
  }

  /**
   * Sends `request` to all members and waits until `needed` answered with `kind`, until so many answered otherwise that
   * this cannot be reached, or until the phase timed out. Learns from refusals.
   */
  *ask<Kind extends Reply['kind']>(
    members: readonly { readonly node: NodeId }[],
    request: Request,
    kind: Kind,
    needed: number,
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
      const timer = this.clock.after(this.settings.limits.phaseTimeoutMs, finish);
      const onReply = (reply: Reply) => {
        if (isOver || replies.some(({ from }) => from === reply.from)) return;
        replies.push(reply);
        if (reply.kind === kind) agreed.push(reply as ReplyOf<Kind>);
        const others = replies.length - agreed.length;
        if (agreed.length >= needed || others > members.length - needed || replies.length === members.length) finish();
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
   * them: eventually consistent reads ask the first healthy home replica, so by default they see what was answered.
   * @returns false if the deadline passed first; the record is chosen all the same
   */
  *learnAt(
    config: PartitionConfig,
    key: StoreKey,
    record: ItemRecord,
    copies: number,
    deadlineMs: number,
  ): Task<boolean> {
    const holders = new Set<NodeId>();
    const isEnough = () => holders.size >= copies && holders.has(this.settings.id);
    for (;;) {
      const missing = config.members.filter(({ node }) => !holders.has(node));
      yield* wait<void>((resume) => {
        let isOver = false;
        const finish = () => {
          if (isOver) return;
          isOver = true;
          this.clock.cancel(timer);
          resume();
        };
        const timer = this.clock.after(this.settings.limits.phaseTimeoutMs, finish);
        for (const { node } of missing) {
          this.#transport.send(node, { kind: 'learn', key, record }, (reply) => {
            if (reply.kind === 'learned' && reply.counts) holders.add(reply.from);
            if (isEnough()) finish();
          });
        }
      });
      if (isEnough()) return true;
      if (this.isPast(deadlineMs)) return false;
    }
  }

  deadline(): number {
    return this.clock.elapsedMs() + this.settings.limits.opLifeMs;
  }

  isPast(deadlineMs: number): boolean {
    return this.clock.elapsedMs() >= deadlineMs;
  }

  /** A random pause, so that two coordinators that refuse each other do not go on doing so. */
  *pause(): Task<void> {
    const delayMs = 1 + this.random.next() * this.settings.limits.maxBackoffMs;
    yield* wait<void>((resume) => this.clock.after(delayMs, () => resume()));
  }

  #observe(replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (reply.kind === 'rejected') this.ballots.observe(reply.effective);
      if (reply.kind === 'wrong-epoch' && reply.config !== undefined) this.#observeConfig(reply.config);
    }
  }

  #observeConfig(config: PartitionConfig): void {
    const known = this.#configs.get(config.partition);
    if (known === undefined || known.epoch < config.epoch) this.#configs.set(config.partition, config);
  }
}

/** Whether a replica could not write: then trying again at once only makes it worse. */
export function storageFailure(replies: readonly Reply[]): Extract<Failure, { kind: 'storage-failed' }> | undefined {
  for (const reply of replies) {
    if (reply.kind === 'storage-failed') return { kind: 'storage-failed', message: reply.message };
  }
  return undefined;
}
