import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { ApiClock } from './admin/api-clock.ts';
import type { Security } from './config/client-security.ts';
import { endpointOf } from './config/endpoint.ts';
import type { PeerServeCommand } from './config/parse-peer.ts';
import { sharedSettingsIn } from './config/shared-settings.ts';
import { type Config, ConfigError } from './config.ts';
import type { Reply, Request } from './dynamo/messages.ts';
import { NodesOfView } from './dynamo/nodes-at-hand.ts';
import { RingClient } from './dynamo/ring-client.ts';
import { RingError } from './dynamo/ring-error.ts';
import { RingView } from './dynamo/ring-view.ts';
import { type Clock, SystemClock } from './env/clock.ts';
import { newDiskId } from './env/disk-id.ts';
import { FaultyLinks } from './env/faulty-links.ts';
import type { Log } from './env/log.ts';
import type { Address } from './env/peer-channel.ts';
import { openPeerDirectory, type PeerDirectory } from './env/peer-directory.ts';
import type { PeerRecord } from './env/peer-record.ts';
import type { PeerSecurity } from './env/peer-tls.ts';
import { ringTransport } from './env/peer-transport.ts';
import { SystemRandom } from './env/random.ts';
import { textOfAddress } from './peer/acquaintances.ts';
import { ConfigWatch } from './peer/config-watch.ts';
import { CoordinationDoor } from './peer/coordination-door.ts';
import { Examiner } from './peer/examiner.ts';
import { configsOf } from './peer/founding.ts';
import type { GoalSettings } from './peer/goal.ts';
import { Membership } from './peer/membership.ts';
import { NodeFaults } from './peer/node-faults.ts';
import { diskOf } from './peer/node-name.ts';
import type { Peer } from './peer/peer.ts';
import { PeerLags } from './peer/peer-lags.ts';
import { PeerRing } from './peer/peer-ring.ts';
import { coordinationDesk, ringDesk } from './peer/ring-desk.ts';
import { ClusterSettings } from './serving/cluster-settings.ts';
import { createLateWeb } from './serving/late-web.ts';
import { openWeb, type Address as WebAddress } from './serving/open-web.ts';
import { drained } from './serving/own-node.ts';
import { nodeControl } from './serving/peer-control.ts';
import { memoryOf } from './serving/peer-memory.ts';
import { PeerNetwork } from './serving/peer-network.ts';
import { openPeerNode } from './serving/peer-node.ts';
import { peerSecurityOf, refuseToListen } from './serving/peer-security.ts';
import { PeerTraces } from './serving/peer-traces.ts';
import { Releases } from './serving/releases.ts';
import { createSecurity, serveRing } from './serving/serve-ring.ts';
import { sweeperIn } from './serving/sweeper.ts';
import type { LateServer } from './web/late-server.ts';
import { RemoteNode } from './wire/remote-node.ts';
import { COORDINATION_CHANNEL, RING_CHANNEL } from './wire/ring-channels.ts';

/** How long requests under way may take once the process is to stop. */
const STOP_GRACE_MS = 5_000;

/** One process of a cluster: a node, or a front, with a router and a web server. */
export interface ServedPeer {
  /** Where clients reach it. */
  readonly addresses: readonly WebAddress[];
  /** Where other peers reach it. */
  readonly peerAddress: Address;
  /**
   * Resolves when requests can be served; rejects with what an operator has to remedy. Until then `/health` says 503.
   */
  readonly ready: Promise<ReadyPeer>;
  /** Reads the files of certificate and access keys of clients again. @throws ConfigError: all stays as it was */
  renewSecurity(): void;
  /** Takes nothing new, ends what it has begun, and leaves. */
  stop(): Promise<void>;
}

/** What is known once requests can be served. */
export interface ReadyPeer {
  readonly record: PeerRecord;
  readonly config: PeerServeCommand['config'];
  readonly adminAddresses: readonly WebAddress[];
}

export interface ServePeerParts {
  readonly command: PeerServeCommand;
  readonly version: string;
  readonly log: Log;
  /** It cannot go on. @param error with a line for people */
  readonly onFatal: (error: Error) => void;
  /** The cluster has taken this disk in: started again, the process has a node. */
  readonly onTakenIn: () => void;
  /** The node has left the cluster: the process is to end. */
  readonly onLeft: () => void;
}

/**
 * The composition root of one process of several. Resolves once it listens, for clients and for peers.
 *
 * @throws ConfigError, DataDirectoryError, or the system's error if an address cannot be listened on
 */
export async function servePeer(parts: ServePeerParts): Promise<ServedPeer> {
  const releases = new Releases();
  try {
    return await new PeerProcess(parts, releases).begin();
  } catch (error) {
    await releases
      .runAll()
      .catch((failure: unknown) => parts.log.error('could not release everything', { error: failure }));
    throw error;
  }
}

interface MembershipBasis {
  readonly view: RingView;
  readonly ring: PeerRing;
  readonly peer: Peer | undefined;
  readonly network: PeerNetwork;
  readonly directory: PeerDirectory | undefined;
}

interface RingBasis {
  readonly view: RingView;
  readonly peer: Peer | undefined;
  readonly network: PeerNetwork;
  readonly config: Config;
  /** What is made of the ring itself. */
  readonly later: { membership?: Membership; leave?: () => void };
  readonly traces: PeerTraces;
}

interface ServedParts {
  readonly directory: PeerDirectory | undefined;
  readonly network: PeerNetwork;
  readonly late: LateServer;
  readonly security: Security | undefined;
}

/** What a process of a cluster is made of, in the order of its start. */
class PeerProcess {
  readonly #parts: ServePeerParts;
  readonly #releases: Releases;
  readonly #clock: Clock = new SystemClock();
  readonly #random = new SystemRandom();
  readonly #links = new FaultyLinks<Request, Reply>(this.#clock, this.#random);
  #stopped: Promise<void> | undefined;
  #noteSettings: (settings: GoalSettings) => void = () => {};
  /** Of what serves: released after those who listen for it have stopped. */
  readonly #served = new Releases();

  constructor(parts: ServePeerParts, releases: Releases) {
    this.#parts = parts;
    this.#releases = releases;
  }

  async begin(): Promise<ServedPeer> {
    const { command, log } = this.#parts;
    const { peer, config } = command;
    const security = peerSecurityOf(peer);
    const forClients = await createSecurity(config, this.#clock);
    const directory = config.dataDir === undefined ? undefined : await openPeerDirectory(config.dataDir, peer.nodeId);
    if (directory !== undefined) this.#releases.add(() => directory.close());
    const network = this.#network(directory, security);
    this.#releases.add(() => network.stop());
    const late = createLateWeb({
      config: command.config,
      security: forClients,
      clock: this.#clock,
      log,
      diskId: diskOf(network.self),
    });
    this.#releases.add(() => this.#served.runAll());
    const where = { hosts: config.hosts, graceMs: STOP_GRACE_MS, clock: this.#clock, releases: this.#releases };
    const addresses = await openWeb(late, config.port, where);
    const peerAddress = await network.listen(peer.peerListen, peer.peerAddress).catch(refuseToListen(peer));
    log.info('listens for clients', { node: network.self, endpoint: endpointOf(addresses[0]!, config) });
    log.info('listens for peers', { node: network.self, address: textOfAddress(peerAddress) });
    let starting: Promise<ReadyPeer> | undefined;
    const ready = network.findCluster().then((record) => {
      // What would be opened now, nobody would release.
      if (this.#stopped !== undefined) return new Promise<never>(() => {});
      starting = this.#serve(record, { directory, network, late, security: forClients });
      return starting;
    });
    return {
      addresses,
      peerAddress,
      ready,
      renewSecurity() {
        forClients?.readAgain();
        if (forClients?.https !== undefined) late.renewCertificate(forClients.https);
      },
      stop: () => {
        // What is being started has to be there before it can be released: a store must not outlive the directory's lock.
        this.#stopped ??= Promise.resolve(starting?.catch(() => {})).then(() => this.#releases.runAll());
        return this.#stopped;
      },
    };
  }

  #network(directory: PeerDirectory | undefined, security: PeerSecurity): PeerNetwork {
    const { command, version, log, onFatal } = this.#parts;
    const { peer } = command;
    return new PeerNetwork({
      memory: directory ?? memoryOf({ diskId: newDiskId(), name: peer.nodeId, boot: 1, state: 'new' }),
      role: peer.role === 'front' ? 'front' : 'member',
      build: version,
      instance: randomBytes(8).toString('hex'),
      security,
      join: peer.join,
      hashOf: (text) => createHash('sha256').update(text).digest('hex').slice(0, 16),
      newClusterId: randomUUID,
      clock: this.#clock,
      random: this.#random,
      log,
      onFatal: (reason) => onFatal(new ConfigError(reason)),
    });
  }

  /** The cluster is known: opens the node, if this disk is one of its, and serves. */
  async #serve(record: PeerRecord, { directory, network, late, security }: ServedParts): Promise<ReadyPeer> {
    const { command, log } = this.#parts;
    const config = command.configOf(record.cluster!);
    const clock = this.#clock;
    const releases = this.#served;
    const { transport } = network;
    const traces = new PeerTraces(config, network, clock);
    const isNode = record.state === 'formed' && directory !== undefined;
    if (!isNode && directory !== undefined) {
      const { name } = record;
      const line = `it serves clients and stores nothing; if it is to take the place of a lost disk: admin replace ${name}`;
      log.warn('the disk of this node is empty, and the cluster exists without it', { node: name, remedy: line });
    }
    let peer: Peer | undefined;
    if (isNode) {
      const ring = transport.open(RING_CHANNEL, this.#links.receive(ringDesk(() => peer)));
      const node = await openPeerNode({
        directory,
        config,
        transport: traces.observing(this.#links.transport(ringTransport(ring))),
        clock,
        random: this.#random,
        log,
        onHint: (hint) => traces.noteHint(hint),
        onDamaged: (reason) => this.#parts.onFatal(new RingError(reason)),
      });
      peer = node.peer;
      releases.add(() => node.close());
      releases.add(() => this.#links.stop());
    }
    const view = peer?.node.view ?? new RingView(configsOf(record.cluster!));
    const later: RingBasis['later'] = {};
    const ring = this.#ring({ view, peer, network, config, later, traces });
    const apiClock = new ApiClock(clock, config.timeOffsetMs);
    const membership = this.#membership(record, { view, ring, peer, network, directory });
    later.membership = membership;
    const nodes = nodeControl(membership, network.port);
    const { news, rules, users } = network;
    const isSweeper = () => sweeperIn(view, network) === network.self;
    const others = { routers: news, rules, users, name: record.name, isSweeper };
    const isHealthy = () => this.#stopped === undefined;
    const shared = await this.#settings(config, membership, directory).settle();
    const serving = await serveRing(
      {
        config: { ...config, ...shared },
        security,
        log,
        clock,
        apiClock,
        ring,
        nodes,
        traces: traces.own,
        requestId: traces.requestId,
        traceElsewhere: (id) => traces.findElsewhere(id),
        others,
        isHealthy,
        peerFigures: () => network.figures,
      },
      releases,
    );
    traces.tell((id) => serving.admin.trace(id));
    late.serve(serving.web);
    const where = { hosts: config.hosts, graceMs: STOP_GRACE_MS, clock, releases: this.#releases };
    const { operator } = serving.web;
    const adminAddresses = config.adminPort === undefined ? [] : await openWeb(operator, config.adminPort, where);
    // The first things at a stop: requests that a rule makes wait are not waited for, and those of others not begun.
    this.#releases.add(serving.endWaits);
    this.#releases.add(() => later.leave?.());
    return { record, config, adminAddresses };
  }

  #settings(config: Config, membership: Membership, directory: PeerDirectory | undefined): ClusterSettings {
    const { command, log, onFatal } = this.#parts;
    const settings = new ClusterSettings({
      said: command.said,
      complete: sharedSettingsIn(config),
      kept: directory?.record.settings,
      keep: (settings) => directory?.save({ ...directory.record, settings }),
      adopt: (settings) => membership.adoptSettings(settings),
      clock: this.#clock,
      log,
      onFatal,
    });
    this.#noteSettings = (goal) => settings.note(goal);
    return settings;
  }

  /** Who belongs to the cluster; from now on this process moves partitions, if it has a node. */
  #membership(
    { name, diskId, cluster }: PeerRecord,
    { view, ring, peer, network, directory }: MembershipBasis,
  ): Membership {
    const { log, onTakenIn, onLeft } = this.#parts;
    const membership = new Membership({
      self: network.self,
      disk: directory && { name, diskId },
      cluster: cluster!,
      client: ring.client,
      view,
      node: peer?.node,
      port: network.port,
      present: () => network.acquaintances.present,
      clock: this.#clock,
      random: this.#random,
      log,
      releaseOf: (node) => network.releaseOf(node),
      onLevel: (level) => network.requireLevel(level),
      onUnfit: (reason) => this.#parts.onFatal(new RingError(reason)),
      onSettings: (settings) => this.#noteSettings(settings),
      onTakenIn: () => {
        directory!.save({ ...directory!.record, state: 'formed' });
        onTakenIn();
      },
      onLeft,
    });
    network.heed(membership);
    membership.start();
    this.#served.add(() => membership.stop());
    return membership;
  }

  /** The ring as this process sees it, and the door by which other processes ask its node. */
  #ring({ view, peer, network, config, later, traces }: RingBasis): PeerRing {
    const { self, transport, port, acquaintances } = network;
    const clock = this.#clock;
    const door = new CoordinationDoor(() => peer?.door, undefined, traces.ofOthers);
    const coordination = transport.open(COORDINATION_CHANNEL, coordinationDesk(view.partitions, door.serve));
    const client = new RingClient({
      view,
      nodes: new NodesOfView({
        view,
        // The door of a node that is paused is another one.
        own: peer && {
          id: self,
          node: { coordinate: (request, reply, departure) => peer.door.coordinate(request, reply, departure) },
        },
        reach: (id) => new RemoteNode(coordination, id, traces.own),
      }),
      isReachable: (id) => id === self || transport.isUp(id),
      silentMs: (id) => transport.silentMs(id),
      nearest: config.readFrom === 'nearest' ? self : undefined,
      ...{ clock, random: this.#random, limits: config.limits.node },
      writeQuorum: config.writeQuorum,
      observer: traces.own,
    });
    network.follow(view, (id) => client.attach(id));
    later.leave = () => door.leave();
    const lags = new PeerLags(peer?.node, clock);
    network.serve(peer, new NodeFaults(peer, this.#links, lags));
    const watch = new ConfigWatch({
      view,
      port,
      present: () => acquaintances.present,
      clock,
      random: this.#random,
    });
    if (peer === undefined) watch.start();
    let known: Examiner | undefined;
    const examiner = () => {
      const releaseOf = (node: string) => network.releaseOf(node);
      known ??= new Examiner({ view, own: peer, membership: later.membership!, transport, port, releaseOf, clock });
      return known;
    };
    const ring = new PeerRing({
      view,
      client,
      own: peer,
      lags,
      transport,
      port,
      roster: () => later.membership?.nodes ?? [],
      moves: () => later.membership!.progress,
      examine: () => examiner().examine(),
      clock,
      close: async () => {
        watch.stop();
        network.serve(undefined);
        door.leave();
        await drained(peer, door);
      },
    });
    this.#served.add(() => ring.close());
    return ring;
  }
}
