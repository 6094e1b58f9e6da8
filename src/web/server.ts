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

/** `next` is express's; with it the listener passes on what is not meant for it. */
export type WebListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

export interface WebServer {
  readonly limits: WebLimits;
  /** Serves a request of any `node:http` server. */
  readonly listener: WebListener;
  /** A server with the limits' timeouts, not listening yet. */
  createHttpServer(): Server;
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
  const listener: WebListener = (request, response) => {
    if (request.method === 'POST') return Exchange.begin(gate, request, response);
    application ??= createApplication(gate);
    application.then((app) => app(request, response), options.onInternalError);
  };
  return {
    limits,
    listener,
    createHttpServer: () => createLimitedServer(limits, listener),
    beginClosing: () => {
      gate.isClosing = true;
    },
  };
}

function createLimitedServer(limits: WebLimits, listener: WebListener): Server {
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
