import { ConnectionDropped } from '../api/connection-dropped.ts';
import { ApiError } from '../api/errors.ts';
import { type Execute, OPERATIONS, type OperationName } from '../api/operations.ts';
import type { ByteBudget } from './byte-budget.ts';
import { credentialsOf } from './credentials.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { DROPPED_CONNECTION, type HttpHeaders, type HttpRequest, type HttpResponse } from './http-message.ts';
import { inflate } from './inflate.ts';
import { LARGE_BODY_BYTES, type LargeBodies, type LargeBody } from './large-bodies.ts';
import { parseJson } from './parse-json.ts';
import { type Envelope, renderBody, renderError, renderResult, type WireError } from './render.ts';
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
  /** Told of everything thrown that is not an `ApiError`: a bug, or a tier that broke. */
  readonly onInternalError: (error: unknown) => void;
  /** The service's own limit is 16 MB, and holds for a compressed body when inflated. */
  readonly maxBodyBytes: number;
  /** Which pages may read the answers. */
  readonly crossOrigin: CrossOrigin;
  /** Room for inflated bodies. */
  readonly budget: ByteBudget;
  readonly largeBodies: LargeBodies;
}

/** Answers any request and never rejects. */
export type Handle = (request: HttpRequest) => Promise<HttpResponse>;

const TARGET_PREFIX = 'DynamoDB_20120810.';
const operationOfTarget: ReadonlyMap<unknown, OperationName> = new Map(
  OPERATIONS.map((operation) => [TARGET_PREFIX + operation, operation]),
);

/** The life of a request in tier 1, without sockets. */
export function createHandle(options: HandleOptions): Handle {
  return async (request) => {
    const contentType = answerType(request.headers['content-type']);
    const envelope: Envelope = {
      requestId: options.requestId(),
      contentType: contentType ?? 'application/x-amz-json-1.0',
      crossOrigin: options.crossOrigin(originOf(request.headers)),
    };
    if (request.method !== 'POST') return answerPlain(request, envelope, options);
    const isUnknownType = contentType === undefined && (request.body.length > 0 || request.headers['content-type']);
    if (isUnknownType || pathOf(request) !== '/') return notFound(envelope);
    try {
      return await answerOperation(request, envelope, options);
    } catch (error) {
      if (error instanceof ApiError) return renderError(error, envelope);
      if (error instanceof ConnectionDropped) return DROPPED_CONNECTION;
      options.onInternalError(error);
      return renderError(ApiError.internalServerError('The request failed because of an unknown error'), envelope);
    }
  };
}

/**
 * Body, target, credentials, schema, tier 2. That order is the service's, as recorded in the emulator dynalite: the first
 * thing wrong is the one reported.
 */
async function answerOperation(
  request: HttpRequest,
  envelope: Envelope,
  options: HandleOptions,
): Promise<HttpResponse> {
  if (!options.isReady()) throw ApiError.serviceUnavailable();
  if (request.body.length > options.maxBodyBytes) return renderError(bodyTooLarge(options.maxBodyBytes), envelope);
  if (request.headers['content-encoding'] === 'gzip') return answerInflated(request, envelope, options);

  if (request.body.length <= LARGE_BODY_BYTES) return answerBody(request, undefined, envelope, options);
  const large = await options.largeBodies.parse(request.body);
  try {
    return await answerBody(request, large, envelope, options);
  } finally {
    large.end();
  }
}

/** @param large the body, if it is one of those that are parsed in slices */
async function answerBody(
  request: HttpRequest,
  large: LargeBody | undefined,
  envelope: Envelope,
  options: HandleOptions,
): Promise<HttpResponse> {
  // A missing body, or `null` for one, is found out last, a broken one first.
  const parsed = large !== undefined ? large.value : request.body.length === 0 ? undefined : parseJson(request.body);
  if (parsed === undefined && request.body.length > 0) throw ApiError.serialization(undefined);

  const target = request.headers['x-amz-target'];
  const operation = operationOfTarget.get(target);
  if (operation === undefined) throw ApiError.unknownOperation(unknownOperationText(target));

  const credentials = credentialsOf(request.headers, queryOf(request));
  if (credentials.kind === 'error') return renderError(credentials, envelope);
  if (parsed == null) throw ApiError.serialization(undefined);

  const valid = large === undefined ? validateRequest(operation, parsed) : await large.validated(operation);
  const result = await options.execute(operation, valid, {
    requestId: envelope.requestId,
    nowMs: options.nowMs(),
    accessKeyId: credentials.accessKeyId,
    region: credentials.region,
    host: typeof request.headers.host === 'string' ? request.headers.host : undefined,
    pause: large?.pause,
  });
  return renderResult(result, envelope);
}

async function answerInflated(request: HttpRequest, envelope: Envelope, options: HandleOptions): Promise<HttpResponse> {
  const inflated = await inflate(request.body, options.maxBodyBytes, options.budget);
  switch (inflated.kind) {
    case 'too-large':
      return renderError(bodyTooLarge(options.maxBodyBytes), envelope);
    case 'no-room':
      throw ApiError.serviceUnavailable();
    case 'broken':
      throw ApiError.serialization(undefined);
    case 'inflated':
      try {
        const headers = { ...request.headers, 'content-encoding': undefined };
        return await answerOperation({ ...request, headers, body: inflated.bytes }, envelope, options);
      } finally {
        options.budget.give(inflated.bytes.length);
      }
  }
}

/** 413, as the service answers. Its own answer has no body, which SDKs show as an unknown error. */
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

/** Everything that is not an operation: preflights, health checks and strangers. */
function answerPlain(request: HttpRequest, envelope: Envelope, options: HandleOptions): HttpResponse {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (request.method === 'OPTIONS') return preflight(request.headers, envelope, options.crossOrigin);
  if (isRead && pathOf(request) === '/health') {
    const isReady = options.isReady();
    return renderBody(isReady ? 200 : 503, Buffer.from(isReady ? 'ready\n' : 'starting\n'), plain(envelope));
  }
  // Widely used health checks (jest-dynamodb, compose files) wait for this 400, which is DynamoDB Local's.
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
  return notFound(envelope);
}

function preflight(headers: HttpHeaders, envelope: Envelope, crossOrigin: CrossOrigin): HttpResponse {
  // Who sends no origin is told what all may do.
  const permission = crossOrigin(originOf(headers) ?? '*');
  const answer = renderBody(200, new Uint8Array(0), { ...plain(envelope), crossOrigin: permission });
  if (!permission.includes('Access-Control-Allow-Origin')) return answer;
  const method = headers['access-control-request-method'];
  const names = headers['access-control-request-headers'];
  answer.headers.push('Access-Control-Max-Age', '172800');
  answer.headers.push('Access-Control-Allow-Methods', typeof method === 'string' ? method : 'GET, HEAD, POST, OPTIONS');
  if (typeof names === 'string') answer.headers.push('Access-Control-Allow-Headers', names);
  return answer;
}

function originOf({ origin }: HttpHeaders): string | undefined {
  return typeof origin === 'string' ? origin : undefined;
}

/** The service's answer to a path, method or content type that it does not know. */
function notFound(envelope: Envelope): HttpResponse {
  return renderBody(404, Buffer.from('<UnknownOperationException/>\n'), plain(envelope));
}

function plain(envelope: Envelope): Envelope {
  return { ...envelope, contentType: 'text/plain' };
}

/** The content type of the answer to a request of this type; undefined if the service knows no such requests. */
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
