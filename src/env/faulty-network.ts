import type { Clock } from './clock.ts';
import type { LocalTransport } from './local-transport.ts';
import type { Random } from './random.ts';
import type { LinkFault, Receive, Transport } from './transport.ts';

/** Sees each request that is sent, whether or not the link has a fault. */
export interface NetworkObserver<Request, Reply> {
  /** Right before it is sent. @returns what is to hear the answer instead of `onReply`, or `onReply` itself */
  sent(from: string, to: string, request: Request, onReply: (reply: Reply) => void): (reply: Reply) => void;
}

/** How many messages may wait for a paused node; further ones are lost, as with a full socket buffer. */
export const HELD_MESSAGES = 10_000;

/**
 * The network between the nodes of one process, with faults on request. A link's fault applies to the requests that are
 * sent while it is set, and to their answers. Without faults, each message costs one look at a flag more.
 */
export class FaultyNetwork<Request, Reply> {
  readonly #network: LocalTransport<Request, Reply>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #observer: NetworkObserver<Request, Reply> | undefined;
  /** The faults of each link, by `from` and then `to`. */
  readonly #links = new Map<string, Map<string, LinkFault>>();
  /** Paused nodes, each with the deliveries that are held until it is resumed. */
  readonly #paused = new Map<string, (() => void)[]>();
  /** The present transport of each running node. */
  readonly #transports = new Map<string, Transport<Request, Reply>>();
  #isFaulty = false;

  constructor(
    network: LocalTransport<Request, Reply>,
    clock: Clock,
    random: Random,
    observer?: NetworkObserver<Request, Reply>,
  ) {
    this.#network = network;
    this.#clock = clock;
    this.#random = random;
    this.#observer = observer;
  }

  transport(node: string): Transport<Request, Reply> {
    const inner = this.#network.transport(node);
    const transport: Transport<Request, Reply> = {
      send: (to, request, tell) => {
        const onReply = this.#observer === undefined ? tell : this.#observer.sent(node, to, request, tell);
        if (!this.#isFaulty) return inner.send(to, request, onReply);
        // As without faults, a node that has stopped by the time an answer arrives does not get it.
        const hear = (reply: Reply) => {
          if (this.#transports.get(node) === transport) onReply(reply);
        };
        this.#carry(node, to, () => {
          inner.send(to, request, (reply) => this.#carry(to, node, () => hear(reply)));
        });
      },
    };
    this.#transports.set(node, transport);
    return transport;
  }

  register(node: string, receive: Receive<Request, Reply>): void {
    this.#network.register(node, receive);
  }

  /** The node has stopped; messages held for it are lost. */
  unregister(node: string): void {
    this.#network.unregister(node);
    this.#transports.delete(node);
    this.#paused.delete(node);
    this.#refresh();
  }

  /** Sets the fault of one link, in this direction, in place of the one before. */
  setLink(from: string, to: string, fault: LinkFault): void {
    const links = this.#links.get(from) ?? new Map<string, LinkFault>();
    links.set(to, fault);
    this.#links.set(from, links);
    this.#refresh();
  }

  healLink(from: string, to: string): void {
    this.#links.get(from)?.delete(to);
    if (this.#links.get(from)?.size === 0) this.#links.delete(from);
    this.#refresh();
  }

  healLinks(): void {
    this.#links.clear();
    this.#refresh();
  }

  /** From now on messages to and from the node wait, as if its process were stopped by a signal. */
  pause(node: string): void {
    if (!this.#paused.has(node)) this.#paused.set(node, []);
    this.#refresh();
  }

  /** The node goes on; the held messages are delivered in order. */
  resume(node: string): void {
    const held = this.#paused.get(node) ?? [];
    this.#paused.delete(node);
    this.#refresh();
    for (const deliver of held) deliver();
  }

  isPaused(node: string): boolean {
    return this.#paused.has(node);
  }

  #refresh(): void {
    this.#isFaulty = this.#links.size > 0 || this.#paused.size > 0;
  }

  #carry(from: string, to: string, deliver: () => void): void {
    // A node has no link to itself, so no fault; but a paused node does not even hear itself.
    const fault = from === to ? undefined : this.#links.get(from)?.get(to);
    if (fault?.cut === true) return;
    if (fault?.dropRate !== undefined && this.#random.next() < fault.dropRate) return;
    const arrive = () => this.#arrive(from, to, deliver);
    if (fault?.delayMs !== undefined && fault.delayMs > 0) this.#clock.after(fault.delayMs, arrive);
    else arrive();
  }

  #arrive(from: string, to: string, deliver: () => void): void {
    const held = this.#paused.get(from) ?? this.#paused.get(to);
    if (held === undefined) return deliver();
    // By the time this node is resumed, the other end may be paused: so `#arrive` again.
    if (held.length < HELD_MESSAGES) held.push(() => this.#arrive(from, to, deliver));
  }
}
