import { ConnectionDropped } from '../api/connection-dropped.ts';
import { ApiError } from '../api/errors.ts';
import { namedTables, OPERATION_TRAITS, targetPrefixOf } from '../api/operation-traits.ts';
import { type Execute, OPERATIONS, type OperationName } from '../api/operations.ts';
import type { Room } from './byte-budget.ts';
import { codingFor, compress } from './compress.ts';
import { bodyCoding, type ContentCoding } from './content-coding.ts';
import { credentialsOf } from './credentials.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { type Hints, shown, unknownContentTypeText, unknownPathText } from './hints.ts';
import {
  CLIENT_GONE,
  DROPPED_CONNECTION,
  type HttpHeaders,
  type HttpRequest,
  type HttpResponse,
} from './http-message.ts';
import { inflate } from './inflate.ts';
import { LARGE_BODY_BYTES, type LargeBodies, type LargeBody } from './large-bodies.ts';
import { parseJson } from './parse-json.ts';
import { type Envelope, renderBody, renderError, renderResult, type WireError } from './render.ts';
import type { Authenticate } from './signature.ts';
import { Slots } from './slots.ts';
import { validateRequest } from './validate.ts';

export interface HandleOptions {
  /** Tier 2. */
  readonly execute: Execute;
  /** Wall-clock time, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A new request id: 52 capital letters and digits, as the service's. */
  readonly requestId: () => string;
  /** Whether requests can be served yet. */
  readonly isReady: () => boolean;
  readonly isHealthy?: (() => boolean) | undefined;
  /** Called with every exception that is no `ApiError`: a bug, or a tier that failed. */
  readonly onInternalError: (error: unknown) => void;
  /** The service's own limit is 16 MB. It also holds for a compressed body after decompression. */
  readonly maxBodyBytes: number;
  /** Which web pages may read the answers. */
  readonly crossOrigin: CrossOrigin;
  /** Room for decompressed bodies. */
  readonly budget: Room;
  readonly largeBodies: LargeBodies;
  /** Room for large answers that wait for compression. */
  readonly answers: Room;
  /** Where likely mistakes in a client are reported. */
  readonly hints?: Hints | undefined;
  /** Verifies signatures; undefined: any access key and any secret will do. */
  readonly authenticate?: Authenticate | undefined;
}

/** Answers any request and never rejects. */
export type Handle = (request: HttpRequest) => Promise<HttpResponse>;

const operationOfTarget: ReadonlyMap<unknown, OperationName> = new Map(
  OPERATIONS.map((operation) => [targetPrefixOf(operation) + operation, operation]),
);

/**
 * How many bodies and answers are compressed or decompressed at a time: half of the thread pool, which the disk needs
 * too.
 */
const MAX_CODING = 2;

/** What the functions of this file share. */
interface Shared extends HandleOptions {
  readonly slots: Slots;
}

/** The life of a request in tier 1, without sockets. */
export function createHandle(options: HandleOptions): Handle {
  const shared: Shared = { ...options, slots: new Slots(MAX_CODING) };
  return async (request) => {
    const contentType = answerType(request.headers['content-type']);
    const envelope: Envelope = {
      requestId: options.requestId(),
      contentType: contentType ?? 'application/x-amz-json-1.0',
      crossOrigin: options.crossOrigin(originOf(request.headers)),
    };
    if (request.method !== 'POST') return answerPlain(request, envelope, options);
    const isUnknownType = contentType === undefined && (request.body.length > 0 || request.headers['content-type']);
    if (isUnknownType || pathOf(request) !== '/') return notOperation(request, envelope, options);
    let answer: HttpResponse;
    try {
      answer = await answerOperation(request, envelope, shared);
    } catch (error) {
      answer = isGivenUp(error, request) ? CLIENT_GONE : answerFailure(error, envelope, options);
    }
    const coding = codingFor(request.headers, answer);
    return coding === undefined ? answer : compress(answer, coding, shared.slots, shared.answers);
  };
}

/** Whether a request has failed since its client has gone: reads are given up then, as if no node could serve them. */
function isGivenUp(error: unknown, { departure, headers }: HttpRequest): boolean {
  if (departure?.isGone !== true || !(error instanceof ApiError) || error.status !== 503) return false;
  const operation = operationOfTarget.get(headers['x-amz-target']);
  return operation !== undefined && OPERATION_TRAITS[operation].access === 'read';
}

function answerFailure(error: unknown, envelope: Envelope, { onInternalError }: HandleOptions): HttpResponse {
  if (error instanceof ApiError) return renderError(error, envelope);
  if (error instanceof ConnectionDropped) return DROPPED_CONNECTION;
  onInternalError(error);
  return renderError(ApiError.internalServerError('The request failed because of an unknown error'), envelope);
}

/**
 * Checks body, target, credentials and schema, then calls tier 2. The order is the service's, as recorded in the
 * emulator dynalite: the first error found is the one reported.
 */
function answerOperation(request: HttpRequest, envelope: Envelope, options: Shared): Promise<HttpResponse> {
  if (!options.isReady()) throw ApiError.serviceUnavailable();
  if (request.body.length > options.maxBodyBytes) {
    return Promise.resolve(renderError(bodyTooLarge(options.maxBodyBytes), envelope));
  }
  const coding = bodyCoding(request.headers);
  if (coding !== 'identity') return answerInflated(request, coding, envelope, options);

  return request.body.length <= LARGE_BODY_BYTES
    ? answerBody(request, undefined, envelope, options)
    : answerLarge(request, envelope, options);
}

async function answerLarge(request: HttpRequest, envelope: Envelope, options: Shared): Promise<HttpResponse> {
  const large = await options.largeBodies.parse(request.body);
  try {
    return await answerBody(request, large, envelope, options);
  } finally {
    large.end();
  }
}

/** @param large the parsed body, if it is one that is parsed in slices */
async function answerBody(
  request: HttpRequest,
  large: LargeBody | undefined,
  envelope: Envelope,
  options: Shared,
): Promise<HttpResponse> {
  // The service reports a broken body first, but a missing body, or one that is `null`, last.
  const parsed = large !== undefined ? large.value : request.body.length === 0 ? undefined : parseJson(request.body);
  if (parsed === undefined && request.body.length > 0) throw ApiError.serialization(undefined);

  const target = request.headers['x-amz-target'];
  const operation = operationOfTarget.get(target);
  if (operation === undefined) {
    options.hints?.unknownOperation(target);
    throw ApiError.unknownOperation(unknownOperationText(target));
  }

  if (request.notes !== undefined) request.notes.table = tablesOf(operation, parsed);
  const credentials =
    options.authenticate === undefined
      ? credentialsOf(request.headers, queryOf(request))
      : await options.authenticate(request.sent ?? request);
  if (credentials.kind === 'error') return renderError(credentials, envelope);
  if (parsed == null) throw ApiError.serialization(undefined);

  const valid =
    large === undefined ? validateRequest(operation, parsed, request.body.length) : await large.validated(operation);
  const result = await options.execute(operation, valid, {
    requestId: envelope.requestId,
    nowMs: options.nowMs(),
    accessKeyId: credentials.accessKeyId,
    region: credentials.region,
    host: typeof request.headers.host === 'string' ? request.headers.host : undefined,
    pause: large?.pause,
    departure: request.departure,
  });
  if (OPERATION_TRAITS[operation].answersNothing) return renderBody(200, NO_BODY, envelope);
  return renderResult(result, envelope);
}

const NO_BODY = new Uint8Array(0);

/** How many tables of a batch are logged, and how many characters of each: no valid name is longer. */
const MAX_TABLES_NOTED = 3;
const MAX_TABLE_LENGTH = 255;

/** The tables named in a request that is not validated yet. */
function tablesOf(operation: OperationName, parsed: unknown): string | undefined {
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const names = namedTables(operation, parsed).filter((name) => typeof name === 'string');
  if (names.length === 0) return undefined;
  const more = names.length > MAX_TABLES_NOTED ? ',...' : '';
  const noted = names.slice(0, MAX_TABLES_NOTED).map((name) => shown(name, MAX_TABLE_LENGTH));
  return noted.join(',') + more;
}

async function answerInflated(
  request: HttpRequest,
  coding: ContentCoding | 'unknown',
  envelope: Envelope,
  options: Shared,
): Promise<HttpResponse> {
  if (coding === 'unknown') throw ApiError.serialization('The body is encoded in a way other than gzip or deflate');
  const { maxBodyBytes: maxBytes, budget, slots } = options;
  const inflated = await inflate(request.body, coding, { maxBytes, budget, slots });
  switch (inflated.kind) {
    case 'too-large':
      return renderError(bodyTooLarge(maxBytes), envelope);
    case 'no-room':
      throw ApiError.serviceUnavailable();
    case 'broken':
      throw ApiError.serialization(`The body is not what its encoding, ${coding}, makes of anything`);
    case 'inflated':
      try {
        const headers = { ...request.headers, 'content-encoding': undefined, 'transfer-encoding': undefined };
        return await answerOperation({ ...request, headers, body: inflated.bytes, sent: request }, envelope, options);
      } finally {
        budget.give(inflated.bytes.length);
      }
  }
}

/** 413, as the service answers. The service's own answer has no body, which SDKs report as an unknown error. */
export function bodyTooLarge(maxBodyBytes: number): WireError {
  return {
    kind: 'error',
    type: 'com.amazon.coral.service#RequestEntityTooLargeException',
    status: 413,
    message: `Request size exceeds the limit of ${maxBodyBytes} bytes`,
  };
}

function unknownOperationText(target: string | string[] | undefined): string {
  if (target === undefined) return 'The request names no operation: it has no X-Amz-Target header';
  return `Unknown operation: ${target}`;
}

/** Answers what is no operation: preflights, health checks and unknown requests. */
function answerPlain(request: HttpRequest, envelope: Envelope, options: HandleOptions): HttpResponse {
  if (request.method === 'OPTIONS') return preflight(request.headers, envelope);
  // Probes often leave the body unread. With keep-alive, such a connection would keep the probing process (a test
  // runner, for example) from ending until the keep-alive time-out.
  return { ...answerProbe(request, envelope, options), isLast: true };
}

function answerProbe(request: HttpRequest, envelope: Envelope, options: HandleOptions): HttpResponse {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (isRead && pathOf(request) === '/health') {
    const isReady = options.isReady();
    const isHealthy = options.isHealthy?.() ?? isReady;
    const text = isHealthy ? 'ready\n' : isReady ? 'stopping\n' : 'starting\n';
    return renderBody(isHealthy ? 200 : 503, Buffer.from(text), plain(envelope));
  }
  // Widely used health checks (jest-dynamodb, compose files) wait for this 400, which DynamoDB Local answers.
  if (isRead && pathOf(request) === '/') {
    return renderError(
      {
        type: 'com.amazonaws.dynamodb.v20120810#MissingAuthenticationToken',
        status: 400,
        message: 'Request must contain either a valid (registered) AWS access key ID or X.509 certificate.',
      },
      envelope,
    );
  }
  return notFound(request, envelope);
}

/** A preflight always has an Origin; without one, the request does not come from a browser. */
function preflight(headers: HttpHeaders, envelope: Envelope): HttpResponse {
  const answer = renderBody(200, NO_BODY, plain(envelope));
  if (!envelope.crossOrigin.includes('Access-Control-Allow-Origin')) return answer;
  const method = headers['access-control-request-method'];
  const names = headers['access-control-request-headers'];
  answer.headers.push('Access-Control-Max-Age', '172800');
  answer.headers.push('Access-Control-Allow-Methods', typeof method === 'string' ? method : 'GET, HEAD, POST, OPTIONS');
  if (typeof names === 'string') answer.headers.push('Access-Control-Allow-Headers', names);
  // A page on the public network that asks a private address (https://wicg.github.io/private-network-access/).
  if (headers['access-control-request-private-network'] === 'true') {
    answer.headers.push('Access-Control-Allow-Private-Network', 'true');
  }
  return answer;
}

function originOf({ origin }: HttpHeaders): string | undefined {
  return typeof origin === 'string' ? origin : undefined;
}

/** The answer to a POST with a path or content type that no operation has. */
function notOperation(request: HttpRequest, envelope: Envelope, { hints }: HandleOptions): HttpResponse {
  const path = pathOf(request);
  if (request.headers['x-amz-target'] !== undefined) {
    if (path !== '/') hints?.unknownPath(request.method, path);
    else hints?.unknownContentType(request.headers['content-type']);
  }
  return notFound(request, envelope);
}

const NOT_FOUND = 'UnknownOperationException';

/**
 * The answer to an unknown path, method or content type. It is the service's, except that clients of JSON get JSON:
 * they show it, but cannot parse XML.
 */
function notFound(request: HttpRequest, envelope: Envelope): HttpResponse {
  const { accept, 'content-type': given } = request.headers;
  if (!/\bjson\b/i.test(`${given} ${accept}`)) {
    const answer = renderBody(404, Buffer.from(`<${NOT_FOUND}/>\n`), plain(envelope));
    return { ...answer, error: NOT_FOUND };
  }
  return renderError(
    { type: `com.amazon.coral.service#${NOT_FOUND}`, status: 404, message: notFoundText(request) },
    { ...envelope, contentType: answerType(given) ?? 'application/json' },
  );
}

function notFoundText(request: HttpRequest): string {
  const { method, headers } = request;
  const path = pathOf(request);
  if (method !== 'POST') return `${method} ${shown(path)}: there is no such thing; operations are POST requests to /`;
  if (path !== '/') return unknownPathText(method, path);
  return unknownContentTypeText(headers['content-type']);
}

function plain(envelope: Envelope): Envelope {
  return { ...envelope, contentType: 'text/plain' };
}

/** The content type of the answer to a request of this content type; undefined if the service does not accept it. */
function answerType(contentType: string | string[] | undefined): string | undefined {
  switch (contentType) {
    case 'application/x-amz-json-1.0':
    case 'application/x-amz-json-1.1':
    case 'application/json':
      return contentType;
    default: {
      const mediaType = String(contentType).split(';', 1)[0]!.trim().toLowerCase();
      return mediaType === contentType ? undefined : answerType(mediaType);
    }
  }
}

function pathOf({ path }: HttpRequest): string {
  const mark = path.indexOf('?');
  return mark < 0 ? path : path.slice(0, mark);
}

function queryOf({ path }: HttpRequest): string {
  const mark = path.indexOf('?');
  return mark < 0 ? '' : path.slice(mark + 1);
}
