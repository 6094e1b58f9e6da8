import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Store, StoreKey } from '../env/store.ts';
import type { Transport } from '../env/transport.ts';
import type { Direction, ExchangeReport } from './anti-entropy.ts';
import { compareBallots } from './ballot.ts';
import type { ReplyOf } from './coordinator.ts';
import { partitionPrefix, prefixEnd } from './keyspace.ts';
import type { EpochRequest, PartitionConfig, Reply, Request } from './messages.ts';
import { decodeRecord, encodeRecord, type ItemRecord } from './record.ts';
import type { NodeId } from './ring.ts';
import type { NodeLimits } from './settings.ts';
import { runTask, type Task, wait } from './task.ts';

type Handled = Extract<EpochRequest, { kind: 'copy' | 'stage' }>;
type Answer = (reply: Reply) => void;

/** An accepted record with which a new epoch begins. */
export interface StagedRecord {
  readonly key: StoreKey;
  readonly record: ItemRecord;
}

/** Below: the attempt that a partition's staged records belong to, and the records by store key. */
const ATTEMPT = 'staged-attempt/';
const RECORD = 'staged/';

/** Rows read or removed at a time. */
const PAGE = 256;

/**
 * What a node does before it becomes a member of a new epoch, or stays one (REPLICATION section 8, steps 0, 2 and 3): it
 * copies what the others have committed, and stages, durably, what the sealed members have accepted.
 */
export class EpochMember {
  readonly #parts: EpochMemberParts;
  /** The work under way for a partition, and who waits for it. */
  readonly #running = new Map<number, { readonly name: string; readonly answers: Answer[] }>();
  #isStopped = false;

  constructor(parts: EpochMemberParts) {
    this.#parts = parts;
  }

  /** Whether this node is about to become a member: what it has of the partition must not be taken for left behind. */
  isCopying(partition: number): boolean {
    return this.#running.has(partition) || this.#isStaged(partition);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Answers when the work is done; asked for the same again, it answers both. */
  receive(request: Handled, answer: Answer): void {
    const partition = request.kind === 'copy' ? request.partition : request.next.partition;
    const name = request.kind === 'copy' ? `copy ${request.sources}` : `stage ${request.next.attempt}`;
    const running = this.#running.get(partition);
    if (running !== undefined) {
      if (running.name === name) running.answers.push(answer);
      else answer({ kind: 'failed', from: this.#parts.self, reason: `busy with ${running.name}` });
      return;
    }
    const answers = [answer];
    this.#running.set(partition, { name, answers });
    const task =
      request.kind === 'copy' ? this.#copy(partition, request.sources) : this.#stage(request.next, request.sources);
    runTask(task, (reply) => {
      this.#running.delete(partition);
      for (const each of answers) each(reply);
    });
  }

  #isStaged(partition: number): boolean {
    return this.#parts.store.get('meta', ATTEMPT + partitionPrefix(partition)) !== undefined;
  }

  /** Any one source will do: what it lacks is brought by the stage. */
  *#copy(partition: number, sources: readonly NodeId[]): Task<Reply> {
    const { self, exchange } = this.#parts;
    for (const source of sources) {
      if (source === self) continue;
      const report = yield* exchange(partition, source, 'pull');
      if (report !== undefined) return { kind: 'copied', from: self };
    }
    return this.#failed('no source could be copied from');
  }

  *#stage(next: PartitionConfig, sources: readonly NodeId[]): Task<Reply> {
    const { self, store, votesIn, exchange, erase } = this.#parts;
    const { partition, epoch, attempt } = next;
    const present = votesIn(partition);
    if (present !== undefined && present >= epoch) return this.#failed(`is in epoch ${present}`);
    const staged = readAttempt(store, partition);
    // A late message of an attempt that can decide nothing any more must not take the place of its successor's.
    if (staged !== undefined && staged > attempt) return this.#failed(`has staged for attempt ${staged}`);
    if (staged === attempt) return yield* this.#flushed({ kind: 'staged', from: self });

    /** How many sources lack a key that is here. */
    const lacking = new Map<StoreKey, number>();
    const accepted = new Map<StoreKey, ItemRecord>();
    for (const source of sources) {
      // First what is accepted: a record that is learned meanwhile moves from there to what is committed.
      const isDone = yield* this.#gatherAccepted(partition, epoch - 1, source, accepted);
      if (!isDone) return this.#failed(`${source} did not tell what it had accepted`);
      if (source === self) continue;
      const report = yield* exchange(partition, source, 'pull', (key) => {
        lacking.set(key, (lacking.get(key) ?? 0) + 1);
      });
      if (report === undefined) return this.#failed(`${source} did not answer`);
    }
    if (votesIn(partition) !== present) return this.#failed('the epoch has changed meanwhile');
    // A record that no sealed member knows of was deleted and purged after it had been copied. A member of the epoch before
    // took part in that, so what only it holds is its own.
    if (present !== epoch - 1) {
      for (const [key, count] of lacking) if (count === sources.length && !accepted.has(key)) erase(key);
    }
    dropStaged(store, partition);
    for (const [key, record] of accepted) {
      store.put('meta', RECORD + key, encodeRecord(record));
    }
    store.put('meta', ATTEMPT + partitionPrefix(partition), Buffer.from(String(attempt)));
    return yield* this.#flushed({ kind: 'staged', from: self });
  }

  /** Adds what a sealed member has accepted, the newest of each key. */
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
      let isOver = false;
      const finish = (reply: ReplyOf<Kind> | undefined) => {
        if (isOver || this.#isStopped) return;
        isOver = true;
        clock.cancel(timer);
        resume(reply);
      };
      const timer = clock.after(limits.phaseTimeoutMs, () => finish(undefined));
      transport.send(node, request, (reply) => finish(reply.kind === kind ? (reply as ReplyOf<Kind>) : undefined));
    });
  }

  #failed(reason: string): Reply {
    this.#parts.log.debug('cannot prepare for a new epoch', { node: this.#parts.self, reason });
    return { kind: 'failed', from: this.#parts.self, reason };
  }
}

interface EpochMemberParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  /** The epoch in which this node has a vote, sealed or not. */
  readonly votesIn: (partition: number) => number | undefined;
  readonly exchange: (
    partition: number,
    peer: NodeId,
    direction: Direction,
    onExtra?: (key: StoreKey) => void,
  ) => Task<ExchangeReport | undefined>;
  /** Erases a key from this node's replica. */
  readonly erase: (key: StoreKey) => void;
}

/** What was staged of a partition under this attempt; undefined if another was, or none. */
export function readStaged(store: Store, partition: number, attempt: number): StagedRecord[] | undefined {
  if (readAttempt(store, partition) !== attempt) return undefined;
  const staged: StagedRecord[] = [];
  for (const { key, value } of stagedRows(store, partition)) {
    staged.push({ key: key.slice(RECORD.length), record: decodeRecord(value) });
  }
  return staged;
}

/** The caller flushes. */
export function dropStaged(store: Store, partition: number): void {
  // Rows may be there without an attempt: a crash keeps a beginning of what was written.
  for (const { key } of [...stagedRows(store, partition)]) store.remove('meta', key);
  store.remove('meta', ATTEMPT + partitionPrefix(partition));
}

function readAttempt(store: Store, partition: number): number | undefined {
  const stored = store.get('meta', ATTEMPT + partitionPrefix(partition));
  return stored === undefined ? undefined : Number(Buffer.from(stored).toString());
}

function* stagedRows(store: Store, partition: number): Iterable<{ key: StoreKey; value: Uint8Array }> {
  const prefix = RECORD + partitionPrefix(partition);
  for (let from = prefix; ; ) {
    const page = store.range('meta', from, prefixEnd(prefix), PAGE);
    yield* page;
    if (page.length < PAGE) return;
    from = `${page.at(-1)!.key}\x00`;
  }
}
