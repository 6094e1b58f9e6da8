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
  Met,
  Outcome,
  PeerEvents,
  PeerId,
  PeerTransport,
  Port,
  Serve,
  TransportFigures,
} from './peer-channel.ts';
import { PeerConnection } from './peer-connection.ts';
import { type DialParts, dialAndGreet } from './peer-dial.ts';
import { AcceptedGreeting } from './peer-greeting.ts';
import { DEFAULT_PEER_LIMITS, type PeerLimits } from './peer-limits.ts';
import { PeerListener } from './peer-listener.ts';
import { PeerTable, SELF } from './peer-table.ts';
import { checkSecurity, type PeerSecurity } from './peer-tls.ts';
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

/**
 * A transport on sockets. It keeps the process alive until it is stopped.
 *
 * @throws RangeError for a secret that could be guessed
 */
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

class SocketTransport<Hello> implements PeerTransport<Hello> {
  readonly #parts: PeerTransportParts<Hello>;
  readonly #limits: PeerLimits;
  readonly #counts = new TransportCounts();
  readonly #dial: DialParts<Hello>;
  readonly #listener: PeerListener;
  readonly #local: LocalAsking;
  readonly #ports = new Map<number, OpenPort>();
  readonly #peers: PeerTable<Hello>;
  readonly #connections = new Set<PeerConnection>();
  readonly #meetings = new Set<() => void>();
  #tick: Timer;
  /** By both clocks of the process: one of them goes on, whatever it was stopped by. */
  #tickMs = { elapsed: 0, wall: 0 };
  #isStopped = false;

  constructor(parts: PeerTransportParts<Hello>) {
    const { clock, greeting, security } = parts;
    checkSecurity(security);
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
    this.#peers = new PeerTable({
      ...parts,
      dial: this.#dial,
      portOf: (channel) => this.#ports.get(channel),
    });
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
          refuses: (peer) => this.#peers.refuses(peer),
          welcome: (welcomed) => this.#peers.serve(welcomed),
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
      ask: (to, request, done) => this.#ask(port, to, request, done as (outcome: Outcome<unknown>) => void),
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
          const known = this.#peers.known(peer);
          known.metAt = address;
          this.#peers.noteHello(peer, hello);
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
    if (peer !== this.#parts.self && !this.#isStopped) this.#peers.known(peer).links.hot.connect();
  }

  disconnect(peer: PeerId): void {
    const known = this.#peers.find(peer);
    if (known === undefined) return;
    for (const { connection } of [...known.served]) connection.finish('disconnected');
    for (const link of Object.values(known.links)) link.disconnect('down');
  }

  isUp(peer: PeerId): boolean {
    return peer === this.#parts.self || this.#peers.find(peer)?.links.hot.isOpen === true;
  }

  silentMs(peer: PeerId): number {
    return this.#peers.silentLooks(peer) * this.#limits.tickMs;
  }

  isConnected(peer: PeerId): boolean {
    const known = this.#peers.find(peer);
    if (known === undefined) return false;
    return known.served.size > 0 || Object.values(known.links).some((link) => link.isOpen);
  }

  helloOf(peer: PeerId): Hello | undefined {
    return this.#peers.find(peer)?.hello;
  }

  figures(): TransportFigures {
    return this.#counts.figures();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const closed = this.#listener.close();
    for (const end of [...this.#meetings]) end();
    for (const { links } of this.#peers.all()) {
      for (const link of Object.values(links)) link.disconnect('stopped');
    }
    await this.#part();
    this.#parts.clock.cancel(this.#tick);
    for (const { served } of this.#peers.all()) {
      for (const { connection } of [...served]) connection.finish('stopped');
    }
    for (const port of this.#ports.values()) this.#local.closed(port);
    for (const connection of this.#connections) connection.cut('stopped');
    await closed;
  }

  /** Waits until no peer asks anything more, but not for long. Until then all that is asked is answered as before. */
  async #part(): Promise<void> {
    const { clock } = this.#parts;
    const served = [...this.#peers.all()].flatMap((known) => [...known.served]);
    if (served.length === 0) return;
    let timer: Timer;
    const isLate = new Promise<void>((resolve) => {
      timer = clock.after(this.#limits.partMs, resolve);
    });
    const parted = Promise.all(served.map((each) => new Promise<void>((resolve) => each.part(resolve))));
    await Promise.race([parted, isLate]);
    clock.cancel(timer);
  }

  #ask(port: OpenPort, to: PeerId, request: unknown, done: Ask['done']): Asked {
    const isLocal = to === this.#parts.self;
    const payload = isLocal ? undefined : port.channel.requests.encode(request);
    const sinceMs = this.#parts.clock.elapsedMs();
    const ask: Ask = { port, to, request, payload, done, sinceMs, state: 'queued', id: 0 };
    if (this.#isStopped || !port.isOpen) {
      this.#counts.noteNotSent('stopped');
      endAsk(ask, { kind: 'not-sent', reason: 'stopped' });
      return { cancel: () => {} };
    }
    if (payload === undefined) {
      this.#local.add(ask);
      return { cancel: () => this.#local.cancel(ask) };
    }
    const link = this.#peers.known(to).links[port.channel.lane(request)];
    link.add(ask as Ask & { payload: Uint8Array });
    return {
      cancel: () => link.cancel(ask),
    };
  }

  #scheduleTick(): void {
    const { clock } = this.#parts;
    this.#tickMs = { elapsed: clock.elapsedMs(), wall: clock.now() };
    this.#tick = clock.after(this.#limits.tickMs, () => {
      // Hazard: after the process was stopped, timers may run before anything is read of what has waited.
      const sinceTickMs = this.#sinceTickMs();
      this.#scheduleTick();
      for (const connection of this.#connections) {
        if (sinceTickMs > this.#limits.stallMs) connection.cut('stalled');
        if (connection.isEnded) this.#connections.delete(connection);
        else connection.tick(sinceTickMs - this.#limits.tickMs);
      }
      this.#peers.endSilent();
      const now = clock.elapsedMs();
      this.#local.sweep(now);
      this.#peers.sweep(now);
    });
  }

  #sinceTickMs(): number {
    const { clock } = this.#parts;
    return Math.max(clock.elapsedMs() - this.#tickMs.elapsed, clock.now() - this.#tickMs.wall);
  }
}
