import { strict as assert } from 'node:assert';
import type { Clock, Timer } from './clock.ts';
import { LocalAsking } from './local-asking.ts';
import type { Log } from './log.ts';
import { type Ask, endAsk, type OpenPort } from './open-port.ts';
import type {
  Address,
  Asked,
  Channel,
  Greeting,
  Lane,
  Met,
  Outcome,
  PeerEvents,
  PeerId,
  PeerTransport,
  Port,
  Refusal,
  Serve,
  TransportFigures,
} from './peer-channel.ts';
import { PeerConnection } from './peer-connection.ts';
import { type DialParts, dialAndGreet } from './peer-dial.ts';
import { AcceptedGreeting, type Welcomed } from './peer-greeting.ts';
import { DEFAULT_PEER_LIMITS, type PeerLimits } from './peer-limits.ts';
import { PeerLink } from './peer-link.ts';
import { PeerListener } from './peer-listener.ts';
import { PeerServing } from './peer-serving.ts';
import type { PeerSecurity } from './peer-tls.ts';
import type { Random } from './random.ts';
import type { Transport } from './transport.ts';
import { TransportCounts } from './transport-counts.ts';

export interface PeerTransportParts<Hello> {
  /** Who this peer is: what `greeting.peerOf` says of `greeting.mine`. */
  readonly self: PeerId;
  readonly greeting: Greeting<Hello>;
  readonly security: PeerSecurity;
  /** Where a peer listens, as far as is known; asked at each attempt to reach it. */
  readonly addressesOf: (peer: PeerId) => readonly Address[];
  readonly events: PeerEvents<Hello>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<PeerLimits>;
}

/** A transport on sockets. It keeps the process alive until it is stopped. */
export function createPeerTransport<Hello>(parts: PeerTransportParts<Hello>): PeerTransport<Hello> {
  return new SocketTransport(parts);
}

/** The messages of a storage node, on a port: what does not arrive, or is not answered, is simply lost. */
export function ringTransport<Request, Reply>(port: Port<Request, Reply>): Transport<Request, Reply> {
  return {
    send(to, request, onReply) {
      port.ask(to, request, (outcome) => {
        if (outcome.kind === 'answered') onReply(outcome.answer);
      });
    },
  };
}

/** What is known of one peer. */
interface KnownPeer<Hello> {
  readonly links: Readonly<Record<Lane, PeerLink<Hello>>>;
  /** The connections that it has dialled. */
  readonly served: Map<Lane, PeerServing>;
  hello: Hello | undefined;
  /** Where it was met, for as long as nothing else is known. */
  metAt: Address | undefined;
}

class SocketTransport<Hello> implements PeerTransport<Hello> {
  readonly #parts: PeerTransportParts<Hello>;
  readonly #limits: PeerLimits;
  readonly #counts = new TransportCounts();
  readonly #dial: DialParts<Hello>;
  readonly #listener: PeerListener;
  readonly #local: LocalAsking;
  readonly #ports = new Map<number, OpenPort>();
  readonly #peers = new Map<PeerId, KnownPeer<Hello>>();
  readonly #connections = new Set<PeerConnection>();
  readonly #meetings = new Set<() => void>();
  #tick: Timer;
  /** By both clocks of the process: one of them goes on, whatever it was stopped by. */
  #tickMs = { elapsed: 0, wall: 0 };
  #isStopped = false;

  constructor(parts: PeerTransportParts<Hello>) {
    const { clock, greeting, security } = parts;
    this.#parts = parts;
    this.#limits = { ...DEFAULT_PEER_LIMITS, ...parts.limits };
    const limits = this.#limits;
    const counts = this.#counts;
    this.#dial = {
      greeting,
      security,
      clock,
      connection: { limits, counts, sinceTickMs: () => this.#sinceTickMs() },
      onConnection: (connection) => this.#connections.add(connection),
    };
    this.#local = new LocalAsking(counts, limits.requestLifeMs);
    this.#listener = new PeerListener({
      security,
      limits,
      clock,
      counts,
      onLine: (line, stranger) => {
        const hello = new AcceptedGreeting<Hello>({
          greeting,
          stranger,
          refuses: (peer) => this.#refuses(peer),
          welcome: (welcomed) => this.#serve(welcomed),
        });
        const connection = new PeerConnection({ ...this.#dial.connection, line }, hello);
        this.#connections.add(connection);
        hello.begin(connection);
      },
    });
    this.#scheduleTick();
  }

  open<Request, Answer>(channel: Channel<Request, Answer>, serve: Serve<Request, Answer>): Port<Request, Answer> {
    assert(!this.#ports.has(channel.number), `channel ${channel.number} is open`);
    const port = { channel, serve, isOpen: true } as unknown as OpenPort;
    this.#ports.set(channel.number, port);
    return {
      ask: (to, request, done) => this.#ask({ port, to, request, done: done as (outcome: Outcome<unknown>) => void }),
      close: () => {
        if (!port.isOpen) return;
        port.isOpen = false;
        this.#ports.delete(channel.number);
        this.#local.closed(port);
      },
    };
  }

  listen(address: Address): Promise<Address> {
    return this.#listener.listen(address);
  }

  meet(address: Address, done: (met: Met<Hello>) => void): void {
    if (this.#isStopped) return queueMicrotask(() => done({ kind: 'unreachable', reason: 'stopped' }));
    const forget = () => this.#meetings.delete(end);
    const cancel = dialAndGreet(this.#dial, address, 'hot', (greeted, connection) => {
      forget();
      switch (greeted.kind) {
        case 'failed':
          return done({ kind: 'unreachable', reason: greeted.reason });
        case 'refused':
          return done(greeted.refusal.code === SELF.code ? { kind: 'self' } : greeted);
        case 'welcome': {
          const { peer, hello } = greeted;
          const known = this.#known(peer);
          known.metAt = address;
          this.#noteHello(peer, known, hello);
          if (!known.links.hot.adopt(connection!)) connection!.finish('not-needed');
          return done({ kind: 'met', peer, hello });
        }
      }
    });
    const end = () => {
      cancel();
      forget();
      done({ kind: 'unreachable', reason: 'stopped' });
    };
    this.#meetings.add(end);
  }

  connect(peer: PeerId): void {
    if (peer !== this.#parts.self && !this.#isStopped) this.#known(peer).links.hot.connect();
  }

  disconnect(peer: PeerId): void {
    const known = this.#peers.get(peer);
    if (known === undefined) return;
    for (const { connection } of [...known.served.values()]) connection.finish('disconnected');
    for (const link of Object.values(known.links)) link.disconnect('down');
  }

  isUp(peer: PeerId): boolean {
    return peer === this.#parts.self || this.#peers.get(peer)?.links.hot.isOpen === true;
  }

  helloOf(peer: PeerId): Hello | undefined {
    return this.#peers.get(peer)?.hello;
  }

  figures(): TransportFigures {
    return this.#counts.figures();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#tick);
    const closed = this.#listener.close();
    for (const end of [...this.#meetings]) end();
    for (const { links, served } of this.#peers.values()) {
      for (const { connection } of [...served.values()]) connection.finish('stopped');
      for (const link of Object.values(links)) link.disconnect('stopped');
    }
    for (const port of this.#ports.values()) this.#local.closed(port);
    for (const connection of this.#connections) connection.cut('stopped');
    await closed;
  }

  #ask(asking: Pick<Ask, 'port' | 'to' | 'request' | 'done'>): Asked {
    const { port, to, request } = asking;
    const { clock, self } = this.#parts;
    const isLocal = to === self;
    const payload = isLocal ? undefined : port.channel.requests.encode(request);
    const ask: Ask = { ...asking, payload, sinceMs: clock.elapsedMs(), state: 'queued', id: 0 };
    if (this.#isStopped || !port.isOpen) {
      this.#counts.noteNotSent('stopped');
      endAsk(ask, { kind: 'not-sent', reason: 'stopped' });
      return { cancel: () => {} };
    }
    if (payload === undefined) {
      this.#local.add(ask);
      return { cancel: () => this.#local.cancel(ask) };
    }
    const link = this.#known(to).links[port.channel.lane(request)];
    link.add(ask as Ask & { payload: Uint8Array });
    return {
      cancel: () => {
        link.cancel(ask);
        ask.state = 'over';
      },
    };
  }

  #known(peer: PeerId): KnownPeer<Hello> {
    const found = this.#peers.get(peer);
    if (found !== undefined) return found;
    const known: KnownPeer<Hello> = {
      links: { hot: this.#link(peer, 'hot'), bulk: this.#link(peer, 'bulk') },
      served: new Map(),
      hello: undefined,
      metAt: undefined,
    };
    this.#peers.set(peer, known);
    return known;
  }

  #link(peer: PeerId, lane: Lane): PeerLink<Hello> {
    const { events, log, random, addressesOf } = this.#parts;
    return new PeerLink<Hello>({
      peer,
      lane,
      dial: this.#dial,
      random,
      addresses: () => {
        const addresses = addressesOf(peer);
        const metAt = this.#peers.get(peer)?.metAt;
        return addresses.length > 0 || metAt === undefined ? addresses : [metAt];
      },
      onGreeted: (hello) => this.#noteHello(peer, this.#known(peer), hello),
      onOpen: () => {
        if (lane === 'hot') later(() => events.up(peer, this.#known(peer).hello!));
      },
      onEnded: (reason) => {
        this.#counts.noteCut(reason);
        log.debug('a connection to a peer has ended', { peer, lane, reason });
        if (lane === 'hot') later(() => events.down(peer, reason));
      },
      onRefused: (address, refusal) => later(() => events.refused(peer, address, refusal)),
    });
  }

  #noteHello(peer: PeerId, known: KnownPeer<Hello>, hello: Hello): void {
    known.hello = hello;
    later(() => this.#parts.events.greeted(peer, hello));
  }

  /** Why a peer whose hello was good is not let in all the same. */
  #refuses(peer: PeerId): Refusal | undefined {
    if (peer === this.#parts.self) return SELF;
    const served = [...this.#peers.values()].filter((known) => known.served.size > 0).length;
    if (this.#peers.get(peer)?.served.size || served < this.#limits.peers) return undefined;
    return { code: 'too-many-peers', line: `${served} peers are connected` };
  }

  #serve({ connection, lane, hello, peer }: Welcomed<Hello>): void {
    const known = this.#known(peer);
    // The one before is dead, even if this side has not noticed yet: a peer has one of each lane.
    known.served.get(lane)?.connection.cut('replaced');
    const serving = new PeerServing(
      {
        peer,
        lane,
        limits: this.#limits,
        nowMs: () => this.#parts.clock.elapsedMs(),
        portOf: (channel) => this.#ports.get(channel),
        onEnded: (reason) => {
          this.#counts.noteCut(reason);
          if (known.served.get(lane) === serving) known.served.delete(lane);
        },
      },
      connection,
    );
    known.served.set(lane, serving);
    connection.become(serving, lane);
    this.#noteHello(peer, known, hello);
    known.links.hot.hurry();
  }

  #scheduleTick(): void {
    const { clock } = this.#parts;
    this.#tickMs = { elapsed: clock.elapsedMs(), wall: clock.now() };
    this.#tick = clock.after(this.#limits.tickMs, () => {
      this.#scheduleTick();
      for (const connection of this.#connections) {
        if (connection.isEnded) this.#connections.delete(connection);
        else connection.tick();
      }
      const now = clock.elapsedMs();
      this.#local.sweep(now);
      for (const { links, served } of this.#peers.values()) {
        for (const link of Object.values(links)) link.sweep(now);
        for (const serving of [...served.values()]) serving.sweep(now);
      }
    });
  }

  #sinceTickMs(): number {
    const { clock } = this.#parts;
    return Math.max(clock.elapsedMs() - this.#tickMs.elapsed, clock.now() - this.#tickMs.wall);
  }
}

/** Who dials itself is told so: its own address is among those that a peer is given. */
const SELF: Refusal = { code: 'self', line: 'this is your own address' };

/** Owners are told outside of what they have called. */
function later(run: () => void): void {
  queueMicrotask(run);
}
