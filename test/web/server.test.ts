import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import express from 'express';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import type { Departure } from '../../src/api/departure.ts';
import { ApiError } from '../../src/api/errors.ts';
import type { Execute } from '../../src/api/operations.ts';
import { listen } from '../../src/web/listen.ts';
import type { WebServer } from '../../src/web/server.ts';
import { GET_ITEM, MIB } from './fixtures.ts';
import { client, closers, GOOD, headers, post, rawRequest, start, webServer } from './web-server.ts';

const NEVER = new Promise<never>(() => {});

describe('over HTTP', () => {
  test('an operation is answered', async () => {
    const { port } = await start(async () => ({ Item: { id: { S: '1' } } }));
    const { status, body, headers: answered } = await post(port);
    expect([status, body]).toEqual([200, { Item: { id: { S: '1' } } }]);
    expect(answered.get('x-amzn-requestid')).toMatch(/^[A-Z0-9]{52}$/);
  });

  test('a gzipped body of many packets is understood', async () => {
    const seen: object[] = [];
    const { port } = await start(async (_, request) => {
      seen.push(request);
      return {};
    });
    const padded = { ...GET_ITEM, Key: { id: { S: randomBytes(300_000).toString('base64') } } };
    await post(port, gzipSync(JSON.stringify(padded)), { 'content-encoding': 'gzip' });
    await post(port, JSON.stringify(padded));
    expect(seen).toEqual([padded, padded]);
  });

  test('what is no operation is answered by the application', async () => {
    const server = webServer().createHttpServer();
    await supertest(server)
      .get('/')
      .expect(400)
      .expect('content-type', /x-amz-json-1\.0/);
    await supertest(server).head('/').expect(400);
    await supertest(server).get('/health').expect(200, 'ready\n');
    await supertest(server)
      .options('/')
      .set('Origin', 'http://localhost:3000')
      .expect(200)
      .expect('access-control-allow-origin', '*');
    await supertest(server).get('/shell').expect(404);
    const unknown = await supertest(server).get('/').expect(400);
    expect(unknown.headers['x-powered-by']).toBeUndefined();
  });

  test('an error nobody expected does not end anything', async () => {
    let calls = 0;
    const { port } = await start(async () => {
      if (calls++ === 0) throw new Error('bug');
      return {};
    });
    expect((await post(port)).status).toBe(500);
    expect((await post(port)).status).toBe(200);
  });

  test('pipelined requests are answered in order, good and bad', async () => {
    const { port } = await start(async (_, request) => ({ Item: request }));
    const { socket, received, until } = await client(port);
    const second = rawRequest(JSON.stringify({ ...GET_ITEM, TableName: 'second' }));
    socket.write(Buffer.concat([GOOD, rawRequest('{'), rawRequest('x', { 'content-type': 'text/plain' }), second]));
    await until('second');
    expect([...received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '200',
      '400',
      '404',
      '200',
    ]);
  });

  test('a request is answered though its bytes come one at a time', async () => {
    const { port } = await start();
    const { socket, until } = await client(port);
    socket.setNoDelay(true);
    for (const byte of GOOD) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('HTTP/1.1 200');
  });
});

describe('clients that hang up', () => {
  test('before their body is complete cost no place and no room', async () => {
    let calls = 0;
    const limits = { maxRequestsInFlight: 2, maxBodyBytesInFlight: 1000 };
    const { port } = await start(async () => ({ calls: ++calls }), limits);
    for (let i = 0; i < 5; i++) {
      const { socket } = await client(port);
      socket.write(rawRequest('x'.repeat(900)).subarray(0, -1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
      await once(socket, 'close');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await post(port)).body).toEqual({ calls: 1 });
  });

  test('before their answer keep their place until the work they asked for is done', async () => {
    const doors: (() => void)[] = [];
    const { port } = await start(
      () =>
        new Promise((resolve) => {
          doors.push(() => resolve({}));
        }),
      { maxRequestsInFlight: 1 },
    );
    const { socket } = await client(port);
    socket.write(GOOD);
    await expect.poll(() => doors.length).toBe(1);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await post(port)).status).toBe(503);
    doors.pop()!();
    const last = post(port);
    await expect.poll(() => doors.length).toBe(1);
    doors.pop()!();
    expect((await last).status).toBe(200);
  });

  test('before their answer are seen to have gone, and what fails for that is counted apart', async () => {
    const told: string[] = [];
    const outcomes: unknown[] = [];
    const execute: Execute = (operation, _request, { departure }) => {
      const taken = () => told.push('taken back');
      departure!.whenGone(taken);
      departure!.forget(taken);
      expect(departure!.isGone).toBe(false);
      return new Promise((_resolve, reject) => {
        departure!.whenGone(() => {
          told.push(`${operation} ${departure!.isGone}`);
          reject(ApiError.serviceUnavailable());
        });
      });
    };
    const { port } = await start(
      execute,
      {},
      { onRequest: ({ operation, error }) => outcomes.push([operation, error]) },
    );
    for (const operation of ['GetItem', 'DeleteItem']) {
      const { socket } = await client(port);
      const target = { 'x-amz-target': `DynamoDB_20120810.${operation}` };
      socket.write(rawRequest(JSON.stringify({ TableName: 'orders', Key: { id: { S: '1' } } }), target));
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
      await expect.poll(() => told).toContain(`${operation} true`);
    }
    expect(told).toEqual(['GetItem true', 'DeleteItem true']);
    await expect.poll(() => outcomes).toHaveLength(2);
    // What has become of a write is to be known, whoever is there.
    expect(outcomes).toEqual([
      ['GetItem', 'client-gone'],
      ['DeleteItem', ApiError.serviceUnavailable().name],
    ]);
  });

  test('with their answer have not gone: what was asked for them may still be under way, and is of use', async () => {
    const departures: Departure[] = [];
    let told = 0;
    const { port } = await start(async (_operation, _request, { departure }) => {
      departure!.whenGone(() => told++);
      departures.push(departure!);
      return {};
    });
    const { socket, until } = await client(port);
    socket.write(GOOD);
    await until('{}');
    socket.destroy();
    await once(socket, 'close');
    expect((await post(port)).status).toBe(200);
    expect([told, ...departures.map(({ isGone }) => isGone)]).toEqual([0, false, false]);
  });
});

describe('limits', () => {
  test('requests beyond the number in flight are shed at once, with an error the SDKs retry', async () => {
    const doors: (() => void)[] = [];
    const { port } = await start(() => new Promise((resolve) => doors.push(() => resolve({}))), {
      maxRequestsInFlight: 3,
    });
    const held = [post(port), post(port), post(port)];
    await expect.poll(() => doors.length).toBe(3);
    const shed = await post(port);
    expect([shed.status, shed.body.__type]).toEqual([503, 'com.amazon.coral.service#ServiceUnavailableException']);
    for (const open of doors) open();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('bodies beyond the room in flight are shed, and room is given back', async () => {
    const { port } = await start(undefined, { maxBodyBytesInFlight: 100_000 });
    const large = JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(200_000) });
    const fitting = JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(90_000) });
    for (let i = 0; i < 3; i++) {
      expect((await post(port, large)).status).toBe(503);
      expect((await post(port, fitting)).status).toBe(200);
    }
  });

  test('a body that says it is too large is refused before it is read, on a connection that stays usable', async () => {
    const { port } = await start(undefined, { maxBodyBytes: 1000 });
    const { socket, received, until } = await client(port);
    const large = rawRequest('x'.repeat(1500));
    socket.write(large.subarray(0, -1500));
    await until('RequestEntityTooLarge');
    expect(received()).toContain('HTTP/1.1 413');
    socket.write(Buffer.concat([large.subarray(-1500), GOOD]));
    await until('HTTP/1.1 200');
  });

  test('a chunked body is refused when it has become too large, and cut if it goes on', async () => {
    const { port } = await start(undefined, { maxBodyBytes: 1000 });
    const { socket, until } = await client(port);
    const { 'content-length': _, ...chunked } = { ...headers, 'content-length': '', 'transfer-encoding': 'chunked' };
    socket.write(
      `POST / HTTP/1.1\r\n${Object.entries(chunked)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    );
    socket.write(`500\r\n${'x'.repeat(0x500)}\r\n`);
    await until('HTTP/1.1 413');
    const closed = once(socket, 'close');
    socket.write(`500\r\n${'x'.repeat(0x500)}\r\n`);
    await closed;
  });

  test('a client that waits for 100 Continue gets it, or the refusal', async () => {
    const { port } = await start(undefined, { maxBodyBytes: 1000 });
    const polite = await client(port);
    const [head, body] = [GOOD.indexOf('\r\n\r\n') + 4, JSON.stringify(GET_ITEM)];
    const expectant = rawRequest(body, { expect: '100-continue' });
    polite.socket.write(expectant.subarray(0, expectant.length - body.length));
    await polite.until('HTTP/1.1 100');
    polite.socket.write(GOOD.subarray(head));
    await polite.until('HTTP/1.1 200');
    const large = rawRequest('x'.repeat(2000), { expect: '100-continue' });
    polite.socket.write(large.subarray(0, -2000));
    await polite.until('HTTP/1.1 413');
    expect(polite.received().split('100 Continue').length).toBe(2);
  });

  test('slow headers and slow bodies are cut', async () => {
    const { port } = await start(undefined, { headersTimeoutMs: 100, requestTimeoutMs: 200 });
    const slowHead = await client(port);
    slowHead.socket.write(GOOD.subarray(0, 30));
    const slowBody = await client(port);
    slowBody.socket.write(GOOD.subarray(0, -5));
    await Promise.all([once(slowHead.socket, 'close'), once(slowBody.socket, 'close')]);
    expect(slowBody.received()).toContain('HTTP/1.1 408');
    expect((await post(port)).status).toBe(200);
  });

  test('500 mutations of the bytes of a request on the wire do no harm', async () => {
    const { port } = await start(undefined, { headersTimeoutMs: 1000, requestTimeoutMs: 1000 });
    // A fixed sequence: Park and Miller's generator.
    let seed = 20261122;
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    const sendMutation = async () => {
      const bytes = Buffer.from(GOOD);
      for (let i = 0; i <= random(3); i++) bytes[random(bytes.length)] = random(256);
      const { socket } = await client(port);
      socket.end(bytes);
      socket.setTimeout(3000, () => socket.destroy());
      if (!socket.closed) await once(socket, 'close');
    };
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 25 }, sendMutation));
      expect((await post(port)).status).toBe(200);
    }
  });
});

describe('listening and closing', () => {
  test('all hosts share one port that the system chose, and those that do not exist are left out', async () => {
    const listening = await listen(webServer(), ['127.0.0.1', '127.0.0.2', '203.0.113.1'], 0);
    closers.push(() => listening.close(Promise.resolve()));
    const [first, second, ...others] = listening.addresses;
    expect([first!.host, second!.host, others]).toEqual(['127.0.0.1', '127.0.0.2', []]);
    expect(second!.port).toBe(first!.port);
    expect((await fetch(`http://127.0.0.2:${first!.port}/health`)).status).toBe(200);
  });

  test('a port in use is an error, and nothing is left listening', async () => {
    const { port } = await start();
    await expect(listen(webServer(), ['127.0.0.2', '127.0.0.1'], port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(fetch(`http://127.0.0.2:${port}/health`)).rejects.toThrow();
  });

  test('closing ends idle connections at once and lets requests in flight finish', async () => {
    const doors: (() => void)[] = [];
    const { port, listening } = await start(
      () => new Promise((resolve) => doors.push(() => resolve({ finished: true }))),
    );
    const idle = await client(port);
    idle.socket.write(rawRequest('{'));
    await idle.until('Serialization');
    const busy = await client(port);
    busy.socket.write(GOOD);
    await expect.poll(() => doors.length).toBe(1);

    const closed = listening.close(NEVER);
    await once(idle.socket, 'close');
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    doors[0]!();
    await once(busy.socket, 'close');
    expect(busy.received()).toMatch(/Connection: close[\s\S]*"finished":true/);
    await closed;
  });

  test('closing cuts what does not finish when told to give up', async () => {
    let calls = 0;
    const { port, listening } = await start(() => {
      calls++;
      return NEVER;
    });
    const { socket } = await client(port);
    socket.write(GOOD);
    await expect.poll(() => calls).toBe(1);
    await listening.close(new Promise((resolve) => setTimeout(resolve, 50)));
    if (!socket.closed) await once(socket, 'close');
  });
});

describe('mounted in an express application', () => {
  async function mounted(configure: (app: express.Express, web: WebServer) => void): Promise<number> {
    const app = express();
    configure(
      app,
      webServer(async (_, request) => {
        if ((request as { TableName: string }).TableName === 'none') throw ApiError.resourceNotFound('none');
        return { Item: request };
      }),
    );
    const server: Server = app.listen(0, '127.0.0.1');
    closers.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  test('it answers operations and leaves everything else alone', async () => {
    const port = await mounted((app, web) => {
      app.use(web.middleware);
      app.get('/', (_, response) => void response.send('a shop'));
      app.post('/', (_, response) => void response.send('sold'));
    });
    expect((await post(port)).body).toEqual({ Item: GET_ITEM });
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a shop');
    expect(await (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' })).text()).toBe('sold');
  });

  test('it may live under a path', async () => {
    const port = await mounted((app, web) => void app.use('/dynamodb', web.middleware));
    const body = JSON.stringify({ ...GET_ITEM, TableName: 'none' });
    const response = await fetch(`http://127.0.0.1:${port}/dynamodb`, { method: 'POST', headers, body });
    expect([response.status, await response.json()]).toMatchObject([400, { message: 'none' }]);
  });

  test.each([
    ['json', express.json({ type: () => true })],
    ['text', express.text({ type: () => true })],
    ['raw', express.raw({ type: () => true })],
  ])('it takes bodies that a %s parser has read', async (_, parser) => {
    const port = await mounted((app, web) => void app.use(parser, web.middleware));
    expect((await post(port)).body).toEqual({ Item: GET_ITEM });
  });
});

test('a large body in many packets is read whole', async () => {
  let length = 0;
  const { port } = await start(async (_, request) => {
    const { Item } = request as { Item: Record<string, { S: string }> };
    length = Object.values(Item).reduce((sum, { S }) => sum + S.length, 0);
    return {};
  });
  const attributes = Array.from({ length: 15 }, (_, at) => [`a${at}`, { S: 'x'.repeat(MIB) }]);
  const body = JSON.stringify({ TableName: 'abc', Item: Object.fromEntries(attributes) });
  const target = { 'x-amz-target': 'DynamoDB_20120810.PutItem' };
  expect((await post(port, body, target)).status).toBe(200);
  expect(length).toBe(15 * MIB);
});
