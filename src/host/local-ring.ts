import { rm } from 'node:fs/promises';
import type { ByteString } from '../api/primary-key.ts';
import type { Config } from '../config.ts';
import type { LagRule } from '../dynamo/client.ts';
import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { ConfigRegister } from '../dynamo/epochs/config-register.ts';
import type { EpochChangeOutcome } from '../dynamo/epochs/epoch-change.ts';
import { type Move, Rebalancer, RingError, withNode, withoutNode } from '../dynamo/epochs/rebalancer.ts';
import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import type { PurgeReport } from '../dynamo/healing/tombstones.ts';
import { partitionOf, storeKeyOf } from '../dynamo/keyspace.ts';
import type { Member, PartitionConfig, Reply, Request } from '../dynamo/messages.ts';
import { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingClient } from '../dynamo/ring-client.ts';
import { RingView } from '../dynamo/ring-view.ts';
import { SOUND_RULES } from '../dynamo/rules.ts';
import { SystemClock, type Timer } from '../env/clock.ts';
import { type ClusterRecord, type DataDirectory, DataDirectoryError } from '../env/data-directory.ts';
import { FaultyNetwork, type LinkFault } from '../env/faulty-network.ts';
import type { LmdbStore } from '../env/lmdb-store.ts';
import { LocalTransport } from '../env/local-transport.ts';
import type { Log } from '../env/log.ts';
import { SystemRandom } from '../env/random.ts';
import { StoppableClock } from '../env/stoppable-clock.ts';
import { StoreDamagedError, unlessDamaged } from '../env/store-damage.ts';
import { PausedNode } from '../peer/paused-node.ts';
import {
  describeReplicas,
  type Location,
  type NodeDescription,
  type RingDescription,
} from '../peer/ring-description.ts';
import type { TraceLog } from '../trace/trace-log.ts';
import { foundCluster, newDiskId, nodeId, numberOf } from './found-cluster.ts';
import { checkFault } from './link-fault.ts';
import { NodeDisks } from './local-disks.ts';
import {
  addUp,
  Entrance,
  type Host,
  NO_DISK,
  newHost,
  type Running,
  receiverOf,
  untilStopped,
  whileRunning,
} from './ring-host.ts';

/** Before moves that failed are tried again. */
const RETRY_MOVES_MS = 500;
/** A controller that is at work has left a partition sealed for less. */
const WATCH_SEALED_MS = 2_000;
/** How long a node that leaves may take to hand off what only it has, which is seldom anything. */
const HAND_OFF_MS = 10_000;
const HAND_OFF_POLL_MS = 5;
/** How long replicas may take until they are alike, once nobody writes. Longer than a node that was down is taken for it. */
const CONSISTENT_WITHIN_MS = 30_000;
/** Between two looks whether they are. Hints are offered, and nodes probed, less often. */
const CONSISTENT_POLL_MS = 20;

/**
 * The storage nodes of this process, and the door to what may happen to them: nodes stop, pause, lose their disk, come and
 * go; links break. The ring goes on as docs/protocol.md section 7 says, and heals.
 */
export class LocalRing {
  /** The way in for requests. */
  readonly client: RingClient;
  readonly #config: Config;
  readonly #directory: DataDirectory;
  readonly #log: Log;
  readonly #traces: TraceLog | undefined;
  readonly #clock = new SystemClock();
  readonly #random = new SystemRandom();
  /** Of what is on its way between nodes. */
  readonly #networkClock = new StoppableClock(this.#clock);
  readonly #network: FaultyNetwork<Request, Reply>;
  readonly #disks: NodeDisks;
  readonly #hosts = new Map<NodeId, Host>();
  /** What clients of the ring may ask. */
  readonly #reachable = new Map<NodeId, CoordinatingNode>();
  readonly #view: RingView;
  readonly #register: ConfigRegister;
  readonly #rebalancer: Rebalancer;
  /** The last attempt that was begun for each partition; those of an earlier process are dead. */
  readonly #attempts = new Map<number, number>();
  /** Those in force, for each node that runs or starts. */
  #lags: readonly LagRule[] = [];
  /** Repairs under way: meanwhile nothing is held back. */
  #repairs = 0;
  /** Those who wait for what ends with the ring. */
  readonly #onClose = new Set<(error: Error) => void>();
  /** The node that leads a move at the moment, and how it is given up. */
  #led: { readonly by: NodeId; readonly finish: (outcome: EpochChangeOutcome) => void } | undefined;
  #isClosed = false;
  #record: ClusterRecord;

  private constructor(config: Config, directory: DataDirectory, log: Log, traces: TraceLog | undefined) {
    this.#config = config;
    this.#directory = directory;
    this.#log = log;
    this.#traces = traces;
    this.#record = directory.cluster ?? foundCluster(config);
    this.#disks = new NodeDisks({
      directory,
      log,
      clock: this.#clock,
      options: { durability: config.durability, lazyFlushMs: config.limits.lazyFlushMs },
      record: () => this.#record,
      save: (record) => this.#save(record),
    });
    this.#network = new FaultyNetwork(new LocalTransport<Request, Reply>(), this.#networkClock, this.#random, traces);
    this.#view = new RingView(this.#record.configs);
    this.client = new RingClient({
      view: this.#view,
      nodes: this.#reachable,
      clock: this.#clock,
      limits: config.limits.node,
      writeQuorum: config.writeQuorum,
      observer: traces,
    });
    this.#register = {
      read: (partition) => this.#record.configs[partition]!,
      begin: (partition, done) => this.#beginAttempt(partition, done),
      decide: (next, done) => this.#decide(next, done),
    };
    this.#rebalancer = new Rebalancer({
      register: this.#register,
      partitions: this.#record.partitions,
      replication: this.#record.replication,
      clock: this.#clock,
      log,
      retryMs: RETRY_MOVES_MS,
      roster: () => this.#record.nodes,
      sealed: () => this.#sealedPartitions(),
      tellAll: (configs) => {
        for (const node of this.#runningNodes()) for (const config of configs) unlessDamaged(() => node.hear(config));
      },
      changeEpoch: (move, done) => this.#lead(move, done),
    });
  }

  /**
   * Starts all nodes on their disks, settles what they had accepted, and goes on with moves that were under way.
   *
   * @param traces sees requests and messages
   * @throws DataDirectoryError if a disk holds another node's data, or too many have lost theirs
   */
  static async open(config: Config, directory: DataDirectory, log: Log, traces?: TraceLog): Promise<LocalRing> {
    const ring = new LocalRing(config, directory, log, traces);
    try {
      await ring.#open();
      return ring;
    } catch (error) {
      await ring.close().catch((failure: unknown) => log.error('could not close a store', { error: failure }));
      throw error;
    }
  }

  /** Stops all nodes and closes their stores; throws what the first that failed threw. Nothing can be done to it then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#rebalancer.stop();
    this.client.stop();
    for (const reject of this.#onClose) reject(closedError());
    this.#onClose.clear();
    const failures: unknown[] = [];
    for (const host of this.#hosts.values()) {
      await this.#inTurn(host, () => this.#shutDown(host)).catch((error: unknown) => failures.push(error));
    }
    await this.#disks.close().catch((error: unknown) => failures.push(error));
    this.#networkClock.stop();
    if (failures.length > 0) throw failures[0];
  }

  describe(): RingDescription {
    const nodes = [...this.#hosts.values()].map(({ id, running }): NodeDescription => {
      const state = running === undefined ? 'stopped' : this.#network.isPaused(id) ? 'paused' : 'up';
      return { id, state, status: running?.node.status() };
    });
    return { nodes, partitions: this.#record.configs, moves: this.#rebalancer.progress };
  }

  /** The node whose disk it is; undefined if it is one that was lost or left. */
  nodeOfDisk(diskId: number): NodeId | undefined {
    return [...this.#hosts.values()].find((host) => host.diskId === diskId)?.id;
  }

  /** Ends a node in order: what it has stays on its disk. It is missing until `start`. */
  async stop(id: NodeId): Promise<void> {
    const host = this.#hostOf(id);
    await this.#inTurn(host, async () => {
      if (host.running === undefined) throw new RingError(`${id} has stopped already`);
      await this.#drain(host);
      await this.#shutDown(host);
    });
  }

  async start(id: NodeId): Promise<void> {
    const host = this.#hostOf(id);
    await this.#inTurn(host, async () => {
      this.#hostOf(id);
      if (host.running !== undefined) throw new RingError(`${id} is running`);
      await this.#startHost(host);
    });
    this.#settleMembership();
  }

  /** A node neither hears nor answers from now on, as if its process were stopped by a signal. */
  pause(id: NodeId): void {
    const { entrance } = this.#runningOf(id);
    const host = this.#hostOf(id);
    if (host.door !== undefined) return;
    host.door = new PausedNode(entrance, this.#clock, this.#config.limits.node.suspectAfterMs);
    this.#reachable.set(id, host.door);
    this.#network.pause(id);
    this.#giveUpMove(id);
  }

  resume(id: NodeId): void {
    const { entrance } = this.#runningOf(id);
    const host = this.#hostOf(id);
    const { door } = host;
    host.door = undefined;
    this.#reachable.set(id, entrance);
    this.client.attach(id);
    this.#network.resume(id);
    door?.release();
  }

  /**
   * A node loses its disk: all it held, its votes included. It runs on an empty one, and is brought back partition by
   * partition.
   */
  async wipe(id: NodeId): Promise<void> {
    const host = this.#hostOf(id);
    await this.#inTurn(host, async () => {
      this.#hostOf(id);
      if (!this.#canLose(id)) {
        throw new RingError(`${id} cannot lose its disk: too few copies would be left to bring it back`);
      }
      await this.#shutDown(host);
      await rm(this.#directory.nodePath(id), { recursive: true, force: true });
      await this.#startHost(host);
    });
    this.#settleMembership();
  }

  /**
   * Sets what is wrong with the way from one node to another, instead of what was; `healLink` ends it.
   *
   * @throws RingError if there is no such way, or no such fault
   */
  setLink(from: NodeId, to: NodeId, fault: LinkFault): void {
    this.#hostOf(from);
    this.#hostOf(to);
    if (from === to) throw new RingError(`there is no link from ${from} to itself`);
    checkFault(fault);
    this.#network.setLink(from, to, fault);
  }

  healLink(from: NodeId, to: NodeId): void {
    this.#network.healLink(from, to);
  }

  healLinks(): void {
    this.#network.healLinks();
  }

  /**
   * Adds a node with an empty disk, and moves its share of the partitions to it. Resolves with its id once it runs; the
   * moves go on, and `settled` waits for them. If it cannot start, there is no such node.
   */
  async addNode(): Promise<NodeId> {
    this.#checkOpen();
    const lastNode = this.#record.lastNode + 1;
    const id = nodeId(lastNode);
    if (!this.#directory.isBlank(id)) {
      throw new RingError(`${this.#directory.nodePath(id)} is in the way of a new node: it was not made by this ring`);
    }
    const nodes = withNode(this.#record.nodes, { node: id, diskId: newDiskId() });
    this.#save({ ...this.#record, lastNode, nodes });
    const host = newHost(id, NO_DISK);
    this.#hosts.set(id, host);
    try {
      await this.#inTurn(host, () => this.#startHost(host));
    } catch (error) {
      this.#save({ ...this.#record, nodes: this.#record.nodes.filter(({ node }) => node !== id) });
      this.#hosts.delete(id);
      throw error;
    } finally {
      this.#settleMembership();
    }
    return id;
  }

  /**
   * Takes a node out of the ring: its partitions move to the others first, then it ends. Resolves when it has ended.
   *
   * @throws RingError if there is no such node, or fewer than N would be left
   */
  async removeNode(id: NodeId): Promise<void> {
    this.#checkOpen();
    this.#save({ ...this.#record, nodes: withoutNode(this.#record.nodes, id, this.#record.replication) });
    await this.settled();
  }

  /**
   * Resolves when every partition has the members that it should have, and the nodes that were removed have ended.
   *
   * @throws RingError if the ring is closed before
   */
  async settled(): Promise<void> {
    await this.#untilClosed<void>((resolve) => this.#rebalancer.settle(resolve));
    const { nodes, configs } = this.#record;
    const holders = new Set([...nodes, ...configs.flatMap(({ members }) => members)].map(({ node }) => node));
    for (const host of [...this.#hosts.values()].filter(({ id }) => !holders.has(id))) {
      await this.#inTurn(host, () => this.#dismiss(host));
    }
  }

  /**
   * Lets replicas lag by these rules, in place of those before. What was held back by others is released.
   */
  setLags(rules: readonly LagRule[]): void {
    this.#checkOpen();
    this.#lags = [...rules];
    this.#tellLags();
  }

  /** Releases all that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    for (const node of this.#runningNodes()) unlessDamaged(() => node.releaseLags());
  }

  /**
   * Compares all replicas that can be reached with one another, by Merkle trees, and brings those that are behind up to date,
   * those too that rules of lag hold back. The rules stay, for what is written afterwards.
   */
  async repair(): Promise<RepairReport> {
    return this.#withoutLags(() => this.#repair());
  }

  /**
   * Resolves when all replicas are alike: a comparison of all of them found nothing, no node keeps a hint or has accepted what
   * it does not know to be committed, and no partition is on its way. Repairs as often as it takes, and releases what rules of
   * lag hold back; these stay, for what is written afterwards. Whoever writes meanwhile has to be waited for, too.
   *
   * @throws RingError that says what is behind, if they are not alike in time
   */
  async waitUntilConsistent(withinMs = CONSISTENT_WITHIN_MS): Promise<void> {
    const untilMs = this.#clock.elapsedMs() + withinMs;
    await this.#withoutLags(async () => {
      for (;;) {
        const behind = await this.#findBehind();
        if (behind.length === 0) return;
        if (this.#clock.elapsedMs() >= untilMs) throw new RingError(`replicas differ still: ${behind.join('; ')}`);
        await new Promise<void>((resolve) => this.#clock.after(CONSISTENT_POLL_MS, resolve));
      }
    });
  }

  #repair(): Promise<RepairReport> {
    const nothing = { partitions: 0, hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0, ms: 0 };
    return this.#ofEach<RepairReport>(nothing, (node, done) => node.repair(done));
  }

  /** Has one node after the other do something. @returns the sums of what they report; one that stops reports `nothing` */
  async #ofEach<Report extends { readonly [Name in keyof Report]: number }>(
    nothing: Report,
    begin: (node: StorageNode, done: (report: Report) => void) => void,
  ): Promise<Report> {
    let total = nothing;
    for (const running of this.#active()) {
      const report = await this.#untilClosed<Report>((resolve) =>
        whileRunning(running, resolve, nothing, (done) => begin(running.node, done)),
      );
      total = addUp(total, report);
    }
    return total;
  }

  /** Repairs once. @returns what is not as `waitUntilConsistent` wants it then */
  async #findBehind(): Promise<string[]> {
    this.#checkOpen();
    // There is nothing to compare with one that does not answer, and it would be waited for.
    const absent = this.describe().nodes.filter(({ state }) => state !== 'up');
    if (absent.length > 0) return absent.map(({ id, state }) => `${id} is ${state}`);
    for (const running of this.#active()) {
      await this.#untilClosed<void>((resolve) =>
        whileRunning<void>(running, resolve, undefined, (done) => running.node.settleAccepted(done)),
      );
    }
    const { partitions, recordsRepaired } = await this.#repair();
    const behind: string[] = [];
    if (recordsRepaired > 0) behind.push(`the last comparison has found ${recordsRepaired} records`);
    const { nodes, partitions: configs, moves } = this.describe();
    const comparisons = configs.reduce((sum, { members }) => sum + members.length * (members.length - 1), 0);
    if (partitions < comparisons) behind.push(`${comparisons - partitions} comparisons could not be made`);
    for (const { id, state, status } of nodes) {
      if (state !== 'up') behind.push(`${id} is ${state} now`);
      if (status !== undefined && status.hints > 0) behind.push(`${id} keeps ${status.hints} hints`);
      if (this.#hosts.get(id)?.running?.node.isUnsettled === true)
        behind.push(`${id} has accepted what is not settled`);
    }
    if (moves.left > 0) behind.push(`${moves.left} partitions are to be moved`);
    return behind;
  }

  /** Does something while nothing is held back. */
  async #withoutLags<T>(work: () => Promise<T>): Promise<T> {
    this.#repairs++;
    this.#tellLags();
    try {
      return await work();
    } finally {
      this.#repairs--;
      this.#tellLags();
    }
  }

  /** The rules that nodes have to keep now. */
  get #presentLags(): readonly LagRule[] {
    return this.#repairs > 0 ? [] : this.#lags;
  }

  #tellLags(): void {
    for (const node of this.#runningNodes()) unlessDamaged(() => node.setLags(this.#presentLags));
  }

  /** Removes the tombstones that are old enough and that every home replica has. */
  async purgeTombstones(): Promise<PurgeReport> {
    return this.#ofEach<PurgeReport>({ purged: 0, waiting: 0 }, (node, done) => node.purgeTombstones(done));
  }

  /** Reads all that the nodes have stored, and has restored from other replicas what is damaged. */
  scrub(): Promise<ScrubReport> {
    const nothing = { records: 0, damaged: 0, restored: 0, ms: 0 };
    return this.#ofEach<ScrubReport>(nothing, (node, done) => node.scrub(done));
  }

  /** Where an item lives, and what each home replica holds of it now. */
  locate(key: {
    readonly table: ByteString;
    readonly partitionKey: ByteString;
    readonly sortKey: ByteString;
  }): Location {
    const storeKey = storeKeyOf(key, this.#record.partitions);
    const partition = partitionOf(storeKey);
    const { epoch, members } = this.#register.read(partition);
    const replicas = describeReplicas(
      storeKey,
      members.map(({ node }) => ({ id: node, node: this.#hosts.get(node)?.running?.node })),
    );
    return { partition, epoch, preferenceList: this.#view.preferenceList(partition), replicas };
  }

  async #open(): Promise<void> {
    const isFirst = this.#directory.cluster === undefined;
    // A node that is being removed still holds partitions.
    for (const { node, diskId } of [...this.#record.nodes, ...this.#record.configs.flatMap(({ members }) => members)]) {
      if (this.#hosts.has(node)) continue;
      const isLost = !isFirst && this.#directory.isBlank(node);
      this.#hosts.set(node, newHost(node, isLost ? NO_DISK : diskId));
    }
    // One that was removed may have been ended before it had handed off what only it had.
    for (const node of isFirst ? [] : this.#directory.nodeIds()) {
      const isRemoved = !this.#hosts.has(node) && numberOf(node) <= this.#record.lastNode;
      if (isRemoved && !this.#directory.isBlank(node)) this.#hosts.set(node, newHost(node, NO_DISK));
    }
    // Before any disk gets a new name: until then, what is missing can be put back.
    if (!isFirst) await this.#disks.openAll([...this.#hosts.values()]);
    for (const host of this.#hosts.values()) await this.#startHost(host, isFirst);
    // Only when every node durably has its votes may a later start take their absence for a lost disk.
    this.#disks.noteStarted();
    this.#disks.checkVoters([...this.#hosts.values()]);
    for (const running of this.#running()) {
      await this.#untilClosed<void>((resolve) =>
        whileRunning<void>(running, resolve, undefined, (done) => running.node.settleAccepted(done)),
      );
    }
    this.#settleMembership();
    this.#rebalancer.watch(WATCH_SEALED_MS);
  }

  async #startHost(host: Host, isBootstrap = false): Promise<void> {
    const { limits, writeQuorum, readQuorum, readFrom, readRepair } = this.#config;
    const { id } = host;
    const clock = new StoppableClock(this.#clock, unlessDamaged);
    const store = await this.#diskOf(id);
    try {
      host.diskId = this.#disks.identify(id, store, isBootstrap);
      const settings = {
        id,
        diskId: host.diskId,
        writeQuorum,
        readQuorum,
        readFrom,
        readRepair,
        antiEntropyIntervalMs: this.#config.antiEntropyIntervalMs,
        scrubIntervalMs: this.#config.scrubIntervalMs,
        ring: this.#record.configs,
        isBootstrap,
        limits: limits.node,
        rules: SOUND_RULES,
        onHint: this.#traces?.hintKept.bind(this.#traces, id),
      };
      const env = { clock, random: this.#random, log: this.#log, store };
      const node = await new Promise<StorageNode>((resolve, reject) => {
        store.onDamaged = reject;
        StorageNode.open(settings, env, untilStopped(this.#network.transport(id), clock), (opened, error) => {
          if (opened === undefined) reject(this.#disks.unwritable(id, error!));
          else resolve(opened);
        });
      });
      // Its boot number and its votes must not come back as they were, even if flushes promise nothing.
      if (this.#config.dataDir !== undefined) await store.settle();
      node.setLags(this.#presentLags);
      this.#network.register(id, receiverOf(node));
      const entrance = new Entrance(node);
      host.running = { node, entrance, store, clock, onStop: new Set() };
      store.onDamaged = (damage) => this.#loseDisk(host, store, damage);
      this.#reachable.set(id, entrance);
      this.client.attach(id);
      node.startBackground();
    } catch (error) {
      await store.close();
      if (!(error instanceof StoreDamagedError)) throw error;
      throw new DataDirectoryError(this.#disks.refusalOf(id, error));
    }
  }

  /** The disk of a node that starts: an empty one if its own is damaged and the others can bring it back. */
  async #diskOf(id: NodeId): Promise<LmdbStore> {
    try {
      return await this.#disks.take(id);
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error;
      if (!this.#canLose(id)) throw new RingError(this.#disks.refusalOf(id, error));
      this.#disks.setAside(id, error.message);
      return this.#disks.take(id);
    }
  }

  /** Replaces the disk of a node that runs, as `wipe` does; a node that the others could not bring back ends. */
  #loseDisk(host: Host, store: LmdbStore, { message }: StoreDamagedError): void {
    const { id } = host;
    const replace = async () => {
      if (host.running?.store !== store) return;
      const path = this.#directory.nodePath(id);
      await this.#shutDown(host).catch((error: unknown) =>
        this.#log.warn('could not close a damaged store', { node: id, error }),
      );
      if (this.#isClosed) return;
      if (this.#canLose(id)) {
        this.#disks.setAside(id, message);
        await this.#startHost(host);
      } else
        this.#log.error('a node has stopped: its disk is damaged, and too few copies are left to replace it', {
          node: id,
          path,
          reason: message,
        });
    };
    this.#inTurn(host, replace).then(
      () => this.#settleMembership(),
      (error: unknown) =>
        this.#log.error('a node has stopped: its disk is damaged and could not be replaced', { node: id, error }),
    );
  }

  /** Whether every partition would have a majority of members with a vote without what this node holds. */
  #canLose(id: NodeId): boolean {
    const hasVote = ({ node }: Member, partition: number) =>
      node !== id && this.#hosts.get(node)?.running?.node.votingConfig(partition) !== undefined;
    return this.#record.configs.every(
      ({ members, partition }) => members.filter((member) => hasVote(member, partition)).length > members.length / 2,
    );
  }

  /** Ends a node that has left the ring, once it has handed off what it held. */
  async #dismiss(host: Host): Promise<void> {
    const { id, running } = host;
    const giveUpMs = this.#clock.elapsedMs() + HAND_OFF_MS;
    // What it keeps for others may be all that there is of a write in `dynamo` mode.
    const isEmpty = (node: StorageNode) =>
      node.status().hints === 0 && this.#record.configs.every(({ partition }) => !node.holdsAnyOf(partition));
    while (
      running !== undefined &&
      host.running === running &&
      !isEmpty(running.node) &&
      this.#clock.elapsedMs() < giveUpMs
    ) {
      await new Promise<void>((resolve) => this.#clock.after(HAND_OFF_POLL_MS, resolve));
    }
    // It has gone, or the ring has, and with the ring the chance to hand off more.
    if (this.#hosts.get(id) !== host || this.#isClosed) return;
    await this.#drain(host);
    await this.#shutDown(host);
    this.#hosts.delete(id);
    await rm(this.#directory.nodePath(id), { recursive: true, force: true });
  }

  /** Lets a node answer what it was asked, for as long as an operation lives. */
  async #drain({ id }: Host): Promise<void> {
    this.#reachable.delete(id);
    const drained = new Promise<void>((resolve) => this.client.whenIdle(id, resolve));
    let timer: Timer;
    const late = new Promise<void>((resolve) => {
      timer = this.#clock.after(this.#config.limits.node.opLifeMs, resolve);
    });
    await Promise.race([drained, late]).finally(() => this.#clock.cancel(timer));
  }

  async #shutDown(host: Host): Promise<void> {
    const { running, id } = host;
    if (running === undefined) return;
    host.running = undefined;
    host.door = undefined;
    this.#disks.release(id);
    this.#reachable.delete(id);
    this.client.detach(id);
    running.node.stop();
    running.clock.stop();
    for (const tell of running.onStop) tell();
    this.#network.unregister(id);
    this.#giveUpMove(id);
    await running.store.close();
  }

  #beginAttempt(partition: number, done: Parameters<ConfigRegister['begin']>[1]): void {
    const attempt = this.#record.lastAttempt + 1;
    try {
      this.#save({ ...this.#record, lastAttempt: attempt });
    } catch (error) {
      return done(undefined, error as Error);
    }
    this.#attempts.set(partition, attempt);
    done(attempt);
  }

  #decide(next: PartitionConfig, done: Parameters<ConfigRegister['decide']>[1]): void {
    const decided = this.#record.configs[next.partition]!;
    const isLast = this.#attempts.get(next.partition) === next.attempt;
    if (decided.epoch !== next.epoch - 1 || !isLast) return done(decided);
    const configs = this.#record.configs.map((config) => (config === decided ? next : config));
    try {
      this.#save({ ...this.#record, configs });
    } catch (error) {
      // It may be on disk all the same; whoever asks again will hear what this process knows.
      return done(undefined, error as Error);
    }
    this.#view.hear(next);
    done(next);
  }

  #save(record: ClusterRecord): void {
    this.#directory.saveCluster(record);
    this.#record = record;
  }

  #settleMembership(): void {
    this.settled().catch((error: unknown) => {
      if (!this.#isClosed) this.#log.error('a node that was removed could not be ended', { error });
    });
  }

  /** Does one thing after the other to a node: one that is asked for while another goes on follows it. */
  #inTurn(host: Host, work: () => Promise<void>): Promise<void> {
    const turn = host.turn.then(work, work);
    host.turn = turn;
    return turn;
  }

  /** Waits for what would never end in a ring that was closed. */
  #untilClosed<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    this.#checkOpen();
    return new Promise<T>((resolve, reject) => {
      this.#onClose.add(reject);
      begin((value) => {
        this.#onClose.delete(reject);
        resolve(value);
      });
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  #sealedPartitions(): number[] {
    const sealed = this.#runningNodes().flatMap((node) => node.status().sealed);
    // A node that has not heard of the next epoch is still sealed in the old one.
    return [...new Set(sealed)].filter((partition) => {
      const { epoch } = this.#register.read(partition);
      return this.#runningNodes().some(
        (node) => node.isSealed(partition) && node.votingConfig(partition)?.epoch === epoch,
      );
    });
  }

  #lead({ partition, members }: Move, done: (outcome: EpochChangeOutcome) => void): void {
    const controller = this.#controllerFor(partition, members);
    if (controller === undefined) return done({ kind: 'failed', reason: 'no node is up' });
    const { node } = controller;
    const led = {
      by: node.id,
      finish: (outcome: EpochChangeOutcome) => {
        if (this.#led !== led) return;
        this.#led = undefined;
        done(outcome);
      },
    };
    this.#led = led;
    node.changeEpoch(this.#register, partition, members, led.finish);
  }

  /** A node is gone that may lead a move. It may have sealed the partition: nobody is to wait until it gives up itself. */
  #giveUpMove(by: NodeId): void {
    if (this.#led?.by === by) this.#led.finish({ kind: 'failed', reason: `${by}, which led it, is gone` });
  }

  /** A node that can lead a partition into its next epoch: best one of its members. */
  #controllerFor(partition: number, members: readonly Member[]): Running | undefined {
    const ids = [...this.#register.read(partition).members, ...members].map(({ node }) => node);
    for (const id of [...ids, ...this.#hosts.keys()]) {
      const running = this.#hosts.get(id)?.running;
      if (running !== undefined && !this.#network.isPaused(id)) return running;
    }
    return undefined;
  }

  #runningNodes(): StorageNode[] {
    return this.#running().map(({ node }) => node);
  }

  #running(): Running[] {
    return [...this.#hosts.values()].flatMap(({ running }) => (running === undefined ? [] : [running]));
  }

  /** Those that run and are not paused. */
  #active(): Running[] {
    this.#checkOpen();
    return this.#running().filter(({ node }) => !this.#network.isPaused(node.id));
  }

  #hostOf(id: NodeId): Host {
    this.#checkOpen();
    const host = this.#hosts.get(id);
    if (host === undefined) throw new RingError(`there is no ${id} in the ring`);
    return host;
  }

  #runningOf(id: NodeId): NonNullable<Host['running']> {
    const { running } = this.#hostOf(id);
    if (running === undefined) throw new RingError(`${id} has stopped`);
    return running;
  }
}

function closedError(): RingError {
  return new RingError('the ring is closed');
}
