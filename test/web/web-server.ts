import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { Execute } from '../../src/api/operations.ts';
import { type Listening, listen } from '../../src/web/listen.ts';
import { createWebServer, type WebServer, type WebServerOptions } from '../../src/web/server.ts';
import type { WebLimits } from '../../src/web/web-limits.ts';
import { GET_ITEM, SIGNED_HEADERS } from './fixtures.ts';

/** Run after each test. */
export const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A web server on a tier 2 of the test's own. */
export function webServer(
  execute: Execute = async () => ({}),
  limits: Partial<WebLimits> = {},
  options: Partial<WebServerOptions> = {},
): WebServer {
  return createWebServer({
    execute,
    nowMs: () => performance.now(),
    requestId: () => randomBytes(26).toString('hex').toUpperCase(),
    isReady: () => true,
    onInternalError: () => {},
    limits,
    ...options,
  });
}

/** The same, which listens until the test has ended. */
export async function start(
  execute?: Execute,
  limits?: Partial<WebLimits>,
  options?: Partial<WebServerOptions>,
): Promise<{ port: number; listening: Listening }> {
  const listening = await listen(webServer(execute, limits, options), ['127.0.0.1'], 0);
  closers.push(() => listening.close(Promise.resolve()));
  return { port: listening.addresses[0]!.port, listening };
}

/** Of a signed GetItem. */
export const headers = { ...SIGNED_HEADERS, 'x-amz-target': 'DynamoDB_20120810.GetItem' };

export function rawRequest(body: string | Buffer, extra: Record<string, string> = {}): Buffer {
  const all = { ...headers, 'content-length': String(Buffer.byteLength(body)), ...extra };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\n${head.join('')}\r\n`), Buffer.from(body)]);
}

export const GOOD = rawRequest(JSON.stringify(GET_ITEM));

/** A client that speaks raw bytes and keeps all that comes back. */
export async function client(
  port: number,
): Promise<{ socket: Socket; received: () => string; until: (text: string) => Promise<void> }> {
  // Who waits for a text waits for many events.
  const socket = connect(port, '127.0.0.1').setMaxListeners(0);
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.on('error', () => {});
  closers.push(async () => void socket.destroy());
  await once(socket, 'connect');
  const until = async (text: string) => {
    while (!received.includes(text))
      await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => fail())]);
  };
  const fail = () => {
    throw new Error(`closed after ${JSON.stringify(received)}`);
  };
  return { socket, received: () => received, until };
}

export async function post(
  port: number,
  body: string | Buffer = JSON.stringify(GET_ITEM),
  extra: Record<string, string> = {},
) {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { ...headers, ...extra },
    body,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}
