import type { IncomingMessage, ServerResponse } from 'node:http';
import { shown } from './hints.ts';
import type { HttpResponse, RequestNotes } from './http-message.ts';

/**
 * A request that was answered, for the log. It has what the request was for and how it went; nothing of what it held, of
 * its query or of its signature, and of an error the name alone, because its text may quote an item.
 */
export interface RequestEntry {
  /** As the client wrote it, if there is no such operation. */
  readonly operation?: string | undefined;
  /** Of what is no operation. */
  readonly method?: string | undefined;
  /** Without its query; of an operation where it is not `/`. */
  readonly path?: string | undefined;
  /** The tables that it names, by name or ARN: the first few of a batch. */
  readonly table?: string | undefined;
  /** 0: the connection was dropped on purpose, without an answer. */
  readonly status: number;
  readonly error?: string | undefined;
  /** From the arrival of the whole request to the answer. */
  readonly ms: number;
  readonly requestId?: string | undefined;
  /** Bytes of the bodies, as they were sent. */
  readonly receivedBytes: number;
  readonly sentBytes?: number | undefined;
}

/** Texts of a client in an entry are cut, and printable. */
export type OnRequest = (entry: RequestEntry) => void;

/** How a request was handled. */
interface Handling {
  readonly notes?: RequestNotes | undefined;
  readonly receivedBytes: number;
  /** By the clock that the log was made with. */
  readonly beganAtMs: number;
}

/** One entry for each request that is answered. Whoever wants none makes none. */
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

  /** A request that an application answers: there is an entry when that is over. */
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
