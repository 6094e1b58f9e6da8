import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import type { AdminCall, AdminDoor, AdminRoute } from './admin-routes.ts';
import { jsonInPieces } from './json-pieces.ts';
import { parseInSlices } from './json-slices.ts';
import { endWith } from './large-answer.ts';
import type { Pause } from './pause.ts';
import { PATIENCE_MS } from './progress.ts';
import { refusalOf } from './same-origin.ts';
import type { Transfers } from './transfers.ts';
import type { WebLimits } from './web-limits.ts';

export interface AdminOptions extends AdminDoor {
  /** Called after each request that was to change something has been answered. */
  readonly onAction: (action: AdminAction) => void;
  readonly onInternalError: (error: unknown) => void;
  readonly limits: WebLimits;
  /** Room for large answers. */
  readonly answers: Transfers;
  /** Milliseconds since some moment in the past. */
  readonly elapsedMs: () => number;
  /** Yields the event loop until other work has had its turn. */
  readonly pause: Pause;
}

export interface AdminAction {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number;
}

/**
 * Why a request to `/_dynaring/` is refused. For a status below 500, `field` is the part of the request that is wrong.
 */
interface Problem {
  readonly status: number;
  readonly error: string;
  readonly field?: string | undefined;
}

/** Serves routes of administrators. The router answers every request that reaches it and calls no later handler. */
export function createAdminRouter(served: readonly AdminRoute[], options: AdminOptions): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const gate = createGate(options);
  router.use(gate.enter);
  const paths = new Map<string, AdminRoute[]>();
  for (const route of served) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  for (const [path, routes] of paths) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
    for (const route of routes) mount(router, { ...route, pattern }, options, gate);
    const methods = routes.map(({ method }) => method);
    router.all(pattern, (request, response) => {
      response.setHeader('Allow', methods.join(', '));
      refuse(response, {
        status: 405,
        error: `${request.method} is not one of ${methods.join(', ')}`,
        field: 'method',
      });
    });
  }
  const all = [...paths.keys()].join(', ');
  router.use((_request, response) => {
    refuse(response, { status: 404, error: `there is no such route; there are ${all}`, field: 'path' });
  });
  router.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    // Part of the answer is already sent: only express can end it now.
    if (response.headersSent) return next(error);
    refuse(response, problemOf(error, options));
  });
  return router;
}

interface AdminGate {
  /** Runs first: sets the headers of all answers and refuses requests that are not allowed. */
  enter(request: Request, response: Response, next: NextFunction): void;
  /**
   * Runs `work` unless too many requests are in progress. A client that sends or reads slowly does not count as one of
   * them.
   */
  work(response: Response, work: () => Promise<void>): Promise<void>;
}

function createGate({ limits, onAction }: AdminOptions): AdminGate {
  let inFlight = 0;
  const enter = (request: Request, response: Response, next: NextFunction): void => {
    response.setHeader('Server', 'Dynaring');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.on('close', () => {
      const { method, originalUrl } = request;
      const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
      if (!isRead) onAction({ method, path: originalUrl.slice(0, MAX_LOGGED_PATH), status: response.statusCode });
    });
    const refusal = refusalOf(request.method, request.headers);
    if (refusal !== undefined) return refuse(response, { status: 403, ...refusal });
    // A web page may send a form or plain text to another site without a preflight, but JSON only after one, and no
    // preflight is answered here.
    if (hasBody(request) && !request.is('application/json')) {
      return refuse(response, { status: 415, error: 'a body must be application/json', field: 'Content-Type' });
    }
    next();
  };
  const work = async (response: Response, work: () => Promise<void>): Promise<void> => {
    if (inFlight >= limits.maxAdminRequestsInFlight) {
      return refuse(response, { status: 503, error: 'too many of these requests at a time' });
    }
    inFlight++;
    try {
      await work();
    } finally {
      inFlight--;
    }
  };
  return { enter, work };
}

type MountedRoute = AdminRoute & { readonly pattern: string };

/** Longest path in the log, in characters. */
const MAX_LOGGED_PATH = 500;

/** @param route `pattern` is its path as express wants it */
function mount(router: Router, route: MountedRoute, options: AdminOptions, gate: AdminGate): void {
  const { pattern } = route;
  const answerNow = async (request: Request, response: Response): Promise<void> => {
    const { pause, answers } = options;
    const answer = await route.answer(options, callOf(route, request));
    if ('text' in answer) response.status(answer.status).type('text/plain').send(answer.text);
    else if (isSnapshot) sendBytes(response, answer.status, await jsonInPieces(answer.body, pause, '\n'), answers);
    else sendBytes(response, answer.status, Buffer.from(`${JSON.stringify(answer.body)}\n`), answers);
  };
  // A snapshot is held in memory, once as objects and once as text.
  const isSnapshot = route.path === '/snapshot' && route.method === 'GET';
  const answerThis = isSnapshot ? oneByOne(answerNow) : answerNow;
  const answer = (request: Request, response: Response): Promise<void> =>
    gate.work(response, () => answerThis(request, response));
  const method = route.method.toLowerCase() as 'get' | 'post' | 'put' | 'delete';
  if (route.body === undefined) {
    router[method](pattern, answer);
    return;
  }
  const { maxAdminBodyBytes, maxSnapshotBodyBytes } = options.limits;
  if (route.body === 'small') {
    router[method](pattern, needBody, express.json({ limit: maxAdminBodyBytes }), answer);
  } else {
    const read = express.raw({ limit: maxSnapshotBodyBytes, type: 'application/json' });
    router[method](pattern, needBody, oneAtATime(options.elapsedMs), read, parser(options.pause), answer);
  }
}

function needBody(request: Request, response: Response, next: NextFunction): void {
  if (hasBody(request)) next();
  else refuse(response, { status: 400, error: 'the body is missing', field: 'body' });
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
}

/**
 * A snapshot body is held in memory and parsed, so only one is accepted at a time.
 * A stuck upload makes room for a newer request: it is stuck if two requests at least `PATIENCE_MS` apart find that it
 * has received nothing between them.
 */
function oneAtATime(elapsedMs: () => number) {
  let held: { readonly request: Request; bytes: number; atMs: number } | undefined;
  const isStuck = (nowMs: number): boolean => {
    if (held === undefined || held.request.complete) return false;
    const { bytesRead } = held.request.socket;
    if (bytesRead === held.bytes) return nowMs - held.atMs >= PATIENCE_MS;
    held.bytes = bytesRead;
    held.atMs = nowMs;
    return false;
  };
  return (request: Request, response: Response, next: NextFunction): void => {
    const nowMs = elapsedMs();
    if (held !== undefined && !isStuck(nowMs)) {
      return refuse(response, { status: 409, error: 'another one is under way' });
    }
    held?.request.socket.destroy();
    const own = { request, bytes: 0, atMs: nowMs };
    held = own;
    response.on('close', () => {
      if (held === own) held = undefined;
    });
    next();
  };
}

/** Replaces express's JSON parser, which would block the event loop for seconds. */
function parser(pause: Pause) {
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    request.body = await parseInSlices(request.body, pause);
    if (request.body === undefined) throw new AdminError('the body is no JSON that is understood', 'body');
    next();
  };
}

type Answer = (request: Request, response: Response) => Promise<void>;

/** Serialises requests: each waits for the one before it. */
function oneByOne(answer: Answer): Answer {
  let last: Promise<unknown> = Promise.resolve();
  return (request, response) => {
    const own = last.then(() => answer(request, response));
    last = own.catch(() => {});
    return own;
  };
}

function sendBytes(response: Response, status: number, bytes: Buffer, answers: Transfers): void {
  response.status(status).type('application/json').setHeader('Content-Length', bytes.length);
  if (endWith(answers, response, bytes)) return;
  response.removeHeader('Content-Length');
  refuse(response, {
    status: 503,
    error: 'there is no room for an answer of this size: others wait for their clients',
  });
}

function callOf(route: AdminRoute, request: Request): AdminCall {
  const query: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.query)) {
    if (route.query?.includes(name) !== true) throw new AdminError(`there is no parameter ${name}`, name);
    if (typeof value !== 'string') throw new AdminError(`${name} is given more than once`, name);
    query[name] = value;
  }
  return { params: request.params as Record<string, string>, query, body: request.body };
}

function refuse(response: Response, { status, error, field }: Problem): void {
  sendJson(response, status, { error, field });
}

/** Ends the body with a newline, so that a shell prompt starts on a line of its own. */
function sendJson(response: Response, status: number, body: object): void {
  response
    .status(status)
    .type('application/json')
    .send(`${JSON.stringify(body)}\n`);
}

function problemOf(thrown: unknown, { onInternalError }: AdminOptions): Problem {
  if (thrown instanceof AdminError) {
    const { status, message, field } = thrown;
    // A bad request without a named field has a bad body.
    return { status, error: message, field: field ?? (status === 400 ? 'body' : undefined) };
  }
  // A failure of the ring is not a mistake in the request.
  if (thrown instanceof ApiError) {
    return { status: thrown.status, error: thrown.message, field: thrown.status < 500 ? 'body' : undefined };
  }
  if (thrown instanceof URIError) return { status: 400, error: 'the path is not well encoded', field: 'path' };
  // The body parsers of express throw errors with a `status`.
  const { status } = thrown as { readonly status?: number };
  if (status === 413) return { status, error: 'the body is too large', field: 'body' };
  if (status !== undefined && status < 500)
    return { status, error: 'the body is no JSON that is understood', field: 'body' };
  onInternalError(thrown);
  return { status: 500, error: 'the request failed because of an unknown error' };
}
