/*
 * The bytes of a connection between peers:
 *   frame:   u32 length of what follows | message | message | ...
 *   message: varint length of what follows | u8 kind | u32 id | payload
 *
 * The high four bits of a kind say what it is, the low four which channel it belongs to, or for a hello which lane the
 * connection is for. Numbers of several bytes are big-endian; a varint has seven bits a byte, lowest first.
 */

/** The bits of a message's kind that say what it is. */
export const KIND = 0xf0;
/** What they are. Never reuse one. */
export const HELLO = 0x00;
export const WELCOME = 0x10;
export const REFUSED = 0x20;
export const PING = 0x30;
export const REQUEST = 0x40;
export const ANSWER = 0x50;
export const CANCEL = 0x60;
/** An answer: the request is of a kind that the receiver does not know, or on a channel that it does not serve. */
export const UNSUPPORTED = 0x70;
/** An answer: the request was taken, and there will be no other answer. */
export const UNANSWERABLE = 0x80;
/** The next part of a message that is longer than a frame. The message with the same id behind it is the last part. */
export const PART = 0x90;
/** Of who serves: nothing more is to be asked on this connection. Of who asks, in reply: nothing more will be. */
export const GOODBYE = 0xa0;

export const FRAME_HEAD_BYTES = 4;
const MESSAGE_HEAD_BYTES = 5;
/** Enough for any length below the largest frame. */
const MOST_VARINT_BYTES = 4;

/** A message as it is sent. */
export interface Outgoing {
  readonly kind: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export const NO_PAYLOAD = new Uint8Array(0);

/** Bytes that no peer writes. The connection is of no more use. */
export class FrameError extends Error {
  readonly reason: 'oversize' | 'garbage';

  constructor(reason: FrameError['reason'], detail: string) {
    super(`${reason}: ${detail}`);
    this.name = 'FrameError';
    this.reason = reason;
  }
}

/** How many bytes a message takes in a frame. */
export function messageSize(payloadBytes: number): number {
  const length = MESSAGE_HEAD_BYTES + payloadBytes;
  return varintSize(length) + length;
}

/** One frame with these messages. @param bytes the sum of their sizes */
export function frameOf(messages: readonly Outgoing[], bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + bytes);
  let at = frame.writeUInt32BE(bytes, 0);
  for (const { kind, id, payload } of messages) {
    at = writeHead(frame, at, { kind, id, bytes: payload.length });
    frame.set(payload, at);
    at += payload.length;
  }
  return frame;
}

/** What comes before the payload of a message that has a frame of its own. */
export function frameHead(kind: number, id: number, payloadBytes: number): Buffer {
  const size = messageSize(payloadBytes);
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + size - payloadBytes);
  writeHead(head, head.writeUInt32BE(size, 0), { kind, id, bytes: payloadBytes });
  return head;
}

function writeHead(into: Buffer, from: number, { kind, id, bytes }: { kind: number; id: number; bytes: number }) {
  let at = from;
  let rest = MESSAGE_HEAD_BYTES + bytes;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  into[at++] = kind;
  return into.writeUInt32BE(id, at);
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/**
 * Takes each message of a connection. @param payload a view of a buffer that is used again: valid within the call
 */
export type Hear = (kind: number, id: number, payload: Buffer) => void;

/** Cuts the bytes of one connection into messages. It holds one frame at the most. */
export class FrameReader {
  /** A longer frame is refused when its length is read. May change between frames. */
  frameBytes: number;
  readonly #hear: Hear;
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headFilled = 0;
  #frame: Buffer | undefined;
  #frameFilled = 0;
  #isStopped = false;

  constructor(frameBytes: number, hear: Hear) {
    this.frameBytes = frameBytes;
    this.#hear = hear;
  }

  /** Nothing is heard any more, not even the rest of the bytes of the present call. */
  stop(): void {
    this.#isStopped = true;
    this.#frame = undefined;
  }

  /** Hears the messages that are complete with these bytes. @throws FrameError */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isStopped) {
      if (this.#frame !== undefined) {
        at += this.#fill(this.#frame, chunk, at);
        continue;
      }
      at += this.#fillHead(chunk, at);
      if (this.#headFilled < FRAME_HEAD_BYTES) return;
      this.#headFilled = 0;
      const length = this.#head.readUInt32BE(0);
      if (length > this.frameBytes) throw new FrameError('oversize', `a frame of ${length} bytes`);
      if (length === 0) throw new FrameError('garbage', 'an empty frame');
      if (length <= chunk.length - at) {
        this.#messages(chunk.subarray(at, at + length));
        at += length;
      } else {
        this.#frame = Buffer.allocUnsafe(length);
        this.#frameFilled = 0;
      }
    }
  }

  #fillHead(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#head, this.#headFilled, at, at + FRAME_HEAD_BYTES - this.#headFilled);
    this.#headFilled += taken;
    return taken;
  }

  #fill(frame: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(frame, this.#frameFilled, at);
    this.#frameFilled += taken;
    if (this.#frameFilled === frame.length) {
      this.#frame = undefined;
      this.#messages(frame);
    }
    return taken;
  }

  #messages(frame: Buffer): void {
    let at = 0;
    while (at < frame.length && !this.#isStopped) {
      let length = 0;
      let bytes = 0;
      for (;;) {
        if (at === frame.length || bytes === MOST_VARINT_BYTES) throw new FrameError('garbage', 'a length');
        const byte = frame[at++]!;
        length |= (byte & 0x7f) << (7 * bytes++);
        if (byte < 0x80) break;
      }
      if (length < MESSAGE_HEAD_BYTES || length > frame.length - at) throw new FrameError('garbage', 'a message');
      const end = at + length;
      this.#hear(frame[at]!, frame.readUInt32BE(at + 1), frame.subarray(at + MESSAGE_HEAD_BYTES, end));
      at = end;
    }
  }
}
