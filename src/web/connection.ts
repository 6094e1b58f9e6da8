import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PATIENCE_MS } from './progress.ts';

/** A request on a connection, from its first byte until its answer is out or the client is gone. */
export interface Turn {
  /** All earlier requests of the connection are answered: this one may be carried out. */
  begin(): void;
  /** The client has closed the connection. */
  lost(): void;
  /** Whether the next step is the client's: it has to send or to read something. */
  readonly waitsForClient: boolean;
}

/** Counts the pipelined requests that wait for earlier answers, on all connections together. */
export class Line {
  /** Limits for one connection and for all together. */
  readonly #mostOfOne: number;
  readonly #most: number;
  waiting = 0;

  constructor(mostOfOne: number, most: number) {
    this.#mostOfOne = mostOfOne;
    this.#most = most;
  }

  /** @param ofOne how many wait on this connection */
  isTooLong(ofOne: number): boolean {
    return ofOne > this.#mostOfOne || this.waiting > this.#most;
  }
}

const CONNECTION = Symbol('connection');
type Holder = Socket & { [CONNECTION]?: Connection };

/**
 * One socket, whose requests are answered one after the other.
 *
 * A client may pipeline: send requests without waiting for answers. Requests that are not answered yet are kept here
 * unparsed, and reading from the socket is paused. So a client that does not read its answers causes one to be made,
 * not hundreds.
 */
export class Connection {
  readonly socket: Socket;
  /** When it was opened or last used, in milliseconds since some moment in the past; undefined: not counted yet. */
  usedMs: number | undefined;
  /** Whether any request has arrived on it. */
  isUsed = false;
  /** Oldest first. */
  readonly #turns: Turn[] = [];
  #line: Line | undefined;
  /** How many of the turns the line counts. */
  #waiting = 0;
  #isPaused = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('close', () => {
      const turns = this.#turns.splice(0);
      this.#count();
      for (const turn of turns) turn.lost();
    });
  }

  /** The connection of a socket, created at first use. */
  static of(socket: Socket): Connection {
    const holder = socket as Holder;
    holder[CONNECTION] ??= new Connection(socket);
    return holder[CONNECTION];
  }

  get isIdle(): boolean {
    return this.#turns.length === 0;
  }

  /** Whether the next step on this connection is the client's. */
  get waitsForClient(): boolean {
    return this.#turns[0]?.waitsForClient !== false;
  }

  /** A request has begun to arrive. Cuts the connection if that makes too many waiting requests. */
  enter(turn: Turn, line: Line): void {
    this.isUsed = true;
    this.#turns.push(turn);
    if (this.#turns.length === 1) return;
    this.#line = line;
    this.#count();
    if (line.isTooLong(this.#waiting)) this.socket.destroy();
    else this.#pause();
  }

  /** @returns whether all requests before `turn` are answered */
  isFirst(turn: Turn): boolean {
    return this.#turns[0] === turn;
  }

  /** The request is answered: starts the next one. */
  leave(turn: Turn): void {
    const isFirst = this.isFirst(turn);
    if (isFirst) this.#turns.shift();
    else if (!this.#turns.includes(turn)) return;
    else this.#turns.splice(this.#turns.indexOf(turn), 1);
    this.#count();
    if (this.#turns.length <= 1 && this.#isPaused) this.#resume();
    if (isFirst) this.#turns[0]?.begin();
  }

  #count(): void {
    if (this.#line === undefined) return;
    const waiting = Math.max(0, this.#turns.length - 1);
    this.#line.waiting += waiting - this.#waiting;
    this.#waiting = waiting;
  }

  /** Needed each time: node resumes reading by itself when all written data is sent. */
  #pause(): void {
    this.#isPaused = true;
    this.socket.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.socket.resume();
  }
}

/** Runs a request that is no `Exchange` when its turn has come. */
export function inTurn(request: IncomingMessage, response: ServerResponse, line: Line, run: () => void): void {
  const connection = Connection.of(request.socket);
  const turn: Turn = { begin: run, lost: () => {}, waitsForClient: false };
  response.on('close', () => connection.leave(turn));
  connection.enter(turn, line);
  if (connection.isFirst(turn)) run();
}

/** The sockets of one server. When there are too many, idle ones are closed. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #most: number;
  readonly #elapsedMs: () => number;

  constructor(most: number, elapsedMs: () => number) {
    this.#most = most;
    this.#elapsedMs = elapsedMs;
  }

  /** A client has connected. */
  add(socket: Socket): void {
    const connection = Connection.of(socket);
    connection.usedMs = this.#elapsedMs();
    if (this.#open.size >= this.#most) {
      const victim = this.#leastUsed();
      if (victim === undefined) return void socket.destroy();
      // Removed at once: the 'close' event comes later, and other clients may connect before it.
      this.#open.delete(victim);
      victim.socket.destroy();
    }
    this.#open.add(connection);
    socket.on('close', () => this.#open.delete(connection));
  }

  /** The TLS handshake of a client is finished: its requests come on `secured`, which takes the place of `socket`. */
  secured(socket: Socket, secured: Socket): void {
    // If it is not there, it was closed to make room.
    if (!this.#open.delete(Connection.of(socket))) return;
    const connection = Connection.of(secured);
    connection.usedMs = this.#elapsedMs();
    this.#open.add(connection);
    secured.on('close', () => this.#open.delete(connection));
  }

  /**
   * Chooses the connection to close. Among connections that have been idle for `PATIENCE_MS`: first those that never
   * carried a request, then the least recently used, then those that have sent part of a request or do not read their
   * answer. If there is none, one that never carried a request, although its client may be about to send one.
   */
  #leastUsed(): Connection | undefined {
    const nowMs = this.#elapsedMs();
    let found: Connection | undefined;
    let least = NEVER;
    for (const connection of this.#open) {
      const rank = rankOf(connection, nowMs);
      if (rank < least || (rank === least && found !== undefined && connection.usedMs! < found.usedMs!)) {
        found = connection;
        least = rank;
      }
    }
    return found;
  }
}

const NEVER = 4;

/** Connections with the lowest rank are closed first. */
function rankOf(connection: Connection, nowMs: number): number {
  const isYoung = nowMs - connection.usedMs! < PATIENCE_MS;
  if (!connection.isUsed) return isYoung ? 3 : 0;
  if (isYoung || !connection.waitsForClient) return NEVER;
  return connection.isIdle ? 1 : 2;
}
