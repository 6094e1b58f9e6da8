import type { Codec } from './codec.ts';

/** Names a process of the cluster with its disk. The transport compares it and sends to it; it means nothing else here. */
export type PeerId = string;

/** Where a peer listens: by TCP, or on a Unix socket of this host. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * The two connections to a peer. `hot`: what a client waits for. `bulk`: what may take long, or is large: copies, repair,
 * scans, gossip. One does not wait behind the other.
 */
export type Lane = 'hot' | 'bulk';

/** Why a request did not leave this process, or was given back untouched. Another peer may be asked instead. */
export type NotSent =
  /** No address of the peer is known. */
  | 'no-address'
  /** There is no connection, and the last attempt to make one failed. Also: it ended before the request was written. */
  | 'down'
  /** The queue to this peer is full. */
  | 'queue-full'
  /** Longer than any message may be. */
  | 'too-long'
  /** The peer does not know this kind of request, or does not serve this channel yet: nothing was done. */
  | 'unsupported'
  /** This transport has stopped. */
  | 'stopped';

/** How a request ended: in exactly one of these ways. */
export type Outcome<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Nothing has happened and nothing will: it was not begun. */
  | { readonly kind: 'not-sent'; readonly reason: NotSent }
  /**
   * It was sent, and no answer will come: it may have been carried out or not. `connection`: the connection ended.
   * `expired`: no answer within the life of a request. `unanswerable`: the answer could not be sent.
   */
  | { readonly kind: 'lost'; readonly reason: 'connection' | 'expired' | 'unanswerable' };

/** One kind of conversation between peers, with messages of its own. */
export interface Channel<Request, Answer> {
  /** 0 to 15, the same for all peers, never used for anything else. 0: the ring; 1: coordination; 2: peers. */
  readonly number: number;
  readonly requests: Codec<Request>;
  /** What `request` may be answered. Called at both ends. */
  answersTo(request: Request): Codec<Answer>;
  lane(request: Request): Lane;
  /** Whether an error of a codec means that the other release is newer, so that the message alone is refused. */
  isUnsupported(error: unknown): boolean;
}

/**
 * Handles a request of a peer.
 * @param answer to be called at most once, now or later
 * @param whenGone takes a function that is called, at most once, when the asker has cancelled, or can no longer be
 *   answered, before `answer` was called
 */
export type Serve<Request, Answer> = (
  from: PeerId,
  request: Request,
  answer: (answer: Answer) => void,
  whenGone: (run: () => void) => void,
) => void;

/** One channel, as its user at this end has it. */
export interface Port<Request, Answer> {
  /**
   * Sends a request, once. Requests of one lane to one peer arrive in the order in which they were sent, as far as they
   * arrive. The message is encoded within the call. A request to this peer itself is served, in a later microtask.
   * @param done called exactly once, never within this call; never after `cancel`
   */
  ask(to: PeerId, request: Request, done: (outcome: Outcome<Answer>) => void): Asked;
  /** From now on requests on this channel are not served, and asked ones end as `lost` or `not-sent`. */
  close(): void;
}

/** A request on its way. */
export interface Asked {
  /** Nobody waits for the answer any more; the peer is told, as far as it can be. `done` is not called. */
  cancel(): void;
}

/** Why a peer is not let in. */
export interface Refusal {
  /** A few words with dashes, for metrics and for programs, such as `other-cluster`. */
  readonly code: string;
  /** One line, for people. */
  readonly line: string;
}

/** How the other end of a connection has proved who it is. */
export type Proof =
  /** It runs as the same user on the same host, or listens on the loopback interface: nothing was proved. */
  | { readonly kind: 'none' }
  | { readonly kind: 'secret' }
  /** `names`: for which peers its certificate is good. */
  | { readonly kind: 'certificate'; readonly names: readonly string[] };

/** What peers say to each other before anything else, and what they make of it. */
export interface Greeting<Hello> {
  readonly codec: Codec<Hello>;
  /** What this peer says now. At most 3 KiB when encoded. */
  mine(): Hello;
  /** Who says it. */
  peerOf(hello: Hello): PeerId;
  /** The name that a certificate of this peer has to have. */
  nameOf(hello: Hello): string;
  /** @returns undefined to let the peer in. Asked at both ends of every connection. */
  admit(hello: Hello): Refusal | undefined;
}

/** What the transport tells its owner. None of these is called within a call of the owner. */
export interface PeerEvents<Hello> {
  /** The hot connection to a peer is open. */
  up(peer: PeerId, hello: Hello): void;
  /** It has ended. @param reason for the log */
  down(peer: PeerId, reason: string): void;
  /** A peer was let in on a connection, of either lane, that either side has dialled. */
  greeted(peer: PeerId, hello: Hello): void;
  /** A peer has refused this one. @param peer undefined if the address was dialled without knowing who is there */
  refused(peer: PeerId | undefined, address: Address, refusal: Refusal): void;
}

/** What has come of an address that was dialled without knowing who is there. */
export type Met<Hello> =
  | { readonly kind: 'met'; readonly peer: PeerId; readonly hello: Hello }
  /** This process listens there itself. */
  | { readonly kind: 'self' }
  /** By the other side, or by this one. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly byPeer: boolean }
  /** Nobody answers, or not as a peer does. @property reason one line */
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Carries requests between processes. */
export interface PeerTransport<Hello> {
  /** Begins to serve and to ask on a channel. A channel is open once at a time. */
  open<Request, Answer>(channel: Channel<Request, Answer>, serve: Serve<Request, Answer>): Port<Request, Answer>;
  /** @returns where it listens: the port that the system chose, if 0 was asked for. Rejects with the system's error */
  listen(address: Address): Promise<Address>;
  /**
   * Dials an address, and keeps the connection for the peer that answers, unless there is one: `ask` may use it although
   * no address of the peer is known yet. `done` is called once, after 3 seconds at the latest.
   */
  meet(address: Address, done: (met: Met<Hello>) => void): void;
  /** Holds a connection to the peer from now on, and dials again when it ends. `ask` does so too. */
  connect(peer: PeerId): void;
  /** Ends the connections to and from the peer, and dials it no more until it is asked. */
  disconnect(peer: PeerId): void;
  /** Whether the hot connection to the peer is open. A peer is always up for itself. */
  isUp(peer: PeerId): boolean;
  /**
   * For how long nothing at all was heard of a peer with which there are connections, as far as this process was there to hear
   * it, in ms. A peer that has nothing to say says so every second.
   */
  silentMs(peer: PeerId): number;
  /** Whether any connection with the peer is open, whoever has dialled it. */
  isConnected(peer: PeerId): boolean;
  /** What the peer said last on a connection; undefined if it was never let in. */
  helloOf(peer: PeerId): Hello | undefined;
  figures(): TransportFigures;
  /** Ends all connections. What is asked and not answered ends as `lost` or `not-sent`. */
  stop(): Promise<void>;
}

/** Counts since the start, for metrics. */
export interface TransportFigures {
  readonly sentMessages: number;
  readonly receivedMessages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly frames: number;
  readonly notSent: Readonly<Record<NotSent, number>>;
  readonly lost: number;
  /** Connections that were closed before their hello was accepted, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Connections of peers that ended, by reason. */
  readonly cut: Readonly<Record<string, number>>;
  /** Connections that are open now, in both directions and lanes. */
  readonly connections: number;
}
