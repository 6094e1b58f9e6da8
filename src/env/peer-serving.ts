import type { OpenPort } from './open-port.ts';
import type { Lane, PeerId } from './peer-channel.ts';
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

/** A request that was taken and not answered yet. */
interface Taken {
  readonly sinceMs: number;
  whenGone: (() => void) | undefined;
}

/** Serves what a peer asks on one connection that it has dialled. */
export class PeerServing implements ConnectionUse {
  readonly connection: PeerConnection;
  readonly #parts: ServingParts;
  readonly #unanswered = new Map<number, Taken>();
  #answers: Outgoing[] = [];
  #answerBytes = 0;
  #lastId = 0;
  #isPaused = false;
  #isEnded = false;
  #onParted: (() => void) | undefined;

  constructor(parts: ServingParts, connection: PeerConnection) {
    this.#parts = parts;
    this.connection = connection;
  }

  next(): Outgoing | undefined {
    const answer = this.#answers.shift();
    if (answer === undefined) return undefined;
    this.#answerBytes -= answer.payload.length;
    this.#resumeIfRoom();
    return answer;
  }

  hear(kind: number, id: number, payload: Buffer): void {
    switch (kind & KIND) {
      case REQUEST:
        return this.#take(kind & ~KIND, id, payload);
      case CANCEL: {
        const taken = this.#unanswered.get(id);
        this.#forget(id);
        return taken?.whenGone?.();
      }
      case GOODBYE:
        // Whatever it has asked is heard by now, and what was answered is written before the end.
        return this.connection.finish('stopped');
      default:
        // A newer release may ask in other ways.
        return this.#push({ kind: UNSUPPORTED, id, payload: NO_PAYLOAD });
    }
  }

  /**
   * Has the peer ask nothing more on this connection, which it ends then. So no request is lost on its way here.
   *
   * @param done called once, when the connection has ended: never by a peer of an older release, or one that is silent
   */
  part(done: () => void): void {
    if (this.#isEnded) return done();
    this.#onParted = done;
    this.#push({ kind: GOODBYE, id: 0, payload: NO_PAYLOAD });
  }

  ended(reason: string): void {
    this.#isEnded = true;
    const taken = [...this.#unanswered.values()];
    this.#unanswered.clear();
    this.#answers = [];
    this.#parts.onEnded(reason);
    for (const { whenGone } of taken) whenGone?.();
    this.#onParted?.();
  }

  /** Forgets requests whose answer nobody waits for any more. */
  sweep(nowMs: number): void {
    for (const [id, { sinceMs, whenGone }] of this.#unanswered) {
      if (nowMs - sinceMs < this.#parts.limits.requestLifeMs) break;
      this.#forget(id);
      whenGone?.();
    }
  }

  #take(channel: number, id: number, payload: Buffer): void {
    // Requests are numbered without gaps, so bytes that come a second time are noticed.
    if (id !== (this.#lastId + 1) >>> 0) throw new FrameError('garbage', 'a request out of turn');
    this.#lastId = id;
    const port = this.#parts.portOf(channel);
    const request = port === undefined ? undefined : this.#decode(port, payload);
    if (port === undefined || request === undefined) {
      return this.#push({ kind: UNSUPPORTED, id, payload: NO_PAYLOAD });
    }
    const taken: Taken = { sinceMs: this.#parts.nowMs(), whenGone: undefined };
    this.#unanswered.set(id, taken);
    // An honest peer does not ask more (`PeerAsking`). The rest of the frame is heard all the same: not without end.
    const most = this.#parts.limits.unanswered[this.#parts.lane];
    if (this.#unanswered.size > 2 * most) throw new FrameError('garbage', 'far more requests than may be unanswered');
    if (this.#unanswered.size > most) this.#pause();
    port.serve(
      this.#parts.peer,
      request.message,
      (answer) => {
        if (this.#unanswered.get(id) !== taken) return;
        this.#forget(id);
        if (port.isOpen) this.#answer(port, { id, request: request.message, answer });
        else this.#push({ kind: UNANSWERABLE, id, payload: NO_PAYLOAD });
      },
      (run) => {
        if (this.#unanswered.get(id) === taken) taken.whenGone = run;
      },
    );
  }

  /** @returns undefined if the message is of a newer release */
  #decode({ channel }: OpenPort, payload: Buffer): { readonly message: unknown } | undefined {
    try {
      return { message: channel.requests.decode(payload) };
    } catch (error) {
      if (channel.isUnsupported(error)) return undefined;
      throw new FrameError('garbage', String(error));
    }
  }

  #answer({ channel }: OpenPort, { id, request, answer }: { id: number; request: unknown; answer: unknown }): void {
    const payload = channel.answersTo(request).encode(answer);
    const { messageBytes, queueBytes } = this.#parts.limits;
    const isRoom = this.#answerBytes + payload.length <= queueBytes[this.#parts.lane];
    if (payload.length > messageBytes || !isRoom) this.#push({ kind: UNANSWERABLE, id, payload: NO_PAYLOAD });
    else this.#push({ kind: ANSWER | channel.number, id, payload });
  }

  #push(outgoing: Outgoing): void {
    if (this.#isEnded) return;
    this.#answers.push(outgoing);
    this.#answerBytes += outgoing.payload.length;
    // Whoever asks without reading what is answered is not read either.
    if (this.#answers.length >= this.#parts.limits.queuedMessages) this.#pause();
    this.connection.wake();
  }

  #forget(id: number): void {
    this.#unanswered.delete(id);
    this.#resumeIfRoom();
  }

  #pause(): void {
    this.#isPaused = true;
    this.connection.pause();
  }

  #resumeIfRoom(): void {
    if (!this.#isPaused) return;
    const { limits, lane } = this.#parts;
    if (this.#unanswered.size > limits.unanswered[lane] / 2 || this.#answers.length > limits.queuedMessages / 2) return;
    this.#isPaused = false;
    this.connection.resume();
  }
}

export interface ServingParts {
  readonly peer: PeerId;
  readonly lane: Lane;
  readonly limits: PeerLimits;
  readonly nowMs: () => number;
  /** The port that is open on a channel now. */
  readonly portOf: (channel: number) => OpenPort | undefined;
  readonly onEnded: (reason: string) => void;
}
