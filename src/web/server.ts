import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Express, Response } from 'express';
import type { Execute } from '../api/operations.ts';
import type { AdminAction } from './admin-app.ts';
import type { AdminDoor } from './admin-routes.ts';
import { answerClientErrors } from './client-error.ts';
import { Connections, inTurn, Line } from './connection.ts';
import { crossOriginOf } from './cross-origin.ts';
import { Exchange, type Gate, requestOf, send } from './exchange.ts';
import { createHandle } from './handle.ts';
import { Hints } from './hints.ts';
import { endWith } from './large-answer.ts';
import { LargeBodies } from './large-bodies.ts';
import type { Listener } from './listen.ts';
import type { MetricSources } from './metrics.ts';
import type { Pause } from './pause.ts';
import { type OnRequest, RequestLog } from './request-log.ts';
import { RequestMeter } from './request-meter.ts';
import { toOriginForm } from './request-target.ts';
import { refusalOf } from './same-origin.ts';
import { Transfers } from './transfers.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from './web-limits.ts';

// Not by import, which looks at every export, and so loads fetch's WebSocket: 8 MB and 10 ms on Node 26.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof import('node:http');

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
  /** Gives up the event loop until others have had their turn. Default: does not. */
  readonly pause?: Pause;
  /** Web pages that may use it, as `crossOriginOf` takes them. Default: all. */
  readonly corsOrigins?: readonly string[];
  /** Told of each request that was answered. Default: nobody is, which costs nothing. */
  readonly onRequest?: OnRequest | undefined;
  /** Told, once for each, of what only a mistake in a client explains. Takes one line, without control characters. */
  readonly onHint?: (hint: string) => void;
  /** What the server offers beside operations. Default: `/health` alone. */
  readonly operator?: OperatorOptions;
}

/** What is for whoever runs the server, not for its clients. */
export interface OperatorOptions {
  /** `/_dynaring/`; undefined: there is no such path. */
  readonly admin?: AdminDoor | undefined;
  /** Of `/metrics`: what tier 1 does not count itself. */
  readonly figures: Pick<MetricSources, 'nodes' | 'faults'>;
  /** Milliseconds since some moment in the past, for latencies. */
  readonly elapsedMs: () => number;
  /** Told of each request of an administrator that was to change something. */
  readonly onAction: (action: AdminAction) => void;
  /** Whether it is only at `WebServer.operator`, which listens elsewhere, and not where operations are. */
  readonly isApart: boolean;
}

export interface WebServer extends Listener {
  /** Answers every request of a `node:http` server. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Answers DynamoDB operations in somebody's express application (`app.use(web.middleware)`, at any path) and passes
   * everything else on. A body that a parser has read before is taken from `request.body`.
   */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  /** Serves `/_dynaring/`, `/metrics` and `/health`, and no operations. */
  readonly operator: Listener;
}

/**
 * Tier 1: the hot path straight from `node:http` to `handle`, and an express application for everything else.
 *
 * Express costs a request 100 to 170 us of CPU on Node 20 (it changes the prototypes of request and response), so
 * operations never meet it, and it is loaded when first needed.
 */
export function createWebServer(options: WebServerOptions): WebServer {
  const limits = { ...DEFAULT_WEB_LIMITS, ...options.limits };
  const { operator, onInternalError } = options;
  const elapsedMs = operator?.elapsedMs ?? options.nowMs;
  const bodies = new Transfers(limits.maxBodyBytesInFlight, limits.minTransferRate, elapsedMs);
  const answers = new Transfers(limits.maxAnswerBytesInFlight, limits.minTransferRate, elapsedMs);
  const crossOrigin = crossOriginOf(options.corsOrigins ?? ['*']);
  const hints = options.onHint && new Hints(options.onHint);
  const pause = options.pause ?? (async () => {});
  const largeBodies = new LargeBodies(
    {
      maxContainers: limits.maxBodyContainers,
      maxMembers: limits.maxBodyMembers,
      maxContainersInFlight: limits.maxBodyContainersInFlight,
    },
    pause,
  );
  const handle = createHandle({
    ...options,
    crossOrigin,
    maxBodyBytes: limits.maxBodyBytes,
    budget: bodies,
    largeBodies,
    answers,
    hints,
  });
  const gate: Gate = {
    handle,
    requestId: options.requestId,
    crossOrigin,
    limits,
    bodies,
    answers,
    line: new Line(limits.maxRequestsPerConnection, limits.maxRequestsWaiting),
    meter: new RequestMeter(elapsedMs),
    log: options.onRequest && new RequestLog(options.onRequest, elapsedMs),
    requestsInFlight: 0,
    pause,
    isClosing: false,
  };
  const openOperator = lazily(gate, () => createApplication(gate, operator, onInternalError), onInternalError);
  const openFront =
    operator?.isApart === true
      ? lazily(gate, () => createApplication(gate, undefined, onInternalError), onInternalError)
      : openOperator;
  const hasAdmin = operator?.admin !== undefined && !operator.isApart;

  const listener: WebServer['listener'] = (request, response) => {
    toOriginForm(request);
    const { method, url } = request;
    // The path of every operation is told from an administrator's by one comparison.
    if (method !== 'POST' || (url !== '/' && hasAdmin && isAdminPath(url!))) {
      // What health checks ask a server that may have nothing else to do: express would take 60 ms and 10 MB for it.
      return method === 'GET' && url === '/health'
        ? inTurn(request, response, gate.line, () => answerWithoutBody(gate, request, response))
        : openFront(request, response);
    }
    Exchange.begin(gate, request, response);
  };
  const beginClosing = () => {
    gate.isClosing = true;
  };
  return {
    listener,
    middleware: (request, response, next) => {
      const target = request.headers['x-amz-target'];
      if (request.method !== 'POST' || typeof target !== 'string' || !target.startsWith('DynamoDB')) return next();
      toOriginForm(request);
      Exchange.begin(gate, request, response, request.readableEnded ? parsedBody(request) : undefined);
    },
    createHttpServer: () => createLimitedServer(limits, elapsedMs, listener, hints),
    onInternalError,
    beginClosing,
    operator: {
      createHttpServer: () => createLimitedServer(limits, elapsedMs, openOperator, hints),
      onInternalError,
      beginClosing,
    },
  };
}

async function answerWithoutBody(gate: Gate, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const beganAtMs = gate.meter.begin();
  const answer = await gate.handle(requestOf(request, NO_BODY));
  gate.log?.answered(request, answer, { receivedBytes: 0, beganAtMs });
  send(gate, response, answer);
}

const ADMIN_PATH = '/_dynaring';

function isAdminPath(url: string): boolean {
  return url.startsWith(`${ADMIN_PATH}/`);
}

/** Answers with an application that is made at the first request. */
function lazily(
  { line }: Gate,
  create: () => Promise<Express>,
  onError: (error: unknown) => void,
): WebServer['listener'] {
  let application: Promise<Express> | undefined;
  return (request, response) => {
    toOriginForm(request);
    inTurn(request, response, line, () => {
      application ??= create();
      application.then((app) => app(request, response), onError);
    });
  };
}

/** Connections that may come in before those that make room for them have ended. */
const CONNECTIONS_BEYOND = 1024;

function createLimitedServer(
  limits: WebLimits,
  elapsedMs: () => number,
  listener: WebServer['listener'],
  hints: Hints | undefined,
): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
      noDelay: true,
    },
    (request, response) => listener(request, response),
  );
  answerClientErrors(server, hints);
  const connections = new Connections(limits.maxConnections, elapsedMs);
  server.on('connection', (socket) => connections.add(socket));
  server.maxConnections = limits.maxConnections + CONNECTIONS_BEYOND;
  server.timeout = limits.socketTimeoutMs;
  // A body that will be refused is refused before it is sent.
  server.on('checkContinue', (request, response) => {
    toOriginForm(request);
    const max = isAdminPath(request.url!) ? limits.maxSnapshotBodyBytes : limits.maxBodyBytes;
    if (!(Number(request.headers['content-length']) > max)) response.writeContinue();
    listener(request, response);
  });
  return server;
}

async function createApplication(
  gate: Gate,
  operator: OperatorOptions | undefined,
  onInternalError: (error: unknown) => void,
): Promise<Express> {
  const { default: express } = await import('express');
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  app.use((_request, response, next) => {
    if (gate.isClosing) response.setHeader('Connection', 'close');
    next();
  });
  const watch = (request: IncomingMessage, response: ServerResponse, next: () => void) => {
    gate.log?.watch(request, response);
    next();
  };
  if (operator?.admin !== undefined) {
    const { createAdminRouter } = await import('./admin-app.ts');
    const { admin, readRule } = operator.admin;
    const { onAction, elapsedMs } = operator;
    const { limits, answers, pause } = gate;
    app.use(
      ADMIN_PATH,
      watch,
      createAdminRouter({ admin, readRule, onAction, onInternalError, limits, answers, elapsedMs, pause }),
    );
  }
  if (operator !== undefined) app.get('/metrics', watch, answerMetrics(gate, operator));
  app.post(/^/, watch, (_request, response) => {
    response.status(404).json({ error: 'there are no operations here', field: 'path' });
  });
  app.use((request, response) => answerWithoutBody(gate, request, response));
  // What express would answer is a page.
  app.use((error: unknown, _request: IncomingMessage, response: Response, next: (error: unknown) => void) => {
    if (response.headersSent) return next(error);
    onInternalError(error);
    response.status(500).json({ error: 'the request failed because of an unknown error' });
  });
  return app;
}

const NO_BODY = Buffer.alloc(0);

function answerMetrics(gate: Gate, { figures }: OperatorOptions) {
  return async (request: IncomingMessage, response: Response): Promise<void> => {
    const refusal = refusalOf(request.method!, request.headers);
    if (refusal !== undefined) return void response.status(403).json(refusal);
    const { renderMetrics } = await import('./metrics.ts');
    const { contentType, text } = await renderMetrics({
      ...figures,
      requests: () => gate.meter.tallies(),
      requestsInFlight: () => gate.requestsInFlight,
    });
    response.setHeader('Server', 'Dynaring');
    response.setHeader('Content-Type', contentType);
    const bytes = Buffer.from(text);
    response.setHeader('Content-Length', bytes.length);
    if (endWith(gate.answers, response, bytes)) return;
    response.removeHeader('Content-Length');
    response.status(503).end();
  };
}

/** The body as it may have come, of what a body parser has made of it. */
function parsedBody(request: IncomingMessage & { body?: unknown }): Buffer {
  const { body, headers } = request;
  // Parsers decode: what is left to be decoded are bytes that begin as JSON never does.
  const isDecoded = !Buffer.isBuffer(body) || /^[\s{]/.test(body.toString('latin1', 0, 1));
  if (isDecoded) delete headers['content-encoding'];
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
}
