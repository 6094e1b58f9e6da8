import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Express, NextFunction, Response } from 'express';
import type { Execute } from '../api/operations.ts';
import type { AdminAction } from './admin-app.ts';
import { ADMIN_PATH, isAdminPath } from './admin-path.ts';
import type { AdminDoor } from './admin-routes.ts';
import { inTurn, Line } from './connection.ts';
import { crossOriginOf } from './cross-origin.ts';
import { Exchange, type Gate, requestOf, send } from './exchange.ts';
import { createHandle } from './handle.ts';
import { Hints } from './hints.ts';
import { endWith } from './large-answer.ts';
import { LargeBodies } from './large-bodies.ts';
import { LimitedServers, type ServerCertificate } from './limited-server.ts';
import type { Listener } from './listen.ts';
import type { MetricSources } from './metrics.ts';
import type { Pause } from './pause.ts';
import { type OnRequest, RequestLog } from './request-log.ts';
import { RequestMeter } from './request-meter.ts';
import { toOriginForm } from './request-target.ts';
import { isLoopback, refusalOf } from './same-origin.ts';
import type { Authenticate } from './signature.ts';
import { Transfers } from './transfers.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from './web-limits.ts';

export interface WebServerOptions {
  /** Tier 2. */
  readonly execute: Execute;
  /** Wall-clock time, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A new request id: 52 capital letters and digits, as the service's. */
  readonly requestId: () => string;
  /** Whether requests can be served yet. */
  readonly isReady: () => boolean;
  /** Whether `/health` says that more requests are welcome. Default: `isReady`. */
  readonly isHealthy?: (() => boolean) | undefined;
  /** Called with every exception that is no `ApiError`. The client gets a 500, and the process lives on. */
  readonly onInternalError: (error: unknown) => void;
  readonly limits?: Partial<WebLimits>;
  /** Yields the event loop until other work has had its turn. Default: returns without yielding. */
  readonly pause?: Pause;
  /** Web pages that may use the server, as `crossOriginOf` takes them. Default: all. */
  readonly corsOrigins?: readonly string[];
  /** For HTTPS; undefined: plain HTTP. */
  readonly https?: ServerCertificate | undefined;
  /**
   * Verifies signatures; undefined: any access key and any secret will do. Administrators, who sign nothing, are then
   * served on a port of their own, or on this computer only.
   */
  readonly authenticate?: Authenticate | undefined;
  /** Called for each answered request. Default: no request log, which costs nothing. */
  readonly onRequest?: OnRequest | undefined;
  /** Called once for each likely mistake in a client, with one line without control characters. */
  readonly onHint?: (hint: string) => void;
  /** What the server offers besides operations. Default: `/health` alone. */
  readonly operator?: OperatorOptions;
}

/** What is meant for the person who runs the server, not for its clients. */
export interface OperatorOptions {
  /** Serves `/_dynaring/`; undefined: there is no such path. */
  readonly admin?: AdminDoor | undefined;
  /** The figures for `/metrics` that tier 1 does not count itself. */
  readonly figures: Pick<MetricSources, 'nodes' | 'faults' | 'expiry' | 'builds' | 'peers'>;
  /** Milliseconds since some moment in the past, for latencies. */
  readonly elapsedMs: () => number;
  /** Called for each administrator's request that was to change something. */
  readonly onAction: (action: AdminAction) => void;
  /**
   * Whether these paths are served only by `WebServer.operator`, which listens elsewhere, and not beside the
   * operations.
   */
  readonly isApart: boolean;
}

export interface WebServer extends Listener {
  /** Answers every request of a `node:http` server. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Answers DynamoDB operations in an express application (`app.use(web.middleware)`, at any path) and passes all other
   * requests on. If a parser has already read the body, it is taken from `request.body`.
   */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  /** New connections get this certificate, if it serves HTTPS. */
  renewCertificate(https: ServerCertificate): void;
  /** Serves `/_dynaring/`, `/metrics` and `/health`, and no operations. */
  readonly operator: Listener;
}

/**
 * Tier 1: operations go straight from `node:http` to `handle`; an express application serves everything else.
 *
 * Express costs 100 to 170 us of CPU a request on Node 20 (it changes the prototypes of request and response). So
 * operations do not pass through it, and it is loaded at first use.
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
  const isLocalOnly = options.authenticate !== undefined && operator?.isApart === false;
  const application = { gate, operator, onInternalError, isLocalOnly };
  const openOperator = lazily(gate, () => createApplication(application), onInternalError);
  const openFront =
    operator?.isApart === true
      ? lazily(gate, () => createApplication({ ...application, operator: undefined }), onInternalError)
      : openOperator;
  const hasAdmin = operator?.admin !== undefined && !operator.isApart;

  const listener: WebServer['listener'] = (request, response) => {
    toOriginForm(request);
    const { method, url } = request;
    // Hot path: one comparison tells an operation's path from an administrator's.
    if (method !== 'POST' || (url !== '/' && hasAdmin && isAdminPath(url!))) {
      // `/health` is served without express, which takes 60 ms and 10 MB to load: a server may get nothing but health
      // checks.
      return method === 'GET' && url === '/health'
        ? inTurn(request, response, gate.line, () => answerWithoutBody(gate, request, response))
        : openFront(request, response);
    }
    Exchange.begin(gate, request, response);
  };
  const servers = new LimitedServers({ limits, elapsedMs, hints, https: options.https });
  const beginClosing = () => {
    gate.isClosing = true;
    servers.beginClosing();
  };
  return {
    listener,
    middleware: createMiddleware(gate),
    renewCertificate: (https) => servers.renew(https),
    createHttpServer: () => servers.create(listener),
    onInternalError,
    beginClosing,
    operator: {
      createHttpServer: () => servers.create(openOperator),
      onInternalError,
      beginClosing,
    },
  };
}

function createMiddleware(gate: Gate): WebServer['middleware'] {
  return (request, response, next) => {
    const target = request.headers['x-amz-target'];
    if (request.method !== 'POST' || typeof target !== 'string' || !target.startsWith('DynamoDB')) return next();
    toOriginForm(request);
    Exchange.begin(gate, request, response, request.readableEnded ? parsedBody(request) : undefined);
  };
}

async function answerWithoutBody(gate: Gate, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const beganAtMs = gate.meter.begin();
  const answer = await gate.handle(requestOf(request, NO_BODY));
  gate.log?.answered(request, answer, { receivedBytes: 0, beganAtMs });
  send(gate, response, answer);
}

const LOCALSTACK_PATH = '/_aws';

/** Answers with an express application that is created at the first request. */
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

interface ApplicationParts {
  readonly gate: Gate;
  /** Undefined: it serves no administrators. */
  readonly operator: OperatorOptions | undefined;
  readonly onInternalError: (error: unknown) => void;
  /** Whether administrators of other computers are refused. */
  readonly isLocalOnly: boolean;
}

async function createApplication({ gate, operator, onInternalError, isLocalOnly }: ApplicationParts): Promise<Express> {
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
  if (isLocalOnly) app.use([ADMIN_PATH, LOCALSTACK_PATH, '/metrics'], watch, refuseStrangers);
  if (operator?.admin !== undefined) {
    const { createAdminRouter } = await import('./admin-app.ts');
    const { ADMIN_ROUTES, LOCALSTACK_ROUTES } = await import('./admin-routes.ts');
    const { admin, readRule } = operator.admin;
    const { onAction, elapsedMs } = operator;
    const { limits, answers, pause } = gate;
    const options = { admin, readRule, onAction, onInternalError, limits, answers, elapsedMs, pause };
    app.use(ADMIN_PATH, watch, createAdminRouter(ADMIN_ROUTES, options));
    app.use(LOCALSTACK_PATH, watch, createAdminRouter(LOCALSTACK_ROUTES, options));
  }
  if (operator !== undefined) app.get('/metrics', watch, answerMetrics(gate, operator));
  app.post(/^/, watch, (_request, response) => {
    response.status(404).json({ error: 'there are no operations here', field: 'path' });
  });
  app.use((request, response) => answerWithoutBody(gate, request, response));
  // Express would answer an HTML page.
  app.use((error: unknown, _request: IncomingMessage, response: Response, next: (error: unknown) => void) => {
    if (response.headersSent) return next(error);
    onInternalError(error);
    response.status(500).json({ error: 'the request failed because of an unknown error' });
  });
  return app;
}

/** Administrators sign nothing. Where operations have to be signed, they would be the way around it. */
function refuseStrangers(request: IncomingMessage, response: Response, next: NextFunction): void {
  if (isLoopback(request.socket.remoteAddress)) return next();
  response.status(403).json({
    error: 'with --auth, administrators of other computers need --admin-port',
    field: 'address',
  });
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

/** Restores the bytes of a body from what a body parser has made of it. */
function parsedBody(request: IncomingMessage & { body?: unknown }): Buffer {
  const { body, headers } = request;
  // Body parsers decompress. Only bytes that do not begin as JSON are still to be decompressed.
  const isDecoded = !Buffer.isBuffer(body) || /^[\s{]/.test(body.toString('latin1', 0, 1));
  if (isDecoded) delete headers['content-encoding'];
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
}
