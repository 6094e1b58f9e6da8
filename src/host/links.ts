import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { NodeLimits } from '../dynamo/node-settings.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingClient } from '../dynamo/ring-client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock } from '../env/clock.ts';
import type { MessageCodecs } from '../env/codec.ts';
import { FaultyNetwork } from '../env/faulty-network.ts';
import { LocalTransport } from '../env/local-transport.ts';
import type { Random } from '../env/random.ts';
import { StoppableClock } from '../env/stoppable-clock.ts';
import type { LinkFault, Transport } from '../env/transport.ts';
import { checkLinkFault } from '../peer/link-fault.ts';
import type { Peer } from '../peer/peer.ts';
import type { RingObserver } from './ring-observer.ts';

interface LinksParts {
  readonly view: RingView;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: NodeLimits;
  /** W */
  readonly writeQuorum: number;
  readonly observer: RingObserver | undefined;
  readonly codecs: MessageCodecs<Request, Reply> | undefined;
}

/**
 * How the nodes of this process are reached: by one another over the network, by clients through `client`; and what is
 * wrong with that on purpose.
 */
export class Links {
  /** The way in for requests. */
  readonly client: RingClient;
  readonly #network: FaultyNetwork<Request, Reply>;
  /** Of the messages that a slow link holds. */
  readonly #networkClock: StoppableClock;
  /** The nodes that clients may ask. */
  readonly #reachable = new Map<NodeId, CoordinatingNode>();

  constructor({ view, clock, random, limits, writeQuorum, observer, codecs }: LinksParts) {
    this.#networkClock = new StoppableClock(clock);
    const local = new LocalTransport<Request, Reply>(codecs);
    this.#network = new FaultyNetwork(local, this.#networkClock, random, observer);
    this.client = new RingClient({ view, nodes: this.#reachable, clock, limits, writeQuorum, observer, random });
  }

  /** What a node that starts sends with. */
  transport(id: NodeId): Transport<Request, Reply> {
    return this.#network.transport(id);
  }

  /** A peer has started on its `transport`: other nodes and clients reach it. */
  connect(peer: Peer): void {
    this.#network.register(peer.id, peer.receive);
    this.#admit(peer);
  }

  /** Clients ask the node nothing new. */
  withdraw(id: NodeId): void {
    this.#reachable.delete(id);
  }

  /**
   * A node stops: nobody reaches it any more. What it owes its clients is asked elsewhere, or has an unknown outcome.
   */
  disconnect(id: NodeId): void {
    this.withdraw(id);
    this.client.detach(id);
    this.#network.unregister(id);
  }

  /** The node neither sends nor receives from now on, as if its process were stopped by a signal. */
  pause(peer: Peer): void {
    if (peer.isPaused) return;
    peer.pause();
    this.#reachable.set(peer.id, peer.door);
    this.#network.pause(peer.id);
  }

  resume(peer: Peer): void {
    const release = peer.resume();
    this.#admit(peer);
    this.#network.resume(peer.id);
    release();
  }

  /**
   * Sets what is wrong with the way from one node to another, in place of what was.
   *
   * @throws RingError if there is no such fault
   */
  set(from: NodeId, to: NodeId, fault: LinkFault): void {
    if (from === to) throw new RingError(`there is no link from ${from} to itself`);
    checkLinkFault(fault);
    this.#network.setLink(from, to, fault);
  }

  heal(from: NodeId, to: NodeId): void {
    this.#network.healLink(from, to);
  }

  healAll(): void {
    this.#network.healLinks();
  }

  /** Messages that slow links still hold are lost. */
  stop(): void {
    this.#networkClock.stop();
  }

  #admit(peer: Peer): void {
    this.#reachable.set(peer.id, peer.door);
    this.client.attach(peer.id);
  }
}
