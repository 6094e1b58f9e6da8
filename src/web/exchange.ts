import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Departure } from '../api/departure.ts';
import { ApiError } from '../api/errors.ts';
import { OPERATION_TRAITS } from '../api/operation-traits.ts';
import type { OperationName } from '../api/operations.ts';
import { asBuffer } from './as-buffer.ts';
import { Connection, type Line, type Turn } from './connection.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { bodyTooLarge, type Handle } from './handle.ts';
import type { HttpRequest, HttpResponse, RequestNotes } from './http-message.ts';
import { LARGE_ANSWER_BYTES, LargeAnswer } from './large-answer.ts';
import type { Pause } from './pause.ts';
import type { Progress } from './progress.ts';
import { renderError, type WireError } from './render.ts';
import type { RequestLog } from './request-log.ts';
import type { RequestMeter } from './request-meter.ts';
import type { Transfer, Transfers } from './transfers.ts';
import type { WebLimits } from './web-limits.ts';

/** What all exchanges of a web server share. */
export interface Gate {
  readonly handle: Handle;
  readonly requestId: () => string;
  readonly crossOrigin: CrossOrigin;
  readonly limits: WebLimits;
  /** Room for large bodies. */
  readonly bodies: Transfers;
  /** Room for large answers. */
  readonly answers: Transfers;
  readonly line: Line;
  readonly meter: RequestMeter;
  readonly log: RequestLog | undefined;
  /** Requests that tier 2 is carrying out. */
  requestsInFlight: number;
  readonly pause: Pause;
  /** The server is shutting down: every answer closes its connection. */
  isClosing: boolean;
}

const NO_BODY = Buffer.alloc(0);

/** Answers up to this size are joined with their head into one text; above it, the copy costs more than it saves. */
const JOINED_BODY_BYTES = 16 * 1024;

/** Bodies up to this size reserve no room: every connection may have one. */
const SMALL_BODY_BYTES = 16 * 1024;

/**
 * One request and its answer on a socket: reads the body within the limits, carries the request out when all earlier
 * ones of the connection are answered, and writes the answer.
 *
 * Hazard: the room of its body is released only when both the connection and tier 2 are done with it. When a client
 * hangs up, tier 2 still works on its request: a write goes on, a read until its next step. So hanging up must not make
 * room for more requests.
 */
export class Exchange implements Turn, Transfer, Departure {
  readonly #gate: Gate;
  readonly #connection: Connection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #chunks: Buffer[] | undefined;
  #body: Buffer = NO_BODY;
  /** Bytes received so far. */
  #length = 0;
  /** How many of them are reserved from the room for bodies. */
  #taken = 0;
  /** `waiting`: the body is complete, but earlier requests of the connection are not answered. */
  #state: 'receiving' | 'waiting' | 'handling' | 'answering' | 'refused' = 'receiving';
  #isClosed = false;
  /** The client has gone without the answer. */
  #isGone = false;
  /** Whom it tells of that; most requests are answered without anybody who wants to know. */
  #whenGone: (() => void)[] | undefined;
  #progress: Progress | undefined;

  private constructor(gate: Gate, connection: Connection, request: IncomingMessage, response: ServerResponse) {
    this.#gate = gate;
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
  }

  /** @param body given if a body parser has already read it */
  static begin(gate: Gate, request: IncomingMessage, response: ServerResponse, body?: Buffer): void {
    const connection = Connection.of(request.socket);
    const exchange = new Exchange(gate, connection, request, response);
    response.on('close', () => exchange.#close());
    connection.enter(exchange, gate.line);
    if (Number(request.headers['content-length']) > gate.limits.maxBodyBytes) exchange.#refuseTooLarge();

    if (body) {
      exchange.#receive(body);
      exchange.#complete();
    } else {
      request.on('data', (chunk: Buffer) => exchange.#receive(chunk));
      request.on('end', () => exchange.#complete());
    }
  }

  /** Of the body. Read only while the exchange may be cut to make room. */
  get progress(): Progress {
    return this.#progress!;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  whenGone(run: () => void): void {
    if (this.#isClosed) return;
    if (this.#whenGone === undefined) this.#whenGone = [run];
    else this.#whenGone.push(run);
  }

  forget(run: () => void): void {
    const at = this.#whenGone?.indexOf(run) ?? -1;
    if (at >= 0) this.#whenGone!.splice(at, 1);
  }

  get waitsForClient(): boolean {
    return this.#state !== 'handling' && this.#state !== 'waiting';
  }

  begin(): void {
    if (this.#state === 'waiting') this.#serve();
  }

  lost(): void {
    this.#close();
  }

  /** The room that its body holds is needed, and the body arrives too slowly. */
  cut(): void {
    this.#refuse(ApiError.serviceUnavailable());
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== 'receiving') return this.#drop(chunk);
    this.#length += chunk.length;
    if (this.#length > this.#gate.limits.maxBodyBytes) return this.#refuseTooLarge();
    if (this.#length > SMALL_BODY_BYTES && !this.#takeRoom(chunk.length)) {
      return this.#refuse(ApiError.serviceUnavailable());
    }
    if (this.#chunks) this.#chunks.push(chunk);
    else if (this.#body === NO_BODY) this.#body = chunk;
    else this.#chunks = [this.#body, chunk];
  }

  #takeRoom(bytes: number): boolean {
    const { bodies } = this.#gate;
    const wanted = this.#length - this.#taken;
    if (this.#progress === undefined) {
      this.#progress = bodies.newProgress();
      bodies.add(this);
    }
    if (!bodies.take(wanted, this)) return false;
    this.#taken += wanted;
    bodies.moved(this, bytes);
    this.#connection.usedMs = this.#gate.meter.begin();
    return true;
  }

  #giveRoom(): void {
    if (this.#progress === undefined) return;
    this.#gate.bodies.remove(this);
    this.#gate.bodies.give(this.#taken);
    this.#taken = 0;
  }

  /**
   * Many clients read no answer before they have sent the whole body. So the rest of a refused body is read, up to a
   * limit, and dropped.
   */
  #drop(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.#gate.limits.maxBodyBytes * 2) this.#request.socket.destroy();
  }

  #complete(): void {
    if (this.#state !== 'receiving' || this.#isClosed) return;
    this.#state = 'waiting';
    // A complete body is no longer a slow transfer.
    if (this.#progress !== undefined) this.#gate.bodies.remove(this);
    if (this.#connection.isFirst(this)) this.#serve();
  }

  #serve(): void {
    const gate = this.#gate;
    if (gate.requestsInFlight >= gate.limits.maxRequestsInFlight) return this.#refuse(ApiError.serviceUnavailable());
    this.#state = 'handling';
    gate.requestsInFlight++;
    const body = this.#chunks ? Buffer.concat(this.#chunks, this.#length) : this.#body;
    this.#chunks = undefined;
    const { meter, log } = gate;
    const beganAtMs = meter.begin();
    this.#connection.usedMs = beganAtMs;
    const notes: RequestNotes | undefined = log && {};
    gate.handle(requestOf(this.#request, body, notes, this)).then((answer) => {
      gate.requestsInFlight--;
      this.#state = 'answering';
      this.#body = NO_BODY;
      meter.end(this.#request.headers['x-amz-target'], this.#length, answer, beganAtMs);
      log?.answered(this.#request, answer, { notes, receivedBytes: this.#length, beganAtMs });
      this.#giveRoom();
      if (!this.#isClosed) this.#send(answer);
    });
  }

  #send(answer: HttpResponse): void {
    send(this.#gate, this.#response, answer, () => this.#noRoom());
  }

  /** The request was carried out, but there is no room for its answer. */
  #noRoom(): HttpResponse {
    const [, operation] = String(this.#request.headers['x-amz-target']).split('.', 2) as [string, OperationName];
    const isWrite = OPERATION_TRAITS[operation]?.access === 'write';
    return this.#render(isWrite ? ApiError.internalServerError(NO_ROOM) : ApiError.serviceUnavailable());
  }

  #refuseTooLarge(): void {
    this.#refuse(bodyTooLarge(this.#gate.limits.maxBodyBytes));
  }

  #refuse(error: Omit<WireError, 'kind'>): void {
    this.#state = 'refused';
    this.#giveRoom();
    this.#chunks = undefined;
    this.#body = NO_BODY;
    const answer = this.#render(error);
    const { meter, log } = this.#gate;
    const beganAtMs = meter.begin();
    meter.end(this.#request.headers['x-amz-target'], this.#length, answer, beganAtMs);
    log?.answered(this.#request, answer, { receivedBytes: this.#length, beganAtMs });
    if (!this.#isClosed) this.#send(answer);
  }

  #render(error: Omit<WireError, 'kind'>): HttpResponse {
    return renderError(error, {
      requestId: this.#gate.requestId(),
      contentType: 'application/x-amz-json-1.0',
      crossOrigin: this.#gate.crossOrigin(this.#request.headers.origin),
    });
  }

  /** The answer is sent, or the client has closed the connection. */
  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isGone = this.#state === 'handling';
    if (!this.#isGone) this.#giveRoom();
    this.#connection.leave(this);
    if (this.#isGone && this.#whenGone !== undefined) for (const run of this.#whenGone.splice(0)) run();
  }
}

const NO_ROOM = 'The request was carried out, but there is no room for its answer';

/** @param request `originalUrl` is Express's, as it was before it removed the path of a mount */
export function requestOf(
  request: IncomingMessage & { readonly originalUrl?: string },
  body: Uint8Array,
  notes?: RequestNotes,
  departure?: Departure,
): HttpRequest {
  const { method, url, originalUrl, headers } = request;
  return { method: method!, path: url!, mountedPath: originalUrl, headers, body, departure, notes };
}

/**
 * Writes an answer; does nothing if the client has closed the connection.
 * @param noRoom makes the answer to send instead if there is no room for one of this size
 */
export function send(gate: Gate, response: ServerResponse, answer: HttpResponse, noRoom?: () => HttpResponse): void {
  if (response.destroyed) return;
  if (answer.isDropped) return void response.destroy();
  if (answer.body.length > LARGE_ANSWER_BYTES) return sendLarge(gate, response, answer, noRoom);
  writeHead(gate, response, answer);
  const { body } = answer;
  // Node joins a latin1 text to the head and makes one write to the socket, instead of a gathered write of two parts.
  if (body.length <= JOINED_BODY_BYTES) response.end(asBuffer(body).toString('latin1'), 'latin1');
  else response.end(body);
}

function sendLarge(gate: Gate, response: ServerResponse, answer: HttpResponse, noRoom?: () => HttpResponse): void {
  const large = new LargeAnswer(gate.answers, response, answer.body);
  if (!large.takeRoom()) {
    if (noRoom === undefined) response.destroy();
    else send(gate, response, noRoom());
    return;
  }
  writeHead(gate, response, answer);
  large.write();
}

function writeHead({ isClosing }: Gate, response: ServerResponse, { status, headers, isLast }: HttpResponse): void {
  if (isClosing || isLast) headers.push('Connection', 'close');
  response.writeHead(status, headers);
}
