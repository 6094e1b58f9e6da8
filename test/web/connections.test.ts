import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { GET_ITEM } from './fixtures.ts';
import { client, closers, GOOD, headers, post, rawRequest, start, webServer } from './web-server.ts';

const HEAD = Object.entries(headers)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
const BODY = JSON.stringify(GET_ITEM);

/** What comes back until the server ends the connection. */
async function answerTo(port: number, bytes: string | Buffer): Promise<string> {
  const { socket, received } = await client(port);
  socket.write(bytes);
  if (!socket.closed) await once(socket, 'close');
  return received();
}

describe('a target in absolute form', () => {
  // RFC 9112, section 3.2.2.
  test.each(['http://127.0.0.1:8000/', 'HTTP://db', 'https://user:pass@db.example/', 'http://db?', '/?', '/'])(
    '%s is that of operations',
    async (target) => {
      const hosts: (string | undefined)[] = [];
      const { port } = await start(async (_, request, { host }) => {
        hosts.push(host);
        return { Item: request };
      });
      const { socket, received, until } = await client(port);
      socket.write(`POST ${target} HTTP/1.1\r\n${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
      await until('"Item"');
      expect(received()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(hosts).toEqual([/\/\/(?:.*@)?([^/?]+)/.exec(target)?.[1] ?? headers.host]);
    },
  );

  test('with a path has that path', async () => {
    const { port } = await start();
    expect(await answerTo(port, 'GET http://db/health HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/ 200 OK[\s\S]*ready/);
    expect(await answerTo(port, 'GET http://db/shell HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/ 404 Not Found/);
    for (const target of ['ftp://db/', '*']) {
      const { socket, until } = await client(port);
      socket.write(`POST ${target} HTTP/1.1\r\n${HEAD}Content-Length: 0\r\n\r\n`);
      await until(' 404 ');
    }
  });
});

describe('a request line and headers', () => {
  const padded = (target: string, field: string) =>
    `POST ${target} HTTP/1.1\r\n${HEAD}X-Padding: ${field}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

  // Recorded of the service, 2026-09-20 to 2026-10-09: 400, where `node:http` answers 431.
  test.each([
    ['headers', padded('/', 'x'.repeat(16 * 1024))],
    ['a request line', padded(`/?${'x'.repeat(16 * 1024)}`, '')],
    ['many headers', padded('/', `1\r\n${'a: b\r\n'.repeat(10_000)}c: d`)],
    ['far too long headers', padded('/', 'x'.repeat(500_000))],
  ])('of more than 16 KB, %s, are answered with 400 in JSON', async (_, bytes) => {
    const { port } = await start();
    const [head, body] = (await answerTo(port, bytes)).split('\r\n\r\n') as [string, string];
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(head).toContain('Connection: close');
    expect(head).toContain(`Content-Length: ${body.length}`);
    expect(JSON.parse(body)).toEqual({
      __type: 'com.amazon.coral.service#BadRequestException',
      message: 'The request line and the headers are too long',
    });
  });

  test('of less are served', async () => {
    const { port } = await start();
    const { socket, until } = await client(port);
    socket.write(padded('/', 'x'.repeat(15 * 1024)));
    await until('HTTP/1.1 200');
  });

  test('without an end cost no more than a megabyte', async () => {
    const { port } = await start();
    const { socket } = await client(port);
    let sent = 0;
    const endless = setInterval(() => {
      socket.write('x'.repeat(64 * 1024));
      sent += 64 * 1024;
    }, 2);
    closers.push(async () => clearInterval(endless));
    socket.write('POST / HTTP/1.1\r\nX: ');
    await once(socket, 'close');
    // What the system's buffers take is beside the point.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test('that never end, after an answer that says so, are cut in the time that headers have', async () => {
    const { port } = await start(undefined, { headersTimeoutMs: 100 });
    const { socket, until } = await client(port);
    socket.write(padded('/', 'x'.repeat(16 * 1024)).slice(0, 17_000));
    await until('HTTP/1.1 400');
    if (!socket.closed) await once(socket, 'close');
  });

  test.each([
    '\r\n\r\nnonsense\r\n\r\n',
    'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'FLY / HTTP/1.1\r\n\r\n',
  ])('that are none, %j, are answered with 400 in JSON', async (bytes) => {
    const { port } = await start();
    const [head, body] = (await answerTo(port, bytes)).split('\r\n\r\n') as [string, string];
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(body)).toMatchObject({ message: 'This is no HTTP/1.1 request' });
  });

  test('in the middle of a body end the connection at once, and its room is free', async () => {
    const { port } = await start(undefined, { maxBodyBytesInFlight: 1000 });
    const { socket, received } = await client(port);
    const chunk = `320\r\n${'x'.repeat(0x320)}\r\n`;
    socket.write(`POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}no size\r\n`);
    if (!socket.closed) await once(socket, 'close');
    expect(received()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect((await post(port, JSON.stringify({ ...GET_ITEM, Padding: 'x'.repeat(800) }))).status).toBe(200);
  });

  test('with a chunk that goes on about itself are answered with 413', async () => {
    const { port } = await start();
    const chunk = `1;${'x'.repeat(17_000)}\r\n`;
    const received = await answerTo(port, `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}`);
    expect(received).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\n[\s\S]*RequestEntityTooLargeException/);
  });

  test('after good requests end the connection behind their answers', async () => {
    const { port } = await start();
    const { socket, received, until } = await client(port);
    socket.write(GOOD);
    await until('HTTP/1.1 200');
    socket.write('nonsense\r\n\r\n');
    if (!socket.closed) await once(socket, 'close');
    expect([...received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '400']);
  });
});

describe('a connection', () => {
  // A probe that does not read the body would else keep its process alive for as long as the connection is kept.
  test.each(['GET / ', 'HEAD / ', 'GET /health ', 'HEAD /health ', 'GET /health?x ', 'GET /nothing '])(
    'ends with the answer to a probe: %s',
    async (line) => {
      const { port } = await start();
      const received = await answerTo(port, `${line}HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n`);
      expect(received.match(/^Connection: .*$/gim)).toEqual(['Connection: close']);
    },
  );

  test('is kept for operations, good and bad, and for preflights', async () => {
    const { port } = await start();
    const { socket, received, until } = await client(port);
    socket.write(`OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n`);
    await until('Max-Age');
    socket.write(rawRequest('{'));
    await until('Serialization');
    socket.write(GOOD);
    await until('200 OK\r\nServer: Dynaring\r\nContent-Type: application/x-amz-json');
    expect(received()).not.toContain('Connection: close');
  });
});

describe('what is told to whoever reads the log', () => {
  async function startWithHints() {
    const hints: string[] = [];
    const { port } = await start(undefined, {}, { onHint: (hint) => hints.push(hint) });
    return { port, hints };
  }

  test('is, once for each, an operation that is not served, and one that there is not', async () => {
    const { port, hints } = await startWithHints();
    const ask = (target: string) => post(port, BODY, { 'x-amz-target': target });
    for (let i = 0; i < 2; i++) {
      await ask('DynamoDB_20120810.CreateBackup');
      await ask('DynamoDB_20120810.Fly');
      await ask('DynamoDBStreams_20120810.ListShards');
      await ask('DynamoDB_20111205.GetItem');
    }
    expect((await post(port)).status).toBe(200);
    expect(hints).toEqual([
      'CreateBackup is not served yet: docs/compatibility.md',
      "DynamoDB_20120810.Fly is no operation of DynamoDB's",
      "DynamoDBStreams_20120810.ListShards is no operation of DynamoDB's",
      "DynamoDB_20111205.GetItem is no operation of DynamoDB's",
    ]);
  });

  test('is a path where there is none, without its query', async () => {
    const { port, hints } = await startWithHints();
    for (const path of ['/dynamodb?token=secret', '/dynamodb', '/v1/']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: BODY });
      expect(await response.json()).toEqual({
        __type: 'com.amazon.coral.service#UnknownOperationException',
        message: `POST ${path.split('?')[0]}: the endpoint has no path`,
      });
    }
    expect(hints).toEqual(['POST /dynamodb: the endpoint has no path', 'POST /v1/: the endpoint has no path']);
  });

  // That of `curl --data`, and none.
  test('is a content type that operations do not have', async () => {
    const { port, hints } = await startWithHints();
    const target = { 'x-amz-target': headers['x-amz-target'] };
    const ask = (given: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers: given, body: Buffer.from(BODY) });
    for (let i = 0; i < 2; i++) {
      expect((await ask({ ...target, 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(404);
      expect((await ask(target)).status).toBe(404);
      expect((await ask({ 'content-type': 'text/html' })).status).toBe(404);
    }
    expect(hints).toEqual([
      'The content type application/x-www-form-urlencoded is not known; that of operations is application/x-amz-json-1.0',
      'The request has no content type; that of operations is application/x-amz-json-1.0',
    ]);
  });

  test('is a client that speaks TLS, or HTTP/2', async () => {
    const { port, hints } = await startWithHints();
    for (let i = 0; i < 2; i++) {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'error');
      await answerTo(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      await answerTo(port, 'nonsense\r\n\r\n');
    }
    expect(hints).toEqual([
      'this port speaks plain HTTP/1.1: a client began with TLS',
      'this port speaks plain HTTP/1.1: a client began with HTTP/2',
    ]);
  });

  test('is bounded, cut and printable', async () => {
    const { port, hints } = await startWithHints();
    const ask = (target: string, path = '/') =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { ...headers, 'x-amz-target': target },
        body: BODY,
      });
    await ask(`DynamoDB_20120810.\u0085\u009b31m${'x'.repeat(10_000)}`);
    expect(hints[0]).toMatch(/^DynamoDB_20120810\.\\u\{85\}\\u\{9b\}31mx{77}\.\.\. is no operation of DynamoDB's$/);
    for (let i = 0; i < 150; i++) await ask(`Fly${i}`, i % 2 === 0 ? '/' : `/${i}`);
    await ask('Fly', '/last');
    expect(hints.filter((hint) => hint.endsWith("is no operation of DynamoDB's")).length).toBe(76);
    for (let i = 0; i < 150; i++) await ask(`Fly${i}`, `/more${i}`);
    expect(hints.length).toBe(76 + 100);
  });
});

test('what fails beside the operations is answered in JSON too, and told', async () => {
  const internalErrors: unknown[] = [];
  const bug = new Error('secret');
  const nodes = () => {
    throw bug;
  };
  const { port } = await start(
    undefined,
    {},
    {
      onInternalError: (error) => internalErrors.push(error),
      operator: {
        figures: { nodes, faults: () => [], expiry: () => ({ deleted: 0, scheduled: 0 }), builds: () => [] },
        elapsedMs: () => 0,
        onAction() {},
        isApart: false,
      },
    },
  );
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect([response.status, await response.json()]).toEqual([
    500,
    { error: 'the request failed because of an unknown error' },
  ]);
  expect(internalErrors).toEqual([bug]);
});

describe('mounted in an express application', () => {
  async function mounted(configure: (app: express.Express) => void): Promise<number> {
    const app = express();
    configure(app);
    const server = app.listen(0, '127.0.0.1');
    closers.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  }
  const { middleware } = webServer(async (_, request) => ({ Item: request, Padding: 'x'.repeat(5000) }));

  test.each([
    ['no', undefined],
    ['a json', express.json({ type: () => true })],
    ['a text', express.text({ type: () => true })],
    ['a raw', express.raw({ type: () => true })],
    ['a raw one that decodes nothing', express.raw({ type: () => true, inflate: false })],
  ])('an encoded body is read behind %s parser', async (name, parser) => {
    const port = await mounted((app) => void (parser ? app.use(parser, middleware) : app.use(middleware)));
    const body = gzipSync(BODY);
    if (name.includes('decodes nothing')) {
      // Such a parser refuses encoded bodies itself.
      const response = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        headers: { ...headers, 'content-encoding': 'gzip' },
        body,
      });
      expect(response.status).toBe(415);
      return;
    }
    const answer = await post(port, body, { 'content-encoding': 'gzip' });
    expect(answer.body).toMatchObject({ Item: GET_ITEM });
    // What fetch has accepted, and decoded.
    expect(answer.headers.get('content-encoding')).toBe('gzip');
  });

  test('a target in absolute form is understood below a path', async () => {
    const port = await mounted((app) => void app.use('/dynamodb', middleware));
    for (const path of ['/dynamodb', '/dynamodb/']) {
      const { socket, until } = await client(port);
      socket.write(`POST http://shop${path} HTTP/1.1\r\n${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
      await until('HTTP/1.1 200');
    }
  });
});
