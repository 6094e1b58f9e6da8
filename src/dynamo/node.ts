import type { ByteString } from '../api/primary-key.ts';
import type { Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { StoreKey } from '../env/store.ts';
import type { Receive, Transport } from '../env/transport.ts';
import { consistencyOf } from './ballot.ts';
import { BallotClocks } from './ballot-clock.ts';
import type { Consistency, LagRule } from './client.ts';
import type { CoordinatingNode } from './coordinating-node.ts';
import { Coordination } from './coordination.ts';
import type { AnswerTo, CoordinationRequest } from './coordination-messages.ts';
import type { ConfigRegister } from './epochs/config-register.ts';
import { changeEpoch, type EpochChangeOutcome } from './epochs/epoch-change.ts';
import { EpochStaging } from './epochs/epoch-staging.ts';
import { EpochSwitch } from './epochs/epoch-switch.ts';
import { Orphans } from './epochs/orphans.ts';
import type { PartitionVotes } from './epochs/partition-votes.ts';
import { FailureDetector, watched } from './failure-detector.ts';
import { Gossip } from './gossip.ts';
import { AntiEntropy, type RepairReport } from './healing/anti-entropy.ts';
import { HintedHandoff } from './healing/hinted-handoff.ts';
import { KeyRestore } from './healing/key-restore.ts';
import { MerkleForest } from './healing/merkle-forest.ts';
import { exchange } from './healing/replica-comparison.ts';
import { Scrub, type ScrubReport } from './healing/scrub.ts';
import { type PurgeReport, TombstonePurge } from './healing/tombstones.ts';
import { partitionOf } from './keyspace.ts';
import type { HintRequest, Member, PartitionConfig, Reply, Request } from './messages.ts';
import type { NodeSettings } from './node-settings.ts';
import { type NodeState, openNodeState } from './node-state.ts';
import type { NodeStatus } from './node-status.ts';
import type { ItemRecord, ReplicaState } from './record.ts';
import { highestCommitted } from './record.ts';
import { Acceptor } from './registers/acceptor.ts';
import { Coordinator } from './registers/coordinator.ts';
import { Finisher } from './registers/finisher.ts';
import { KeyLock } from './registers/key-lock.ts';
import { LagGate } from './registers/lag-gate.ts';
import { identityRound } from './registers/register-write.ts';
import type { NodeId } from './ring.ts';
import { RingView } from './ring-view.ts';
import { runTask, type Task } from './task.ts';

/**
 * One storage node: a replica, a coordinator, and what keeps its replicas alike and its ring up to date. It learns of the
 * world only through its Env and its Transport, and runs whole within the events those deliver.
 */
export class StorageNode implements CoordinatingNode {
  readonly id: NodeId;
  /** The ring as this node knows it. */
  readonly view: RingView;
  readonly #settings: NodeSettings;
  readonly #env: Env;
  readonly #votes: PartitionVotes;
  readonly #acceptor: Acceptor;
  readonly #coordinator: Coordinator;
  readonly #coordination: Coordination;
  readonly #locks: KeyLock;
  readonly #detector: FailureDetector;
  readonly #hints: HintedHandoff;
  readonly #gossip: Gossip;
  readonly #finisher: Finisher;
  readonly #restore: KeyRestore;
  readonly #scrub: Scrub;
  readonly #forest: MerkleForest;
  readonly #antiEntropy: AntiEntropy;
  readonly #purge: TombstonePurge;
  readonly #epochSwitch: EpochSwitch;
  readonly #epochStaging: EpochStaging;
  readonly #orphans: Orphans;
  #reconcileTimer: Timer | undefined;
  readonly #makeGate: () => LagGate;
  /** Undefined as long as there is no rule of lag. */
  #gate: LagGate | undefined;
  #epochsBegun = 0;
  #isStopped = false;

  private constructor(settings: NodeSettings, env: Env, wire: Transport<Request, Reply>, state: NodeState) {
    const { id, limits, ring, diskId, rules } = settings;
    const { clock, random, store, log } = env;
    const { votes, boot } = state;
    this.id = id;
    this.#settings = settings;
    this.#env = env;
    this.#votes = votes;
    this.view = new RingView(ring);
    const { view } = this;
    for (const config of votes.known) view.observe(config);

    const detector = new FailureDetector({
      self: id,
      clock,
      limits,
      probe: (node) => transport.send(node, { kind: 'ping' }, () => {}),
    });
    const transport = watched(wire, detector);
    const isUp = (node: NodeId) => detector.isUp(node);
    const configOf = (key: StoreKey) => view.configOf(partitionOf(key));
    const membersOf = (key: StoreKey) => configOf(key).members;
    const onConfig = (config: PartitionConfig) => this.#learnConfig(config);
    const hints = new HintedHandoff({ self: id, store, clock, log, limits, transport, isUp, configOf });
    const forest = new MerkleForest({
      store,
      clock,
      limits,
      partitions: view.partitions,
      onDamaged: (key) => acceptor.noteDamaged(key),
    });
    const acceptor = new Acceptor(settings, store, clock, state, {
      committed: (key) => {
        forest.touch(key);
        if (settings.rules.heldYields) this.#gate?.noteCommitted(key);
      },
      lost: () => {
        forest.clear(undefined);
        hints.reload();
        this.#epochStaging.lost();
      },
      damaged: (key) => this.#restore.note(key),
      hasOther: (key) => hints.hasHint(key) || (settings.rules.heldYields && this.heldOf(key) > 0),
    });
    const { ceilingHlc } = state;
    const ballots = new BallotClocks({ clock, coordinator: diskId, boot, ceilingHlc, limits, rules });
    const learn = (key: StoreKey, record: ItemRecord) => {
      ballots.follow(record);
      acceptor.receive({ kind: 'learn', key, record }, () => {});
    };
    const learnHere = (key: StoreKey, record: ItemRecord) => {
      if (this.#gate?.hold(key, record) === true) ballots.follow(record);
      else learn(key, record);
    };
    const keepHint = (home: NodeId, key: StoreKey, record: ItemRecord) => {
      if (hints.keep(home, key, record)) settings.onHint?.(home, key, record.ballot);
    };
    this.#makeGate = () =>
      new LagGate({
        self: id,
        clock,
        limits,
        writeQuorum: settings.writeQuorum,
        membersOf,
        isUp,
        committed: (key) => acceptor.stateOf(key).committed?.ballot,
        learn,
      });
    this.#locks = new KeyLock(limits);
    this.#detector = detector;
    this.#hints = hints;
    this.#forest = forest;
    this.#acceptor = acceptor;
    this.#coordinator = new Coordinator({
      settings,
      ballots,
      clock,
      random,
      transport,
      view,
      boot,
      isUp,
      isSilent: (node, forMs) => detector.isSilent(node, forMs),
      keepHint,
      onConfig,
    });
    this.#restore = new KeyRestore({
      self: id,
      clock,
      log,
      coordinator: this.#coordinator,
      acceptor,
      retryMs: limits.finishIntervalMs,
      foundAtNobody: (partition) => this.#compareAnew(partition),
    });
    this.#gossip = new Gossip({ self: id, view, clock, random, limits, transport, onConfig });
    this.#finisher = new Finisher({
      acceptedKeys: (after, limit) => acceptor.acceptedKeys(after, limit, (key) => this.#gate?.isLagging(key) === true),
      finish: (key, mode, done) => this.#finish(key, mode, done),
      clock,
      limits,
    });
    const epochOf = (partition: number) => votes.configOf(partition)?.epoch;
    const isStopped = () => this.#isStopped;
    // An epoch begins with every record that was chosen before: what is gathered for it has to reach the disk.
    const gather = settings.rules.epochsPassLagGate ? learn : learnHere;
    const repairParts = {
      self: id,
      clock,
      random,
      log,
      limits,
      transport,
      forest,
      view,
      isUp,
      learnHere,
      epochOf,
      isStopped,
      settleConflict: (key: StoreKey) => this.#settleConflict(key),
    };
    this.#antiEntropy = new AntiEntropy({ ...repairParts, intervalMs: settings.antiEntropyIntervalMs });
    const isYoung = (key: StoreKey) => settings.rules.graceFromOwnLearn && acceptor.isYoungTombstone(key);
    this.#purge = new TombstonePurge({ self: id, store, clock, limits, view, isUp, isYoung, transport });
    const intervalMs = settings.scrubIntervalMs ?? 0;
    this.#scrub = new Scrub({ self: id, store, clock, log, intervalMs, acceptor, hints, restore: this.#restore });
    this.#epochSwitch = new EpochSwitch({
      self: id,
      store,
      log,
      votes,
      acceptor,
      newest: (told) => (settings.rules.rowsNeverGoBack ? view.configOf(told.partition) : told),
      beginning: (partition) => {
        this.#epochStaging.giveUp(partition);
        this.#gate?.forgetPartition(partition);
      },
      handOff: (partition, done) => this.#antiEntropy.handOff(partition, done),
      begun: (partition) => this.#begun(partition),
      left: (partition) => {
        this.#gate?.forgetPartition(partition);
        this.#orphans.giveUp(partition);
      },
    });
    this.#epochStaging = new EpochStaging({
      self: id,
      store,
      clock,
      log,
      limits,
      transport,
      exchange: (partition, epoch, peer, onExtra) =>
        exchange(
          { ...repairParts, learnHere: gather, epochOf: () => epoch, needsAll: true },
          partition,
          peer,
          'pull',
          onExtra,
        ),
      isNamedIn: (config) => votes.isNamedIn(config),
      isBeginning: (partition) => this.#epochSwitch.isBeginning(partition),
      decidedEpoch: (partition) => view.configOf(partition).epoch,
      votesIn: epochOf,
      erase: (key) => acceptor.erase(key),
    });
    this.#orphans = new Orphans({
      clock,
      limits,
      votes,
      view,
      acceptor,
      antiEntropy: this.#antiEntropy,
      epochStaging: this.#epochStaging,
    });
    this.#coordination = new Coordination({
      coordinator: this.#coordinator,
      acceptor,
      hints,
      locks: this.#locks,
      votes,
      forest,
      forgetTable: (table) => this.#forgetTable(table),
    });
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

  /** Begins all that goes on without being asked: probes, gossip, hints, repair, purges. Until `stop`. */
  startBackground(): void {
    this.#detector.start(() => this.#peers());
    this.#gossip.start();
    this.#hints.start();
    this.#finisher.start();
    this.#antiEntropy.start();
    this.#purge.start();
    this.#scrub.start();
    this.#reconcile();
    this.#orphans.start();
  }

  /**
   * From now on every request is refused, and work in the background ends; the store may be closed. Operations under way
   * are not waited for: they hear no answers any more.
   */
  stop(): void {
    this.#isStopped = true;
    this.#env.clock.cancel(this.#reconcileTimer);
    this.#gate?.stop();
    for (const part of [
      this.#coordination,
      this.#acceptor,
      this.#coordinator,
      this.#forest,
      this.#epochStaging,
      this.#detector,
      this.#gossip,
      this.#hints,
      this.#finisher,
      this.#restore,
      this.#scrub,
      this.#antiEntropy,
      this.#purge,
      this.#orphans,
    ]) {
      part.stop();
    }
  }

  /** Whether it votes in any partition: one that does not waits for an epoch change to name it. */
  get isMember(): boolean {
    return this.#votes.partitions.length > 0;
  }

  /** The config in which it votes, if it does. */
  configOf(partition: number): PartitionConfig | undefined {
    return this.#votes.configOf(partition);
  }

  isSealed(partition: number): boolean {
    return this.#votes.isSealed(partition);
  }

  /** What this node's replica holds of a key. */
  stateOf(key: StoreKey): ReplicaState {
    return this.#acceptor.stateOf(key);
  }

  /** How many records of a key rules of lag hold back from its replica. */
  heldOf(key: StoreKey): number {
    return this.#gate?.countOf(key) ?? 0;
  }

  /** Whether it has accepted a record that it does not know to be committed. */
  get isUnsettled(): boolean {
    return this.#acceptor.acceptedKeys('', 1).length > 0;
  }

  /** Whether it holds any record of a partition. */
  holdsAnyOf(partition: number): boolean {
    return this.#acceptor.holdsAnyOf(partition);
  }

  status(): NodeStatus {
    const { partitions } = this.#votes;
    return {
      id: this.id,
      diskId: this.#settings.diskId,
      partitions,
      sealed: partitions.filter((partition) => this.#votes.isSealed(partition)),
      hints: this.#hints.count,
      hintBytes: this.#hints.bytes,
      held: this.#gate?.count ?? 0,
      suspects: this.#peers().filter((node) => !this.#detector.isUp(node)),
      epochsBegun: this.#epochsBegun,
      repaired: { ...this.#antiEntropy.total },
      tombstonesPurged: this.#purge.purged,
      damage: this.#restore.figures,
      damagedHints: this.#hints.damaged,
      scrubbed: this.#scrub.figures,
    };
  }

  /** The door for other nodes. */
  readonly receive: Receive<Request, Reply> = (from, request, reply) => {
    this.#detector.noteHeard(from);
    switch (request.kind) {
      case 'learn':
        this.#coordinator.ballots.follow(request.record);
        if (this.#gate !== undefined && this.#isHeldBack(this.#gate, request)) {
          return reply({ kind: 'learned', from: this.id, vote: undefined, isHeld: true });
        }
        return this.#acceptor.receive(request, reply);
      case 'adopt':
        if (from !== this.id || !this.#restore.isRunning(request.key, request.ballot)) return;
        return this.#acceptor.receive(request, reply);
      case 'prepare':
      case 'accept':
      case 'read':
      case 'read-range':
      case 'confirm-tombstone':
      case 'purge':
        return this.#acceptor.receive(request, reply);
      case 'read-committed':
        return this.#acceptor.receive(request, (state) => reply(this.#withHints(request.key, state)));
      case 'hint':
        return this.#keepHint(request, reply);
      case 'merkle-hashes':
      case 'merkle-keys':
      case 'fetch': {
        const partition = request.kind === 'fetch' ? partitionOf(request.keys[0]!) : request.partition;
        const config = this.#votes.configOf(partition);
        if (config?.epoch !== request.epoch) return reply({ kind: 'wrong-epoch', from: this.id, config });
        return this.#forest.receive(request, this.id, reply);
      }
      case 'stage':
        // What was deleted and purged while this node was no member may be among what it holds.
        this.#gate?.forgetPartition(request.next.partition);
        return this.#epochStaging.receive(request, reply);
      case 'copy':
        return this.#epochStaging.receive(request, reply);
      case 'activate':
        this.view.observe(request.config);
        return this.#epochSwitch.receive(request, reply);
      case 'seal':
      case 'sealed-records':
        return this.#epochSwitch.receive(request, reply);
      case 'gossip':
        return this.#gossip.receive(request, reply);
      case 'ping':
        return reply({ kind: 'pong', from: this.id });
    }
  };

  #isHeldBack(gate: LagGate, { key, record, isNeeded }: Extract<Request, { kind: 'learn' }>): boolean {
    if (isNeeded !== true) return gate.hold(key, record);
    gate.release(key);
    return false;
  }

  #keepHint({ home, key, record }: HintRequest, reply: (reply: Reply) => void): void {
    const from = this.id;
    if (!this.#hints.keep(home, key, record)) return reply({ kind: 'hint-refused', from });
    this.#env.store.flush((error) => {
      reply(error === undefined ? { kind: 'hinted', from } : { kind: 'storage-failed', from, message: error.message });
    });
  }

  coordinate<R extends CoordinationRequest>(request: R, reply: (answer: AnswerTo<R>) => void): void {
    this.#coordination.coordinate(request, reply);
  }

  /**
   * The rules of lag in force from now on. What rules held that are not among them is released. A node that starts has
   * none, and holds nothing.
   */
  setLags(rules: readonly LagRule[]): void {
    if (this.#isStopped) return;
    if (rules.length > 0) {
      this.#gate ??= this.#makeGate();
      return this.#gate.follow(rules);
    }
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.releaseAll();
  }

  /** Releases all that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    this.#gate?.releaseAll();
  }

  /**
   * Settles what this replica accepted and never learned the outcome of, for example before it was killed: an identity
   * round proves each such record and tells all home replicas, so that eventually consistent reads show it too. `done` is
   * called when all were tried; those that no majority could be had for stay as they are.
   */
  settleAccepted(done: () => void): void {
    this.#finisher.settleAll(done);
  }

  #forgetTable(table: ByteString): void {
    this.#gate?.forgetTable(table);
    this.#acceptor.forgetTable(table);
    this.#hints.forgetTable(table);
  }

  /** Compares all partitions of this node with their other members, and repairs either side. */
  repair(done: (report: RepairReport) => void): void {
    this.#antiEntropy.repairNow(done);
  }

  /** Reads all that this node has stored, and has restored what is damaged. */
  scrub(done: (report: ScrubReport) => void): void {
    this.#scrub.scrubNow(done);
  }

  /** Looks for tombstones that may go, in the partitions that this node answers for. */
  purgeTombstones(done: (report: PurgeReport) => void): void {
    this.#purge.purgeNow(done);
  }

  /** The root of the Merkle tree of a partition as it is now. */
  merkleRoot(partition: number, done: (root: Uint8Array) => void): void {
    this.#forest.refresh(partition, () => done(this.#forest.root(partition)));
  }

  /** Tells it of a config that was decided, should nobody else have. */
  hear(config: PartitionConfig): void {
    this.#learnConfig(config);
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

  #finish(key: StoreKey, mode: Consistency, done: () => void): void {
    const start = () => {
      runTask(identityRound(this.#coordinator, key, mode, this.#coordinator.deadline()), () => {
        this.#locks.release(key);
        done();
      });
    };
    // Whoever holds the key is about to settle it.
    if (!this.#locks.acquire(key, start)) done();
  }

  *#settleConflict(key: StoreKey): Task<boolean> {
    this.#env.log.error('replicas hold different records under one ballot', { node: this.id });
    const { committed } = this.#acceptor.stateOf(key);
    const mode = committed === undefined ? 'strict' : consistencyOf(committed.ballot);
    const outcome = yield* identityRound(this.#coordinator, key, mode, this.#coordinator.deadline(), true);
    return outcome.kind === 'proven';
  }

  #learnConfig(config: PartitionConfig): void {
    if (!this.#isStopped && this.view.observe(config)) this.#epochSwitch.activate(config, () => {});
  }

  /** Votes, or ceases to, as the view has it. */
  #followView(partition: number): void {
    const config = this.view.configOf(partition);
    const present = this.#votes.configOf(partition);
    const isBehind = present === undefined ? this.#votes.isNamedIn(config) : present.epoch < config.epoch;
    if (isBehind) this.#epochSwitch.activate(config, () => {});
  }

  /** Follows what earlier attempts could not, as when the disk refused. */
  #reconcile(): void {
    for (let partition = 0; partition < this.view.partitions; partition++) this.#followView(partition);
    this.#reconcileTimer = this.#env.clock.after(this.#settings.limits.gossipIntervalMs, () => this.#reconcile());
  }

  /** Of what is on its disk something may be missing that its trees were made of. */
  #compareAnew(partition: number): void {
    if (this.#votes.configOf(partition) === undefined) return;
    this.#forest.clear(partition);
    this.#antiEntropy.catchUp(partition);
  }

  /** A member that began with less than the others has is brought up to date at once. */
  #begun(partition: number): void {
    this.#epochsBegun++;
    this.#antiEntropy.catchUp(partition);
    // A still newer one may have been decided meanwhile.
    this.#followView(partition);
  }

  /** A substitute answers with what it keeps for others. */
  #withHints(key: StoreKey, reply: Reply): Reply {
    if (this.#hints.count === 0 || reply.kind !== 'state') return reply;
    const committed = highestCommitted([reply, { committed: this.#hints.committed(key) }]);
    return { ...reply, committed };
  }

  #peers(): readonly NodeId[] {
    return this.view.preferenceList(0).filter((node) => node !== this.id);
  }
}
