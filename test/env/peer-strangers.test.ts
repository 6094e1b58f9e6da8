import { renameSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/env/peer-channel.ts';
import { frameOf, HELLO, messageSize, PART, REQUEST } from '../../src/env/peer-frame.ts';
import type { PeerLimits } from '../../src/env/peer-limits.ts';
import { certifiedNames, type PeerSecurity } from '../../src/env/peer-tls.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { certified } from '../parts/connection-kinds.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { eventually } from '../parts/eventually.ts';
import { said, type TestPeer, testPeer } from '../parts/test-peers.ts';

const OPEN: PeerSecurity = { kind: 'open' };
const SECRET: PeerSecurity = { kind: 'secret', secret: Buffer.from('a secret that nobody can guess') };
const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** A peer b that listens, and a peer a that can reach it. */
async function pair(security: PeerSecurity, limits: Partial<PeerLimits> = {}) {
  const b = testPeer({ name: 'b', security, limits });
  const address = await b.transport.listen(LOOPBACK);
  const a = testPeer({ name: 'a', security, addresses: { b: [address] } });
  return { a, b, address };
}

/** Someone who has connected: what came back, and whether the connection has ended. */
function stranger(address: Address, bytes?: Uint8Array) {
  const socket = connect(address as { port: number });
  const found = { socket, received: Buffer.alloc(0), isClosed: false };
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    found.received = Buffer.concat([found.received, chunk]);
  });
  socket.on('close', () => {
    found.isClosed = true;
  });
  if (bytes !== undefined) socket.write(bytes);
  onTestFinished(() => void socket.destroy());
  return found;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

function message(kind: number, id: number, payload: Uint8Array): Buffer {
  return frameOf([{ kind, id, payload }], messageSize(payload.length));
}

const hello = (name: string) => message(HELLO, 0, Buffer.from(JSON.stringify({ name, instance: 0 })));

async function expectWell({ a, b }: { a: TestPeer; b: TestPeer }) {
  expect(said(await a.ask('b', 'are you well?'))).toBe('are you well?.');
  expect(b.served).toEqual(['are you well?']);
}

describe('a stranger at the port of peers', () => {
  const GARBAGE: Record<string, Uint8Array> = {
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    'a frame without a message': Buffer.from([0, 0, 0, 0]),
    'a frame that is too short for its message': Buffer.from([0, 0, 0, 2, 200, 1]),
    'a message without a kind': Buffer.from([0, 0, 0, 2, 1, 0]),
    'a length without an end': Buffer.from([0, 0, 0, 5, 0x80, 0x80, 0x80, 0x80, 0x80]),
    'a request before any hello': message(REQUEST, 1, Buffer.from('{"text":"x"}')),
    'a part of a message before any hello': message(PART, 1, Buffer.from('x')),
    'a hello that is none': message(HELLO, 0, Buffer.from('{')),
    'a hello of a lane that is none': message(HELLO | 5, 0, Buffer.from('{"name":"x"}')),
  };

  test.each(Object.entries(GARBAGE))('that sends %s is sent away', async (_name, bytes) => {
    const peers = await pair(OPEN);
    await closed(stranger(peers.address, bytes).socket);
    const { refused } = peers.b.transport.figures();
    expect(Object.keys(refused).filter((reason) => reason === 'garbage' || reason === 'oversize')).toHaveLength(1);
    await expectWell(peers);
  });

  test('that announces a long frame is sent away before it has sent it', async () => {
    const peers = await pair(OPEN);
    await closed(stranger(peers.address, Buffer.from([0, 0, 16, 1])).socket);
    expect(peers.b.transport.figures().refused).toEqual({ oversize: 1 });
    await expectWell(peers);
  });

  test('that sends anything at all, at random, changes nothing', async () => {
    const peers = await pair(OPEN);
    const random = new SeededRandom(4);
    const byte = () => Math.floor(random.next() * 256);
    const callers = Array.from({ length: 60 }, () => {
      const length = 1 + Math.floor(random.next() * 3_000);
      const bytes = Buffer.from(Array.from({ length }, byte));
      if (random.next() < 0.7) bytes.writeUInt32BE(length, 0);
      const caller = stranger(peers.address, bytes);
      caller.socket.end();
      return caller;
    });
    await Promise.all(callers.map(({ socket }) => closed(socket)));
    const { refused } = peers.b.transport.figures();
    expect(Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(60);
    expect(callers.filter(({ received }) => received.length > 0)).toEqual([]);
    await expectWell(peers);
  });

  test('that says nothing, or not all of its hello, has to go in time', async () => {
    const peers = await pair(OPEN, { helloMs: 50 });
    const silent = stranger(peers.address);
    const slow = stranger(peers.address, hello('x').subarray(0, 9));
    await Promise.all([silent, slow].map(({ socket }) => closed(socket)));
    expect(peers.b.transport.figures().refused).toEqual({ 'too-slow': 2 });
    await expectWell(peers);
  });

  test('is one of a few at a time', async () => {
    const peers = await pair(OPEN, { strangers: 4 });
    const waiting = Array.from({ length: 4 }, () => stranger(peers.address));
    await eventually(() => expect(waiting.filter(({ socket }) => socket.readyState === 'open')).toHaveLength(4));
    const fifth = stranger(peers.address, hello('x'));
    await closed(fifth.socket);
    expect(fifth.received).toHaveLength(0);
    expect(peers.b.transport.figures().refused).toEqual({ 'too-many': 1 });
    waiting[0]!.socket.destroy();
    await eventually(() => expect(peers.b.transport.figures().refused).toEqual({ 'too-many': 1, ended: 1 }));
    await expectWell(peers);
  });

  test('may call so often in a second from one address', async () => {
    const peers = await pair(OPEN, { strangersASecond: 3 });
    const callers = Array.from({ length: 10 }, () => stranger(peers.address, Buffer.from([0, 0, 0, 0])));
    await Promise.all(callers.map(({ socket }) => closed(socket)));
    const { refused } = peers.b.transport.figures();
    expect(refused.garbage! + refused['too-often']!).toBe(10);
    expect(refused['too-often']).toBeGreaterThanOrEqual(4);
    await eventually(async () => expect(said(await peers.a.ask('b', 'later'))).toBe('later.'));
  });

  test('may come a thousand times, and peers that are connected notice nothing', async () => {
    const peers = await pair(OPEN, { strangersASecond: 20, helloMs: 300 });
    await expectWell(peers);
    const before = peers.b.transport.figures();
    let isOver = false;
    const outcomes: string[] = [];
    const asking = (async () => {
      while (!isOver) outcomes.push(said(await peers.a.ask('b', 'x')));
    })();
    for (let round = 0; round < 10; round++) {
      const callers = Array.from({ length: 100 }, (_, i) =>
        stranger(peers.address, i % 2 === 0 ? undefined : Buffer.alloc(5_000, i)),
      );
      await eventually(() => expect(callers.filter(({ isClosed }) => !isClosed).length).toBeLessThan(64));
      for (const { socket } of callers) socket.destroy();
      await Promise.all(callers.map(({ socket }) => closed(socket)));
    }
    isOver = true;
    await asking;
    expect(new Set(outcomes)).toEqual(new Set(['x.']));
    await eventually(() => {
      const { refused, connections } = peers.b.transport.figures();
      expect(Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(1_000);
      expect(connections).toBe(before.connections);
    });
    expect(peers.b.transport.figures().cut).toEqual({});
  });

  test('that is let in and then sends garbage is cut off alone', async () => {
    const peers = await pair(OPEN);
    const bad = [
      Buffer.alloc(100, 255),
      message(REQUEST | 3, 2, Buffer.from('{"text":"out of turn"}')),
      message(REQUEST | 3, 1, Buffer.from('no JSON')),
      Buffer.concat([message(PART, 1, Buffer.from('x')), message(PART, 2, Buffer.from('y'))]),
      message(PART, 1, Buffer.alloc(0)),
    ];
    for (const [i, bytes] of bad.entries()) {
      const caller = stranger(peers.address, hello(`x${i}`));
      await eventually(() => expect(caller.received.length).toBeGreaterThan(0));
      caller.socket.write(bytes);
      await closed(caller.socket);
    }
    expect(peers.b.transport.figures().refused).toEqual({});
    const { cut } = peers.b.transport.figures();
    expect((cut.garbage ?? 0) + (cut.oversize ?? 0)).toBe(bad.length);
    await expectWell(peers);
  });

  test('that is let in cannot hold more than one long message', async () => {
    const peers = await pair(OPEN, { messageBytes: 100_000 });
    const caller = stranger(peers.address, hello('x'));
    await eventually(() => expect(caller.received.length).toBeGreaterThan(0));
    for (let i = 0; i < 11; i++) caller.socket.write(message(PART, 1, Buffer.alloc(10_000)));
    await closed(caller.socket);
    expect(peers.b.transport.figures().cut).toEqual({ oversize: 1 });
  });

  test('cannot make up any number of peers', async () => {
    const peers = await pair(OPEN, { peers: 2 });
    const callers = ['x', 'y'].map((name) => stranger(peers.address, hello(name)));
    await eventually(() => expect(callers.every(({ received }) => received.length > 0)).toBe(true));
    const third = stranger(peers.address, hello('z'));
    await closed(third.socket);
    expect(third.received.toString()).toContain('too-many-peers');
    callers[0]!.socket.destroy();
    await eventually(async () => expect(said(await peers.a.ask('b', 'one'))).toBe('one.'));
  });

  test('that is let in again and again takes the place of its oldest connection', async () => {
    const peers = await pair(OPEN, { connectionsOfPeer: 3 });
    const callers = [];
    for (let i = 0; i < 5; i++) {
      const caller = stranger(peers.address, hello('x'));
      callers.push(caller);
      await eventually(() => expect(caller.received.length).toBeGreaterThan(0));
    }
    await Promise.all(callers.slice(0, 2).map(({ socket }) => closed(socket)));
    expect(peers.b.transport.figures().cut).toEqual({ replaced: 2 });
    expect(callers.map(({ isClosed }) => isClosed)).toEqual([true, true, false, false, false]);
  });
});

describe('a peer that has to prove who it is', () => {
  test.each<[string, PeerSecurity]>([
    ['another secret', { kind: 'secret', secret: Buffer.from('another secret of some length') }],
    ['no secret', OPEN],
    ['a certificate instead of the secret', certified('a')],
  ])('is sent away with %s', async (_name, security) => {
    const { b, address } = await pair(SECRET);
    const a = testPeer({ name: 'a', security, addresses: { b: [address] }, limits: { dialMs: 500 } });
    expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
    expect(b.served).toEqual([]);
    expect(b.events).toEqual([]);
    await eventually(() => expect(Object.keys(b.transport.figures().refused).length).toBeGreaterThan(0));
  });

  test('does not talk to a server without the secret, whatever certificate that has', async () => {
    const { address } = await pair(certified('b'));
    const a = testPeer({ name: 'a', security: SECRET, addresses: { b: [address] }, limits: { dialMs: 500 } });
    expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
    expect(a.events).toEqual([]);
  });

  test('is sent away with the certificate of another authority', async () => {
    const { b, address } = await pair(certified('b'));
    const c = testPeer({ name: 'c', security: certified('stranger'), addresses: { b: [address] } });
    expect(said(await c.ask('b', 'one'))).toBe('not-sent: down');
    expect(b.served).toEqual([]);
  });

  test('is refused with the certificate of another peer', async () => {
    const { b, address } = await pair(certified('b'));
    const c = testPeer({ name: 'c', security: certified('a'), addresses: { b: [address] } });
    expect(said(await c.ask('b', 'one'))).toBe('not-sent: down');
    expect(c.events).toContain('b refuses: other-name');
    await eventually(() => expect(b.transport.figures().refused['other-name']).toBeGreaterThan(0));
    const impostor = testPeer({ name: 'b', security: certified('c') });
    const a = testPeer({
      name: 'a',
      security: certified('a'),
      addresses: { b: [await impostor.transport.listen(LOOPBACK)] },
    });
    expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
    expect(impostor.served).toEqual([]);
  });

  test('is not reached by an older version of TLS', async () => {
    const { address } = await pair(SECRET);
    const socket = tlsConnect({
      ...(address as { port: number; host: string }),
      maxVersion: 'TLSv1.2',
      rejectUnauthorized: false,
    });
    const error = await new Promise((resolve) => socket.once('error', resolve));
    expect(String(error)).toMatch(/protocol version|ECONNRESET|handshake/i);
  });

  test('takes no secret that could be guessed', () => {
    expect(() => testPeer({ name: 'a', security: { kind: 'secret', secret: Buffer.from('short') } })).toThrow(
      RangeError,
    );
  });

  test('without secret or certificate stays on this host', async () => {
    const a = testPeer({ name: 'a', addresses: { b: [{ host: '192.0.2.1', port: 1 }] } });
    expect(said(await a.ask('b', 'one'))).toBe('not-sent: down');
    await expect(a.transport.listen({ host: '0.0.0.0', port: 0 })).rejects.toThrow('loopback');
    await expect(a.transport.listen({ host: '::', port: 0 })).rejects.toThrow('loopback');
    expect(await a.transport.listen(LOOPBACK)).toMatchObject({ host: '127.0.0.1' });
  });
});

test('the names of a certificate are those of peers alone', () => {
  expect(certifiedNames('URI:dynaring-node:a')).toEqual(['a']);
  expect(certifiedNames('DNS:localhost, URI:dynaring-node:a, URI:dynaring-node:b')).toEqual(['a', 'b']);
  expect(certifiedNames('URI:"dynaring-node:a, URI:dynaring-node:b"')).toEqual([]);
  expect(certifiedNames('DNS:"x, URI:dynaring-node:b"')).toEqual([]);
  expect(certifiedNames('DNS:dynaring-node:a, URI:http://dynaring-node:a')).toEqual([]);
  expect(certifiedNames('')).toEqual([]);
});

describe('a Unix socket', () => {
  test('is for this user alone, and that of a process that was killed is taken over', async () => {
    const path = join(temporaryDirectory(), 'peer');
    const first = testPeer({ name: 'a' });
    await first.transport.listen({ path });
    expect(statSync(path).mode & 0o077).toBe(0);
    const second = testPeer({ name: 'b' });
    await expect(second.transport.listen({ path })).rejects.toThrow('EADDRINUSE');
    // What a process leaves that had no time to remove it.
    renameSync(path, `${path}-kept`);
    await first.transport.stop();
    renameSync(`${path}-kept`, path);
    const third = testPeer({ name: 'b' });
    await third.transport.listen({ path });
    const a = testPeer({ name: 'a', addresses: { b: [{ path }] } });
    expect(said(await a.ask('b', 'one'))).toBe('one.');
  });
});
