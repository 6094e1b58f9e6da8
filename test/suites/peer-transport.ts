import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/env/peer-channel.ts';
import { DEFAULT_PEER_LIMITS, type PeerLimits } from '../../src/env/peer-limits.ts';
import { SeededRandom } from '../../src/env/random.ts';
import type { ConnectionKind } from '../parts/connection-kinds.ts';
import { eventually } from '../parts/eventually.ts';
import { JumpingClock } from '../parts/jumping-clock.ts';
import { Middle } from '../parts/middle.ts';
import type { Note } from '../parts/test-channel.ts';
import { QUICK, said, type TestPeerOptions, testPeer } from '../parts/test-peers.ts';

const NEVER = () => {};

/** What a transport between processes must do, whatever its connections are. */
export function peerTransportSuite(name: string, under: ConnectionKind): void {
  const peer = (options: TestPeerOptions) => testPeer({ security: under.security(options.name), ...options });

  /** Peers a and b, and whatever is between them. a knows where b is. */
  async function pair(a: Partial<TestPeerOptions> = {}, b: Partial<TestPeerOptions> = {}) {
    const bob = peer({ name: 'b', ...b });
    const { middle, address } = await Middle.between(under.address(), await bob.transport.listen(under.address()));
    const alice = peer({ name: 'a', ...a, addresses: { b: [address] } });
    return { a: alice, b: bob, middle, address };
  }

  describe(name, () => {
    test('requests arrive in order, and each is answered once', async () => {
      const { a, b } = await pair();
      const texts = Array.from({ length: 2_000 }, (_, i) => `${i}`);
      const outcomes = await Promise.all(texts.map((text) => a.ask('b', text)));
      expect(b.served).toEqual(texts);
      expect(outcomes.map(said)).toEqual(texts.map((text) => `${text}.`));
    });

    test('what is asked in one turn goes in one frame', async () => {
      const { a } = await pair();
      await a.ask('b', 'first');
      const before = a.transport.figures();
      await Promise.all(Array.from({ length: 500 }, (_, i) => a.ask('b', `${i}`)));
      const after = a.transport.figures();
      expect(after.sentMessages - before.sentMessages).toBeGreaterThanOrEqual(500);
      // A ping may be among them.
      expect(after.frames - before.frames).toBeLessThanOrEqual(3);
    });

    test('both sides ask each other, in both lanes', async () => {
      const { a, b } = await pair();
      b.addresses.a = [await a.transport.listen(under.address())];
      const outcomes = await Promise.all([
        a.ask('b', 'hot'),
        a.ask('b', 'bulk', true),
        b.ask('a', 'hot'),
        b.ask('a', 'bulk', true),
      ]);
      expect(outcomes.map(said)).toEqual(['hot.', 'bulk.', 'hot.', 'bulk.']);
    });

    test('a long message goes in several frames, and a longer one nowhere', async () => {
      const { a, b } = await pair(
        {},
        { serve: (_from, { text }, answer) => answer({ text: `${text.length}${text}` }) },
      );
      const text = 'long '.repeat(600_000);
      expect(text.length).toBeGreaterThan(2 * DEFAULT_PEER_LIMITS.frameBytes.hot);
      const [long, short] = await Promise.all([a.ask('b', text), a.ask('b', 'short')]);
      expect(said(long) === `${text.length}${text}`).toBe(true);
      expect(said(short)).toBe('5short');
      expect(b.served.map((served) => served.length)).toEqual([text.length, 5]);
      const tooLong = await a.ask('b', 'x'.repeat(DEFAULT_PEER_LIMITS.messageBytes));
      expect(said(tooLong)).toBe('not-sent: too-long');
    });

    test('an answer that is too long is told to be lost', async () => {
      const answer: Note = { text: 'x'.repeat(DEFAULT_PEER_LIMITS.messageBytes) };
      const { a } = await pair({}, { serve: (_from, { text }, reply) => reply(text === 'long' ? answer : { text }) });
      expect(said(await a.ask('b', 'long'))).toBe('lost: unanswerable');
      expect(said(await a.ask('b', 'short'))).toBe('short');
    });

    test('a peer of which no address is known, or nobody answers, is sent nothing', async () => {
      const { a, b, middle } = await pair();
      expect(said(await a.ask('c', 'one'))).toBe('not-sent: no-address');
      await middle.close();
      expect(said(await a.ask('b', 'two'))).toBe('not-sent: down');
      expect(a.transport.isUp('b')).toBe(false);
      expect(b.served).toEqual([]);
    });

    test('an address that becomes known is dialled at once', async () => {
      const { a, b } = await pair({ limits: { firstRedialMs: 1_000_000, longestRedialMs: 1_000_000 } });
      const address = a.addresses.b!;
      a.addresses.b = [];
      expect(said(await a.ask('b', 'one'))).toBe('not-sent: no-address');
      a.addresses.b = address;
      expect(said(await a.ask('b', 'two'))).toBe('two.');
      expect(b.served).toEqual(['two']);
    });

    test('a peer is not mistaken for another one at its address', async () => {
      const { a, b, address } = await pair();
      a.addresses.c = [address];
      expect(said(await a.ask('c', 'for c'))).toBe('not-sent: down');
      expect(b.served).toEqual([]);
    });

    test('the next address of a peer is tried if one does not answer', async () => {
      const { a, b, middle, address } = await pair();
      const dead = await Middle.between(under.address(), address);
      await dead.middle.close();
      a.addresses.b = [dead.address, address];
      expect(said(await a.ask('b', 'one'))).toBe('one.');
      expect(middle.connections).toBe(1);
      expect(b.served).toEqual(['one']);
    });

    test('a connection that ends loses what was sent on it, and the next one is dialled', async () => {
      const { a, b, middle } = await pair(
        {},
        { serve: (_from, { text }, answer) => text === 'two' && answer({ text }) },
      );
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      middle.cut();
      expect(said(await one)).toBe('lost: connection');
      await eventually(async () => expect(said(await a.ask('b', 'two'))).toBe('two'));
      expect(b.served.filter((text) => text === 'one')).toEqual(['one']);
      await eventually(() =>
        expect(a.events.filter((event) => event.startsWith('b '))).toEqual([
          'b greeted',
          'b up',
          expect.stringMatching(/^b down: /),
          'b greeted',
          'b up',
        ]),
      );
    });

    test('a connection on which nothing arrives any more is cut, and both sides hear of it', async () => {
      const gone: string[] = [];
      const { a, b, middle } = await pair(
        {},
        {
          serve: (_from, { text }, answer, whenGone) => {
            if (text === 'answered') answer({ text });
            else whenGone(() => gone.push(text));
          },
        },
      );
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      middle.freeze();
      expect(said(await one)).toBe('lost: connection');
      await eventually(() => expect(gone).toEqual(['one']));
      expect(a.transport.figures().cut).toEqual({ silent: 1 });
      expect(b.transport.figures().cut).toEqual({ silent: 1 });
      middle.thaw();
      await eventually(async () => expect(said(await a.ask('b', 'answered'))).toBe('answered'));
    });

    test('a peer of which nothing is heard on any connection is cut off, and no other', async () => {
      const limits = { silentLooks: 10, silentTicks: 1_000_000 };
      const { a, b, middle } = await pair({ limits }, { limits, serve: NEVER });
      b.addresses.a = [await a.transport.listen(under.address())];
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      expect(said(await b.ask('a', 'two'))).toBe('two.');
      middle.freeze();
      // It pings on the connection that it has dialled, which nobody has frozen.
      const before = a.transport.figures().receivedMessages;
      await eventually(() => expect(a.transport.figures().receivedMessages).toBeGreaterThan(before + 30));
      expect(a.transport.silentMs('b')).toBeLessThan(10 * QUICK.tickMs!);
      expect([a, b].map(({ transport }) => transport.figures().cut)).toEqual([{}, {}]);
      b.transport.disconnect('a');
      expect(said(await one)).toBe('lost: connection');
      expect(a.transport.figures().cut.silent).toBe(1);
    });

    test('looks that come late count against nobody', async () => {
      const clock = new JumpingClock();
      const limits = { silentLooks: 10, silentTicks: 1_000_000, requestLifeMs: 1e9 };
      const { a, b, middle } = await pair({ limits, clock }, { serve: NEVER });
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      const late = setInterval(() => clock.jump(2 * DEFAULT_PEER_LIMITS.lateMs), 1);
      middle.freeze();
      const before = a.transport.figures().sentMessages;
      await eventually(() => expect(a.transport.figures().sentMessages).toBeGreaterThan(before + 20));
      expect(a.transport.isUp('b')).toBe(true);
      clearInterval(late);
      expect(said(await one)).toBe('lost: connection');
    });

    test('who was away hears nothing of one who has given up meanwhile, and all of one who has not', async () => {
      const clock = new JumpingClock();
      const b = peer({ name: 'b', clock, limits: { tickMs: 5_000, silentTicks: 1_000_000 } });
      // Nobody stands between them: what is sent before an end, and the end, are there at the same time.
      const a = peer({ name: 'a', addresses: { b: [await b.transport.listen(under.address())] } });
      await a.ask('b', 'before');
      clock.jump(DEFAULT_PEER_LIMITS.doubtMs + 1);
      expect(said(await a.ask('b', 'kept'))).toBe('kept.');
      const given = a.ask('b', 'given up');
      a.transport.disconnect('b');
      expect(said(await given)).toBe('lost: connection');
      await eventually(() => expect(b.transport.figures().connections).toBe(0));
      expect(b.served).toEqual(['before', 'kept']);
    });

    test('a connection that is idle is kept', async () => {
      const { a, b } = await pair();
      await a.ask('b', 'one');
      const before = a.transport.figures().receivedMessages;
      await eventually(() => expect(a.transport.figures().receivedMessages).toBeGreaterThan(before + 20));
      expect(a.events).toEqual(['b greeted', 'b up']);
      expect(b.transport.figures().cut).toEqual({});
    });

    test.each(['a', 'b'])('what %s has, which was stopped for long, is neither read nor written', async (stopped) => {
      const clock = new JumpingClock();
      const slow = { clock, limits: { tickMs: 5_000 } };
      const { a, b } = await pair(stopped === 'a' ? slow : {}, stopped === 'b' ? slow : {});
      await a.ask('b', 'before');
      clock.jump(DEFAULT_PEER_LIMITS.stallMs + 1);
      expect(said(await a.ask('b', 'meanwhile'))).toMatch(/lost: connection|not-sent: down/);
      expect(b.served).toEqual(['before']);
      const { transport } = stopped === 'a' ? a : b;
      expect(transport.figures().cut).toEqual({ stalled: 1 });
    });

    test('more than the queue holds is not sent, and the rest is, when there is room', async () => {
      const answers: (() => void)[] = [];
      const limits = { unanswered: { hot: 10, bulk: 5 }, queuedMessages: 20 };
      const { a, b } = await pair(
        { limits },
        { serve: (_from, { text }, answer) => answers.push(() => answer({ text })) },
      );
      const first = a.ask('b', 'first');
      await eventually(() => expect(answers.length).toBe(1));
      const more = Array.from({ length: 100 }, (_, i) => a.ask('b', `${i}`));
      const ended: string[] = [];
      for (const one of more) void one.then((outcome) => ended.push(said(outcome)));
      await eventually(() => expect(answers.length).toBe(10));
      await eventually(() => expect(ended.length).toBe(80));
      expect(new Set(ended)).toEqual(new Set(['not-sent: queue-full']));
      expect(a.transport.figures().notSent['queue-full']).toBe(80);
      // Another peer, or the other lane, has a queue of its own.
      const bulk = a.ask('b', 'bulk', true);
      await eventually(() => expect(b.served).toContain('bulk'));
      await eventually(() => {
        for (const answer of answers.splice(0)) answer();
        expect(ended.length).toBe(100);
      });
      expect(ended.slice(80)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
      expect((await Promise.all([first, bulk])).map(said)).toEqual(['first', 'bulk']);
    });

    test('a peer that asks more than it may is not read', async () => {
      const answers: (() => void)[] = [];
      const greedy: Partial<PeerLimits> = { unanswered: { hot: 100_000, bulk: 1 } };
      const modest: Partial<PeerLimits> = { unanswered: { hot: 10, bulk: 1 } };
      const { a, b } = await pair(
        { limits: greedy },
        { limits: modest, serve: (_from, { text }, answer) => answers.push(() => answer({ text: text.slice(0, 9) })) },
      );
      // More than the buffers of the system hold, so that reading is what lets them arrive.
      const asked = Array.from({ length: 60 }, (_, i) => a.ask('b', `${i} `.padEnd(120_000)));
      await eventually(() => expect(answers.length).toBeGreaterThan(10));
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      expect(b.served.length).toBeLessThan(20);
      await eventually(() => {
        for (const answer of answers.splice(0)) answer();
        expect(b.served.length).toBe(60);
      });
      for (const answer of answers.splice(0)) answer();
      const outcomes = await Promise.all(asked);
      expect(outcomes.map((outcome) => Number.parseInt(said(outcome), 10))).toEqual(asked.map((_, i) => i));
    });

    test('a peer that asks far more than it may in one frame is cut off', async () => {
      const { a, b } = await pair(
        { limits: { unanswered: { hot: 100_000, bulk: 1 } } },
        { limits: { unanswered: { hot: 10, bulk: 1 } }, serve: NEVER },
      );
      const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => a.ask('b', `${i}`)));
      expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'lost'));
      expect(b.served.length).toBe(20);
    });

    test('a peer that does not read in time is cut off', async () => {
      const { a, b } = await pair(
        { limits: { stallTicks: 10_000 } },
        { limits: { unanswered: { hot: 2, bulk: 1 }, stallTicks: 10 }, serve: NEVER },
      );
      const asked = Array.from({ length: 30 }, () => a.ask('b', 'x'.repeat(200_000)));
      const outcomes = await Promise.all(asked);
      expect(outcomes.filter(({ kind }) => kind === 'answered')).toEqual([]);
      await eventually(() => expect(b.transport.figures().cut).toEqual({ overrun: 1 }));
    });

    test('kinds that the peer does not know are given back, and channels that it does not serve', async () => {
      const { a, b } = await pair();
      expect(said(await a.ask('b', '?new'))).toBe('not-sent: unsupported');
      b.port.close();
      expect(said(await a.ask('b', 'closed'))).toBe('not-sent: unsupported');
      expect(b.served).toEqual([]);
      expect(a.events).toEqual(['b greeted', 'b up']);
    });

    test('a request or an answer that is no message ends the connection', async () => {
      const { a, b } = await pair(
        {},
        { serve: (_from, { text }, answer) => answer({ text: text === 'bad' ? '!' : text }) },
      );
      expect(said(await a.ask('b', '!'))).toBe('lost: connection');
      expect(b.transport.figures().cut).toEqual({ garbage: 1 });
      await eventually(async () => expect(said(await a.ask('b', 'bad'))).toBe('lost: connection'));
      await eventually(async () => expect(said(await a.ask('b', 'good'))).toBe('good'));
      expect(b.served.filter((text) => text !== 'bad')).toEqual(['good']);
    });

    test('an answer of a newer release ends its request alone', async () => {
      const { a } = await pair(
        {},
        { serve: (_from, { text }, answer) => answer({ text: text === 'new' ? '?' : text }) },
      );
      expect(said(await a.ask('b', 'new'))).toBe('lost: unanswerable');
      expect(said(await a.ask('b', 'old'))).toBe('old');
    });

    test('the peer is told when nobody waits for an answer any more', async () => {
      const gone: string[] = [];
      const { a, b } = await pair(
        {},
        { serve: (_from, { text }, _answer, whenGone) => whenGone(() => gone.push(text)) },
      );
      const never = () => expect.fail('a cancelled request has no outcome');
      const unsent = a.port.ask('b', { text: 'unsent' }, never);
      unsent.cancel();
      const sent = a.port.ask('b', { text: 'sent' }, never);
      await eventually(() => expect(b.served).toEqual(['sent']));
      sent.cancel();
      sent.cancel();
      await eventually(() => expect(gone).toEqual(['sent']));
      void a.ask('b', 'lost');
      await eventually(() => expect(b.served).toEqual(['sent', 'lost']));
      await a.transport.stop();
      await eventually(() => expect(gone).toEqual(['sent', 'lost']));
    });

    test('an answer is not waited for any longer than a request lives', async () => {
      const gone: string[] = [];
      const limits = { requestLifeMs: 100 };
      const { a, b } = await pair(
        { limits },
        { limits, serve: (_from, { text }, _answer, whenGone) => whenGone(() => gone.push(text)) },
      );
      expect(said(await a.ask('b', 'one'))).toBe('lost: expired');
      await eventually(() => expect(gone).toEqual(['one']));
      expect(said(await a.ask('a', 'two'))).toMatch(/^two/);
      expect(a.transport.figures().lost).toBe(1);
      expect(b.transport.figures().cut).toEqual({});
    });

    test('a second answer to a request is not sent', async () => {
      const { a, b } = await pair(
        {},
        {
          serve: (_from, { text }, answer) => {
            answer({ text });
            answer({ text: `${text} again` });
          },
        },
      );
      expect(said(await a.ask('b', 'one'))).toBe('one');
      expect(said(await a.ask('b', 'two'))).toBe('two');
      expect(b.served).toEqual(['one', 'two']);
    });

    test('a peer asks itself without a connection', async () => {
      const a = peer({ name: 'a' });
      let isWithinCall = true;
      const outcome = await new Promise<Outcome<Note>>((resolve) => {
        a.port.ask('a', { text: 'me' }, (found) => {
          expect(isWithinCall).toBe(false);
          resolve(found);
        });
        isWithinCall = false;
      });
      expect(said(outcome)).toBe('me.');
      expect(a.transport.figures().sentMessages).toBe(0);
      expect(a.transport.isUp('a')).toBe(true);
    });

    test('a peer that is stopped ends what it was asked and what it asks', async () => {
      const { a, b } = await pair({}, { serve: NEVER });
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      const two = a.ask('b', 'two');
      await a.transport.stop();
      expect(said(await one)).toBe('lost: connection');
      expect(['lost: connection', 'not-sent: down', 'not-sent: stopped']).toContain(said(await two));
      expect(said(await a.ask('b', 'three'))).toBe('not-sent: stopped');
      await eventually(() => expect(b.transport.figures().connections).toBe(0));
    });

    test('what was answered before a stop still arrives', async () => {
      let stop = NEVER;
      const { a, b } = await pair(
        {},
        {
          serve: (_from, { text }, answer) => {
            answer({ text: text.repeat(1_000) });
            stop();
          },
        },
      );
      await a.ask('b', 'before');
      stop = () => void b.transport.stop();
      expect(said(await a.ask('b', 'last'))).toBe('last'.repeat(1_000));
    });

    test('nothing that is asked while a peer stops is lost, if the peer answers at once', async () => {
      for (let round = 0; round < 20; round++) {
        const { a, b } = await pair();
        const outcomes: string[] = [];
        let isOver = false;
        const askOn = async (isBulk: boolean) => {
          while (!isOver) {
            outcomes.push(said(await a.ask('b', 'x', isBulk)));
            if (outcomes.at(-1) !== 'x.') await new Promise((resolve) => setTimeout(resolve, 1));
          }
        };
        const asking = [false, false, true].map(askOn);
        await eventually(() => expect(outcomes.length).toBeGreaterThan(5));
        await b.transport.stop();
        isOver = true;
        await Promise.all(asking);
        expect([...new Set(outcomes)].filter((each) => !['x.', 'not-sent: down'].includes(each))).toEqual([]);
      }
    });

    test('a peer that stops waits for nobody who does not part', async () => {
      const { a, b, middle } = await pair({}, { limits: { partMs: 100 }, serve: NEVER });
      const one = a.ask('b', 'one');
      await eventually(() => expect(b.served).toEqual(['one']));
      middle.freeze();
      await b.transport.stop();
      middle.thaw();
      expect(said(await one)).toBe('lost: connection');
    });

    test('a peer that is refused is told why, and sent nothing', async () => {
      const { a, b } = await pair(
        {},
        { admit: (hello) => (hello.name === 'a' ? { code: 'other-cluster', line: 'no' } : undefined) },
      );
      expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
      expect(a.events).toContain('b refuses: other-cluster');
      expect(b.transport.figures().refused['other-cluster']).toBeGreaterThan(0);
      expect(b.served).toEqual([]);
      expect(b.events).toEqual([]);
    });

    test('a peer that this one refuses is sent nothing either', async () => {
      const { a, b } = await pair({ admit: () => ({ code: 'other-cluster', line: 'no' }) });
      expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
      expect(b.served).toEqual([]);
    });

    test('a peer that is met at an address can be asked, and dialled there again', async () => {
      const { a, b, middle, address } = await pair();
      a.addresses.b = [];
      const met = await new Promise((resolve) => a.transport.meet(address, resolve));
      expect(met).toMatchObject({ kind: 'met', peer: 'b', hello: { name: 'b' } });
      expect(a.transport.helloOf('b')).toMatchObject({ name: 'b' });
      expect(said(await a.ask('b', 'one'))).toBe('one.');
      expect(middle.connections).toBe(1);
      middle.cut();
      await eventually(async () => expect(said(await a.ask('b', 'two'))).toBe('two.'));
      const own = await a.transport.listen(under.address());
      expect(await new Promise((resolve) => a.transport.meet(own, resolve))).toEqual({ kind: 'self' });
      await b.transport.stop();
      const gone = await new Promise((resolve) => a.transport.meet(address, resolve));
      expect(gone).toMatchObject({ kind: 'unreachable' });
    });

    test('a peer that is connected can be met, and does not notice', async () => {
      const answers: (() => void)[] = [];
      const { a, b, address } = await pair(
        {},
        { serve: (_from, { text }, answer) => answers.push(() => answer({ text })) },
      );
      const one = a.ask('b', 'one');
      await eventually(() => expect(answers).toHaveLength(1));
      for (let i = 0; i < 10; i++) {
        expect(await new Promise((resolve) => a.transport.meet(address, resolve))).toMatchObject({ kind: 'met' });
      }
      await eventually(() => expect(b.transport.figures().connections).toBe(1));
      answers[0]!();
      expect(said(await one)).toBe('one');
      expect(a.transport.figures().cut).toEqual({});
    });

    test('a peer that calls is dialled without waiting', async () => {
      const long = { firstRedialMs: 1_000_000, longestRedialMs: 1_000_000 };
      const { a, b, middle, address } = await pair({ limits: long }, { limits: long });
      b.addresses.a = [await a.transport.listen(under.address())];
      a.addresses.b = [under.address()];
      expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
      a.addresses.b = [address];
      expect(said(await b.ask('a', 'two'))).toBe('two.');
      await eventually(() => expect(a.transport.isUp('b')).toBe(true));
      expect(middle.connections).toBe(1);
    });

    test('a peer that is disconnected hears nothing until it is asked', async () => {
      const { a, b } = await pair();
      await a.ask('b', 'one');
      a.transport.disconnect('b');
      expect(a.transport.isUp('b')).toBe(false);
      await eventually(() => expect(b.transport.figures().connections).toBe(0));
      a.transport.connect('b');
      await eventually(() => expect(a.transport.isUp('b')).toBe(true));
      expect(said(await a.ask('b', 'two'))).toBe('two.');
    });

    test('bytes that come twice are not served twice', async () => {
      const { a, b, middle } = await pair();
      await a.ask('b', 'one');
      middle.copies = 2;
      const outcomes = await Promise.all(['two', 'three'].map((text) => a.ask('b', text)));
      for (const outcome of outcomes) expect(['two.', 'three.', 'lost: connection']).toContain(said(outcome));
      await eventually(() => expect(b.transport.figures().connections).toBe(0));
      expect(b.served.slice(0, 3)).toEqual(['one', 'two', 'three'].slice(0, b.served.length));
      middle.copies = 1;
    });

    test.runIf(under.isSealed)('what was recorded is worth nothing on another connection', async () => {
      const { a, b, middle } = await pair();
      await a.ask('b', 'secret');
      const recorded = Buffer.concat(middle.sent[0]!);
      expect(recorded.includes('secret')).toBe(false);
      const thief = connect(a.addresses.b![0] as { port: number });
      thief.on('error', () => {});
      thief.resume();
      thief.write(recorded);
      await new Promise((resolve) => thief.once('close', resolve));
      expect(b.transport.figures().refused).toEqual({ tls: 1 });
      expect(b.served).toEqual(['secret']);
    });

    test('whatever happens, each request ends once, is served at most once, and never if it was not sent', async () => {
      const random = new SeededRandom(13);
      const limits = { unanswered: { hot: 30, bulk: 10 }, queuedMessages: 40 };
      const { a, b, middle } = await pair(
        { limits },
        {
          limits,
          serve: (_from, { text }, answer) => {
            if (random.next() < 0.8) setTimeout(() => answer({ text }), random.next() * 10);
          },
        },
      );
      const ends = new Map<string, string[]>();
      for (let step = 0; step < 300; step++) {
        const dice = random.next();
        if (dice < 0.05) middle.cut();
        else if (dice < 0.08) {
          middle.freeze();
          setTimeout(() => middle.thaw(), 50);
        } else if (dice < 0.1) a.transport.disconnect('b');
        for (let left = random.next() * 20; left > 0; left--) {
          const text = `${ends.size}`;
          ends.set(text, []);
          a.port.ask('b', { text, isBulk: random.next() < 0.3 }, (outcome) => ends.get(text)!.push(said(outcome)));
        }
        await new Promise((resolve) => setTimeout(resolve, random.next() * 4));
      }
      await a.transport.stop();
      await new Promise(setImmediate);
      expect([...ends.values()].filter((outcomes) => outcomes.length !== 1)).toEqual([]);
      expect(new Set(b.served).size).toBe(b.served.length);
      const unsent = [...ends].filter(([, [outcome]]) => outcome!.startsWith('not-sent')).map(([text]) => text);
      expect(unsent.filter((text) => b.served.includes(text))).toEqual([]);
      const kinds = new Set(
        [...ends.values()].map(([outcome]) => outcome!.split(':')[0]!.replace(/^\d+$/, 'answered')),
      );
      expect([...kinds].sort()).toEqual(['answered', 'lost', 'not-sent']);
    });
  });
}
