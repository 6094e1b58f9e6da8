import { onTestFinished } from 'vitest';
import { SystemClock } from '../../src/env/clock.ts';
import type { Codec } from '../../src/env/codec.ts';
import { silentLog } from '../../src/env/log.ts';
import type {
  Address,
  Channel,
  Greeting,
  Outcome,
  PeerEvents,
  PeerTransport,
  Port,
  Refusal,
  Serve,
} from '../../src/env/peer-channel.ts';
import type { PeerLimits } from '../../src/env/peer-limits.ts';
import type { PeerSecurity } from '../../src/env/peer-tls.ts';
import { createPeerTransport } from '../../src/env/peer-transport.ts';
import { SystemRandom } from '../../src/env/random.ts';

/** A message of the tests. `lane` is told from the kind of request. */
export interface Note {
  readonly text: string;
  readonly isBulk?: boolean;
}

export interface TestHello {
  readonly name: string;
  readonly instance: number;
}

class Unreadable extends Error {}

/** Texts that begin with `?` are of a newer release, and with `!` they are no messages. */
export const NOTES: Codec<Note> = {
  encode: (note) => Buffer.from(JSON.stringify(note)),
  decode(bytes) {
    const note = JSON.parse(Buffer.from(bytes).toString()) as Note;
    if (note.text.startsWith('?')) throw new Unreadable(note.text);
    if (note.text.startsWith('!')) throw new Error(note.text);
    return note;
  },
};

export const TEST_CHANNEL: Channel<Note, Note> = {
  number: 3,
  requests: NOTES,
  answersTo: () => NOTES,
  lane: ({ isBulk }) => (isBulk === true ? 'bulk' : 'hot'),
  isUnsupported: (error) => error instanceof Unreadable,
};

/** Looks after connections fifty times a second, so that a test need not wait for seconds. */
export const QUICK: Partial<PeerLimits> = {
  tickMs: 20,
  silentTicks: 10,
  firstRedialMs: 5,
  longestRedialMs: 40,
  dialMs: 2_000,
  strangersASecond: 100_000,
};

export interface TestPeerOptions {
  readonly name: string;
  readonly security?: PeerSecurity;
  readonly limits?: Partial<PeerLimits>;
  /** Default: answers with the text and `!`, after the request's name. */
  readonly serve?: Serve<Note, Note>;
  readonly admit?: (hello: TestHello) => Refusal | undefined;
  /** Where others are, by name. */
  readonly addresses?: Record<string, readonly Address[]>;
}

/** A transport with one port, and what has happened on it. */
export interface TestPeer {
  readonly transport: PeerTransport<TestHello>;
  readonly port: Port<Note, Note>;
  /** What was asked of it, in order. */
  readonly served: string[];
  /** What its owner was told. */
  readonly events: string[];
  /** Where others are, by name. Changes count at the next attempt to reach them. */
  readonly addresses: Record<string, readonly Address[]>;
  ask(to: string, text: string, isBulk?: boolean): Promise<Outcome<Note>>;
}

let lastInstance = 0;

/** Stops with the test. */
export function testPeer(options: TestPeerOptions): TestPeer {
  const { name, security = { kind: 'open' }, limits = {}, admit = () => undefined, addresses = {} } = options;
  const instance = ++lastInstance;
  const greeting: Greeting<TestHello> = {
    codec: {
      encode: (hello) => Buffer.from(JSON.stringify(hello)),
      decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as TestHello,
    },
    mine: () => ({ name, instance }),
    peerOf: (hello) => hello.name,
    nameOf: (hello) => hello.name,
    admit,
  };
  const events: string[] = [];
  const told: PeerEvents<TestHello> = {
    up: (peer) => events.push(`${peer} up`),
    down: (peer, reason) => events.push(`${peer} down: ${reason}`),
    greeted: (peer) => events.push(`${peer} greeted`),
    refused: (peer, _address, { code }) => events.push(`${peer} refuses: ${code}`),
  };
  const transport = createPeerTransport({
    self: name,
    greeting,
    security,
    addressesOf: (peer) => addresses[peer] ?? [],
    events: told,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    limits: { ...QUICK, ...limits },
  });
  const served: string[] = [];
  const serve: Serve<Note, Note> = options.serve ?? ((_from, { text }, answer) => answer({ text: `${text}.` }));
  const port = transport.open(TEST_CHANNEL, (from, request, answer, whenGone) => {
    served.push(request.text);
    serve(from, request, answer, whenGone);
  });
  onTestFinished(() => transport.stop());
  const ask = (to: string, text: string, isBulk = false) =>
    new Promise<Outcome<Note>>((resolve) => {
      port.ask(to, { text, isBulk }, resolve);
    });
  return { transport, port, served, events, addresses, ask };
}

/** What a test says of an outcome: the text of the answer, or how it failed. */
export function said(outcome: Outcome<Note>): string {
  return outcome.kind === 'answered' ? outcome.answer.text : `${outcome.kind}: ${outcome.reason}`;
}
