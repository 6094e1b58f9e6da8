import type { PeerHello } from '../dynamo/peer-hello.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import { reachedAt } from '../env/own-addresses.ts';
import type { Address, Greeting, PeerEvents, PeerTransport, Port, Refusal } from '../env/peer-channel.ts';
import type { FoundedCluster, PeerRecord } from '../env/peer-record.ts';
import type { PeerSecurity } from '../env/peer-tls.ts';
import { createPeerTransport } from '../env/peer-transport.ts';
import type { Random } from '../env/random.ts';
import { Acquaintances, textOfAddress } from '../peer/acquaintances.ts';
import { AddressBook, type AddressEntry } from '../peer/address-book.ts';
import { isOfCopy, isOfTwin, refusalOf } from '../peer/admission.ts';
import { Founder } from '../peer/founder.ts';
import { levelRefusal, type Release } from '../peer/level.ts';
import type { Membership } from '../peer/membership.ts';
import type { NodeFaults } from '../peer/node-faults.ts';
import { peerNodeId } from '../peer/node-name.ts';
import type { Peer } from '../peer/peer.ts';
import { type PeerDeskParts, peerDesk } from '../peer/peer-desk.ts';
import {
  PEER_CHANNEL,
  type PeerAnswer,
  type PeerRequest,
  readEntries,
  type SharedVersions,
} from '../peer/peer-messages.ts';
import { RulesNews } from '../peer/rules-news.ts';
import { TableNews } from '../peer/table-news.ts';
import { UsersOfTables } from '../peer/users-of-tables.ts';
import type { PeerFigures } from '../web/peer-metrics.ts';
import { PROTOCOL, peerGreeting } from '../wire/hello.ts';
import { Complaints } from './complaints.ts';
import { Notebook } from './notebook.ts';
import type { PeerMemory } from './peer-memory.ts';

/** The pause between two writes of what is known of other peers, in ms. */
const NOTE_MS = 1_000;
/**
 * A process to which others say for so long that another one is connected on its disk is the second one, in ms. Far above
 * what it takes to notice that a host is gone.
 */
const TWIN_MS = 60_000;
/** A process with nobody else in its cluster takes its disk for its own after so long, in ms. */
const ALONE_MS = 5_000;
/** How often the log repeats why a peer is refused, in ms. */
const REMIND_MS = 60_000;

export interface PeerNetworkParts {
  readonly memory: PeerMemory;
  readonly role: PeerHello['role'];
  readonly build: string;
  /** What this release speaks, unless a test plays another one. */
  readonly protocol?: Pick<PeerHello, 'protocolMin' | 'protocolMax'>;
  /** A random text of this process. */
  readonly instance: string;
  readonly security: PeerSecurity;
  readonly join: readonly Address[];
  /** A hash of the founders' names. */
  readonly hashOf: (text: string) => string;
  readonly newClusterId: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** An operator has to act. @param reason one line */
  readonly onFatal: (reason: string) => void;
}

/** A process among its peers: whom it knows, whom it lets in, and what cluster it is of. */
export class PeerNetwork {
  readonly self: NodeId;
  readonly transport: PeerTransport<PeerHello>;
  /** The channel of peers. */
  readonly port: Port<PeerRequest, PeerAnswer>;
  readonly acquaintances: Acquaintances;
  /** What routers tell each other of tables. */
  readonly news: TableNews;
  /** What processes tell each other of fault rules. */
  readonly rules: RulesNews;
  /** Which routers have used which tables lately, where throughput is limited. */
  readonly users: UsersOfTables;
  readonly #parts: PeerNetworkParts;
  readonly #book: AddressBook;
  readonly #complaints: Complaints;
  #own: AddressEntry;
  #reachedAt: () => readonly Address[] = () => [];
  #founder: Founder | undefined;
  #view: RingView | undefined;
  #peer: Peer | undefined;
  #faults: NodeFaults | undefined;
  #membership: Membership | undefined;
  /** The lowest that the cluster is at, as far as this process knows. */
  #level = 1;
  #traceOf: PeerDeskParts['traceOf'] = async () => undefined;
  #onUp: (peer: NodeId) => void = () => {};
  readonly #notebook: Notebook;
  /** Since when others refuse this process since another one is connected on its disk, and nobody has let it in. */
  #twinSinceMs: number | undefined;
  readonly #startedMs: number;

  constructor(parts: PeerNetworkParts) {
    const { memory, instance, join, clock, random, log, security } = parts;
    const { name, diskId, boot } = memory.record;
    this.#parts = parts;
    this.#startedMs = clock.elapsedMs();
    this.#complaints = new Complaints(clock, log, REMIND_MS);
    this.#notebook = new Notebook(clock, NOTE_MS, () => memory.writeNotes(this.#book.entries));
    this.self = peerNodeId(name, diskId);
    this.#own = { node: this.self, boot, instance, seq: 0, addresses: [] };
    const isMember = (node: NodeId) => this.#members.includes(node);
    this.#book = new AddressBook(readEntries(memory.readNotes()), isMember, () => this.#notebook.noteSoon());
    this.transport = createPeerTransport<PeerHello>({
      self: this.self,
      security,
      clock,
      random,
      log,
      addressesOf: (peer) => this.#book.addressesOf(peer),
      greeting: this.#greeting(),
      events: this.#events(),
    });
    this.port = this.transport.open(
      PEER_CHANNEL,
      peerDesk({
        self: this.self,
        founder: () => this.#founder,
        acquaintances: () => this.acquaintances,
        versions: () => this.#versions,
        view: () => this.#view,
        peer: () => this.#peer,
        membership: () => this.#membership,
        news: () => this.news,
        nowMs: () => clock.now(),
        rules: () => this.rules,
        faults: () => this.#faults,
        traceOf: (requestId, isForOther) => this.#traceOf(requestId, isForOther),
        users: () => this.users,
      }),
    );
    this.acquaintances = new Acquaintances({
      self: this.self,
      transport: this.transport,
      port: this.port,
      book: this.#book,
      join,
      own: () => this.#ownEntry(),
      members: () => this.#members,
      versions: () => this.#versions,
      onVersions: ({ rules }) => this.rules.noteVersion(rules),
      onRefused: (refusal) => this.#noteRefused(refusal),
      clock,
      random,
      log,
    });
    const present = () => this.acquaintances.present;
    const amongPeers = { self: this.self, port: this.port, present, members: () => this.#members, clock };
    this.news = new TableNews({ ...amongPeers, instance });
    this.rules = new RulesNews({ ...amongPeers, log });
    this.users = new UsersOfTables(amongPeers);
  }

  /**
   * Listens for peers, and begins to look for others.
   *
   * @param told where others reach this peer, if not where it listens
   * @returns where it listens
   * @throws the system's error
   */
  async listen(address: Address, told: Address | undefined): Promise<Address> {
    const listening = await this.transport.listen(address);
    this.#reachedAt = () => (told === undefined ? reachedAt(listening) : [withPort(told, listening)]);
    this.acquaintances.start();
    return listening;
  }

  /** Looks for the cluster of this disk, or founds it with others. Resolves with the record that knows the cluster. */
  findCluster(): Promise<PeerRecord> {
    const { memory, newClusterId, clock, log, onFatal } = this.#parts;
    return new Promise((resolve) => {
      this.#founder = new Founder({
        disk: memory.record,
        save: (record) => memory.save(record),
        peers: () => this.acquaintances.present,
        ask: (to, request, done) => {
          this.port.ask(to, request, (outcome) => {
            if (outcome.kind === 'answered' && outcome.answer.kind === 'founding') done(outcome.answer.answer);
          });
        },
        newClusterId,
        clock,
        log,
        onCluster: resolve,
        onStop: onFatal,
      });
      this.#founder.start();
    });
  }

  /** What is waited for, until a cluster is found. */
  get reason(): string {
    return this.#founder?.reason ?? '';
  }

  /** The ring is known: connections to all of its nodes are kept. @param onUp called when a peer can be asked (again) */
  follow(view: RingView, onUp: (peer: NodeId) => void): void {
    this.#view = view;
    this.#onUp = onUp;
    for (const node of this.#members) if (node !== this.self) this.transport.connect(node);
  }

  /** What is counted of the connections to others, for metrics. */
  get figures(): PeerFigures {
    return {
      ...this.transport.figures(),
      peers: this.nodes.map((node) => ({ node, isUp: this.transport.isUp(node) })),
    };
  }

  /** The node of this process answers its peers from now on. @param faults what others may do to it */
  serve(peer: Peer | undefined, faults?: NodeFaults): void {
    this.#peer = peer;
    this.#faults = faults;
  }

  /** Who belongs to the cluster is known, and changed here, from now on. */
  heed(membership: Membership): void {
    this.#membership = membership;
  }

  /** Who asks for a trace of this process is told it from now on. @param traceOf gives it as JSON */
  tellTraces(traceOf: PeerDeskParts['traceOf']): void {
    this.#traceOf = traceOf;
  }

  /** Those that are known, in the roster or not, this one too. */
  get known(): readonly NodeId[] {
    return [...new Set([this.self, ...this.#members, ...this.acquaintances.met])];
  }

  /** Those that hold the ring, or shall, as far as that is known; others than this one. */
  get nodes(): readonly NodeId[] {
    return this.#members.filter((node) => node !== this.self);
  }

  /** What a process runs, this one too; undefined: it is not there now. */
  releaseOf(node: NodeId): Release | undefined {
    if (node === this.self) return this.#hello;
    return this.transport.isConnected(node) ? this.transport.helloOf(node) : undefined;
  }

  /** The cluster is at this level: from now on releases that cannot be in it are refused, and those that are met cut off. */
  requireLevel(level: number): void {
    if (level <= this.#level) return;
    this.#level = level;
    for (const peer of this.acquaintances.met) {
      const hello = this.transport.helloOf(peer);
      if (hello !== undefined && levelRefusal(hello, level) !== undefined) this.transport.disconnect(peer);
    }
  }

  async stop(): Promise<void> {
    this.#founder?.stop();
    this.acquaintances.stop();
    this.users.stop();
    await this.transport.stop();
    // Afterwards the directory may be another process's.
    await this.#notebook.close();
  }

  get #versions(): SharedVersions {
    return { rules: this.rules.version };
  }

  get #members(): readonly NodeId[] {
    if (this.#view !== undefined) return this.#nodes(this.#view);
    return (this.#cluster?.members ?? []).map(({ name, diskId }) => peerNodeId(name, diskId));
  }

  /** Those that hold something, and those that shall. */
  #nodes(view: RingView): readonly NodeId[] {
    const holding = view.preferenceList(0);
    const coming = (this.#membership?.nodes ?? []).filter((node) => !holding.includes(node));
    return coming.length === 0 ? holding : [...holding, ...coming];
  }

  get #cluster(): FoundedCluster | undefined {
    const { state, cluster } = this.#record;
    return state === 'bound' ? undefined : cluster;
  }

  get #record(): PeerRecord {
    return this.#founder?.disk ?? this.#parts.memory.record;
  }

  get #hello(): PeerHello {
    const { role, build, protocol = PROTOCOL, instance, clock, hashOf } = this.#parts;
    const { name, diskId, boot, right } = this.#record;
    const cluster = this.#cluster;
    return {
      ...protocol,
      clusterId: cluster?.clusterId,
      foundersHash: right && hashOf(right.founders.join()),
      name,
      node: this.self,
      diskId,
      boot,
      instance,
      role,
      layout: cluster === undefined ? '' : `layout=${cluster.layout} Q=${cluster.partitions} N=${cluster.replication}`,
      clockMs: clock.now(),
      build,
    };
  }

  #events(): PeerEvents<PeerHello> {
    const { log } = this.#parts;
    return {
      up: (peer) => this.#onUp(peer),
      down: (peer, reason) => log.debug('a peer is gone', { peer, reason }),
      greeted: (peer, hello) => {
        this.#book.noteStart(peer, hello.boot, hello.instance);
        this.acquaintances.noteGreeted(peer);
      },
      refused: (peer, at, refusal) => {
        const { code, line: reason } = refusal;
        // A disk that was lost had the address that its successor has now.
        if (code === 'self') return;
        const address = textOfAddress(at);
        this.#complaints.complain('a peer has refused this one', { peer, address, code, reason });
        this.#noteRefused(refusal);
      },
    };
  }

  #greeting(): Greeting<PeerHello> {
    const greeting = peerGreeting(
      () => this.#hello,
      (hello) =>
        refusalOf(hello, this.#hello, {
          last: this.#book.entryOf(hello.node),
          connected: this.transport.isConnected(hello.node) ? this.transport.helloOf(hello.node) : undefined,
          isSettled: this.#isSettled,
        }) ?? levelRefusal(hello, this.#level),
    );
    const admit = (hello: PeerHello): Refusal | undefined => {
      const refusal = greeting.admit(hello);
      if (refusal !== undefined) {
        this.#complaints.complain('a peer is refused', { peer: hello.node, code: refusal.code, reason: refusal.line });
      }
      return refusal;
    };
    return { ...greeting, admit };
  }

  /** Where this peer is reached now: a host may get another address while it runs. */
  #ownEntry(): AddressEntry {
    const addresses = this.#reachedAt();
    if (JSON.stringify(addresses) !== JSON.stringify(this.#own.addresses)) {
      this.#own = { ...this.#own, seq: this.#own.seq + 1, addresses };
    }
    return this.#own;
  }

  get #isLetIn(): boolean {
    return this.#members.some((node) => node !== this.self && this.transport.isUp(node));
  }

  /** Whether others have let this process in, and would refuse another one on its disk. Without others, whether it runs. */
  get #isSettled(): boolean {
    if (this.#members.some((node) => node !== this.self)) return this.#isLetIn;
    return this.#cluster !== undefined && this.#parts.clock.elapsedMs() - this.#startedMs > ALONE_MS;
  }

  /** A copy of a disk lacks what the disk has promised since. So it ends here, and for ever: whatever starts on it. */
  #noteRefused(refusal: Refusal): void {
    const { memory, clock, log, onFatal } = this.#parts;
    if (isOfTwin(refusal)) {
      // Whoever has let this one in ends the other one as soon as that calls: they must not both go.
      this.#twinSinceMs = this.#isLetIn ? undefined : (this.#twinSinceMs ?? clock.elapsedMs());
      if (this.#twinSinceMs === undefined || clock.elapsedMs() - this.#twinSinceMs < TWIN_MS) return;
    } else if (!isOfCopy(refusal)) return;
    this.#founder?.stop();
    try {
      memory.save({ ...memory.record, refused: refusal.line });
    } catch (error) {
      log.error('this disk must not be used again, and cannot be marked', { error });
    }
    onFatal(`other nodes refuse the disk of ${memory.record.name}: ${refusal.line}`);
  }
}

/** With port 0, that on which the peer listens. */
function withPort(told: Address, listening: Address): Address {
  return 'port' in told && told.port === 0 && 'port' in listening ? { ...told, port: listening.port } : told;
}
