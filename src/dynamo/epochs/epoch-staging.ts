import type { Clock } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots } from '../ballot.ts';
import type { ComparisonReport } from '../healing/repair-report.ts';
import { answersSome, type EpochRequest, type PartitionConfig, type Reply, type Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, type ItemRecord } from '../record.ts';
import type { ReplyOf } from '../registers/coordinator.ts';
import type { Fences } from '../registers/fences.ts';
import type { NodeId } from '../ring.ts';
import { runTask, type Task, type TimedWait, wait, waitAtMost, whileWanted } from '../task.ts';
import { stagedAttempt, stagedEpoch, writeStaged } from './staged-rows.ts';

type Handled = Extract<EpochRequest, { kind: 'copy' | 'stage' }>;
type Of<Kind extends Handled['kind']> = Extract<Handled, { kind: Kind }>;
type Answer = (reply: Reply) => void;

/** A stage under way, and the requests that wait for it. */
interface Staging {
  readonly attempt: number;
  readonly answers: Answer[];
}

type Gathered =
  | {
      readonly kind: 'gathered';
      /** The newest record of each key that a source has accepted and does not know to be committed. */
      readonly accepted: ReadonlyMap<StoreKey, ItemRecord>;
      /** Keys that this node has and no source has. */
      readonly unknown: readonly StoreKey[];
    }
  | { readonly kind: 'unanswered'; readonly source: NodeId };

/**
 * What a node does before it becomes a member of a new epoch, or stays one (docs/protocol.md section 8.3): it
 * copies what the others have committed, and stages, durably, what the sealed members have accepted.
 */
export class EpochStaging {
  readonly #parts: EpochStagingParts;
  /** The requests that wait for a copy under way, by partition. */
  readonly #copying = new Map<number, { readonly answers: Answer[] }>();
  /** The attempt that each partition is being staged for. */
  readonly #staging = new Map<number, Staging>();
  /** Requests whose answer is waited for. */
  readonly #waits = new Set<TimedWait<Reply>>();
  #isStopped = false;
  #refusesNew = false;
  /** How often writes were lost. */
  #losses = 0;

  constructor(parts: EpochStagingParts) {
    this.#parts = parts;
  }

  /** Whether this node is about to become a member. Then its records of the partition must not be erased as orphans. */
  isCopying(partition: number): boolean {
    return this.#copying.has(partition) || this.#staging.has(partition) || this.#isStaged(partition);
  }

  /** Ends a copy or a stage of a partition: this node is about to erase or replace what it holds of it. */
  giveUp(partition: number): void {
    this.#copying.delete(partition);
    this.#staging.delete(partition);
  }

  /** The store has lost writes that reads had already shown. */
  noteLoss(): void {
    this.#losses++;
  }

  /**
   * From now on this node becomes no member of a partition in which it has no vote. A stage under way ends too: nobody
   * would end the attempt that is told of it later, and the node may be gone when that is decided.
   */
  refuseNew(): void {
    this.#refusesNew = true;
    for (const partition of [...this.#copying.keys(), ...this.#staging.keys()]) {
      if (!this.#staysMember(partition)) this.giveUp(partition);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const each of this.#waits) each.abandon();
    this.#waits.clear();
    this.#copying.clear();
    this.#staging.clear();
  }

  /** Answers when the work is done. A repeated request joins the work under way, and gets the same answer. */
  receive(request: Handled, answer: Answer): void {
    const partition = request.kind === 'copy' ? request.partition : request.next.partition;
    if (this.#refusesNew && !this.#staysMember(partition)) return answer(this.#failed('leaves the ring'));
    if (request.kind === 'copy') this.#receiveCopy(request, answer);
    else this.#receiveStage(request, answer);
  }

  #receiveCopy({ partition, epoch, sources }: Of<'copy'>, answer: Answer): void {
    const decided = this.#parts.decidedEpoch(partition);
    // The request is late. Members of the newer epoch may have purged what a source that is still in this one has.
    if (decided > epoch) return answer(this.#failed(`knows of epoch ${decided}`));
    const running = this.#copying.get(partition);
    if (running !== undefined) {
      // Whichever source it copies from, the result answers this request too.
      running.answers.push(answer);
      return;
    }
    if (this.#staging.has(partition)) return answer(this.#failed('is being staged'));
    if (this.#copying.size >= this.#parts.limits.copiesAtOnce) return answer(this.#failed('copies enough already'));
    // A node that has staged has everything. Another copy could bring back what was purged and the stage has erased.
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
    // An older attempt can decide nothing any more. Its stage ends here, and so does a copy: answers that they still
    // wait for could bring back what this stage erases.
    this.#copying.delete(partition);
    const staging: Staging = { attempt, answers: [answer] };
    this.#staging.set(partition, staging);
    const isWanted = () => this.#staging.get(partition) === staging;
    runTask(whileWanted(this.#stage(next, sources), isWanted), (reply) => {
      if (isWanted()) this.#staging.delete(partition);
      for (const each of staging.answers) each(reply ?? this.#failed('the stage was given up'));
    });
  }

  /** Whether this node may be a member of the next epoch although it becomes one of nothing new. */
  #staysMember(partition: number): boolean {
    return this.#parts.leaversStay && this.#parts.votesIn(partition) !== undefined;
  }

  /** Whether the partition is staged here for an epoch that is not decided yet, as far as this node knows. */
  #isStaged(partition: number): boolean {
    const { store, decidedEpoch } = this.#parts;
    return stagedEpoch(store, partition) > decidedEpoch(partition);
  }

  /** Copies from one source; what that source lacks, the stage brings. */
  *#copy(partition: number, epoch: number, sources: readonly NodeId[]): Task<Reply> {
    const { self, copyFrom } = this.#parts;
    for (const source of sources) {
      if (source === self) continue;
      const report = yield* copyFrom({ partition, epoch, peer: source });
      if (report !== undefined) return { kind: 'copied', from: self };
    }
    return this.#failed('no source could be copied from');
  }

  *#stage(next: PartitionConfig, sources: readonly NodeId[]): Task<Reply> {
    const { self, store, votesIn, isNamedIn, isBeginning, decidedEpoch, erase } = this.#parts;
    const { partition, epoch, attempt } = next;
    // The controller would count the stage of a disk that has no vote in the new epoch.
    if (!isNamedIn(next)) return this.#failed('another disk of this node is named');
    const present = votesIn(partition);
    const losses = this.#losses;
    if (isBeginning(partition)) return this.#failed('is passing to another epoch');
    // Once the epoch is decided the stage is of no use, and it could erase records that are needed by now.
    const isDecided = () => decidedEpoch(partition) >= epoch;
    if (isDecided()) return this.#failed(`knows of epoch ${decidedEpoch(partition)}`);
    const staged = stagedAttempt(store, partition);
    // A late message of a dead attempt must not replace what its successor has staged.
    if (staged !== undefined && staged > attempt) return this.#failed(`has staged for attempt ${staged}`);
    if (staged === attempt) return yield* this.#flushed({ kind: 'staged', from: self });

    const gathered = yield* this.#gather(partition, epoch - 1, sources);
    if (gathered.kind === 'unanswered') return this.#failed(`${gathered.source} did not answer`);
    if (votesIn(partition) !== present || isDecided()) return this.#failed('the epoch has changed meanwhile');
    // Checked before anything is staged: a repeated request is answered by what is staged, without gathering again.
    if (this.#losses !== losses) return this.#failed('the disk has refused writes meanwhile');
    // A newcomer's record that no sealed member has was deleted and purged after it had been copied. A member of the
    // old epoch has taken part in every purge, so a record that only it holds counts.
    if (present !== epoch - 1) for (const key of gathered.unknown) erase(key);
    writeStaged(store, next, gathered.accepted);
    return yield* this.#flushed({ kind: 'staged', from: self });
  }

  /** Learns what the sealed members have committed, and collects what else they have accepted. */
  *#gather(partition: number, epoch: number, sources: readonly NodeId[]): Task<Gathered> {
    const { self, copyFrom } = this.#parts;
    const others = sources.filter((source) => source !== self);
    const accepted = new Map<StoreKey, ItemRecord>();
    // Accepted records first: one that is committed meanwhile is then found by the second step, never by neither.
    for (const source of sources) {
      const isTold = yield* this.#gatherAccepted(partition, epoch, source, accepted);
      if (!isTold) return { kind: 'unanswered', source };
    }
    for (let isSecond = false; ; isSecond = true) {
      /** How many sources lack a key that this node has. */
      const lacking = new Map<StoreKey, number>();
      let repaired = 0;
      for (const source of others) {
        const onExtra = (key: StoreKey) => lacking.set(key, (lacking.get(key) ?? 0) + 1);
        const report = yield* copyFrom({ partition, epoch, peer: source, onExtra });
        if (report === undefined) return { kind: 'unanswered', source };
        repaired += report.recordsRepaired;
      }
      // Merkle trees leave out tombstones past their grace. So a node that had nothing may have taken a deleted record
      // from one source and missed its tombstone at another. Now that it has the record, the trees differ: compare
      // again.
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
   * Learns what a source has committed of these keys. An accepted record may be older than a tombstone that no tree
   * shows; without the tombstone it would count as the newest record.
   */
  *#pullCommitted(source: NodeId, epoch: number, keys: readonly StoreKey[]): Task<boolean> {
    const { self, store, limits } = this.#parts;
    for (let at = 0; at < keys.length; ) {
      const page = keys.slice(at, at + limits.repairBatch);
      const reply = yield* this.#ask(source, { kind: 'fetch', epoch, keys: page }, 'records');
      if (reply === undefined || !answersSome(reply, page)) return false;
      at += reply.records.length;
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

  /** Adds what a sealed member has accepted to `accepted`, which keeps the newest record of each key. */
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
      // On the disk before the stage is: whoever begins with it refuses what its sources refuse.
      if (!this.#parts.fences.add(page.fenced)) return false;
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
    const error = yield* wait<Error | undefined>(clock, (resume) => store.flush(resume));
    return error === undefined ? reply : this.#failed(error.message);
  }

  *#ask<Kind extends Reply['kind']>(node: NodeId, request: Request, kind: Kind): Task<ReplyOf<Kind> | undefined> {
    const { transport, clock, limits } = this.#parts;
    let waiting: TimedWait<Reply> | undefined;
    try {
      const reply = yield* waitAtMost<Reply>(clock, limits.phaseTimeoutMs, (timed) => {
        if (this.#isStopped) return timed.abandon();
        waiting = timed;
        this.#waits.add(timed);
        transport.send(node, request, (answer) => timed.finish(answer));
      });
      return reply?.kind === kind ? (reply as ReplyOf<Kind>) : undefined;
    } finally {
      if (waiting !== undefined) this.#waits.delete(waiting);
    }
  }

  #failed(reason: string): Reply {
    this.#parts.log.debug('cannot prepare for a new epoch', { node: this.#parts.self, reason });
    return { kind: 'failed', from: this.#parts.self, reason };
  }
}

/** A member of an epoch that a partition is copied from. */
interface CopySource {
  readonly partition: number;
  readonly epoch: number;
  readonly peer: NodeId;
  /** Gets each key that is here and not at the peer. */
  readonly onExtra?: (key: StoreKey) => void;
}

interface EpochStagingParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  readonly fences: Fences;
  /** Whether a config names this node with the disk that it has. */
  readonly isNamedIn: (config: PartitionConfig) => boolean;
  /** Whether this node is erasing or replacing what it holds of the partition. */
  readonly isBeginning: (partition: number) => boolean;
  /** The newest epoch of a partition that this node knows. */
  readonly decidedEpoch: (partition: number) => number;
  /** The epoch in which this node has a vote, sealed or not. */
  readonly votesIn: (partition: number) => number | undefined;
  /** A rule that always holds, but in a simulation that shows what comes of it. */
  readonly leaversStay: boolean;
  /** Learns records that a member of the epoch has and this node lacks. */
  readonly copyFrom: (source: CopySource) => Task<ComparisonReport | undefined>;
  /** Erases a key from this node's replica. */
  readonly erase: (key: StoreKey) => void;
}
