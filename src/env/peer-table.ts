import type { Log } from './log.ts';
import type { Address, Lane, PeerEvents, PeerId, Refusal } from './peer-channel.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { DialParts } from './peer-dial.ts';
import type { Welcomed } from './peer-greeting.ts';
import { PeerLink } from './peer-link.ts';
import { PeerServing, type ServingParts } from './peer-serving.ts';
import type { Random } from './random.ts';

/** What is known of one peer. */
export interface KnownPeer<Hello> {
  /** The connections to it, which this peer dials. */
  readonly links: Readonly<Record<Lane, PeerLink<Hello>>>;
  /** The connections from it, which it has dialled, oldest first. */
  readonly served: Set<PeerServing>;
  hello: Hello | undefined;
  /** Where it was met, for as long as nothing else is known. */
  metAt: Address | undefined;
}

/** Who dials itself is told so: its own address is among those that a peer is given. */
export const SELF: Refusal = { code: 'self', line: 'this is your own address' };

/** The peers that this one has to do with. */
export class PeerTable<Hello> {
  readonly #parts: TableParts<Hello>;
  readonly #peers = new Map<PeerId, KnownPeer<Hello>>();

  constructor(parts: TableParts<Hello>) {
    this.#parts = parts;
  }

  find(peer: PeerId): KnownPeer<Hello> | undefined {
    return this.#peers.get(peer);
  }

  all(): Iterable<KnownPeer<Hello>> {
    return this.#peers.values();
  }

  /** The peer, which is new from now on if it was not known. */
  known(peer: PeerId): KnownPeer<Hello> {
    const found = this.#peers.get(peer);
    if (found !== undefined) return found;
    const known: KnownPeer<Hello> = {
      links: { hot: this.#link(peer, 'hot'), bulk: this.#link(peer, 'bulk') },
      served: new Set(),
      hello: undefined,
      metAt: undefined,
    };
    this.#peers.set(peer, known);
    return known;
  }

  noteHello(peer: PeerId, hello: Hello): void {
    this.known(peer).hello = hello;
    later(() => this.#parts.events.greeted(peer, hello));
  }

  /** Why a peer whose hello was good is not let in all the same. */
  refuses(peer: PeerId): Refusal | undefined {
    if (peer === this.#parts.self) return SELF;
    const { peers } = this.#parts.dial.connection.limits;
    const served = [...this.#peers.values()].filter((known) => known.served.size > 0).length;
    if (served < peers || (this.#peers.get(peer)?.served.size ?? 0) > 0) return undefined;
    return { code: 'too-many-peers', line: `${served} peers are connected` };
  }

  /** Serves a peer on a connection that it has dialled. */
  serve({ connection, lane, hello, peer }: Welcomed<Hello>): void {
    const { clock, connection: shared } = this.#parts.dial;
    const known = this.known(peer);
    // Not the one before: a peer may meet this one at an address without knowing whose it is, and end that connection.
    const [oldest] = known.served;
    if (known.served.size >= shared.limits.connectionsOfPeer) oldest?.connection.cut('replaced');
    const parts: ServingParts = {
      peer,
      lane,
      limits: shared.limits,
      nowMs: () => clock.elapsedMs(),
      portOf: this.#parts.portOf,
      onEnded: (reason) => {
        shared.counts.noteCut(reason);
        known.served.delete(serving);
      },
    };
    const serving = new PeerServing(parts, connection);
    known.served.add(serving);
    connection.become(serving, lane);
    this.noteHello(peer, hello);
    known.links.hot.hurry();
  }

  /** How many looks in time have passed since anything was read from a peer, on any connection. */
  silentLooks(peer: PeerId): number {
    const known = this.#peers.get(peer);
    return known === undefined ? 0 : silentLooksOf(connectionsOf(known));
  }

  /** Ends all connections with peers of which nothing was heard for too long. */
  endSilent(): void {
    const { silentLooks } = this.#parts.dial.connection.limits;
    for (const known of this.#peers.values()) {
      const connections = connectionsOf(known);
      if (silentLooksOf(connections) < silentLooks) continue;
      for (const connection of connections) connection.cut('silent');
    }
  }

  /** Ends what has waited for too long, and forgets peers that nobody talks to, if there are many. */
  sweep(nowMs: number): void {
    for (const [peer, { links, served }] of this.#peers) {
      for (const link of Object.values(links)) link.sweep(nowMs);
      for (const serving of served) serving.sweep(nowMs);
      const isIdle = served.size === 0 && Object.values(links).every((link) => link.isIdle);
      if (isIdle && this.#peers.size > this.#parts.dial.connection.limits.peers) this.#peers.delete(peer);
    }
  }

  #link(peer: PeerId, lane: Lane): PeerLink<Hello> {
    const { dial, events, log, random, addressesOf } = this.#parts;
    return new PeerLink<Hello>({
      peer,
      lane,
      dial,
      random,
      addresses: () => {
        const addresses = addressesOf(peer);
        const metAt = this.#peers.get(peer)?.metAt;
        // Where it was met last is tried first: what is known of a peer may be from before it moved.
        return metAt === undefined ? addresses : [metAt, ...addresses];
      },
      onGreeted: (hello) => this.noteHello(peer, hello),
      onOpen: () => {
        if (lane === 'hot') later(() => events.up(peer, this.known(peer).hello!));
      },
      onEnded: (reason) => {
        dial.connection.counts.noteCut(reason);
        log.debug('a connection to a peer has ended', { peer, lane, reason });
        if (lane === 'hot') later(() => events.down(peer, reason));
      },
      onRefused: (address, refusal) => later(() => events.refused(peer, address, refusal)),
    });
  }
}

interface TableParts<Hello> {
  readonly self: PeerId;
  readonly dial: DialParts<Hello>;
  readonly events: PeerEvents<Hello>;
  readonly addressesOf: (peer: PeerId) => readonly Address[];
  readonly portOf: ServingParts['portOf'];
  readonly random: Random;
  readonly log: Log;
}

/** The open connections with a peer, whoever has dialled them. */
function connectionsOf<Hello>({ links, served }: KnownPeer<Hello>): PeerConnection[] {
  const connections = [...served].map(({ connection }) => connection);
  for (const { connection } of [links.hot, links.bulk]) if (connection !== undefined) connections.push(connection);
  return connections;
}

function silentLooksOf(connections: readonly PeerConnection[]): number {
  return connections.reduce((least, { silentLooks }) => Math.min(least, silentLooks), connections[0]?.silentLooks ?? 0);
}

/** Owners are told outside of what they have called. */
function later(run: () => void): void {
  queueMicrotask(run);
}
