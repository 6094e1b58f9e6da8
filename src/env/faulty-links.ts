import type { Clock } from './clock.ts';
import { HELD_MESSAGES } from './faulty-network.ts';
import type { Random } from './random.ts';
import { StoppableClock } from './stoppable-clock.ts';
import type { LinkFault, Receive, Transport } from './transport.ts';

/** Messages that were held for longer are lost: what nodes remove and forget rests on a bound of the life of a message. */
const LONGEST_HELD_MS = 10_000;

/**
 * What is wrong on purpose with the messages of a node that has a process of its own: with its links to others, one by
 * one, and while it is paused with all. It is between the node and any transport, and at the side that sends: requests
 * that the node sends, and answers that it gives. Without faults, each message costs one look at a flag.
 */
export class FaultyLinks<Request, Reply> {
  readonly #clock: StoppableClock;
  readonly #random: Random;
  /** The faults, by the node at the other end. */
  readonly #links = new Map<string, LinkFault>();
  /** While it is paused: what waits until it goes on, and since when. */
  #held: { readonly sinceMs: number; readonly deliver: () => void }[] | undefined;
  #isFaulty = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = new StoppableClock(clock);
    this.#random = random;
  }

  /** What the node sends with. */
  transport(inner: Transport<Request, Reply>): Transport<Request, Reply> {
    return {
      send: (to, request, onReply) => {
        if (!this.#isFaulty) return inner.send(to, request, onReply);
        this.#leave(to, () => inner.send(to, request, (reply) => this.#arrive(() => onReply(reply))));
      },
    };
  }

  /** What reaches the node. */
  receive(inner: Receive<Request, Reply>): Receive<Request, Reply> {
    return (from, request, reply) => {
      if (!this.#isFaulty) return inner(from, request, reply);
      this.#arrive(() => inner(from, request, (answer) => this.#leave(from, () => reply(answer))));
    };
  }

  /** Sets what is wrong with the way to another node, in place of what was. */
  setLink(to: string, fault: LinkFault): void {
    this.#links.set(to, fault);
    this.#refresh();
  }

  healLink(to: string): void {
    this.#links.delete(to);
    this.#refresh();
  }

  /** From now on messages to and from the node wait, as if its process were stopped by a signal. */
  pause(): void {
    this.#held ??= [];
    this.#refresh();
  }

  /** The node goes on; the held messages are delivered in order, but for those that nobody waits for any more. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#refresh();
    const nowMs = this.#clock.elapsedMs();
    for (const { sinceMs, deliver } of held) if (nowMs - sinceMs <= LONGEST_HELD_MS) deliver();
  }

  /** Messages that slow links still hold are lost. */
  stop(): void {
    this.#clock.stop();
  }

  #refresh(): void {
    this.#isFaulty = this.#links.size > 0 || this.#held !== undefined;
  }

  #leave(to: string, send: () => void): void {
    const fault = this.#links.get(to);
    if (fault?.cut === true) return;
    if (fault?.dropRate !== undefined && this.#random.next() < fault.dropRate) return;
    const leave = () => this.#arrive(send);
    if (fault?.delayMs !== undefined && fault.delayMs > 0) this.#clock.after(fault.delayMs, leave);
    else leave();
  }

  /** Whichever way: a paused node neither sends nor hears. */
  #arrive(deliver: () => void): void {
    if (this.#held === undefined) return deliver();
    // By the time this node goes on, it may be paused again.
    if (this.#held.length >= HELD_MESSAGES) return;
    this.#held.push({ sinceMs: this.#clock.elapsedMs(), deliver: () => this.#arrive(deliver) });
  }
}
