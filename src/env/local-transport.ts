import type { Receive, Transport } from './transport.ts';

/**
 * The network between the nodes of one process. Everything sent since the last turn is delivered in one microtask, in
 * the order in which it was sent; nothing is copied. What is addressed to a node that is not registered is lost.
 */
export class LocalTransport<Request, Reply> {
  readonly #receivers = new Map<string, Receive<Request, Reply>>();
  readonly #endpoints = new Map<string, Endpoint>();
  #queue: Delivery<Request, Reply>[] = [];
  #isScheduled = false;
  readonly #drain = () => this.#deliverAll();

  /** What `node` sends with until it is unregistered. Asking again gives a fresh one and cuts the old one off. */
  transport(node: string): Transport<Request, Reply> {
    this.#cutOff(node);
    const sender: Endpoint = { node, isOpen: true };
    this.#endpoints.set(node, sender);
    return {
      send: (to, request, onReply) => {
        if (sender.isOpen) this.#enqueue({ kind: 'request', sender, to, request, onReply });
      },
    };
  }

  /** From now on `receive` gets the requests to `node`. */
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

  /** What is sent meanwhile joins the same turn. A receiver that throws ends it; the rest is delivered all the same. */
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

  #deliver(delivery: Delivery<Request, Reply>): void {
    const { sender, onReply } = delivery;
    if (delivery.kind === 'reply') {
      if (sender.isOpen) onReply(delivery.reply);
      return;
    }
    const { to } = delivery;
    const receive = this.#receivers.get(to);
    if (receive === undefined) return;
    receive(sender.node, delivery.request, (reply) => {
      // A node that was stopped, or stopped and started again, cannot answer for its former self.
      if (this.#receivers.get(to) === receive) this.#enqueue({ kind: 'reply', sender, reply, onReply });
    });
  }
}

/** Where a node's requests come from and its replies return to, from its start to its stop. */
interface Endpoint {
  readonly node: string;
  isOpen: boolean;
}

type Delivery<Request, Reply> =
  | {
      readonly kind: 'request';
      readonly sender: Endpoint;
      readonly to: string;
      readonly request: Request;
      readonly onReply: (reply: Reply) => void;
    }
  | {
      readonly kind: 'reply';
      readonly sender: Endpoint;
      readonly reply: Reply;
      readonly onReply: (reply: Reply) => void;
    };
