import type { Departure } from '../api/departure.ts';
import type { Env } from '../env/env.ts';
import type { StoreKey } from '../env/store.ts';
import type { Receive, Transport } from '../env/transport.ts';
import type { LagRule } from './client.ts';
import type { CoordinatingNode } from './coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from './coordination-messages.ts';
import type { ConfigRegister } from './epochs/config-register.ts';
import { changeEpoch, type EpochChangeOutcome } from './epochs/epoch-change.ts';
import type { MemberRegister } from './epochs/member-register.ts';
import { dropStaged, stagedAttempt, stagedEpoch } from './epochs/staged-rows.ts';
import type { RepairReport } from './healing/anti-entropy.ts';
import type { ScrubReport } from './healing/scrub.ts';
import type { PurgeReport } from './healing/tombstones.ts';
import type { Member, PartitionConfig, Reply, Request } from './messages.ts';
import { openDoor } from './node-door.ts';
import { type NodeParts, wireNode } from './node-parts.ts';
import { NodeReactions } from './node-reactions.ts';
import type { NodeLimits, NodeSettings } from './node-settings.ts';
import { type NodeState, openNodeState } from './node-state.ts';
import type { NodeStatus } from './node-status.ts';
import type { ReplicaState } from './record.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';
import { runTask } from './task.ts';

/**
 * One storage node: a replica, a coordinator, and what keeps its replicas alike and its ring up to date. It learns of
 * the world only through its Env and its Transport, and does all its work within the events that those deliver.
 *
 * `node-parts` makes its parts, `node-reactions` says how they act on each other, `node-door` which of them answers
 * what.
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
    const { outboxFinisher, ledgerSweep } = this.#parts;
    detector.start(() => this.#peers());
    gossip.start();
    hints.start();
    finisher.start();
    outboxFinisher.start();
    ledgerSweep.start();
    antiEntropy.start();
    purge.start();
    scrub.start();
    epochFollower.start();
    orphans.start();
  }

  /**
   * From now on every request is refused, and background work ends; the store may be closed. Operations under way are
   * not waited for: they hear no answers any more.
   */
  stop(): void {
    this.#isStopped = true;
    const { coordination, epochFollower, gate, acceptor, coordinator, forest, epochStaging } = this.#parts;
    const { detector, gossip, hints, finisher, restore, scrub, antiEntropy, purge, orphans } = this.#parts;
    const { propagation, logs, propagationHold, outboxFinisher, ledgerSweep } = this.#parts;
    // First what takes requests, so that nothing below begins anything new.
    for (const part of [coordination, epochFollower, gate, acceptor, coordinator, forest, epochStaging]) part.stop();
    for (const part of [propagation, logs, propagationHold, outboxFinisher, ledgerSweep]) part.stop();
    for (const part of [detector, gossip, hints, finisher, restore, scrub, antiEntropy, purge, orphans]) part.stop();
  }

  /** The config in which this node votes on a partition; undefined if it has no vote there. */
  votingConfig(partition: number): PartitionConfig | undefined {
    return this.#parts.votes.votingConfig(partition);
  }

  /** Whether a config names this node with the disk that it has. */
  isNamedIn(config: PartitionConfig): boolean {
    return this.#parts.votes.isNamedIn(config);
  }

  /** Whether the failure detector has no doubt about another node. */
  seemsUp(node: NodeId): boolean {
    return this.#parts.detector.isUp(node);
  }

  /** From now on this node becomes a member of nothing new; where it is one, it stays one. Until the process ends. */
  refuseNewPartitions(): void {
    this.#parts.epochStaging.refuseNew();
  }

  /** The attempt for which this node has staged a partition, as the member of an epoch that it does not vote in yet. */
  stagedAttempt(partition: number): number | undefined {
    return stagedAttempt(this.#env.store, partition);
  }

  /** Drops what is staged for an attempt that can decide nothing any more, since this one was begun after it. */
  dropStaged(partition: number, attempt: number): void {
    const staged = stagedAttempt(this.#env.store, partition);
    if (staged !== undefined && staged < attempt)
      dropStaged(this.#env.store, partition, stagedEpoch(this.#env.store, partition));
  }

  isSealed(partition: number): boolean {
    return this.#parts.votes.isSealed(partition);
  }

  /** The records of a key in this node's replica. */
  stateOf(key: StoreKey): ReplicaState {
    return this.#parts.acceptor.stateOf(key);
  }

  /** How many records of a key rules of lag hold back from this node's replica. */
  heldOf(key: StoreKey): number {
    return this.#parts.gate.countOf(key);
  }

  /** Whether it has accepted a record that it does not know to be committed. */
  get isUnsettled(): boolean {
    return this.#parts.acceptor.rows.acceptedKeys('', 1, () => false).length > 0;
  }

  /** Whether it holds any record of a partition. */
  holdsAnyOf(partition: number): boolean {
    return this.#parts.acceptor.rows.holdsAnyOf(partition);
  }

  status(): NodeStatus {
    const { coordinator, votes, hints, gate, detector, epochSwitch, antiEntropy, purge, restore, scrub } = this.#parts;
    const { acceptor, propagation, propagationHold } = this.#parts;
    const { partitions } = votes;
    return {
      id: this.id,
      diskId: this.#settings.diskId,
      partitions,
      sealed: partitions.filter((partition) => votes.isSealed(partition)),
      writesUnderWay: coordinator.running,
      hints: hints.count,
      hintBytes: hints.bytes,
      held: gate.count,
      owed: acceptor.rows.outbox.count,
      settling: propagation.running,
      entriesConfirmed: propagation.confirmed,
      propagationHeld: propagationHold.count,
      suspects: this.#peers().filter((node) => !detector.isUp(node)),
      epochsBegun: epochSwitch.begun,
      repaired: { ...antiEntropy.total },
      tombstonesPurged: purge.purged,
      damage: restore.figures,
      damagedHints: hints.damaged,
      scrubbed: scrub.figures,
    };
  }

  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R>) => void,
    departure?: Departure,
  ): void {
    this.#parts.coordination.coordinate(request, reply, departure);
  }

  /** Sets the rules of lag in force. A record is released if the rule that held it is not among them. */
  setLags(rules: readonly LagRule[]): void {
    if (this.#isStopped) return;
    this.#parts.gate.setRules(rules);
    this.#parts.propagationHold.setRules(rules);
  }

  /** Releases all records that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    this.#parts.gate.releaseAll();
    this.#parts.propagationHold.releaseAll();
  }

  /**
   * Settles what this replica accepted and never learned the outcome of, for example before it was killed: an identity
   * round proves each such record and tells all home replicas, so that eventually consistent reads show it too. `done`
   * is called when all were tried; a record for which no majority answered stays as it is.
   */
  settleAccepted(done: () => void): void {
    this.#parts.finisher.settleAll(done);
  }

  /**
   * Settles what is due to global indexes of the items of this replica, whoever has coordinated their writes. `done` is called
   * when all were tried; what could not be settled stays due.
   */
  settleOutbox(done: () => void): void {
    this.#parts.outboxFinisher.settleAll(done);
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
  learnConfig(config: PartitionConfig): void {
    this.#parts.epochFollower.learnConfig(config);
  }

  /** The configs of a cluster of several processes, as their members keep them; this node leads the rounds. */
  configRegister(): MemberRegister {
    return this.#parts.configRegister;
  }

  /** The last attempt to change an epoch that this node knows of as its member: it may be under way. */
  begunAttempt(partition: number, epoch: number): number | undefined {
    return this.#parts.configAcceptor.begunIn(partition, epoch);
  }

  get limits(): NodeLimits {
    return this.#settings.limits;
  }

  /** Leads a partition into its next epoch, with these members. May be given up and begun again, here or elsewhere. */
  changeEpoch(
    register: ConfigRegister,
    partition: number,
    members: readonly Member[],
    done: (outcome: EpochChangeOutcome) => void,
  ): void {
    if (this.#isStopped) return done({ kind: 'failed', reason: `${this.id} has stopped` });
    const { coordinator } = this.#parts;
    runTask(changeEpoch({ coordinator, register, log: this.#env.log }, partition, members), done);
  }

  #peers(): readonly NodeId[] {
    return this.view.preferenceList(0).filter((node) => node !== this.id);
  }
}
