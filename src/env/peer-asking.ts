import { type Ask, dropAsk, endAsk } from './open-port.ts';
import type { Lane, NotSent, Outcome } from './peer-channel.ts';
import type { ConnectionUse, PeerConnection } from './peer-connection.ts';
import {
  ANSWER,
  CANCEL,
  FrameError,
  GOODBYE,
  KIND,
  NO_PAYLOAD,
  type Outgoing,
  REQUEST,
  UNANSWERABLE,
  UNSUPPORTED,
} from './peer-frame.ts';
import type { PeerLimits } from './peer-limits.ts';
import type { TransportCounts } from './transport-counts.ts';

/**
 * What is asked of one peer in one lane: waits for a connection, then for its turn, then for an answer. It outlives its
 * connections, but no request does that was written to one.
 */
export class PeerAsking implements ConnectionUse {
  readonly #lane: Lane;
  readonly #limits: PeerLimits;
  readonly #counts: TransportCounts;
  readonly #onEnded: (reason: string) => void;
  #connection: PeerConnection | undefined;
  /** Asked and not yet written, in order. */
  #queue: Ask[] = [];
  #queuedBytes = 0;
  /** What `#queue` holds of cancelled requests, which are skipped in their turn. */
  #cancelled = 0;
  /** Written and not yet answered, in the order in which they were written. */
  readonly #written = new Map<number, Ask>();
  /** Ids of written requests of which the peer is to be told that they were cancelled. */
  #cancels: number[] = [];
  #lastId = 0;
  /** The peer is about to stop: `told` once it knows that nothing more comes. */
  #parting: 'no' | 'heard' | 'told' = 'no';

  constructor({ lane, limits, counts }: AskingParts, onEnded: (reason: string) => void) {
    this.#lane = lane;
    this.#limits = limits;
    this.#counts = counts;
    this.#onEnded = onEnded;
  }

  /** Whether the peer takes nothing more on the present connection, and its answers are waited for. */
  get isParting(): boolean {
    return this.#parting !== 'no';
  }

  /** Takes a request to be written on the present connection, or on the next one. */
  add(ask: Ask & { payload: Uint8Array }): void {
    const { queueBytes, queuedMessages, messageBytes } = this.#limits;
    const bytes = ask.payload.length;
    if (this.isParting) return this.#fail(ask, 'down');
    if (bytes > messageBytes) return this.#fail(ask, 'too-long');
    if (this.#queuedBytes + bytes > queueBytes[this.#lane] || this.#queue.length - this.#cancelled >= queuedMessages) {
      return this.#fail(ask, 'queue-full');
    }
    this.#queue.push(ask);
    this.#queuedBytes += bytes;
    this.#connection?.wake();
  }

  cancel(ask: Ask): void {
    if (ask.state === 'queued') {
      this.#queuedBytes -= ask.payload!.length;
      this.#cancelled++;
      // Whoever asks and cancels while nothing is written must not make the queue grow.
      if (this.#cancelled > this.#limits.queuedMessages) this.#sweepCancelled();
    } else if (ask.state === 'written' && this.#written.delete(ask.id)) {
      this.#cancels.push(ask.id);
      this.#connection?.wake();
    }
    dropAsk(ask);
  }

  /** Writes on this connection from now on. Ids begin anew. */
  attach(connection: PeerConnection): void {
    this.#connection = connection;
    this.#lastId = 0;
    connection.become(this, this.#lane);
  }

  next(): Outgoing | undefined {
    if (this.isParting) return this.#nextOfParting();
    const cancelled = this.#cancels.shift();
    if (cancelled !== undefined) return { kind: CANCEL, id: cancelled, payload: NO_PAYLOAD };
    // More than this the peer would not read.
    if (this.#written.size >= this.#limits.unanswered[this.#lane]) return undefined;
    const ask = this.#takeQueued();
    if (ask === undefined) return undefined;
    this.#lastId = (this.#lastId + 1) >>> 0;
    ask.id = this.#lastId;
    ask.state = 'written';
    this.#written.set(ask.id, ask);
    return { kind: REQUEST | ask.port.channel.number, id: ask.id, payload: ask.payload! };
  }

  hear(kind: number, id: number, payload: Buffer): void {
    const ask = this.#written.get(id);
    const isFull = this.#written.size >= this.#limits.unanswered[this.#lane];
    switch (kind & KIND) {
      case ANSWER:
        if (ask === undefined) return;
        if ((kind & ~KIND) !== ask.port.channel.number) throw new FrameError('garbage', 'an answer of another channel');
        this.#hearAnswer(ask, payload);
        break;
      case UNSUPPORTED:
        if (ask === undefined) return;
        this.#written.delete(id);
        this.#fail(ask, 'unsupported');
        break;
      case UNANSWERABLE:
        if (ask === undefined) return;
        this.#written.delete(id);
        this.#lose(ask, 'unanswerable');
        break;
      case GOODBYE:
        if (this.#parting === 'no') this.#parting = 'heard';
        this.failQueued('down');
        this.#connection?.wake();
        return;
      default:
        // A newer release may say more to those who ask; whoever does not know it can do without.
        return;
    }
    if (isFull) this.#connection?.wake();
  }

  /** Ends what was written as lost, and with it what waits: the peer may be gone for long. */
  ended(reason: string): void {
    this.#connection = undefined;
    this.#parting = 'no';
    const written = [...this.#written.values()];
    this.#written.clear();
    this.#cancels = [];
    for (const ask of written) this.#lose(ask, 'connection');
    this.failQueued('down');
    this.#onEnded(reason);
  }

  /** Ends what waits. */
  failQueued(reason: NotSent): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#cancelled = 0;
    for (const ask of queue) this.#fail(ask, reason);
  }

  /** Ends what has waited for too long. */
  sweep(nowMs: number): void {
    const { queuedMs, requestLifeMs } = this.#limits;
    for (const ask of this.#written.values()) {
      if (nowMs - ask.sinceMs < requestLifeMs) break;
      this.#written.delete(ask.id);
      this.#lose(ask, 'expired');
    }
    const isLate = (ask: Ask) => ask.state === 'over' || nowMs - ask.sinceMs >= queuedMs;
    while (this.#queue.length > 0 && isLate(this.#queue[0]!)) this.#failFirst();
  }

  #nextOfParting(): Outgoing | undefined {
    if (this.#parting === 'told') return undefined;
    this.#parting = 'told';
    return { kind: GOODBYE, id: 0, payload: NO_PAYLOAD };
  }

  #hearAnswer(ask: Ask, payload: Buffer): void {
    const { channel } = ask.port;
    let answer: unknown;
    try {
      answer = channel.answersTo(ask.request).decode(payload);
    } catch (error) {
      if (!channel.isUnsupported(error)) throw new FrameError('garbage', String(error));
      this.#written.delete(ask.id);
      return this.#lose(ask, 'unanswerable');
    }
    this.#written.delete(ask.id);
    endAsk(ask, { kind: 'answered', answer });
  }

  #takeQueued(): Ask | undefined {
    for (let ask = this.#queue.shift(); ask !== undefined; ask = this.#queue.shift()) {
      if (ask.state !== 'over') {
        this.#queuedBytes -= ask.payload!.length;
        return ask;
      }
      this.#cancelled--;
    }
    return undefined;
  }

  /** Ends the first in the queue; one that is over already just leaves it. */
  #failFirst(): void {
    const ask = this.#queue.shift()!;
    if (ask.state === 'over') {
      this.#cancelled--;
      return;
    }
    this.#queuedBytes -= ask.payload!.length;
    this.#fail(ask, 'queue-full');
  }

  #sweepCancelled(): void {
    this.#queue = this.#queue.filter((ask) => ask.state === 'queued');
    this.#cancelled = 0;
  }

  #fail(ask: Ask, reason: NotSent): void {
    if (ask.state !== 'over') this.#counts.noteNotSent(reason);
    endAsk(ask, { kind: 'not-sent', reason });
  }

  #lose(ask: Ask, reason: Extract<Outcome<unknown>, { kind: 'lost' }>['reason']): void {
    if (ask.state !== 'over') this.#counts.lost++;
    endAsk(ask, { kind: 'lost', reason });
  }
}

interface AskingParts {
  readonly lane: Lane;
  readonly limits: PeerLimits;
  readonly counts: TransportCounts;
}
