import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Express } from 'express';
import type { Execute } from '../api/operations.ts';
import { ByteBudget } from './byte-budget.ts';
import { Exchange, type Gate, requestOf, send } from './exchange.ts';
import { createHandle } from './handle.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from './limits.ts';

export interface WebServerOptions {
  /** Tier 2. */
  readonly execute: Execute;
  /** Wall-clock time, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A new request id: 52 capital letters and digits, as the service's. */
  readonly requestId: () => string;
  /** Whether requests can be served yet. */
  readonly isReady: () => boolean;
  /** Told of everything thrown that is not an `ApiError`. The client gets a 500, the process lives on. */
  readonly onInternalError: (error: unknown) => void;
  readonly limits?: Partial<WebLimits>;
}

export interface WebServer {
  /** Answers every request of a `node:http` server. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Answers DynamoDB operations in somebody's express application (`app.use(web.middleware)`, at any path) and passes
   * everything else on. A body that a parser has read before is taken from `request.body`.
   */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  /** A server with the limits' timeouts, not listening yet. */
  createHttpServer(): Server;
  /** Where failures of the sockets themselves are told. */
  readonly onInternalError: (error: unknown) => void;
  /** From now on every answer closes its connection. */
  beginClosing(): void;
}

/**
 * Tier 1: the hot path straight from `node:http` to `handle`, and an express application for everything else.
 *
 * Express costs a request 100 to 170 us of CPU on Node 20 (it changes the prototypes of request and response), so
 * operations never meet it, and it is loaded when first needed.
 */
export function createWebServer(options: WebServerOptions): WebServer {
  const limits = { ...DEFAULT_WEB_LIMITS, ...options.limits };
  const budget = new ByteBudget(limits.maxBodyBytesInFlight);
  const handle = createHandle({ ...options, maxBodyBytes: limits.maxBodyBytes, budget });
  const gate: Gate = { handle, requestId: options.requestId, limits, budget, requestsInFlight: 0, isClosing: false };

  let application: Promise<Express> | undefined;
  const listener: WebServer['listener'] = (request, response) => {
    if (request.method === 'POST') return Exchange.begin(gate, request, response);
    application ??= createApplication(gate);
    application.then((app) => app(request, response), options.onInternalError);
  };
  return {
    listener,
    middleware: (request, response, next) => {
      const target = request.headers['x-amz-target'];
      if (request.method !== 'POST' || typeof target !== 'string' || !target.startsWith('DynamoDB')) return next();
      Exchange.begin(gate, request, response, request.readableEnded ? parsedBody(request) : undefined);
    },
    createHttpServer: () => createLimitedServer(limits, listener),
    onInternalError: options.onInternalError,
    beginClosing: () => {
      gate.isClosing = true;
    },
  };
}

function createLimitedServer(limits: WebLimits, listener: WebServer['listener']): Server {
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
      noDelay: true,
    },
    (request, response) => listener(request, response),
  );
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.socketTimeoutMs;
  // A body that will be refused is refused before it is sent.
  server.on('checkContinue', (request, response) => {
    if (!(Number(request.headers['content-length']) > limits.maxBodyBytes)) response.writeContinue();
    listener(request, response);
  });
  return server;
}

async function createApplication(gate: Gate): Promise<Express> {
  const { default: express } = await import('express');
  const app = express();
  app.disable('x-powered-by');
  app.use(async (request, response) => {
    const answer = await gate.handle(requestOf(request, Buffer.alloc(0)));
    send(response, answer, gate.isClosing);
  });
  return app;
}

/** The body as it may have come, of what a body parser has made of it. */
function parsedBody(request: IncomingMessage & { body?: unknown }): Buffer {
  const { body } = request;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
}
