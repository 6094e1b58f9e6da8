import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { GET_ITEM, MIB } from './fixtures.ts';
import { client, closers, GOOD, post, rawRequest, start, webServer } from './web-server.ts';

const NEVER = new Promise<never>(() => {});

/** The clock of the servers: a client is slow when the test says so, not when the machine is. */
let nowMs = 0;
const CLOCK = { nowMs: () => nowMs };
beforeEach(() => {
  nowMs = 0;
});

describe('clients that send faster than they read', () => {
  test('have their requests carried out one by one, and nothing more is read of them', async () => {
    let begun = 0;
    let atOnce = 0;
    let most = 0;
    const { port } = await start(async () => {
      begun++;
      most = Math.max(most, ++atOnce);
      await sleep(1);
      atOnce--;
      return { begun };
    });
    const { socket, until } = await client(port);
    socket.write(Buffer.concat(Array.from({ length: 200 }, () => GOOD)));
    await until('"begun":200}');
    expect([begun, most]).toEqual([200, 1]);
    socket.write(GOOD);
    await until('"begun":201}');
  });

  test('have their requests carried out one by one by an application that it is mounted in, too', async () => {
    let atOnce = 0;
    let most = 0;
    let begun = 0;
    const web = webServer(async () => {
      begun++;
      most = Math.max(most, ++atOnce);
      await sleep(1);
      atOnce--;
      return { begun };
    });
    const server = express().use(web.middleware).listen(0, '127.0.0.1');
    closers.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    const { socket, until } = await client((server.address() as AddressInfo).port);
    socket.write(Buffer.concat(Array.from({ length: 50 }, () => GOOD)));
    await until('"begun":50}');
    expect(most).toBe(1);
  });

  test('are cut if they send more than any client does', async () => {
    const { port } = await start(() => NEVER, { maxRequestsPerConnection: 10 });
    const { socket } = await client(port);
    socket.write(Buffer.concat(Array.from({ length: 12 }, () => GOOD)));
    await once(socket, 'close');
  });

  test('are cut if all of them send too much, while others are served', async () => {
    let isHeld = true;
    let begun = 0;
    const execute = () => {
      begun++;
      return isHeld ? NEVER : Promise.resolve({});
    };
    const { port } = await start(execute, { maxRequestsWaiting: 25 });
    const flood = Buffer.concat(Array.from({ length: 11 }, () => GOOD));
    const [first, second, third] = await Promise.all([client(port), client(port), client(port)]);
    first.socket.write(flood);
    second.socket.write(flood);
    await vi.waitFor(() => expect(begun).toBe(2), 10_000);
    third.socket.write(flood);
    await once(third.socket, 'close');
    isHeld = false;
    expect((await post(port)).status).toBe(200);
    first.socket.destroy();
    await once(first.socket, 'close');
    // The server hears of it a little later.
    await vi.waitFor(async () => {
      const last = await client(port);
      last.socket.write(Buffer.concat([flood, rawRequest('{')]));
      await last.until('HTTP/1.1 400');
    }, 10_000);
  });

  test('give back every place when they hang up', async () => {
    const doors: (() => void)[] = [];
    const { port } = await start(() => new Promise((resolve) => doors.push(() => resolve({}))), {
      maxRequestsInFlight: 3,
    });
    for (let round = 0; round < 3; round++) {
      const { socket } = await client(port);
      socket.write(Buffer.concat([GOOD, GOOD, GOOD]));
      await expect.poll(() => doors.length).toBeGreaterThan(0);
      socket.destroy();
      await once(socket, 'close');
      await sleep(20);
      for (const open of doors.splice(0)) open();
    }
    await sleep(20);
    const answers = [post(port), post(port), post(port)];
    await expect.poll(() => doors.length).toBe(3);
    for (const open of doors) open();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  const LARGE = { Item: { a: { S: 'x'.repeat(10 * MIB) } } };

  /** Compressed, it would not be large. */
  const AS_IT_IS = { 'accept-encoding': 'identity' };
  const read = (port: number) => post(port, JSON.stringify(GET_ITEM), AS_IT_IS);

  /** A client that asks for the large answer and reads nothing of it. */
  async function deaf(port: number): Promise<{ socket: Socket; received: () => string }> {
    const { socket, received } = await client(port);
    socket.pause();
    socket.write(GOOD);
    return { socket, received };
  }

  test('and read nothing are cut when there is no room for the answers of others, who are served', async () => {
    const { port } = await start(async () => LARGE, { maxAnswerBytesInFlight: 25 * MIB }, CLOCK);
    const stuck = await Promise.all([deaf(port), deaf(port)]);
    // None of them is slow yet. What was read can be read again.
    await vi.waitFor(async () => {
      const early = await read(port);
      expect([early.status, early.body.__type]).toEqual([503, 'com.amazon.coral.service#ServiceUnavailableException']);
    }, 10_000);
    const put = JSON.stringify({ TableName: 'orders', Item: { id: { S: '1' } } });
    const written = await post(port, put, { ...AS_IT_IS, 'x-amz-target': 'DynamoDB_20120810.PutItem' });
    const text = 'The request was carried out, but there is no room for its answer';
    expect([written.status, written.body.message]).toEqual([500, text]);
    // The system takes a part of both answers, and then no more.
    await sleep(200);
    nowMs += 1_000;
    for (let i = 0; i < 3; i++) expect((await read(port)).body).toEqual(LARGE);
    for (const { socket } of stuck) socket.resume();
    const whole = () => stuck.filter(({ received }) => received().length > 10 * MIB);
    await vi.waitFor(() => expect(whole()).toHaveLength(1), 10_000);
    await vi.waitFor(() => expect(stuck.filter(({ socket }) => socket.closed)).toHaveLength(1), 10_000);
    expect(whole()[0]!.socket.closed).toBe(false);
  });
});

describe('bodies that do not come', () => {
  const large = rawRequest(JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(90_000) }));

  test('give up their room after a second, when others need it, and keep none from small ones', async () => {
    const { port } = await start(undefined, { maxBodyBytesInFlight: 100_000 }, CLOCK);
    const stalled = await client(port);
    stalled.socket.write(large.subarray(0, -1));
    const padded = JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(80_000) });
    await vi.waitFor(async () => expect((await post(port, padded)).status).toBe(503), 10_000);
    expect((await post(port)).status).toBe(200);
    nowMs += 1_000;
    expect((await post(port, padded)).status).toBe(200);
    await stalled.until('HTTP/1.1 503');
  });

  test('keep their room while they come fast enough', async () => {
    const { port } = await start(undefined, { maxBodyBytesInFlight: 100_000, minTransferRate: 1_000 }, CLOCK);
    const slow = await client(port);
    slow.socket.write(large.subarray(0, 60_000));
    const padded = JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(80_000) });
    for (let at = 60_000; at < large.length - 1; at += 2_000) {
      slow.socket.write(large.subarray(at, Math.min(at + 2_000, large.length - 1)));
      nowMs += 100;
      if (at % 10_000 === 0) await vi.waitFor(async () => expect((await post(port, padded)).status).toBe(503), 10_000);
    }
    slow.socket.write(large.subarray(-1));
    await slow.until('HTTP/1.1 200');
  });
});

describe('connections', () => {
  test('a connection beyond the number allowed is closed while all others are in use', async () => {
    const { port } = await start(undefined, { maxConnections: 1 });
    const first = await client(port);
    first.socket.write(GOOD);
    await first.until('HTTP/1.1 200');
    const second = await client(port);
    await once(second.socket, 'close');
    first.socket.write(GOOD);
    await once(first.socket, 'data');
  });

  test('it takes the place of one that was never used, and later of one that was used longest ago', async () => {
    const { port } = await start(undefined, { maxConnections: 2 }, CLOCK);
    const used = await client(port);
    used.socket.write(GOOD);
    await used.until('HTTP/1.1 200');
    const unused = await client(port);
    const next = await client(port);
    await once(unused.socket, 'close');
    next.socket.write(GOOD);
    await next.until('HTTP/1.1 200');
    nowMs += 1_000;
    next.socket.write(GOOD);
    await once(next.socket, 'data');
    const last = await client(port);
    await once(used.socket, 'close');
    last.socket.write(GOOD);
    await last.until('HTTP/1.1 200');
    expect(next.socket.closed).toBe(false);
  });

  test('bodies of which one byte came hold no place of those that are complete, and make room for connections', async () => {
    const { port } = await start(undefined, { maxRequestsInFlight: 2, maxConnections: 6 }, CLOCK);
    const slow = await Promise.all(Array.from({ length: 5 }, () => client(port)));
    for (const { socket } of slow) socket.write(GOOD.subarray(0, GOOD.indexOf('\r\n\r\n') + 5));
    // What came before this request was read before it.
    const { socket: last, until: untilLast } = await client(port);
    last.write(GOOD);
    await untilLast('HTTP/1.1 200');
    last.destroy();
    nowMs += 1_000;
    const good = await Promise.all([client(port), client(port), client(port)]);
    for (const { socket, until } of good) {
      socket.write(GOOD);
      await until('HTTP/1.1 200');
    }
    expect(slow.filter(({ socket }) => socket.closed)).toHaveLength(2);
  });
});
