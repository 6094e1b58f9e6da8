import type { Greeting, Lane, PeerId, Proof, Refusal } from './peer-channel.ts';
import type { ConnectionUse, PeerConnection } from './peer-connection.ts';
import { FrameError, HELLO, KIND, type Outgoing, REFUSED, WELCOME } from './peer-frame.ts';
import type { Stranger } from './peer-listener.ts';

/** The low bits of a hello's kind. */
const LANES: readonly Lane[] = ['hot', 'bulk'];
const MOST_CODE_CHARACTERS = 64;
const MOST_LINE_CHARACTERS = 500;

/** What has come of the greeting on a connection that this peer has dialled. */
export type Greeted<Hello> =
  | { readonly kind: 'welcome'; readonly peer: PeerId; readonly hello: Hello }
  /** By the other side, or by this one. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly byPeer: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

/** Says hello on a connection, and waits for the other side's. */
export class DialledGreeting<Hello> implements ConnectionUse {
  readonly #greeting: Greeting<Hello>;
  #done: ((greeted: Greeted<Hello>) => void) | undefined;
  #connection: PeerConnection | undefined;

  /** @param done called once; then the connection has another use, or is cut */
  constructor(greeting: Greeting<Hello>, done: (greeted: Greeted<Hello>) => void) {
    this.#greeting = greeting;
    this.#done = done;
  }

  begin(connection: PeerConnection, lane: Lane): void {
    this.#connection = connection;
    const payload = this.#greeting.codec.encode(this.#greeting.mine());
    connection.say({ kind: HELLO | LANES.indexOf(lane), id: 0, payload });
  }

  next(): Outgoing | undefined {
    return undefined;
  }

  hear(kind: number, _id: number, payload: Buffer): void {
    switch (kind & KIND) {
      case WELCOME: {
        const hello = decodeHello(this.#greeting, payload);
        const refusal = judge(this.#greeting, hello, this.#connection!.proof);
        if (refusal !== undefined) return this.#finish({ kind: 'refused', refusal, byPeer: false });
        return this.#finish({ kind: 'welcome', peer: this.#greeting.peerOf(hello), hello });
      }
      case REFUSED:
        return this.#finish({ kind: 'refused', refusal: readRefusal(payload), byPeer: true });
      default:
        throw new FrameError('garbage', 'no answer to a hello');
    }
  }

  ended(reason: string): void {
    this.#finish({ kind: 'failed', reason });
  }

  #finish(greeted: Greeted<Hello>): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(greeted);
  }
}

/** Waits for the hello of a stranger, and answers it. */
export class AcceptedGreeting<Hello> implements ConnectionUse {
  readonly #parts: AcceptingParts<Hello>;
  #connection: PeerConnection | undefined;

  constructor(parts: AcceptingParts<Hello>) {
    this.#parts = parts;
  }

  begin(connection: PeerConnection): void {
    this.#connection = connection;
  }

  next(): Outgoing | undefined {
    return undefined;
  }

  hear(kind: number, _id: number, payload: Buffer): void {
    const { greeting, stranger, welcome, refuses } = this.#parts;
    const connection = this.#connection!;
    const lane = LANES[kind & ~KIND];
    if ((kind & KIND) !== HELLO || lane === undefined) throw new FrameError('garbage', 'no hello');
    const hello = decodeHello(greeting, payload);
    const refusal = judge(greeting, hello, connection.proof) ?? refuses(greeting.peerOf(hello));
    if (refusal !== undefined) {
      stranger.refuse(refusal.code);
      connection.say({ kind: REFUSED, id: 0, payload: writeRefusal(refusal) });
      return connection.finish('refused');
    }
    stranger.admit();
    connection.say({ kind: WELCOME, id: 0, payload: greeting.codec.encode(greeting.mine()) });
    welcome({ connection, lane, hello, peer: greeting.peerOf(hello) });
  }

  ended(reason: string): void {
    this.#parts.stranger.refuse(reason);
  }
}

/** A peer that was let in on a connection. */
export interface Welcomed<Hello> {
  readonly connection: PeerConnection;
  readonly lane: Lane;
  readonly hello: Hello;
  readonly peer: PeerId;
}

interface AcceptingParts<Hello> {
  readonly greeting: Greeting<Hello>;
  readonly stranger: Stranger;
  /** Why the transport itself does not let a peer in, which its greeting would. */
  readonly refuses: (peer: PeerId) => Refusal | undefined;
  /** Gives the connection its next use. */
  readonly welcome: (welcomed: Welcomed<Hello>) => void;
}

function judge<Hello>(greeting: Greeting<Hello>, hello: Hello, proof: Proof): Refusal | undefined {
  const name = greeting.nameOf(hello);
  if (proof.kind === 'certificate' && !proof.names.includes(name)) {
    return { code: 'other-name', line: `the certificate is not good for ${JSON.stringify(name)}` };
  }
  return greeting.admit(hello);
}

function decodeHello<Hello>(greeting: Greeting<Hello>, payload: Buffer): Hello {
  try {
    return greeting.codec.decode(payload);
  } catch (error) {
    throw new FrameError('garbage', String(error));
  }
}

/** One byte for the length of the code, the code in ASCII, the line in UTF-8. */
function writeRefusal({ code, line }: Refusal): Buffer {
  const codeBytes = Buffer.from(code.slice(0, MOST_CODE_CHARACTERS), 'latin1');
  return Buffer.concat([Buffer.of(codeBytes.length), codeBytes, Buffer.from(line.slice(0, MOST_LINE_CHARACTERS))]);
}

function readRefusal(payload: Buffer): Refusal {
  const end = 1 + (payload[0] ?? 0);
  const code = payload.toString('latin1', 1, end);
  if (!/^[a-z0-9-]{1,64}$/.test(code)) throw new FrameError('garbage', 'a refusal');
  const line = payload.toString('utf8', end).replaceAll(/\p{Cc}+/gu, ' ');
  return { code, line: line.slice(0, MOST_LINE_CHARACTERS) };
}
