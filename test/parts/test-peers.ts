import { onTestFinished } from 'vitest';
import { type Clock, SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import type { Address, Outcome, PeerEvents, PeerTransport, Port, Refusal, Serve } from '../../src/env/peer-channel.ts';
import type { PeerLimits } from '../../src/env/peer-limits.ts';
import type { PeerSecurity } from '../../src/env/peer-tls.ts';
import { createPeerTransport } from '../../src/env/peer-transport.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { type Note, TEST_CHANNEL, type TestHello, testGreeting } from './test-channel.ts';

/** Looks after connections fifty times a second, so that a test need not wait for seconds. */
export const QUICK: Partial<PeerLimits> = {
  tickMs: 20,
  pingTicks: 2,
  silentLooks: 1_000_000,
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
  readonly clock?: Clock;
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

/** Stops with the test. */
export function testPeer(options: TestPeerOptions): TestPeer {
  const { name, security = { kind: 'open' }, limits = {}, admit, addresses = {} } = options;
  const events: string[] = [];
  const told: PeerEvents<TestHello> = {
    up: (peer) => events.push(`${peer} up`),
    down: (peer, reason) => events.push(`${peer} down: ${reason}`),
    greeted: (peer) => events.push(`${peer} greeted`),
    refused: (peer, _address, { code }) => events.push(`${peer} refuses: ${code}`),
  };
  const transport = createPeerTransport({
    self: name,
    greeting: testGreeting(name, admit),
    security,
    addressesOf: (peer) => addresses[peer] ?? [],
    events: told,
    clock: options.clock ?? new SystemClock(),
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
