import { gzipSync } from 'node:zlib';
import { ApiError } from '../../src/api/errors.ts';
import { targetPrefixOf } from '../../src/api/operation-traits.ts';
import { type Execute, OPERATIONS, type OperationName } from '../../src/api/operations.ts';
import { ByteBudget } from '../../src/web/byte-budget.ts';
import { crossOriginOf } from '../../src/web/cross-origin.ts';
import { createHandle, type HandleOptions } from '../../src/web/handle.ts';
import type { HttpRequest, HttpResponse } from '../../src/web/http-message.ts';
import { LargeBodies } from '../../src/web/large-bodies.ts';
import { validateRequest } from '../../src/web/validate.ts';

export const REQUEST_ID = 'R'.repeat(52);
export const NOW_MS = 1_700_000_000_000;
export const MIB = 1024 * 1024;

/** Complete, and signed by nobody. */
export const SIGNED_HEADERS = {
  host: '127.0.0.1',
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-date': '20260101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-2/dynamodb/aws4_request, ' +
    'SignedHeaders=host;x-amz-date;x-amz-target, Signature=0123456789abcdef',
};

export const GET_ITEM = { TableName: 'orders', Key: { id: { S: '1' } } };

export interface TestHandle {
  (request: Partial<HttpRequest>): Promise<HttpResponse>;
  readonly internalErrors: unknown[];
}

/** A handle on a tier 2 of the test's own. */
export function testHandle(execute: Execute = async () => ({}), options: Partial<HandleOptions> = {}): TestHandle {
  const internalErrors: unknown[] = [];
  const handle = createHandle({
    execute,
    nowMs: () => NOW_MS,
    requestId: () => REQUEST_ID,
    isReady: () => true,
    onInternalError: (error) => internalErrors.push(error),
    maxBodyBytes: 16 * MIB,
    crossOrigin: crossOriginOf(['*']),
    budget: new ByteBudget(64 * MIB),
    answers: new ByteBudget(64 * MIB),
    largeBodies: new LargeBodies(
      { maxContainers: 2_000_000, maxMembers: 4_000_000, maxContainersInFlight: 2_500_000 },
      async () => {},
    ),
    ...options,
  });
  return Object.assign(
    (request: Partial<HttpRequest>) =>
      handle({ method: 'POST', path: '/', headers: {}, body: new Uint8Array(0), ...request }),
    { internalErrors },
  );
}

/** A good request, as the SDK would send it. */
export function operationRequest(operation: string, body: unknown, headers: HttpRequest['headers'] = {}): HttpRequest {
  const isKnown = (OPERATIONS as readonly string[]).includes(operation);
  const prefix = isKnown ? targetPrefixOf(operation as OperationName) : 'DynamoDB_20120810.';
  return {
    method: 'POST',
    path: '/',
    headers: { ...SIGNED_HEADERS, 'x-amz-target': prefix + operation, ...headers },
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

export function gzipped(request: HttpRequest): HttpRequest {
  return { ...request, headers: { ...request.headers, 'content-encoding': 'gzip' }, body: gzipSync(request.body) };
}

export function headerOf(response: HttpResponse, name: string): string | undefined {
  const at = response.headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name.toLowerCase());
  return at < 0 ? undefined : response.headers[at + 1];
}

export function jsonOf(response: HttpResponse): Record<string, unknown> {
  return JSON.parse(Buffer.from(response.body).toString('utf8'));
}

/** Status, `__type` without its namespace, and message: what a client sees of an error. */
export function errorOf(response: HttpResponse): [status: number, name: unknown, message: unknown] {
  const { __type: type, message, Message } = jsonOf(response);
  return [response.status, String(type).split('#')[1], message ?? Message];
}

/** An attribute value: a text in so many lists. */
export function nested(levels: number): object {
  return JSON.parse(`${'{"L":['.repeat(levels)}{"S":"x"}${']}'.repeat(levels)}`);
}

/** What a request is refused with before it gets to tier 2: `none` if it is not. */
export function refusalOf(operation: OperationName, request: unknown): [name: string, message: string] {
  try {
    validateRequest(operation, request);
  } catch (error) {
    if (error instanceof ApiError) return [error.name, error.message];
    throw error;
  }
  return ['none', ''];
}
