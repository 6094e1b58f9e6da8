import type { Duplex } from 'node:stream';
import type { Lane, Proof } from './peer-channel.ts';
import {
  FRAME_HEAD_BYTES,
  FrameError,
  FrameReader,
  frameHead,
  frameOf,
  KIND,
  messageSize,
  NO_PAYLOAD,
  type Outgoing,
  PART,
  PING,
} from './peer-frame.ts';
import type { PeerLimits } from './peer-limits.ts';
import type { TransportCounts } from './transport-counts.ts';

/** An open socket, with TLS or without. */
export interface Line {
  readonly stream: Duplex;
  readonly proof: Proof;
  /** Closes it at once: what it has not sent yet is never sent. */
  reset(): void;
  /** Closes it when everything is sent, or soon in any case. */
  finish(): void;
}

/** What a connection is used for at the moment: for hellos, then for asking or for serving. */
export interface ConnectionUse {
  /** The next message to write, if one may be written now. Whoever has one later calls `wake` of the connection. */
  next(): Outgoing | undefined;
  /** @throws FrameError or whatever a codec throws: the connection is cut */
  hear(kind: number, id: number, payload: Buffer): void;
  /** The connection has ended. Called once. @param reason for counts, a few words with dashes */
  ended(reason: string): void;
}

/** What is in one frame, if no message is so long that it has a frame of its own. */
const FULL_FRAME_BYTES = 256 * 1024;

/**
 * One connection to a peer. Everything that is to be written in one turn of the event loop goes in one frame and one
 * write: a write costs more than ten small messages. It pings when it has nothing to say, and is cut when it hears
 * nothing.
 */
export class PeerConnection {
  readonly #line: Line;
  readonly #limits: PeerLimits;
  readonly #counts: TransportCounts;
  readonly #reader: FrameReader;
  /** How long ago the last look at all connections was. */
  readonly #sinceTickMs: () => number;
  readonly #flush = () => this.#write();
  #use: ConnectionUse;
  /** A long message that did not fit into the last frame. */
  #held: Outgoing | undefined;
  /** The parts of a long message that have arrived. */
  #parts: Buffer[] = [];
  #partsId = 0;
  #partBytes = 0;
  /** Whether hellos were exchanged. Before, whoever waits for them also ends it. */
  #isGreeted = false;
  #isScheduled = false;
  #isEnded = false;
  /** Whether the socket takes no more for now. */
  #isBlocked = false;
  #isPaused = false;
  #blockedTicks = 0;
  #pausedTicks = 0;
  #silentTicks = 0;
  #silentLooks = 0;
  #quietTicks = 0;
  #frameBytes: number;
  /** What was read since this process is in doubt whether the other side has given up; undefined: it is in none. */
  #doubted: Buffer[] | undefined;

  constructor({ line, limits, counts, sinceTickMs }: ConnectionParts, use: ConnectionUse) {
    this.#line = line;
    this.#limits = limits;
    this.#counts = counts;
    this.#sinceTickMs = sinceTickMs;
    this.#use = use;
    this.#frameBytes = limits.helloBytes;
    this.#reader = new FrameReader(limits.helloBytes, (kind, id, payload) => this.#hear(kind, id, payload));
    const { stream } = line;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('drain', () => {
      this.#isBlocked = false;
      this.#write();
    });
    stream.on('end', () => this.cut('ended'));
    stream.on('error', () => this.cut('error'));
    stream.on('close', () => this.cut('closed'));
    counts.connections++;
  }

  get proof(): Proof {
    return this.#line.proof;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * How many looks in time have passed since anything was read, less those that were late. None while this side itself
   * does not read.
   */
  get silentLooks(): number {
    return this.#silentLooks;
  }

  /** From now on the connection is used for something else, with frames as long as its lane has. */
  become(use: ConnectionUse, lane: Lane): void {
    this.#use = use;
    this.#isGreeted = true;
    this.#frameBytes = this.#limits.frameBytes[lane];
    this.#reader.frameBytes = this.#frameBytes;
    this.wake();
  }

  /** Writes one message at once: for hellos. */
  say(message: Outgoing): void {
    if (!this.#isEnded) this.#writeFrame([message], messageSize(message.payload.length));
  }

  /** Writes what there is to write in the next turn of the event loop. */
  wake(): void {
    if (this.#isScheduled || this.#isEnded || this.#isBlocked) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** Reads no more until `resume`: the other side's writes will wait. What was read already is still heard. */
  pause(): void {
    if (this.#isPaused || this.#isEnded) return;
    this.#isPaused = true;
    this.#pausedTicks = 0;
    this.#silentLooks = 0;
    this.#line.stream.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isEnded) return;
    this.#isPaused = false;
    this.#silentTicks = 0;
    this.#line.stream.resume();
  }

  /** Looks after the connection; called every `tickMs`. @param lateMs by how much the call is too late */
  tick(lateMs: number): void {
    if (this.#isEnded || !this.#isGreeted) return;
    const { silentTicks, pingTicks, stallTicks } = this.#limits;
    if (this.#isBlocked && ++this.#blockedTicks > stallTicks) return this.cut('blocked');
    if (lateMs > this.#limits.doubtMs) this.#doubt();
    if (this.#isPaused) {
      if (++this.#pausedTicks > stallTicks) this.cut('overrun');
    } else {
      if (++this.#silentTicks > silentTicks) return this.cut('silent');
      if (lateMs <= this.#limits.lateMs) this.#silentLooks++;
      else this.#silentLooks = Math.max(0, this.#silentLooks - Math.ceil(lateMs / this.#limits.tickMs));
    }
    if (++this.#quietTicks >= pingTicks && !this.#isBlocked) {
      this.#writeFrame([{ kind: PING, id: 0, payload: NO_PAYLOAD }]);
    }
  }

  /** Ends the connection now. What was not written by then never will be. */
  cut(reason: string): void {
    if (!this.#close(reason)) return;
    this.#line.reset();
  }

  /** Writes what is waiting, then ends the connection. */
  finish(reason: string): void {
    if (!this.#isEnded) this.#write();
    if (!this.#close(reason)) return;
    this.#line.finish();
  }

  #close(reason: string): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#reader.stop();
    this.#parts = [];
    this.#held = undefined;
    this.#counts.connections--;
    this.#use.ended(reason);
    return true;
  }

  #read(chunk: Buffer): void {
    const sinceTickMs = this.#sinceTickMs();
    if (this.#isEnded || this.#isStalled(sinceTickMs)) return;
    this.#silentTicks = 0;
    this.#silentLooks = 0;
    this.#counts.receivedBytes += chunk.length;
    if (sinceTickMs > this.#limits.doubtMs) this.#doubt();
    if (this.#doubted === undefined) this.#take(chunk);
    else this.#doubted.push(chunk);
  }

  /**
   * Hears what is read in this turn of the event loop only after the next one, if the connection is still open then. Whoever
   * has given up has closed it, and that is read behind what was sent before.
   */
  #doubt(): void {
    if (this.#doubted !== undefined) return;
    this.#doubted = [];
    const settle = () => {
      const doubted = this.#doubted!;
      this.#doubted = undefined;
      for (const chunk of doubted) if (!this.#isEnded) this.#take(chunk);
    };
    setImmediate(() => setImmediate(settle));
  }

  #take(chunk: Buffer): void {
    let error: unknown;
    try {
      this.#reader.push(chunk);
      return;
    } catch (thrown) {
      error = thrown;
    }
    if (!(error instanceof FrameError)) throw error;
    this.cut(error.reason);
  }

  #hear(kind: number, id: number, payload: Buffer): void {
    this.#counts.receivedMessages++;
    switch (kind & KIND) {
      case PING:
        return;
      case PART:
        return this.#addPart(id, payload);
      default:
        return this.#use.hear(kind, id, this.#parts.length === 0 ? payload : this.#lastPart(id, payload));
    }
  }

  #addPart(id: number, payload: Buffer): void {
    // A hello is one frame: who is not known yet must not have any more bytes kept.
    if (!this.#isGreeted) throw new FrameError('garbage', 'a part before the hello');
    if (this.#parts.length > 0 && id !== this.#partsId) throw new FrameError('garbage', 'parts of two messages');
    this.#partBytes += payload.length;
    if (payload.length === 0 || this.#partBytes > this.#limits.messageBytes) throw new FrameError('oversize', 'parts');
    this.#partsId = id;
    this.#parts.push(Buffer.from(payload));
  }

  #lastPart(id: number, payload: Buffer): Buffer {
    const bytes = this.#partBytes + payload.length;
    if (id !== this.#partsId) throw new FrameError('garbage', 'parts of two messages');
    if (bytes > this.#limits.messageBytes) throw new FrameError('oversize', 'parts');
    const whole = Buffer.concat([...this.#parts, payload], bytes);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  /**
   * Ends the connection if this process was stopped. Then the buffers of the system, and what waits here, hold messages
   * that are older than a message may be, and their turn may come before that of any timer.
   */
  #isStalled(sinceTickMs: number): boolean {
    if (sinceTickMs <= this.#limits.stallMs) return false;
    this.cut('stalled');
    return true;
  }

  #write(): void {
    this.#isScheduled = false;
    if (this.#isEnded || this.#isStalled(this.#sinceTickMs())) return;
    while (!this.#isBlocked && !this.#isEnded) {
      const batch: Outgoing[] = [];
      let bytes = 0;
      let solo = this.#held;
      this.#held = undefined;
      while (solo === undefined && bytes < Math.min(FULL_FRAME_BYTES, this.#frameBytes / 2)) {
        const message = this.#use.next();
        if (message === undefined) break;
        if (message.payload.length > this.#limits.soloBytes) solo = message;
        else {
          batch.push(message);
          bytes += messageSize(message.payload.length);
        }
      }
      if (batch.length > 0) {
        this.#held = solo;
        this.#writeFrame(batch, bytes);
      } else if (solo !== undefined) this.#writeAlone(solo);
      else return;
    }
  }

  #writeFrame(messages: readonly Outgoing[], bytes = messageSize(0)): void {
    this.#counts.sentMessages += messages.length;
    this.#send([frameOf(messages, bytes)]);
  }

  /** Writes one message in as many frames as it takes. */
  #writeAlone({ kind, id, payload }: Outgoing): void {
    const most = this.#frameBytes - 2 * FRAME_HEAD_BYTES - messageSize(0);
    this.#counts.sentMessages++;
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < payload.length || at === 0; at += most) {
      const piece = payload.subarray(at, at + most);
      pieces.push(frameHead(at + most < payload.length ? PART : kind, id, piece.length), piece);
    }
    this.#send(pieces);
  }

  #send(pieces: readonly Uint8Array[]): void {
    const { stream } = this.#line;
    this.#quietTicks = 0;
    this.#counts.frames++;
    if (pieces.length > 1) stream.cork();
    for (const piece of pieces) {
      this.#counts.sentBytes += piece.length;
      if (!stream.write(piece)) this.#isBlocked = true;
    }
    if (pieces.length > 1) stream.uncork();
    this.#blockedTicks = 0;
  }
}

export interface ConnectionParts {
  readonly line: Line;
  readonly limits: PeerLimits;
  readonly counts: TransportCounts;
  /** How long ago the last look at all connections was, in ms. */
  readonly sinceTickMs: () => number;
}
