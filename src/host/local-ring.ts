import type { ItemKey, LagRule } from '../dynamo/client.ts';
import { Rebalancer } from '../dynamo/epochs/rebalancer.ts';
import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import type { PurgeReport } from '../dynamo/healing/tombstones.ts';
import { storeKeyOf } from '../dynamo/keyspace.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingClient } from '../dynamo/ring-client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import { RingView } from '../dynamo/ring-view.ts';
import { SystemClock } from '../env/clock.ts';
import type { MessageCodecs } from '../env/codec.ts';
import type { DataDirectory } from '../env/data-directory.ts';
import type { Log } from '../env/log.ts';
import { SystemRandom } from '../env/random.ts';
import type { LinkFault } from '../env/transport.ts';
import { type Location, locate } from '../peer/locate.ts';
import type { Peer } from '../peer/peer.ts';
import type { RingDescription } from '../peer/ring-description.ts';
import { type NodeReport, type RingExamination, votesOf } from '../peer/ring-examination.ts';
import type { ServedRing } from '../peer/served-ring.ts';
import { FileConfigRegister } from './file-config-register.ts';
import { foundCluster } from './found-cluster.ts';
import { Links } from './links.ts';
import { NodeDisks } from './local-disks.ts';
import { LocalNodes } from './local-nodes.ts';
import type { LocalRingSettings } from './local-ring-settings.ts';
import { MoveLeader } from './move-leader.ts';
import { NodeSupervisor } from './node-supervisor.ts';
import type { Ring } from './ring-control.ts';
import { RingHealer } from './ring-healer.ts';
import { RingLifetime } from './ring-lifetime.ts';
import type { RingObserver } from './ring-observer.ts';
import { Roster } from './roster.ts';

/** The pause before moves that failed are tried again. */
const RETRY_MOVES_MS = 500;
/** How often to look for partitions that are sealed though no move is under way; a move seals one for less. */
const WATCH_SEALED_MS = 2_000;

export interface LocalRingParts {
  readonly settings: LocalRingSettings;
  readonly directory: DataDirectory;
  readonly log: Log;
  readonly observer?: RingObserver | undefined;
  /** For tests: messages between nodes go through these, as if each node were a process. */
  readonly codecs?: MessageCodecs<Request, Reply>;
}

/**
 * A ring all of whose nodes run in this process. It builds the parts that do the work and hands each call to one of
 * them: `NodeSupervisor` starts and stops nodes, `Roster` adds and removes them, `Links` carries what is sent,
 * `RingHealer` repairs, `FileConfigRegister` decides who votes, `Rebalancer` and `MoveLeader` move partitions.
 */
export class LocalRing implements Ring, ServedRing {
  readonly #clock = new SystemClock();
  readonly #lifetime = new RingLifetime();
  readonly #nodes = new LocalNodes();
  readonly #view: RingView;
  readonly #register: FileConfigRegister;
  readonly #links: Links;
  readonly #leader: MoveLeader;
  readonly #rebalancer: Rebalancer;
  readonly #healer: RingHealer;
  readonly #disks: NodeDisks;
  readonly #supervisor: NodeSupervisor;
  readonly #roster: Roster;

  private constructor({ settings, directory, log, observer, codecs }: LocalRingParts) {
    const { durability, writeQuorum, limits } = settings;
    const random = new SystemRandom();
    const record = directory.cluster ?? foundCluster(settings);
    const [clock, lifetime, nodes] = [this.#clock, this.#lifetime, this.#nodes];
    const view = new RingView(record.configs);
    const register = new FileConfigRegister(directory, record, view);
    const links = new Links({ view, clock, random, limits: limits.node, writeQuorum, observer, codecs });
    const leader = new MoveLeader(nodes, view, register);
    const rebalancer = new Rebalancer({
      configs: () => view.configs,
      replication: record.replication,
      clock,
      log,
      retryMs: RETRY_MOVES_MS,
      roster: () => register.record.nodes,
      sealed: () => leader.sealedPartitions(),
      publish: (configs) => leader.publish(configs),
      changeEpoch: (move, done) => leader.lead(move, done),
    });
    const healer = new RingHealer({ nodes, lifetime, clock, describe: () => this.describe() });
    const options = { durability, lazyFlushMs: limits.lazyFlushMs };
    const disks = new NodeDisks({ directory, register, log, clock, options });
    const supervisor = new NodeSupervisor({
      settings,
      directory,
      register,
      disks,
      nodes,
      links,
      leader,
      healer,
      lifetime,
      clock,
      random,
      log,
      observer,
      onDiskLost: () => this.#roster.settleInBackground(),
    });
    this.#view = view;
    this.#register = register;
    this.#links = links;
    this.#leader = leader;
    this.#rebalancer = rebalancer;
    this.#healer = healer;
    this.#disks = disks;
    this.#supervisor = supervisor;
    this.#roster = new Roster({ directory, register, nodes, supervisor, rebalancer, lifetime, clock, log });
  }

  /**
   * Starts all nodes on their disks, settles what they had accepted, and goes on with moves that were under way.
   *
   * @throws DataDirectoryError if a disk holds another node's data, or too many have lost theirs
   */
  static async open(parts: LocalRingParts): Promise<LocalRing> {
    const ring = new LocalRing(parts);
    try {
      await ring.#supervisor.openAll();
      await ring.#healer.settleAccepted();
      ring.#roster.settleInBackground();
      ring.#rebalancer.watch(WATCH_SEALED_MS);
      return ring;
    } catch (error) {
      await ring.close().catch((failure: unknown) => parts.log.error('could not close a store', { error: failure }));
      throw error;
    }
  }

  /** Stops all nodes and closes their stores; throws what the first that failed threw. No other call may follow. */
  async close(): Promise<void> {
    this.#lifetime.close();
    this.#rebalancer.stop();
    this.client.stop();
    const failures = [...(await this.#supervisor.closeAll())];
    await this.#disks.close().catch((error: unknown) => failures.push(error));
    this.#links.stop();
    if (failures.length > 0) throw failures[0];
  }

  /** The way in for requests. */
  get client(): RingClient {
    return this.#links.client;
  }

  describe(): RingDescription {
    const { configs } = this.#register.record;
    return { nodes: this.#nodes.describe(), partitions: configs, moves: this.#rebalancer.progress };
  }

  examine(): RingExamination {
    const moves = this.#rebalancer.left;
    const { lastFailure } = this.#rebalancer.progress;
    return {
      nodes: this.#nodes.all.map(({ id, running }) => reportOf(id, running?.peer)),
      partitions: this.#register.record.configs,
      moves: moves.map(({ partition, members }) => ({
        partition,
        to: members.map(({ node }) => node),
        by: undefined,
        problem: lastFailure,
      })),
      unknownGoal: undefined,
      level: undefined,
      notes: [],
    };
  }

  /** The node whose disk this is; undefined if the disk was lost or its node has left. */
  nodeOfDisk(diskId: number): NodeId | undefined {
    return this.#nodes.all.find((node) => node.diskId === diskId)?.id;
  }

  /** Where an item lives, and what each home replica holds of it now. */
  locate(key: ItemKey): Location {
    const storeKey = storeKeyOf(key, this.#view.partitions);
    return locate(storeKey, this.#view, (id) => this.#nodes.peerOf(id)?.node);
  }

  stop(id: NodeId): Promise<void> {
    return this.#supervisor.stop(id);
  }

  async start(id: NodeId): Promise<void> {
    await this.#supervisor.start(id);
    this.#roster.settleInBackground();
  }

  pause(id: NodeId): void {
    this.#links.pause(this.#runningPeer(id));
    this.#leader.giveUp(id);
  }

  resume(id: NodeId): void {
    this.#links.resume(this.#runningPeer(id));
  }

  async wipe(id: NodeId): Promise<void> {
    await this.#supervisor.wipe(id);
    this.#roster.settleInBackground();
  }

  setLink(from: NodeId, to: NodeId, fault: LinkFault): void {
    this.#lifetime.checkOpen();
    for (const id of [from, to]) this.#nodes.get(id);
    this.#links.set(from, to, fault);
  }

  healLink(from: NodeId, to: NodeId): void {
    this.#links.heal(from, to);
  }

  healLinks(): void {
    this.#links.healAll();
  }

  addNode(): Promise<NodeId> {
    return this.#roster.add();
  }

  removeNode(id: NodeId): Promise<void> {
    return this.#roster.remove(id);
  }

  settled(): Promise<void> {
    return this.#roster.settled();
  }

  /** Lets replicas lag by these rules, in place of those before. What other rules held back is released. */
  setLags(rules: readonly LagRule[]): void {
    this.#healer.setLags(rules);
  }

  /** Releases all that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    this.#healer.releaseLags();
  }

  repair(): Promise<RepairReport> {
    return this.#healer.repair();
  }

  waitUntilConsistent(withinMs?: number): Promise<void> {
    return this.#healer.waitUntilConsistent(withinMs);
  }

  purgeTombstones(): Promise<PurgeReport> {
    return this.#healer.purgeTombstones();
  }

  scrub(): Promise<ScrubReport> {
    return this.#healer.scrub();
  }

  #runningPeer(id: NodeId): Peer {
    this.#lifetime.checkOpen();
    const { running } = this.#nodes.get(id);
    if (running === undefined) throw new RingError(`${id} has stopped`);
    return running.peer;
  }
}

function reportOf(id: NodeId, peer: Peer | undefined): NodeReport {
  const release = undefined;
  if (peer === undefined) return { id, state: 'stopped', votes: undefined, hints: 0, suspects: [], release };
  const { hints, suspects } = peer.node.status();
  return { id, state: peer.isPaused ? 'paused' : 'up', votes: votesOf(peer.node), hints, suspects, release };
}
