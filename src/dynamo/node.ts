import { strict as assert } from 'node:assert';
import { applyMutation, type Mutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Env } from '../env/env.ts';
import type { StoreKey } from '../env/store.ts';
import type { Receive, Transport } from '../env/transport.ts';
import type { Consistency, Failure, LagRule, RangeOutcome, ReadOutcome, WriteOptions } from './client.ts';
import type { CoordinatingNode } from './coordinating-node.ts';
import type { ConfigRegister } from './epochs/config-register.ts';
import { changeEpoch, type EpochChangeOutcome } from './epochs/epoch-change.ts';
import type { PartitionVotes } from './epochs/partition-votes.ts';
import type { RepairReport } from './healing/anti-entropy.ts';
import type { HintedHandoff } from './healing/hinted-handoff.ts';
import type { MerkleForest } from './healing/merkle-forest.ts';
import type { ScrubReport } from './healing/scrub.ts';
import type { PurgeReport } from './healing/tombstones.ts';
import { partitionOf } from './keyspace.ts';
import type { Member, PartitionConfig, Reply, Request } from './messages.ts';
import { openDoor } from './node-door.ts';
import { type NodeParts, wireNode } from './node-parts.ts';
import { NodeReactions } from './node-reactions.ts';
import type { NodeSettings } from './node-settings.ts';
import { type NodeState, openNodeState } from './node-state.ts';
import type { NodeStatus } from './node-status.ts';
import { highestOf, type ReplicaState } from './record.ts';
import type { Acceptor } from './registers/acceptor.ts';
import type { Coordinator } from './registers/coordinator.ts';
import { type Carried, untried, type WriteAnswer } from './registers/handed-back.ts';
import type { KeyLock } from './registers/key-lock.ts';
import type { LagGate } from './registers/lag-gate.ts';
import { type RangeDemand, readRange } from './registers/range-read.ts';
import {
  found,
  isReadLocal,
  type RegisterReadOutcome,
  readEventually,
  readStrongly,
  toReadOutcome,
} from './registers/register-read.ts';
import { type Change, writeRegister } from './registers/register-write.ts';
import { UNREADABLE } from './registers/replica-rows.ts';
import { consistentReadQuorum, readSloppily, writeSloppily } from './registers/sloppy-quorum.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';
import { runTask } from './task.ts';

const NOT_TRIED: Failure = { kind: 'unavailable', needed: 1, got: 0 };

/**
 * One storage node: a replica, a coordinator, and what keeps its replicas alike and its ring up to date. It learns of the
 * world only through its Env and its Transport, and does all its work within the events that those deliver.
 *
 * `node-parts` makes its parts, `node-reactions` says how they act on each other, `node-door` which of them answers what.
 */
export class StorageNode implements CoordinatingNode {
  readonly id: NodeId;
  /** The ring as this node knows it. */
  readonly view: RingView;
  /** The door for other nodes. */
  readonly receive: Receive<Request, Reply>;
  readonly #settings: NodeSettings;
  readonly #env: Env;
  readonly #parts: NodeParts;
  readonly #votes: PartitionVotes;
  readonly #acceptor: Acceptor;
  readonly #coordinator: Coordinator;
  readonly #locks: KeyLock;
  readonly #hints: HintedHandoff;
  readonly #forest: MerkleForest;
  readonly #gate: LagGate;
  #isStopped = false;

  private constructor(settings: NodeSettings, env: Env, wire: Transport<Request, Reply>, state: NodeState) {
    const events = new NodeReactions(settings.rules);
    const parts = wireNode({ settings, env, wire, state, events });
    events.bind(parts);
    this.id = settings.id;
    this.view = parts.view;
    this.receive = openDoor(settings.id, parts, env.store);
    this.#settings = settings;
    this.#env = env;
    this.#parts = parts;
    this.#votes = parts.votes;
    this.#acceptor = parts.acceptor;
    this.#coordinator = parts.coordinator;
    this.#locks = parts.locks;
    this.#hints = parts.hints;
    this.#forest = parts.forest;
    this.#gate = parts.gate;
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
    openNodeState(env.store, settings, (state, error) => {
      if (error !== undefined) return opened(undefined, error);
      opened(new StorageNode(settings, env, transport, state));
    });
  }

  /** Starts the background work: probes, gossip, hints, repair, purges. It goes on until `stop`. */
  startBackground(): void {
    const { detector, gossip, hints, finisher, antiEntropy, purge, scrub, epochFollower, orphans } = this.#parts;
    detector.start(() => this.#peers());
    gossip.start();
    hints.start();
    finisher.start();
    antiEntropy.start();
    purge.start();
    scrub.start();
    epochFollower.start();
    orphans.start();
  }

  /**
   * From now on every request is refused, and background work ends; the store may be closed. Operations under way are not
   * waited for: they hear no answers any more.
   */
  stop(): void {
    this.#isStopped = true;
    const { acceptor, coordinator, forest, epochFollower, epochStaging, detector, gate, gossip, hints } = this.#parts;
    const { finisher, restore, scrub, antiEntropy, purge, orphans } = this.#parts;
    const inOrder = [epochFollower, gate, acceptor, coordinator, forest, epochStaging, detector, gossip, hints];
    for (const part of [...inOrder, finisher, restore, scrub, antiEntropy, purge, orphans]) part.stop();
  }

  /** The config in which this node votes on a partition; undefined if it has no vote there. */
  votingConfig(partition: number): PartitionConfig | undefined {
    return this.#votes.votingConfig(partition);
  }

  isSealed(partition: number): boolean {
    return this.#votes.isSealed(partition);
  }

  /** What this node's replica holds of a key. */
  stateOf(key: StoreKey): ReplicaState {
    return this.#acceptor.stateOf(key);
  }

  /** How many records of a key rules of lag hold back from this node's replica. */
  heldOf(key: StoreKey): number {
    return this.#gate.countOf(key);
  }

  /** Whether it has accepted a record that it does not know to be committed. */
  get isUnsettled(): boolean {
    return this.#acceptor.rows.acceptedKeys('', 1, () => false).length > 0;
  }

  /** Whether it holds any record of a partition. */
  holdsAnyOf(partition: number): boolean {
    return this.#acceptor.rows.holdsAnyOf(partition);
  }

  status(): NodeStatus {
    const { votes, hints, gate, detector, epochSwitch, antiEntropy, purge, restore, scrub } = this.#parts;
    const { partitions } = votes;
    return {
      id: this.id,
      diskId: this.#settings.diskId,
      partitions,
      sealed: partitions.filter((partition) => votes.isSealed(partition)),
      hints: hints.count,
      hintBytes: hints.bytes,
      held: gate.count,
      suspects: this.#peers().filter((node) => !detector.isUp(node)),
      epochsBegun: epochSwitch.begun,
      repaired: { ...antiEntropy.total },
      tombstonesPurged: purge.purged,
      damage: restore.figures,
      damagedHints: hints.damaged,
      scrubbed: scrub.figures,
    };
  }

  write(
    key: StoreKey,
    partitionKey: ByteString,
    mutation: Mutation,
    { consistency, wantsOld }: WriteOptions,
    done: (outcome: WriteAnswer) => void,
    carried?: Carried,
  ): void {
    if (this.#isStopped) return done(NOT_TRIED);
    const coordinator = this.#coordinator;
    const deadlineMs = coordinator.deadline();
    const isBlind = !wantsOld && mutation.condition === undefined && mutation.kind !== 'update';
    if (consistency === 'dynamo' && isBlind) {
      const item = mutation.kind === 'put' ? mutation.item : undefined;
      assert(carried?.kind !== 'round');
      const known = highestOf([this.#acceptor.stateOf(key), { committed: this.#hints.committed(key) }]);
      return runTask(writeSloppily(coordinator, key, partitionKey, known, item, deadlineMs, carried), done);
    }
    assert(carried?.kind !== 'record');
    const change: Change = (current) => applyMutation(mutation, current);
    let hasWaited = false;
    const start = () => {
      const release = (outcome: WriteAnswer) => {
        this.#locks.release(key);
        done(outcome);
      };
      // The one before has tried in vain, and so would each of those that waited behind it, one after the other.
      const { members } = coordinator.configOfKey(key);
      if (hasWaited && coordinator.isCutOff(members, coordinator.majorityOf({ members }))) {
        return release(untried(NOT_TRIED, carried));
      }
      runTask(writeRegister(coordinator, key, partitionKey, change, consistency, deadlineMs, carried), release);
    };
    if (!this.#locks.acquire(key, start)) return done(untried({ kind: 'overloaded' }, carried));
    hasWaited = true;
  }

  read(
    key: StoreKey,
    isConsistent: boolean,
    consistency: Consistency,
    done: (outcome: ReadOutcome) => void,
    isLagging = false,
  ): void {
    if (this.#isStopped) return done(NOT_TRIED);
    if (isLagging && !isConsistent && this.#isHomeOf(key) && this.#answerOwn(key, done)) return;
    const coordinator = this.#coordinator;
    const deadlineMs = coordinator.deadline();
    const finish = (outcome: RegisterReadOutcome) => done(toReadOutcome(outcome));
    if (consistency === 'dynamo') return runTask(readSloppily(coordinator, key, isConsistent, deadlineMs), finish);
    // The most common request of all needs no message, so it is spared the task too.
    if (!isConsistent && isReadLocal(coordinator) && this.#isHomeOf(key) && this.#answerOwn(key, done)) return;
    runTask((isConsistent ? readStrongly : readEventually)(coordinator, key, deadlineMs), finish);
  }

  range(
    from: StoreKey,
    to: StoreKey,
    limit: number,
    isConsistent: boolean,
    consistency: Consistency,
    done: (outcome: RangeOutcome) => void,
    isLagging = false,
  ): void {
    if (this.#isStopped) return done(NOT_TRIED);
    const coordinator = this.#coordinator;
    const isOwn = isLagging && !isConsistent && this.#isHomeOf(from);
    const demand = isOwn ? ({ kind: 'own' } as const) : this.#rangeDemand(from, isConsistent, consistency);
    runTask(readRange(coordinator, from, to, limit, demand, coordinator.deadline()), done);
  }

  #rangeDemand(from: StoreKey, isConsistent: boolean, consistency: Consistency): RangeDemand {
    if (isConsistent && consistency === 'strict') return { kind: 'strong' };
    const { readQuorum } = this.#settings;
    return { kind: 'committed', replicas: isConsistent ? consistentReadQuorum(this.#coordinator, from) : readQuorum };
  }

  /** Answers what its own replica has committed. @returns false if that cannot be read: others have to be asked */
  #answerOwn(key: StoreKey, done: (outcome: ReadOutcome) => void): boolean {
    const item = this.#acceptor.committedItem(key);
    if (item === UNREADABLE) return false;
    done(found(item));
    return true;
  }

  /** Whether its replica of the key's partition has a vote, sealed or not. */
  #isHomeOf(key: StoreKey): boolean {
    return this.#votes.votingConfig(partitionOf(key)) !== undefined;
  }

  /** Sets the rules of lag in force. A record is released if the rule that held it is not among them. */
  setLags(rules: readonly LagRule[]): void {
    if (!this.#isStopped) this.#gate.setRules(rules);
  }

  /** Releases all records that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    this.#gate.releaseAll();
  }

  /**
   * Settles what this replica accepted and never learned the outcome of, for example before it was killed: an identity
   * round proves each such record and tells all home replicas, so that eventually consistent reads show it too. `done` is
   * called when all were tried; a record for which no majority answered stays as it is.
   */
  settleAccepted(done: () => void): void {
    this.#parts.finisher.settleAll(done);
  }

  tablesIn(partition: number): readonly ByteString[] {
    return this.#forest.tablesIn(partition);
  }

  forgetTable(table: ByteString): void {
    this.#gate?.forgetTable(table);
    this.#acceptor.forgetTable(table);
    this.#hints.forgetTable(table);
  }

  /** Compares all partitions of this node with their other members, and repairs either side. */
  repair(done: (report: RepairReport) => void): void {
    this.#parts.antiEntropy.repairNow(done);
  }

  /** Reads everything that this node has stored, and has damaged records restored. */
  scrub(done: (report: ScrubReport) => void): void {
    this.#parts.scrub.scrubNow(done);
  }

  /** Looks for tombstones that may go, in the partitions that this node answers for. */
  purgeTombstones(done: (report: PurgeReport) => void): void {
    this.#parts.purge.purgeNow(done);
  }

  /** Tells this node of a config that was decided, in case nobody else has. */
  hear(config: PartitionConfig): void {
    this.#parts.epochFollower.hear(config);
  }

  /** Leads a partition into its next epoch, with these members. May be given up and begun again, here or elsewhere. */
  changeEpoch(
    register: ConfigRegister,
    partition: number,
    members: readonly Member[],
    done: (outcome: EpochChangeOutcome) => void,
  ): void {
    if (this.#isStopped) return done({ kind: 'failed', reason: `${this.id} has stopped` });
    const coordinator = this.#coordinator;
    runTask(changeEpoch({ coordinator, register, log: this.#env.log }, partition, members), done);
  }

  #peers(): readonly NodeId[] {
    return this.view.preferenceList(0).filter((node) => node !== this.id);
  }
}
