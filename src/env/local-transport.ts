import type { MessageCodecs } from './codec.ts';
import type { Receive, Transport } from './transport.ts';

/**
 * The network between the nodes of one process. All requests sent since the last turn are delivered in one microtask,
 * in the order in which they were sent; nothing is copied, unless there are codecs. A reply is delivered within the
 * call that gives it. A request is never delivered within `send`, so `onReply` never runs within a call of the sender
 * either. A request to a node that is not registered is lost.
 */
export class LocalTransport<Request, Reply> {
  readonly #receivers = new Map<string, Receive<Request, Reply>>();
  readonly #endpoints = new Map<string, Endpoint>();
  #queue: Delivery<Request, Reply>[] = [];
  #isScheduled = false;
  readonly #drain = () => this.#deliverAll();
  readonly #codecs: MessageCodecs<Request, Reply> | undefined;

  /**
   * @param codecs for tests: each message is encoded and decoded on its way, as if the nodes were in several processes
   */
  constructor(codecs?: MessageCodecs<Request, Reply>) {
    this.#codecs = codecs;
  }

  /**
   * The transport with which `node` sends until it is unregistered. A second call returns a new one and cuts the old
   * one off.
   */
  transport(node: string): Transport<Request, Reply> {
    this.#cutOff(node);
    const sender: Endpoint = { node, isOpen: true };
    this.#endpoints.set(node, sender);
    const codecs = this.#codecs;
    if (codecs !== undefined) return this.#serialising(sender, codecs);
    return {
      send: (to, request, onReply) => {
        if (sender.isOpen) this.#enqueue({ sender, to, request, onReply });
      },
    };
  }

  /**
   * Delivers what each message reads as after it was encoded and decoded. A reply is encoded within the call that gives
   * it.
   */
  #serialising(sender: Endpoint, codecs: MessageCodecs<Request, Reply>): Transport<Request, Reply> {
    return {
      send: (to, request, onReply) => {
        if (!sender.isOpen) return;
        const received = codecs.request.decode(codecs.request.encode(request));
        const onDecoded = (reply: Reply) => onReply(codecs.reply.decode(codecs.reply.encode(reply)));
        this.#enqueue({ sender, to, request: received, onReply: onDecoded });
      },
    };
  }

  /** From now on `receive` gets the requests that are sent to `node`. */
  register(node: string, receive: Receive<Request, Reply>): void {
    this.#receivers.set(node, receive);
  }

  /** The node has stopped: it neither receives nor sends, and the replies it still waits for are lost. */
  unregister(node: string): void {
    this.#receivers.delete(node);
    this.#cutOff(node);
  }

  #cutOff(node: string): void {
    const endpoint = this.#endpoints.get(node);
    if (endpoint !== undefined) endpoint.isOpen = false;
    this.#endpoints.delete(node);
  }

  #enqueue(delivery: Delivery<Request, Reply>): void {
    this.#queue.push(delivery);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#drain);
  }

  /**
   * Requests sent meanwhile join the same turn. If a receiver throws, the turn ends, and the rest is delivered in the
   * next.
   */
  #deliverAll(): void {
    let at = 0;
    try {
      while (at < this.#queue.length) this.#deliver(this.#queue[at++]!);
    } finally {
      this.#queue = at < this.#queue.length ? this.#queue.slice(at) : [];
      this.#isScheduled = this.#queue.length > 0;
      if (this.#isScheduled) queueMicrotask(this.#drain);
    }
  }

  #deliver({ sender, to, request, onReply }: Delivery<Request, Reply>): void {
    const receive = this.#receivers.get(to);
    if (receive === undefined) return;
    receive(sender.node, request, (reply) => {
      // A node that has stopped, even if it was started again, neither answers earlier requests nor hears the answers
      // to its own.
      if (sender.isOpen && this.#receivers.get(to) === receive) onReply(reply);
    });
  }
}

/** The sender of a node's requests, to whom the replies return, from the node's start to its stop. */
interface Endpoint {
  readonly node: string;
  isOpen: boolean;
}

/** A request on its way. */
interface Delivery<Request, Reply> {
  readonly sender: Endpoint;
  readonly to: string;
  readonly request: Request;
  readonly onReply: (reply: Reply) => void;
}
