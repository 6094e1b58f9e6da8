import { strict as assert } from 'node:assert';
import type { Departure } from '../api/departure.ts';
import type { Mutation, MutationOutcome } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { StoreKey } from '../env/store.ts';
import type { Failure, ReadOutcome } from './client.ts';
import type { CoordinatingNode } from './coordinating-node.ts';
import type {
  AnswerTo,
  CollectionSizeOf,
  CoordinateLook,
  CoordinateRange,
  CoordinateRead,
  CoordinateWrite,
  CoordinationRequest,
  CountItems,
  DueOf,
  FenceTables,
  ForgetTable,
  TablesIn,
  UseDerivation,
} from './coordination-messages.ts';
import type { Propagation } from './derived/propagation.ts';
import type { PartitionVotes } from './epochs/partition-votes.ts';
import type { HintedHandoff } from './healing/hinted-handoff.ts';
import type { MerkleForest } from './healing/merkle-forest.ts';
import { collectionOf, collectionPrefix, partitionOf, tableOf } from './keyspace.ts';
import type { LogDesk } from './log/log-desk.ts';
import { highestOf } from './record.ts';
import type { Acceptor } from './registers/acceptor.ts';
import { withinCollection } from './registers/collection-room.ts';
import type { Coordinator } from './registers/coordinator.ts';
import type { Fences } from './registers/fences.ts';
import { untried, type WriteAnswer } from './registers/handed-back.ts';
import type { KeyLock } from './registers/key-lock.ts';
import { readLocalRange } from './registers/local-read.ts';
import { ownRange } from './registers/own-range.ts';
import { type RangeDemand, readRange } from './registers/range-read.ts';
import {
  found,
  isReadLocal,
  type RegisterReadOutcome,
  readEventually,
  toReadOutcome,
} from './registers/register-read.ts';
import type { Change } from './registers/register-write.ts';
import { UNREADABLE } from './registers/replica-rows.ts';
import { consistentReadQuorum, readSloppily, writeSloppily } from './registers/sloppy-quorum.ts';
import { answered, runTask, runUntilGone, type Task } from './task.ts';
import { type DecidedItem, readDecided, versionOf, writeOnceFree } from './transactions/decision.ts';
import { changeItem, pendingAfter } from './transactions/item-change.ts';

/** The parts of a node that the requests of clients need. */
export interface CoordinationParts {
  readonly coordinator: Coordinator;
  readonly acceptor: Acceptor;
  readonly hints: HintedHandoff;
  readonly locks: KeyLock;
  readonly votes: PartitionVotes;
  readonly forest: MerkleForest;
  readonly fences: Fences;
  readonly propagation: Pick<Propagation, 'whenShown'>;
  readonly logDesk: LogDesk;
  /** Of how many items of a table some entry may not be in its place yet, as far as this node knows. */
  readonly dueOf: (request: DueOf) => number;
  /** Erases all that this node holds of a table, in the background. */
  readonly forgetTable: (table: ByteString) => void;
}

type ReplyTo<R extends CoordinationRequest> = (answer: AnswerTo<R>) => void;

/** Serves the requests that clients of the ring hand to this node. */
export class Coordination implements CoordinatingNode {
  readonly #parts: CoordinationParts;
  #isStopped = false;

  constructor(parts: CoordinationParts) {
    this.#parts = parts;
  }

  /** From now on every request is refused. */
  stop(): void {
    this.#isStopped = true;
  }

  coordinate<R extends CoordinationRequest>(request: R, reply: ReplyTo<R>, departure?: Departure): void {
    if (this.#isStopped) return (reply as (refusal: Failure) => void)(NOT_TRIED);
    if (!this.#parts.fences.isEmpty) {
      const refusal = this.#goneBefore(request);
      if (refusal !== undefined) return (reply as (refusal: Failure) => void)(refusal);
    }
    switch (request.kind) {
      case 'coordinate-read':
        return this.#read(request, reply as ReplyTo<CoordinateRead>, departure);
      case 'coordinate-write':
        return this.#write(request, reply as ReplyTo<CoordinateWrite>);
      case 'coordinate-look':
        return this.#look(request, reply as ReplyTo<CoordinateLook>);
      case 'coordinate-range':
        return this.#readRange(request, reply as ReplyTo<CoordinateRange>, departure);
      case 'collection-size':
        return this.#answerSize(request, reply as ReplyTo<CollectionSizeOf>);
      case 'use-derivation':
        return this.#use(request, reply as ReplyTo<UseDerivation>);
      case 'due-of':
        return (reply as ReplyTo<DueOf>)({ kind: 'due', items: this.#parts.dueOf(request) });
      case 'tables-in':
        return (reply as ReplyTo<TablesIn>)({ kind: 'tables', tables: this.#parts.forest.tablesIn(request.partition) });
      case 'count-items':
        return this.#count(request, reply as ReplyTo<CountItems>);
      case 'fence-tables':
        return this.#fence(request, reply as ReplyTo<FenceTables>);
      case 'forget-table':
        this.#parts.forgetTable(request.table);
        return (reply as ReplyTo<ForgetTable>)({ kind: 'forgetting' });
      case 'read-log':
      case 'log-ends':
      case 'end-log':
      case 'trim-log':
      case 'drain-log':
        return this.#parts.logDesk.serve(request, reply as (answer: never) => void, departure);
      default:
        // A kind that is missing above would never be answered.
        return request satisfies never;
    }
  }

  /** What this node refuses without asking others. */
  #goneBefore(request: CoordinationRequest): Failure | undefined {
    if (!('key' in request || 'range' in request)) return undefined;
    const table = tableOf('key' in request ? request.key : request.range.from);
    return this.#parts.fences.has(table) && !isCarried(request) ? { kind: 'table-gone', table } : undefined;
  }

  #fence({ tables }: FenceTables, reply: ReplyTo<FenceTables>): void {
    const { fences, votes } = this.#parts;
    if (!fences.add(tables)) return reply({ kind: 'overloaded' });
    fences.flush((error) => {
      if (error !== undefined) return reply({ kind: 'storage-failed', message: error.message });
      const unsealed = votes.partitions.filter((partition) => !votes.isSealed(partition));
      const epochOf = (partition: number) => votes.votingConfig(partition)!.epoch;
      reply({ kind: 'fenced', votes: unsealed.map((partition) => ({ partition, epoch: epochOf(partition) })) });
    });
  }

  #answerSize({ key }: CollectionSizeOf, reply: ReplyTo<CollectionSizeOf>): void {
    if (!this.#isHomeOf(key)) return reply(NOT_TRIED);
    reply({ kind: 'size', bytes: this.#parts.acceptor.rows.local.collectionBytes(key) });
  }

  #count({ tables, partitions }: CountItems, reply: ReplyTo<CountItems>): void {
    const { acceptor, coordinator } = this.#parts;
    const { counts } = acceptor.rows;
    for (const table of tables) {
      const derivation = coordinator.derivations.known(table);
      if (derivation !== undefined) counts.define(derivation);
    }
    counts.begin(COUNT_PATIENCE_MS, () => {
      reply({ kind: 'counts', counts: tables.map((table) => counts.of(table, partitions)) });
      for (const table of tables) if (counts.isEstimated(table)) this.#defineFor(table);
    });
  }

  /** Has the sizes of a table's local indexes counted exactly, for the next who asks. */
  #defineFor(table: ByteString): void {
    const { acceptor, coordinator } = this.#parts;
    runTask(coordinator.derivations.atLeast(table, 1, coordinator.deadline()), (told) => {
      const isKnown = told.kind === 'derivation' && told.derivation !== undefined;
      if (isKnown && !this.#isStopped) acceptor.rows.counts.define(told.derivation);
    });
  }

  #use({ derivation }: UseDerivation, reply: ReplyTo<UseDerivation>): void {
    const { coordinator } = this.#parts;
    const leftMs = coordinator.derivations.use(derivation);
    if (leftMs === 0) return reply({ kind: 'used' });
    coordinator.clock.after(leftMs, () => reply({ kind: 'used' }));
  }

  #write(request: CoordinateWrite, reply: ReplyTo<CoordinateWrite>): void {
    if (isWrittenBlindly(request)) this.#writeBlindly(request, reply);
    else this.#writeInTurn(request, reply);
  }

  /** A put or delete of `dynamo` mode that reads nothing. It waits for no other write of its key. */
  #writeBlindly(request: CoordinateWrite, reply: ReplyTo<CoordinateWrite>): void {
    const { requestId, key, partitionKey, mutation, derivation, carried, budgetMs } = request;
    assert(carried?.kind !== 'round' && isOfClient(mutation));
    const { coordinator, acceptor, hints } = this.#parts;
    const item = mutation.kind === 'put' ? mutation.item : undefined;
    const known = highestOf([acceptor.stateOf(key), { committed: hints.committed(key) }]);
    const outcome = this.#withinCollection(request, { kind: 'applied', next: item, old: known?.item });
    if (outcome.kind === 'collection-full' && carried === undefined) return reply(outcome);
    const deadlineMs = coordinator.deadline(budgetMs);
    const write = { requestId, key, deadlineMs, derivation, partitionKey, item, known, carried };
    runTask(writeSloppily(coordinator, write), reply);
  }

  /** A consensus round, once the writes of the key that came before have ended. */
  #writeInTurn(request: CoordinateWrite, reply: ReplyTo<CoordinateWrite>): void {
    const { requestId, key, partitionKey, mutation, consistency: mode, derivation, by, carried, budgetMs } = request;
    assert(carried?.kind !== 'record');
    const { coordinator, locks } = this.#parts;
    const deadlineMs = coordinator.deadline(budgetMs);
    const { rules } = coordinator.settings;
    const change: Change = (current, record) =>
      this.#withinCollection(request, changeItem(mutation, current, record?.pending, rules));
    const prepares = pendingAfter(mutation);
    const isExempt = mutation.kind === 'settle';
    const begin = (hasWaited: boolean): Task<WriteAnswer> => {
      // The write before has tried in vain, and so would each of those that waited behind it, one after the other.
      const isInVain = hasWaited && this.#isCutOff(key);
      if (isInVain) return answered(untried(NOT_TRIED, carried));
      const write = { requestId, key, deadlineMs, derivation, partitionKey, change, mode, carried, by };
      return writeOnceFree(coordinator, { ...write, prepares, isExempt });
    };
    const done = derivation === undefined ? reply : (answer: WriteAnswer) => this.#replyWhenShown(key, answer, reply);
    if (!locks.run(key, begin, done)) reply(untried({ kind: 'overloaded' }, carried));
  }

  /** As the replica of this node has the size of the item collection; if it is no home replica, nothing is refused. */
  #withinCollection({ key, derivation, mutation }: CoordinateWrite, outcome: MutationOutcome): MutationOutcome {
    if (derivation === undefined || mutation.kind === 'settle') return outcome;
    const { acceptor, coordinator } = this.#parts;
    const limitBytes = coordinator.settings.limits.collectionBytes;
    return withinCollection(outcome, derivation, { bytes: acceptor.rows.local.collectionBytes(key), limitBytes });
  }

  /** A query after the answer should find the write in the indexes, if nothing is wrong. */
  #replyWhenShown(key: StoreKey, answer: WriteAnswer, reply: ReplyTo<CoordinateWrite>): void {
    if (answer.kind === 'applied') this.#parts.propagation.whenShown(key, () => reply(answer));
    else reply(answer);
  }

  /** Whether this node seems to be cut off from the home replicas of a key. */
  #isCutOff(key: StoreKey): boolean {
    const { coordinator } = this.#parts;
    const { members } = coordinator.configOfKey(key);
    return coordinator.isCutOff(members, coordinator.majorityOf({ members }));
  }

  #read(request: CoordinateRead, reply: ReplyTo<CoordinateRead>, departure: Departure | undefined): void {
    const { requestId, key, from, consistency, derivation, budgetMs } = request;
    if (from === 'laggard' && this.#isHomeOf(key) && this.#answerOwn(key, reply)) return;
    const { coordinator } = this.#parts;
    const isStrong = from === 'latest';
    const isLocal = !isStrong && consistency === 'strict' && isReadLocal(coordinator);
    // The most common request of all needs no message, so it is spared the task too.
    if (isLocal && this.#isHomeOf(key) && this.#answerOwn(key, reply)) return;
    const operation = { requestId, key, deadlineMs: coordinator.deadline(budgetMs), derivation };
    if (consistency === 'strict' && isStrong) {
      const finish = (read: DecidedItem | Failure) => reply(read.kind === 'decided' ? found(read.item) : read);
      return this.#runRead(readDecided(coordinator, operation), finish, departure);
    }
    const finish = (outcome: RegisterReadOutcome) => reply(toReadOutcome(outcome));
    if (consistency === 'strict') return this.#runRead(readEventually(coordinator, operation), finish, departure);
    const needed = isStrong ? consistentReadQuorum(coordinator, key) : coordinator.settings.readQuorum;
    this.#runRead(readSloppily(coordinator, operation, needed), finish, departure);
  }

  #look({ requestId, key, derivation, budgetMs }: CoordinateLook, reply: ReplyTo<CoordinateLook>): void {
    const { coordinator } = this.#parts;
    const operation = { requestId, key, deadlineMs: coordinator.deadline(budgetMs), derivation };
    runTask(readDecided(coordinator, operation), (read) => {
      if (read.kind !== 'decided') return reply(read);
      const { item, isHeld } = read;
      reply({ kind: 'looked', item, version: versionOf(read), isHeld });
    });
  }

  #readRange(request: CoordinateRange, reply: ReplyTo<CoordinateRange>, departure: Departure | undefined): void {
    const { requestId, range, localIndex, order, limit, from, derivation, budgetMs } = request;
    const { coordinator, acceptor } = this.#parts;
    const { limits } = coordinator.settings;
    const query = { from: range.from, to: range.to, order, limit, bytesLimit: limits.rangeBytes };
    const isOwn = from === 'laggard' && this.#isHomeOf(range.from);
    // As a read of one key, the usual one needs no message.
    if (isOwn || (from !== 'latest' && isReadLocal(coordinator) && this.#isHomeOf(range.from))) {
      const outcome = ownRange(acceptor.rows, query, localIndex, limits);
      if (outcome !== undefined) return reply(outcome);
    }
    const demand = isOwn ? ({ kind: 'own' } as const) : this.#rangeDemand(request);
    const operation = { requestId, deadlineMs: coordinator.deadline(budgetMs), derivation };
    const read = localIndex === undefined ? readRange : readLocalRange;
    this.#runRead(read(coordinator, query, demand, operation), reply, departure);
  }

  /** Runs a read to its end, or for as long as somebody waits for the answer. */
  #runRead<T>(task: Task<T | Failure>, done: (outcome: T | Failure) => void, departure: Departure | undefined): void {
    if (departure === undefined) return runTask(task, done);
    runUntilGone(task, departure, (outcome) => {
      if (outcome !== undefined) return done(outcome);
      // An identity round that is given up may yet choose its record, and not by the newest derivation.
      this.#parts.coordinator.derivations.noteLoose();
      done(NOT_TRIED);
    });
  }

  #rangeDemand({ range, from, consistency }: CoordinateRange): RangeDemand {
    if (from === 'latest' && consistency === 'strict') return { kind: 'strong' };
    const { coordinator } = this.#parts;
    const { readQuorum } = coordinator.settings;
    return {
      kind: 'committed',
      replicas: from === 'latest' ? consistentReadQuorum(coordinator, range.from) : readQuorum,
    };
  }

  /**
   * Answers what the replica of this node has committed. @returns false if it cannot read that: others have to be asked
   */
  #answerOwn(key: StoreKey, reply: (outcome: ReadOutcome) => void): boolean {
    const item = this.#parts.acceptor.committedItem(key);
    if (item === UNREADABLE) return false;
    reply(found(item));
    return true;
  }

  /** Whether the replica of this node has a vote in the key's partition, sealed or not. */
  #isHomeOf(key: StoreKey): boolean {
    return this.#parts.votes.votingConfig(partitionOf(key)) !== undefined;
  }
}

/** Whether another node has begun it: then its outcome is not that nothing was done. */
function isCarried(request: CoordinationRequest): boolean {
  return request.kind === 'coordinate-write' && request.carried !== undefined;
}

/**
 * How long a request for counts waits for records to be counted; then it is told what was counted so far. It has to be
 * less than the time after which a node that does not answer counts as down.
 */
const COUNT_PATIENCE_MS = 800;

const NOT_TRIED: Failure = { kind: 'unavailable', needed: 1, got: 0 };

/** Whether a write is a put or delete of `dynamo` mode that reads nothing. */
function isWrittenBlindly({ mutation, consistency, wantsOld }: CoordinateWrite): boolean {
  if (consistency !== 'dynamo' || wantsOld || !isOfClient(mutation)) return false;
  return mutation.condition === undefined && mutation.kind !== 'update';
}

/** Whether a write is one of a client by itself, and not part of a transaction. */
function isOfClient(mutation: CoordinateWrite['mutation']): mutation is Mutation {
  return mutation.kind !== 'prepare' && mutation.kind !== 'settle';
}

/**
 * Whether a write, which another process may have made up, is one that a router can have sent: it carries what a coordinator
 * of its kind hands back, and the partition key that its store key has the hash of.
 *
 * @param partitions Q
 */
export function makesSense(write: CoordinateWrite, partitions: number): boolean {
  const { key, partitionKey, carried, mutation, consistency } = write;
  // Transactions are of `strict` tables.
  if (!isOfClient(mutation) && consistency !== 'strict') return false;
  const isCarriedRightly = carried === undefined || (carried.kind === 'record') === isWrittenBlindly(write);
  return isCarriedRightly && collectionOf(key) === collectionPrefix(tableOf(key), partitionKey, partitions);
}
