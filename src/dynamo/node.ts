import type { ItemImage } from '../api/item.ts';
import { applyMutation, type Mutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Env } from '../env/env.ts';
import type { StoreKey } from '../env/store.ts';
import type { Receive, Transport } from '../env/transport.ts';
import { Acceptor } from './acceptor.ts';
import { BallotClock } from './ballot-clock.ts';
import type { Failure, RangeOutcome, ReadOutcome, WriteOutcome } from './client.ts';
import { Coordinator } from './coordinator.ts';
import { KeyLock } from './key-lock.ts';
import type { Reply, Request } from './messages.ts';
import { openNodeState } from './node-state.ts';
import { readRange } from './range-read.ts';
import { isReadLocal, type RegisterReadOutcome, readEventually, readStrongly } from './register-read.ts';
import { type Change, identityRound, writeRegister } from './register-write.ts';
import type { NodeId } from './ring.ts';
import type { NodeSettings } from './settings.ts';
import { runTask } from './task.ts';

/** What a node does for a client of the ring: it coordinates requests on keys that are at home on it. */
export interface CoordinatingNode {
  /** @param partitionKey in full, since the store key holds a hash of it */
  write(key: StoreKey, partitionKey: ByteString, mutation: Mutation, done: (outcome: WriteOutcome) => void): void;
  read(key: StoreKey, isConsistent: boolean, done: (outcome: ReadOutcome) => void): void;
  /** At most `limit` items with `from <= key < to`, a range within one partition. */
  range(
    from: StoreKey,
    to: StoreKey,
    limit: number,
    isConsistent: boolean,
    done: (outcome: RangeOutcome) => void,
  ): void;
  /** Erases this node's records of a table that no request can reach any more, in the background. */
  forgetTable(table: ByteString): void;
}

const STOPPED: Failure = { kind: 'unavailable', needed: 1, got: 0 };

/** Identity rounds at a time when a node settles what it accepted. */
const FINISH_BATCH = 64;

/**
 * One storage node: a replica, and a coordinator for the partitions that are at home on it. It learns of the world only
 * through its Env and its Transport, and runs whole within the events those deliver.
 */
export class StorageNode implements CoordinatingNode {
  readonly id: NodeId;
  readonly #acceptor: Acceptor;
  readonly #coordinator: Coordinator;
  readonly #locks: KeyLock;
  #isStopped = false;

  private constructor(settings: NodeSettings, acceptor: Acceptor, coordinator: Coordinator) {
    this.id = settings.id;
    this.#acceptor = acceptor;
    this.#coordinator = coordinator;
    this.#locks = new KeyLock(settings.limits);
  }

  /**
   * Starts a node on its store. `opened` gets the node once its new boot number is durable: only then may requests be
   * delivered to `receive`. An error means that the store could not be written.
   */
  static open(
    settings: NodeSettings,
    env: Env,
    transport: Transport<Request, Reply>,
    opened: (node: StorageNode | undefined, error?: Error) => void,
  ): void {
    openNodeState(env.store, settings, settings.bootstrap, (state, error) => {
      if (error !== undefined) return opened(undefined, error);
      const { clock, random } = env;
      const acceptor = new Acceptor(settings, env.store, clock, state);
      const ballots = new BallotClock(clock, settings.diskId, state.boot, state.ceilingHlc);
      const { boot, configs } = state;
      const coordinator = new Coordinator({
        settings,
        ballots,
        clock,
        random,
        transport,
        configs,
        boot,
      });
      opened(new StorageNode(settings, acceptor, coordinator));
    });
  }

  /**
   * From now on every request is refused, and work in the background ends; the store may be closed. Operations under way
   * are not waited for: they hear no answers any more.
   */
  stop(): void {
    this.#isStopped = true;
    this.#acceptor.stop();
  }

  /** Whether it votes in any partition: a node without rows is one whose disk was lost. */
  get isMember(): boolean {
    return this.#acceptor.isMember;
  }

  /** The door for other nodes. */
  readonly receive: Receive<Request, Reply> = (_from, request, reply) => this.#acceptor.receive(request, reply);

  write(key: StoreKey, partitionKey: ByteString, mutation: Mutation, done: (outcome: WriteOutcome) => void): void {
    if (this.#isStopped) return done(STOPPED);
    const change: Change = (current) => applyMutation(mutation, current);
    const deadlineMs = this.#coordinator.deadline();
    const start = () => {
      runTask(writeRegister(this.#coordinator, key, partitionKey, change, deadlineMs), (outcome) => {
        this.#locks.release(key);
        done(outcome);
      });
    };
    if (!this.#locks.acquire(key, start)) done({ kind: 'overloaded' });
  }

  read(key: StoreKey, isConsistent: boolean, done: (outcome: ReadOutcome) => void): void {
    if (this.#isStopped) return done(STOPPED);
    // The most common request of all needs no message, so it is spared the task too.
    if (!isConsistent && isReadLocal(this.#coordinator)) return done(found(this.#acceptor.committedItem(key)));
    const read = isConsistent ? readStrongly : readEventually;
    runTask(read(this.#coordinator, key, this.#coordinator.deadline()), (outcome) => done(toReadOutcome(outcome)));
  }

  range(
    from: StoreKey,
    to: StoreKey,
    limit: number,
    isConsistent: boolean,
    done: (outcome: RangeOutcome) => void,
  ): void {
    if (this.#isStopped) return done(STOPPED);
    runTask(readRange(this.#coordinator, from, to, limit, isConsistent, this.#coordinator.deadline()), done);
  }

  /**
   * Settles what this replica accepted and never learned the outcome of, for example before it was killed: an identity
   * round proves each such record and tells all home replicas, so that eventually consistent reads show it too. `done` is
   * called when all were tried; those that no majority could be had for stay as they are.
   */
  finishAccepted(done: () => void): void {
    const finishAfter = (last: StoreKey) => {
      const keys = this.#acceptor.acceptedKeys(last, FINISH_BATCH);
      let running = keys.length;
      if (running === 0) return done();
      for (const key of keys) {
        runTask(identityRound(this.#coordinator, key, this.#coordinator.deadline()), () => {
          if (--running === 0) finishAfter(keys.at(-1)!);
        });
      }
    };
    finishAfter('');
  }

  forgetTable(table: ByteString): void {
    this.#acceptor.forgetTable(table);
  }
}

function toReadOutcome(outcome: RegisterReadOutcome): ReadOutcome {
  return outcome.kind === 'read' ? found(outcome.record?.item) : outcome;
}

function found(item: ItemImage | undefined): ReadOutcome {
  return item === undefined ? { kind: 'none' } : { kind: 'found', item };
}
