import { type Ballot, NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { Random } from '../../src/env/random.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { Receive, Transport } from '../../src/env/transport.ts';
import { REPLY_CODEC } from '../../src/wire/reply-codec.ts';
import { REQUEST_CODEC } from '../../src/wire/request-codec.ts';
import { MessageBytes } from './sent-as-bytes.ts';
import { showReply, showRequest, type Trace } from './trace.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A link that carries nothing one way for a while. */
export interface Cut {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly startMs: number;
  readonly endMs: number;
}

/** Messages of these kinds arrive once more with this chance, at any time within so many ms. */
export interface Echoes {
  readonly kinds: ReadonlySet<Message['kind']>;
  readonly chance: number;
  readonly withinMs: number;
}

export interface NetworkFaults {
  /** Chances of each message, 0 to 1. */
  readonly loss: number;
  readonly doubling: number;
  readonly slowness: number;
  /** What a slow message takes longer, at most; others overtake it. */
  readonly slowestMs: number;
  /** Links as `AB`, on which more messages than not are slow. */
  readonly slowLinks: ReadonlySet<string>;
  /** Some messages arrive once more, much later. */
  readonly echoes: Echoes | undefined;
  readonly cuts: readonly Cut[];
}

/** Sees every message, to judge the protocol from the outside. */
export interface Observer {
  sent(from: NodeId, request: Request): void;
  /** A replica got a request. @returns the newest record of its key that it has acknowledged so far */
  received(replica: NodeId, request: Request & { readonly key: StoreKey }): Ballot;
  /** A replica gave this answer, which may get lost on the way back. @param acknowledged what `received` returned */
  answered(replica: NodeId, request: Request, reply: Reply, acknowledged: Ballot): void;
  /** The answer reached the one who asked. */
  delivered(request: Request, reply: Reply): void;
}

/** What a broken rule does to messages on their way. */
export interface Tampering {
  request?(request: Request): Request;
  reply?(reply: Reply): Reply;
  /** A node that gets what was sent to one that is down. */
  readonly standIn?: NodeId;
}

export interface Message {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly kind: Request['kind'] | Reply['kind'];
}

/** Decides by plan, and not by chance, what becomes of each message. */
export interface Courier {
  /** @param arrive may be called at any time, or several times; @param lose instead, if the message is lost */
  carry(message: Message, arrive: () => void, lose: () => void): void;
}

/** What is listening at a node now; another one after each restart. */
interface Process {
  readonly receive: Receive<Request, Reply>;
}

/**
 * Carries the messages of all nodes, badly until it is healed. In some histories each message is encoded when it is sent, and
 * decoded for each delivery: then nodes share no memory, and neither do two deliveries of one message.
 */
export class SimulatedNetwork {
  /** Whether messages are sent as bytes. */
  readonly sendsBytes: boolean;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #faults: NetworkFaults;
  readonly #trace: Trace;
  readonly #observer: Observer;
  readonly #tampering: Tampering;
  readonly #courier: Courier | undefined;
  readonly #requests: MessageBytes<Request>;
  readonly #replies: MessageBytes<Reply>;
  readonly #processes = new Map<NodeId, Process>();
  #isHealed = false;

  constructor(parts: {
    readonly time: VirtualTime;
    readonly random: Random;
    readonly faults: NetworkFaults;
    readonly trace: Trace;
    readonly observer: Observer;
    readonly tampering: Tampering;
    readonly courier?: Courier;
    readonly sendsBytes: boolean;
  }) {
    this.#time = parts.time;
    this.#random = parts.random;
    this.#faults = parts.faults;
    this.#trace = parts.trace;
    this.#observer = parts.observer;
    this.#tampering = parts.tampering;
    this.#courier = parts.courier;
    this.sendsBytes = parts.sendsBytes;
    this.#requests = new MessageBytes(parts.sendsBytes);
    this.#replies = new MessageBytes(parts.sendsBytes);
  }

  attach(node: NodeId, receive: Receive<Request, Reply>): void {
    this.#processes.set(node, { receive });
  }

  detach(node: NodeId): void {
    this.#processes.delete(node);
  }

  /** From now on every message arrives once and in a few milliseconds. Those under way keep their delays. */
  heal(): void {
    this.#isHealed = true;
  }

  /** @param isAlive whether the process that this transport was made for still runs; answers to a dead one are dropped */
  transportOf(from: NodeId, isAlive: () => boolean): Transport<Request, Reply> {
    return {
      send: (to, original, onReply) => {
        const request = this.#tampering.request?.(original) ?? original;
        this.#observer.sent(from, request);
        const take = this.#requests.send(REQUEST_CODEC, request);
        this.#carry({ from, to, kind: request.kind }, showRequest(request), () => {
          // What a process says to itself dies with it.
          if (from === to && !isAlive()) return;
          const receiver = this.#processes.has(to) ? to : (this.#tampering.standIn ?? to);
          this.#deliver(from, receiver, take(), isAlive, onReply);
        });
      },
    };
  }

  #deliver(from: NodeId, to: NodeId, request: Request, isAlive: () => boolean, onReply: (reply: Reply) => void): void {
    const process = this.#processes.get(to);
    if (process === undefined) return;
    const acknowledged = 'key' in request ? this.#observer.received(to, request) : NO_BALLOT;
    process.receive(from, request, (original) => {
      if (this.#processes.get(to) !== process) return;
      this.#observer.answered(to, request, original, acknowledged);
      const take = this.#replies.send(REPLY_CODEC, original);
      this.#carry({ from: to, to: from, kind: original.kind }, showReply(original), () => {
        if (!isAlive()) return;
        const decoded = take();
        const reply = this.#tampering.reply?.(decoded) ?? decoded;
        this.#observer.delivered(request, reply);
        onReply(reply);
      });
    });
  }

  #carry(message: Message, what: string, arrive: () => void): void {
    const { from, to } = message;
    const lose = () => this.#trace.add(this.#time.nowMs, from, ' x ', to, '  ', what);
    const arriveTraced = () => {
      this.#trace.add(this.#time.nowMs, from, ' > ', to, '  ', what);
      arrive();
    };
    if (this.#courier !== undefined) return this.#courier.carry(message, arriveTraced, lose);
    const isFaulty = from !== to && !this.#isHealed;
    if (isFaulty && (this.#isCut(from, to) || this.#random.next() < this.#faults.loss)) return lose();
    this.#time.after(this.#delayMs(from, to), arriveTraced);
    if (isFaulty && this.#random.next() < this.#faults.doubling) {
      this.#time.after(this.#delayMs(from, to) + this.#random.next() * 60, arriveTraced);
    }
    const { echoes } = this.#faults;
    if (isFaulty && echoes?.kinds.has(message.kind) && this.#random.next() < echoes.chance) {
      this.#time.after(this.#random.next() * echoes.withinMs, arriveTraced);
    }
  }

  #delayMs(from: NodeId, to: NodeId): number {
    const random = this.#random;
    if (from === to) return 0.05 + random.next() * 0.2;
    const delayMs = 1 + random.next() * 8;
    if (this.#isHealed) return delayMs;
    const { slowness, slowLinks, slowestMs } = this.#faults;
    const isSlowLink = slowLinks.size > 0 && slowLinks.has(from + to);
    const isSlow = random.next() < (isSlowLink ? Math.max(slowness, 0.6) : slowness);
    return isSlow ? delayMs + random.next() * slowestMs : delayMs;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    const { nowMs } = this.#time;
    return this.#faults.cuts.some(
      (cut) => cut.from === from && cut.to === to && cut.startMs <= nowMs && nowMs < cut.endMs,
    );
  }
}
