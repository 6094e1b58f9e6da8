import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import { ADMIN_ROUTES, type AdminCall, type AdminDoor, type AdminRoute } from './admin-routes.ts';
import type { WebLimits } from './limits.ts';
import { refusalOf } from './same-origin.ts';

export interface AdminOptions extends AdminDoor {
  /** Told of each request that was to change something, once it is answered. */
  readonly onAction: (action: AdminAction) => void;
  readonly onInternalError: (error: unknown) => void;
  readonly limits: WebLimits;
}

export interface AdminAction {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number;
}

/** What is wrong with a request to `/_dynaring/`: every status from 400 names the part of the request. */
interface Problem {
  readonly status: number;
  readonly error: string;
  readonly field?: string | undefined;
}

/** The routes under `/_dynaring`, as a part of the application. Nothing passes through it: it answers every request. */
export function createAdminRouter(options: AdminOptions): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const gate = createGate(options);
  router.use(gate.enter);
  const paths = new Map<string, AdminRoute[]>();
  for (const route of ADMIN_ROUTES) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  for (const [path, routes] of paths) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
    for (const route of routes) mount(router, pattern, route, options);
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
    // The answer is on its way: only express can end it now.
    if (response.headersSent) return next(error);
    refuse(response, problemOf(error, options));
  });
  return router;
}

/** Before everything else: headers of all answers, who may not ask, and how many at a time. */
function createGate({ limits, onAction }: AdminOptions) {
  let inFlight = 0;
  const enter = (request: Request, response: Response, next: NextFunction): void => {
    inFlight++;
    response.setHeader('Server', 'Dynaring');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.on('close', () => {
      inFlight--;
      const { method, originalUrl } = request;
      const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
      if (!isRead) onAction({ method, path: originalUrl.slice(0, MAX_LOGGED_PATH), status: response.statusCode });
    });
    const refusal = refusalOf(request.method, request.headers);
    if (refusal !== undefined) return refuse(response, { status: 403, ...refusal });
    // A page may send a form or plain text unasked; JSON only after a preflight, which nobody answers here.
    if (hasBody(request) && !request.is('application/json')) {
      return refuse(response, { status: 415, error: 'a body must be application/json', field: 'Content-Type' });
    }
    if (inFlight > limits.maxAdminRequestsInFlight) {
      return refuse(response, { status: 503, error: 'too many of these requests at a time' });
    }
    next();
  };
  return { enter };
}

/** Characters of a path in the log. */
const MAX_LOGGED_PATH = 500;

function mount(router: Router, pattern: string, route: AdminRoute, options: AdminOptions): void {
  const answer = async (request: Request, response: Response): Promise<void> => {
    const answer = await route.answer(options, callOf(route, request));
    if ('text' in answer) response.status(answer.status).type('text/plain').send(answer.text);
    else sendJson(response, answer.status, answer.body);
  };
  const method = route.method.toLowerCase() as 'get' | 'post' | 'put' | 'delete';
  if (route.body === undefined) {
    router[method](pattern, answer);
    return;
  }
  const { maxAdminBodyBytes, maxSnapshotBodyBytes } = options.limits;
  if (route.body === 'small') {
    router[method](pattern, needBody, express.json({ limit: maxAdminBodyBytes }), answer);
  } else {
    router[method](pattern, needBody, oneAtATime(), express.json({ limit: maxSnapshotBodyBytes }), answer);
  }
}

function needBody(request: Request, response: Response, next: NextFunction): void {
  if (hasBody(request)) next();
  else refuse(response, { status: 400, error: 'the body is missing', field: 'body' });
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
}

/** Bodies of this size are held in memory, parsed. */
function oneAtATime() {
  let isTaken = false;
  return (_request: Request, response: Response, next: NextFunction): void => {
    if (isTaken) return refuse(response, { status: 409, error: 'another one is under way', field: 'body' });
    isTaken = true;
    response.on('close', () => {
      isTaken = false;
    });
    next();
  };
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

/** With the line end without which a shell goes on in the same line. */
function sendJson(response: Response, status: number, body: object): void {
  response
    .status(status)
    .type('application/json')
    .send(`${JSON.stringify(body)}\n`);
}

function problemOf(thrown: unknown, { onInternalError }: AdminOptions): Problem {
  if (thrown instanceof AdminError) {
    const { status, message, field } = thrown;
    // What is wrong with a request and no field of it is its body.
    return { status, error: message, field: field ?? (status === 400 ? 'body' : undefined) };
  }
  if (thrown instanceof ApiError) return { status: thrown.status, error: thrown.message, field: 'body' };
  if (thrown instanceof URIError) return { status: 400, error: 'the path is not well encoded', field: 'path' };
  // What the parsers of express throw.
  const { status } = thrown as { readonly status?: number };
  if (status === 413) return { status, error: 'the body is too large', field: 'body' };
  if (status !== undefined && status < 500)
    return { status, error: 'the body is no JSON that is understood', field: 'body' };
  onInternalError(thrown);
  return { status: 500, error: 'the request failed because of an unknown error' };
}
