import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots } from '../ballot.ts';
import type { ExchangeReport } from '../healing/repair-report.ts';
import type { EpochRequest, PartitionConfig, Reply, Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, type ItemRecord } from '../record.ts';
import type { ReplyOf } from '../registers/coordinator.ts';
import type { NodeId } from '../ring.ts';
import { runTask, type Task, wait } from '../task.ts';
import { stagedAttempt, stagedEpoch, writeStaged } from './staged-rows.ts';

type Handled = Extract<EpochRequest, { kind: 'copy' | 'stage' }>;
type Of<Kind extends Handled['kind']> = Extract<Handled, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/** A stage under way, with the answers that wait for it. */
interface Staging {
  readonly attempt: number;
  readonly answers: Answer[];
}

type Gathered =
  | {
      readonly kind: 'gathered';
      /** Of each key that a source has accepted and does not know to be committed: the newest record. */
      readonly accepted: ReadonlyMap<StoreKey, ItemRecord>;
      /** Keys that this node has and none of the sources. */
      readonly unknown: readonly StoreKey[];
    }
  | { readonly kind: 'unanswered'; readonly source: NodeId };

/**
 * What a node does before it becomes a member of a new epoch, or stays one (docs/protocol.md section 8.3): it copies
 * the committed records of the other members, and stages, durably, the accepted records of the sealed ones.
 */
export class EpochStaging {
  readonly #parts: EpochStagingParts;
  /** The copies under way, by partition, with the answers that wait for them. */
  readonly #copying = new Map<number, { readonly answers: Answer[] }>();
  /** The stages under way, by partition. */
  readonly #staging = new Map<number, Staging>();
  readonly #timers = new Set<Timer>();
  #isStopped = false;
  /** How often writes were lost. */
  #losses = 0;

  constructor(parts: EpochStagingParts) {
    this.#parts = parts;
  }

  /** Whether this node is about to become a member: its records of the partition are no orphans then. */
  isCopying(partition: number): boolean {
    return this.#copying.has(partition) || this.#staging.has(partition) || this.#isStaged(partition);
  }

  /** Gives up the copy or stage of a partition: this node is erasing or replacing its records of it. */
  giveUp(partition: number): void {
    this.#copying.delete(partition);
    this.#staging.delete(partition);
  }

  /** The store has given up writes that it had shown. */
  noteLoss(): void {
    this.#losses++;
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) this.#parts.clock.cancel(timer);
    this.#timers.clear();
    this.#copying.clear();
    this.#staging.clear();
  }

  /** Answers when the work is done; asked for the same again, it answers both. */
  receive(request: Handled, answer: Answer): void {
    if (request.kind === 'copy') this.#receiveCopy(request, answer);
    else this.#receiveStage(request, answer);
  }

  #receiveCopy({ partition, epoch, sources }: Of<'copy'>, answer: Answer): void {
    const decided = this.#parts.decidedEpoch(partition);
    // The request is late. The members of the newer epoch may have purged records that a source of this epoch still
    // has.
    if (decided > epoch) return answer(this.#failed(`knows of epoch ${decided}`));
    const running = this.#copying.get(partition);
    if (running !== undefined) {
      // One copy answers both requests, whatever their sources.
      running.answers.push(answer);
      return;
    }
    if (this.#staging.has(partition)) return answer(this.#failed('is being staged'));
    // A node that has staged has all records. A copy could bring back one that was purged, and that the stage has
    // erased.
    if (this.#isStaged(partition)) return answer({ kind: 'copied', from: this.#parts.self });
    const copying = { answers: [answer] };
    this.#copying.set(partition, copying);
    const isWanted = () => this.#copying.get(partition) === copying;
    runTask(whileWanted(this.#copy(partition, epoch, sources), isWanted), (reply) => {
      if (isWanted()) this.#copying.delete(partition);
      for (const each of copying.answers) each(reply ?? this.#failed('the copy was given up'));
    });
  }

  #receiveStage({ next, sources }: Of<'stage'>, answer: Answer): void {
    const { partition, attempt } = next;
    const running = this.#staging.get(partition);
    if (running?.attempt === attempt) {
      running.answers.push(answer);
      return;
    }
    if (running !== undefined && running.attempt > attempt) {
      return answer(this.#failed(`is staging for attempt ${running.attempt}`));
    }
    // An older attempt can decide nothing any more. Its stage, and a copy, learn nothing from now on: the records that
    // they asked for before could bring back what this stage erases.
    this.#copying.delete(partition);
    const staging: Staging = { attempt, answers: [answer] };
    this.#staging.set(partition, staging);
    const isWanted = () => this.#staging.get(partition) === staging;
    runTask(whileWanted(this.#stage(next, sources), isWanted), (reply) => {
      if (isWanted()) this.#staging.delete(partition);
      for (const each of staging.answers) each(reply ?? this.#failed('the stage was given up'));
    });
  }

  /** Whether the partition is staged for an epoch that is not decided yet, as far as this node knows. */
  #isStaged(partition: number): boolean {
    const { store, decidedEpoch } = this.#parts;
    return stagedEpoch(store, partition) > decidedEpoch(partition);
  }

  /** Copies from the first source that answers: the stage brings what that one lacks. */
  *#copy(partition: number, epoch: number, sources: readonly NodeId[]): Task<Reply> {
    const { self, exchange } = this.#parts;
    for (const source of sources) {
      if (source === self) continue;
      const report = yield* exchange(partition, epoch, source);
      if (report !== undefined) return { kind: 'copied', from: self };
    }
    return this.#failed('no source could be copied from');
  }

  *#stage(next: PartitionConfig, sources: readonly NodeId[]): Task<Reply> {
    const { self, store, votesIn, isNamedIn, isBeginning, decidedEpoch, erase } = this.#parts;
    const { partition, epoch, attempt } = next;
    // The controller would count this disk, which will have no vote.
    if (!isNamedIn(next)) return this.#failed('another disk of this node is named');
    const present = votesIn(partition);
    const losses = this.#losses;
    if (isBeginning(partition)) return this.#failed('is passing to another epoch');
    // Once the epoch is decided, a stage for it is useless, and the records that it would erase may be needed.
    const isDecided = () => decidedEpoch(partition) >= epoch;
    if (isDecided()) return this.#failed(`knows of epoch ${decidedEpoch(partition)}`);
    const staged = stagedAttempt(store, partition);
    // A late message of an older attempt must not replace what its successor has staged.
    if (staged !== undefined && staged > attempt) return this.#failed(`has staged for attempt ${staged}`);
    if (staged === attempt) return yield* this.#flushed({ kind: 'staged', from: self });

    const gathered = yield* this.#gather(partition, epoch - 1, sources);
    if (gathered.kind === 'unanswered') return this.#failed(`${gathered.source} did not answer`);
    if (votesIn(partition) !== present || isDecided()) return this.#failed('the epoch has changed meanwhile');
    // Checked before anything is staged: when this attempt is asked for again, its staged rows answer.
    if (this.#losses !== losses) return this.#failed('the disk has refused writes meanwhile');
    // A newcomer's record that no sealed member knows was deleted and purged after it had been copied. A member of the
    // epoch before took part in every purge, so a record that only this member has is its own.
    if (present !== epoch - 1) for (const key of gathered.unknown) erase(key);
    writeStaged(store, next, gathered.accepted);
    return yield* this.#flushed({ kind: 'staged', from: self });
  }

  /** Learns the committed records of the sealed members. @returns what else they have accepted */
  *#gather(partition: number, epoch: number, sources: readonly NodeId[]): Task<Gathered> {
    const { self, exchange } = this.#parts;
    const others = sources.filter((source) => source !== self);
    const accepted = new Map<StoreKey, ItemRecord>();
    // Accepted records first: a record that is learned meanwhile moves from the accepted to the committed ones.
    for (const source of sources) {
      const isTold = yield* this.#gatherAccepted(partition, epoch, source, accepted);
      if (!isTold) return { kind: 'unanswered', source };
    }
    for (let isSecond = false; ; isSecond = true) {
      /** How many sources lack a key that this node has. */
      const lacking = new Map<StoreKey, number>();
      let repaired = 0;
      for (const source of others) {
        const report = yield* exchange(partition, epoch, source, (key) => {
          lacking.set(key, (lacking.get(key) ?? 0) + 1);
        });
        if (report === undefined) return { kind: 'unanswered', source };
        repaired += report.recordsRepaired;
      }
      // Tombstones past their grace are in no tree. Where this node had nothing it saw none of them, and may have taken
      // a deleted record from another source: now that it has that record, the trees differ, and a second round finds
      // it.
      if (repaired > 0 && !isSecond) continue;
      for (const source of others) {
        const isTold = yield* this.#pullCommitted(source, epoch, [...accepted.keys()]);
        if (!isTold) return { kind: 'unanswered', source };
      }
      const unknown = [...lacking].filter(([key, count]) => count === sources.length && !accepted.has(key));
      return { kind: 'gathered', accepted, unknown: unknown.map(([key]) => key) };
    }
  }

  /**
   * Learns a source's committed records of these keys. An accepted record may be older than a tombstone that is in no
   * tree; without that tombstone it would count as the newest.
   */
  *#pullCommitted(source: NodeId, epoch: number, keys: readonly StoreKey[]): Task<boolean> {
    const { self, store, limits } = this.#parts;
    for (let at = 0; at < keys.length; at += limits.repairBatch) {
      const page = keys.slice(at, at + limits.repairBatch);
      const reply = yield* this.#ask(source, { kind: 'fetch', epoch, keys: page }, 'records');
      if (reply === undefined || reply.records.length !== page.length) return false;
      for (const [i, record] of reply.records.entries()) {
        const own = store.get('items', page[i]!);
        if (record === undefined) continue;
        if (own !== undefined && own !== DAMAGED && compareBallots(ballotIn(own), record.ballot) >= 0) continue;
        const request = { kind: 'learn', key: page[i]!, record, isNeeded: true } as const;
        const learned = yield* this.#ask(self, request, 'learned');
        if (learned === undefined) return false;
      }
    }
    return true;
  }

  /** Adds the accepted records of a sealed member, of each key the newest. @returns false if it did not answer */
  *#gatherAccepted(
    partition: number,
    epoch: number,
    source: NodeId,
    accepted: Map<StoreKey, ItemRecord>,
  ): Task<boolean> {
    const limit = this.#parts.limits.repairBatch;
    let after: StoreKey | undefined;
    do {
      const page = yield* this.#ask(
        source,
        { kind: 'sealed-records', partition, epoch, after, limit },
        'sealed-records',
      );
      if (page === undefined) return false;
      for (const { key, record } of page.entries) {
        const known = accepted.get(key);
        if (known === undefined || compareBallots(record.ballot, known.ballot) > 0) accepted.set(key, record);
      }
      after = page.next;
    } while (after !== undefined);
    return true;
  }

  *#flushed(reply: Reply): Task<Reply> {
    const { store, clock } = this.#parts;
    const error = yield* wait<Error | undefined>((resume) => {
      let isWithin = true;
      store.flush((failure) => {
        if (isWithin) clock.after(0, () => resume(failure));
        else resume(failure);
      });
      isWithin = false;
    });
    return error === undefined ? reply : this.#failed(error.message);
  }

  *#ask<Kind extends Reply['kind']>(node: NodeId, request: Request, kind: Kind): Task<ReplyOf<Kind> | undefined> {
    const { transport, clock, limits } = this.#parts;
    return yield* wait<ReplyOf<Kind> | undefined>((resume) => {
      if (this.#isStopped) return;
      let isOver = false;
      const finish = (reply: ReplyOf<Kind> | undefined) => {
        if (isOver || this.#isStopped) return;
        isOver = true;
        clock.cancel(timer);
        this.#timers.delete(timer);
        resume(reply);
      };
      const timer = clock.after(limits.phaseTimeoutMs, () => finish(undefined));
      this.#timers.add(timer);
      transport.send(node, request, (reply) => finish(reply.kind === kind ? (reply as ReplyOf<Kind>) : undefined));
    });
  }

  #failed(reason: string): Reply {
    this.#parts.log.debug('cannot prepare for a new epoch', { node: this.#parts.self, reason });
    return { kind: 'failed', from: this.#parts.self, reason };
  }
}

interface EpochStagingParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  /** Whether a config names this node with the disk that it has. */
  readonly isNamedIn: (config: PartitionConfig) => boolean;
  /** Whether this node is erasing or replacing its records of the partition. */
  readonly isBeginning: (partition: number) => boolean;
  /** The newest epoch of a partition that this node knows. */
  readonly decidedEpoch: (partition: number) => number;
  /** The epoch in which this node has a vote, sealed or not. */
  readonly votesIn: (partition: number) => number | undefined;
  /**
   * Learns the records of a member of the epoch that are newer than this node's. `onExtra` gets keys that only this
   * node has.
   */
  readonly exchange: (
    partition: number,
    epoch: number,
    peer: NodeId,
    onExtra?: (key: StoreKey) => void,
  ) => Task<ExchangeReport | undefined>;
  /** Erases a key from this node's replica. */
  readonly erase: (key: StoreKey) => void;
}

/** Runs a task until it is no longer wanted: it does not get the result that it waits for then. */
function* whileWanted<T>(task: Task<T>, isWanted: () => boolean): Task<T | undefined> {
  for (let step = task.next(undefined as never); ; ) {
    if (step.done === true) return step.value;
    const result: never = yield step.value;
    if (!isWanted()) return undefined;
    step = task.next(result);
  }
}
