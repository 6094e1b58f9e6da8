import type { Clock, Timer } from '../env/clock.ts';
import type { Transport } from '../env/transport.ts';
import type { Reply, Request } from './messages.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodeId } from './ring.ts';

/** The traffic with one other node. */
interface Peer {
  /** When the oldest message was sent since which nothing was heard; undefined if no answer is outstanding. */
  waitingSinceMs: number | undefined;
  /** Something was heard since the last round of probes. */
  isHeard: boolean;
  isSuspect: boolean;
}

/**
 * One node's failure detector: its own view of which others are up, from its own traffic and light probes (the Dynamo
 * paper, section 4.8.3). A node that leaves a message unanswered for too long is suspected until it is heard again.
 * Nodes do not agree on this. It affects routing, substitutes and time-outs, never safety.
 */
export class FailureDetector {
  readonly #self: NodeId;
  readonly #clock: Clock;
  readonly #limits: NodeLimits;
  readonly #probe: (node: NodeId) => void;
  readonly #peers = new Map<NodeId, Peer>();
  #timer: Timer | undefined;

  constructor(parts: {
    readonly self: NodeId;
    readonly clock: Clock;
    readonly limits: NodeLimits;
    /** Sends the node a message that is answered at once. */
    readonly probe: (node: NodeId) => void;
  }) {
    this.#self = parts.self;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    this.#probe = parts.probe;
  }

  /**
   * A message that will be answered was sent. Called for every message, so it reads the clock only for the first
   * unanswered one.
   */
  noteSent(node: NodeId): void {
    if (node === this.#self) return;
    const peer = this.#peers.get(node) ?? this.#add(node);
    peer.waitingSinceMs ??= this.#clock.elapsedMs();
  }

  /** Any message or answer of the node arrived. */
  noteHeard(node: NodeId): void {
    if (node === this.#self) return;
    const peer = this.#peers.get(node) ?? this.#add(node);
    peer.waitingSinceMs = undefined;
    peer.isHeard = true;
    peer.isSuspect = false;
  }

  /** Whether the node has left a message unanswered for that long, or is suspected. */
  isSilent(node: NodeId, forMs: number): boolean {
    const peer = this.#peers.get(node);
    if (peer === undefined) return false;
    if (peer.isSuspect || peer.waitingSinceMs === undefined) return peer.isSuspect;
    return this.#clock.elapsedMs() - peer.waitingSinceMs >= forMs;
  }

  /** Whether the node is not suspected. True for this node itself, and for nodes of which nothing is known. */
  isUp(node: NodeId): boolean {
    const peer = this.#peers.get(node);
    if (peer === undefined) return true;
    if (!peer.isSuspect && peer.waitingSinceMs !== undefined) {
      peer.isSuspect = this.#clock.elapsedMs() - peer.waitingSinceMs >= this.#limits.suspectAfterMs;
    }
    return !peer.isSuspect;
  }

  /** From now on probes, in each round, the nodes that were silent since the last one, suspected nodes too. */
  start(peers: () => readonly NodeId[]): void {
    const round = () => {
      const present = new Set(peers());
      for (const known of this.#peers.keys()) if (!present.has(known)) this.#peers.delete(known);
      for (const node of present) {
        if (node === this.#self) continue;
        const peer = this.#peers.get(node) ?? this.#add(node);
        if (!peer.isHeard) this.#probe(node);
        peer.isHeard = false;
      }
      this.#timer = this.#clock.after(this.#limits.probeIntervalMs, round);
    };
    this.#timer = this.#clock.after(this.#limits.probeIntervalMs, round);
  }

  stop(): void {
    this.#clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #add(node: NodeId): Peer {
    const peer: Peer = { waitingSinceMs: undefined, isHeard: false, isSuspect: false };
    this.#peers.set(node, peer);
    return peer;
  }
}

/** Tells the failure detector of every message. */
export function watched(wire: Transport<Request, Reply>, detector: FailureDetector): Transport<Request, Reply> {
  return {
    send: (to, request, onReply) => {
      detector.noteSent(to);
      wire.send(to, request, (reply) => {
        detector.noteHeard(to);
        onReply(reply);
      });
    },
  };
}
