import type { IncomingMessage, ServerResponse } from 'node:http';
import { shown } from './hints.ts';
import type { HttpResponse, RequestNotes } from './http-message.ts';

/**
 * A log entry for an answered request: what was requested and how it went. It never contains the body, the query or the
 * signature. Of an error it has the name only, because the text may quote an item.
 */
export interface RequestEntry {
  /** As the client wrote it, if the operation is unknown. */
  readonly operation?: string | undefined;
  /** Set if the request is no operation. */
  readonly method?: string | undefined;
  /** Without the query. For an operation, set only if it is not `/`. */
  readonly path?: string | undefined;
  /** The tables named, by name or ARN; the first few of a batch. */
  readonly table?: string | undefined;
  /** 0: without an answer: a fault rule dropped the connection, or the client had gone. */
  readonly status: number;
  readonly error?: string | undefined;
  /** From the arrival of the complete request to the answer. */
  readonly ms: number;
  readonly requestId?: string | undefined;
  /** Body sizes in bytes, as sent. */
  readonly receivedBytes: number;
  readonly sentBytes?: number | undefined;
}

/** Receives each entry. Texts that come from a client are shortened and printable. */
export type OnRequest = (entry: RequestEntry) => void;

/** How a request was handled. */
interface Handling {
  readonly notes?: RequestNotes | undefined;
  readonly receivedBytes: number;
  /** By the clock that the log was created with. */
  readonly beganAtMs: number;
}

/** Makes one entry for each answered request. Without a log, create none. */
export class RequestLog {
  readonly #onRequest: OnRequest;
  readonly #elapsedMs: () => number;

  /** @param elapsedMs milliseconds since some moment in the past */
  constructor(onRequest: OnRequest, elapsedMs: () => number) {
    this.#onRequest = onRequest;
    this.#elapsedMs = elapsedMs;
  }

  answered(
    request: IncomingMessage,
    { status, error, headers, body }: HttpResponse,
    { notes, receivedBytes, beganAtMs }: Handling,
  ): void {
    const id = headers.indexOf('x-amzn-RequestId');
    const operation = operationOf(request);
    const path = pathOf(request);
    this.#onRequest({
      operation,
      method: operation === undefined ? request.method : undefined,
      path: operation === undefined || path !== '/' ? path : undefined,
      table: notes?.table,
      status,
      error,
      ms: this.#since(beganAtMs),
      requestId: id < 0 ? undefined : headers[id + 1],
      receivedBytes,
      sentBytes: request.method === 'HEAD' ? 0 : body.length,
    });
  }

  /** Logs a request that an express application answers, when its response is closed. */
  watch(request: IncomingMessage & { readonly originalUrl?: string }, response: ServerResponse): void {
    const beganAtMs = this.#elapsedMs();
    const operation = operationOf(request);
    const path = pathOf(request);
    response.on('close', () => {
      const length = Number(response.getHeader('content-length'));
      this.#onRequest({
        operation,
        method: operation === undefined ? request.method : undefined,
        path: operation === undefined || path !== '/' ? path : undefined,
        status: response.statusCode,
        ms: this.#since(beganAtMs),
        receivedBytes: Number(request.headers['content-length'] ?? 0),
        sentBytes: Number.isNaN(length) ? undefined : length,
      });
    });
  }

  #since(beganAtMs: number): number {
    return Math.round((this.#elapsedMs() - beganAtMs) * 1000) / 1000;
  }
}

function operationOf({ method, headers }: IncomingMessage): string | undefined {
  const target = headers['x-amz-target'];
  if (method !== 'POST' || typeof target !== 'string') return undefined;
  return shown(target.replace(/^DynamoDB(Streams)?_\d{8}\./, ''));
}

function pathOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  return shown((request.originalUrl ?? request.url!).split('?', 1)[0]!);
}
