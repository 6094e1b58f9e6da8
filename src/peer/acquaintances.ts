import type { PeerHello } from '../dynamo/peer-hello.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Address, PeerTransport, Port, Refusal } from '../env/peer-channel.ts';
import type { Random } from '../env/random.ts';
import type { AddressBook, AddressEntry } from './address-book.ts';
import type { PeerAnswer, PeerRequest, SharedVersions } from './peer-messages.ts';

/** How often the addresses of `--join` are tried that nobody was met at, or whose peer is gone. */
const JOIN_MS = 1_000;
/** How often addresses are exchanged with a peer, drawn at random. */
const EXCHANGE_MS = 2_000;
/** A peer that holds nothing, and has not answered for so long, is forgotten: a front that has gone, or was restarted. */
const FORGET_MS = 60_000;
/** How often the log repeats what is wrong with an address. */
const REMIND_MS = 30_000;

export interface AcquaintancesParts {
  readonly self: NodeId;
  readonly transport: PeerTransport<PeerHello>;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  readonly book: AddressBook;
  /** Where an operator says that peers may be. */
  readonly join: readonly Address[];
  /** What this process tells of itself. */
  readonly own: () => AddressEntry;
  /** The nodes that hold the ring, as far as that is known: connections to all of them are kept. */
  readonly members: () => readonly NodeId[];
  /** What this process tells of the versions of what all share. */
  readonly versions: () => SharedVersions;
  /** A peer has told of its versions. */
  readonly onVersions: (versions: SharedVersions) => void;
  /** A peer has refused this one. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Gets to know other peers: at the addresses that the operator names, and from those that it knows already. */
export class Acquaintances {
  readonly #parts: AcquaintancesParts;
  /** Who was let in since the start and is not forgotten, each with the time when it was heard last. */
  readonly #met = new Map<NodeId, number>();
  /** Who was met last at each address of the operator's. */
  readonly #metAt = new Map<Address, NodeId>();
  readonly #remindAtMs = new Map<Address, number>();
  readonly #meeting = new Set<Address>();
  #timers: Timer[] = [];
  #isStopped = false;

  constructor(parts: AcquaintancesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#join();
    this.#exchangeNowAndThen();
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) this.#parts.clock.cancel(timer);
    this.#timers = [];
  }

  /** The peers that can be asked now. */
  get present(): readonly NodeId[] {
    return [...this.#met.keys()].filter(
      (peer) => this.#parts.transport.isUp(peer) || this.#parts.book.addressesOf(peer).length > 0,
    );
  }

  /** Who was let in since the start, unless it was gone for long. */
  get met(): readonly NodeId[] {
    return [...this.#met.keys()];
  }

  /** A peer was let in. */
  noteGreeted(peer: NodeId): void {
    if (peer === this.#parts.self) return;
    const isNew = !this.#met.has(peer);
    this.#met.set(peer, this.#parts.clock.elapsedMs());
    if (isNew) this.#exchange(peer);
  }

  /** What other peers are told: this process, and the nodes that hold the ring. */
  get known(): readonly AddressEntry[] {
    const { book, members, own } = this.#parts;
    const entries = [...members(), ...this.#met.keys()].map((node) => book.entryOf(node));
    const told = new Set([own(), ...entries.filter((entry) => entry !== undefined)]);
    return [...told].slice(0, MOST_TOLD);
  }

  #join(): void {
    const { transport, join, clock, members, self } = this.#parts;
    for (const address of join) this.#meet(address);
    for (const node of members()) if (node !== self && !transport.isUp(node)) transport.connect(node);
    this.#timers[0] = clock.after(JOIN_MS, () => this.#join());
  }

  #meet(address: Address): void {
    const { transport, self } = this.#parts;
    const peer = this.#metAt.get(address);
    if (this.#meeting.has(address) || peer === self || (peer !== undefined && transport.isUp(peer))) return;
    this.#meeting.add(address);
    transport.meet(address, (met) => {
      this.#meeting.delete(address);
      if (this.#isStopped) return;
      if (met.kind === 'self') this.#metAt.set(address, self);
      else if (met.kind === 'met') this.#metAt.set(address, met.peer);
      else if (met.kind === 'refused') {
        // What this side refuses, it has said already.
        if (!met.byPeer) return;
        this.#complain(address, 'a peer has refused this one', met.refusal.line);
        this.#parts.onRefused(met.refusal);
      } else this.#complain(address, 'nobody was met', met.reason);
    });
  }

  #complain(address: Address, message: string, reason: string): void {
    const { clock, log } = this.#parts;
    const nowMs = clock.elapsedMs();
    if (nowMs < (this.#remindAtMs.get(address) ?? 0)) return;
    this.#remindAtMs.set(address, nowMs + REMIND_MS);
    log.warn(message, { address: textOfAddress(address), reason });
  }

  #exchangeNowAndThen(): void {
    const { clock, random } = this.#parts;
    this.#timers[1] = clock.after(EXCHANGE_MS, () => {
      const present = this.present;
      const peer = present[Math.floor(random.next() * present.length)];
      if (peer !== undefined) this.#exchange(peer);
      this.#exchangeNowAndThen();
    });
  }

  #exchange(peer: NodeId): void {
    const { port, versions, clock } = this.#parts;
    port.ask(peer, { kind: 'addresses', entries: this.known, versions: versions() }, (outcome) => {
      if (outcome.kind !== 'answered') return this.#forgetIfGone(peer);
      if (this.#met.has(peer)) this.#met.set(peer, clock.elapsedMs());
      if (outcome.answer.kind === 'addresses') this.hear(outcome.answer);
    });
  }

  /** Else a process that runs for long would dial for ever whoever was there once. Whoever comes again is met again. */
  #forgetIfGone(peer: NodeId): void {
    const { members, transport, clock } = this.#parts;
    const nodes = members();
    const heardMs = this.#met.get(peer);
    if (heardMs === undefined || nodes.length === 0 || nodes.includes(peer)) return;
    // One that cannot be dialled may come by itself all the same.
    if (transport.isConnected(peer) || clock.elapsedMs() - heardMs < FORGET_MS) return;
    this.#met.delete(peer);
    transport.disconnect(peer);
  }

  /** Takes what a peer has told. */
  hear({ entries, versions }: Extract<PeerAnswer, { kind: 'addresses' }>): void {
    for (const entry of entries) this.#learn(entry);
    this.#parts.onVersions(versions);
  }

  /** Until a cluster is known, everybody may be a founder. */
  #learn(entry: AddressEntry): void {
    const { self, book, members, transport } = this.#parts;
    if (entry.node === self || entry.addresses.length === 0 || !book.learn(entry)) return;
    const nodes = members();
    if (nodes.length === 0 || nodes.includes(entry.node)) transport.connect(entry.node);
  }
}

/** So many entries are told in one message; readers refuse more than they expect. */
const MOST_TOLD = 300;

/** An address as an operator writes it. */
export function textOfAddress(address: Address): string {
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
