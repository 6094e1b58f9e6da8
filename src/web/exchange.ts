import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api/errors.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { bodyTooLarge, type Handle } from './handle.ts';
import type { HttpRequest, HttpResponse, RequestNotes } from './http-message.ts';
import type { WebLimits } from './limits.ts';
import { renderError, type WireError } from './render.ts';
import type { RequestLog } from './request-log.ts';
import type { RequestMeter } from './request-meter.ts';

/** What all exchanges of a web server share. */
export interface Gate {
  readonly handle: Handle;
  readonly requestId: () => string;
  readonly crossOrigin: CrossOrigin;
  readonly limits: WebLimits;
  readonly budget: ByteBudget;
  readonly meter: RequestMeter;
  readonly log: RequestLog | undefined;
  requestsInFlight: number;
  /** The server is closing: every answer is its connection's last. */
  isClosing: boolean;
}

const NO_BODY = Buffer.alloc(0);

/** Answers up to this size are copied into one text with their head; above, the copy costs more than it saves. */
const JOINED_BODY_BYTES = 16 * 1024;

/**
 * One request and its answer on a socket: reads the body within the limits, has it handled, and writes the answer.
 *
 * Its place and its bytes are given back when the connection is done with it and tier 2 is too: a client that hangs up
 * does not stop the work it asked for, and must not make room for more.
 */
export class Exchange {
  readonly #gate: Gate;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #chunks: Buffer[] | undefined;
  #body: Buffer = NO_BODY;
  /** Bytes received so far; taken from the budget, unless the exchange is refused. */
  #length = 0;
  #state: 'receiving' | 'handling' | 'done' | 'refused' = 'receiving';
  #isClosed = false;

  private constructor(gate: Gate, request: IncomingMessage, response: ServerResponse) {
    this.#gate = gate;
    this.#request = request;
    this.#response = response;
  }

  /** @param body if somebody else has read it already */
  static begin(gate: Gate, request: IncomingMessage, response: ServerResponse, body?: Buffer): void {
    const exchange = new Exchange(gate, request, response);
    gate.requestsInFlight++;
    response.on('close', () => exchange.#close());
    if (gate.requestsInFlight > gate.limits.maxRequestsInFlight) exchange.#refuse(ApiError.serviceUnavailable());
    else if (Number(request.headers['content-length']) > gate.limits.maxBodyBytes) exchange.#refuseTooLarge();

    if (body) {
      exchange.#receive(body);
      exchange.#serve();
    } else {
      request.on('data', (chunk: Buffer) => exchange.#receive(chunk));
      request.on('end', () => exchange.#serve());
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== 'receiving') return this.#drop(chunk);
    if (!this.#gate.budget.take(chunk.length)) return this.#refuse(ApiError.serviceUnavailable());
    this.#length += chunk.length;
    if (this.#length > this.#gate.limits.maxBodyBytes) return this.#refuseTooLarge();

    if (this.#chunks) this.#chunks.push(chunk);
    else if (this.#body === NO_BODY) this.#body = chunk;
    else this.#chunks = [this.#body, chunk];
  }

  /** Clients often read no answer before they have sent all; so the rest is let in, up to a limit, and dropped. */
  #drop(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.#gate.limits.maxBodyBytes * 2) this.#request.socket.destroy();
  }

  #serve(): void {
    if (this.#state !== 'receiving' || this.#isClosed) return;
    this.#state = 'handling';
    const body = this.#chunks ? Buffer.concat(this.#chunks, this.#length) : this.#body;
    this.#chunks = undefined;
    const { meter, log } = this.#gate;
    const beganAtMs = meter.begin();
    const notes: RequestNotes | undefined = log && {};
    this.#gate.handle(requestOf(this.#request, body, notes)).then((answer) => {
      this.#state = 'done';
      meter.end(this.#request.headers['x-amz-target'], this.#length, answer, beganAtMs);
      log?.answered(this.#request, notes, this.#length, answer, beganAtMs);
      if (this.#isClosed) this.#leave();
      else send(this.#response, answer, this.#gate.isClosing);
    });
  }

  #refuseTooLarge(): void {
    this.#refuse(bodyTooLarge(this.#gate.limits.maxBodyBytes));
  }

  #refuse(error: Omit<WireError, 'kind'>): void {
    this.#gate.budget.give(this.#length);
    this.#state = 'refused';
    this.#chunks = undefined;
    this.#body = NO_BODY;
    const envelope = {
      requestId: this.#gate.requestId(),
      contentType: 'application/x-amz-json-1.0',
      crossOrigin: this.#gate.crossOrigin(this.#request.headers.origin),
    };
    const answer = renderError(error, envelope);
    const { meter, log } = this.#gate;
    const beganAtMs = meter.begin();
    meter.end(this.#request.headers['x-amz-target'], this.#length, answer, beganAtMs);
    log?.answered(this.#request, undefined, this.#length, answer, beganAtMs);
    send(this.#response, answer, this.#gate.isClosing);
  }

  /** The answer is out, or the client is gone. */
  #close(): void {
    this.#isClosed = true;
    if (this.#state !== 'handling') this.#leave();
  }

  #leave(): void {
    this.#gate.requestsInFlight--;
    if (this.#state !== 'refused') this.#gate.budget.give(this.#length);
  }
}

export function requestOf(request: IncomingMessage, body: Uint8Array, notes?: RequestNotes): HttpRequest {
  return { method: request.method!, path: request.url!, headers: request.headers, body, notes };
}

/** Writes an answer in one go; nothing happens if the client is gone. */
export function send(response: ServerResponse, answer: HttpResponse, isLast: boolean): void {
  if (response.destroyed) return;
  if (answer.isDropped) return void response.destroy();
  if (isLast || answer.isLast) answer.headers.push('Connection', 'close');
  response.writeHead(answer.status, answer.headers);
  const { body } = answer;
  // As a text of one byte a unit, node joins it to the head: one write to the socket, not a gathered one of two parts.
  if (body.length <= JOINED_BODY_BYTES) response.end(asBuffer(body).toString('latin1'), 'latin1');
  else response.end(body);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
