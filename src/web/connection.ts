import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PATIENCE_MS } from './progress.ts';

/** A request on a connection, from its first byte until its answer is out or the client is gone. */
export interface Turn {
  /** The answers before it are out: its own may be made. */
  begin(): void;
  /** The client is gone. */
  lost(): void;
  /** It waits for the client, which has to send or to fetch something. */
  readonly waitsForClient: boolean;
}

/** The requests of all connections that wait for the answers before theirs. */
export class Line {
  /** Of one connection, and of all together. */
  readonly #mostOfOne: number;
  readonly #most: number;
  waiting = 0;

  constructor(mostOfOne: number, most: number) {
    this.#mostOfOne = mostOfOne;
    this.#most = most;
  }

  /** @param ofOne how many wait on the connection */
  isTooLong(ofOne: number): boolean {
    return ofOne > this.#mostOfOne || this.waiting > this.#most;
  }
}

const CONNECTION = Symbol('connection');
type Holder = Socket & { [CONNECTION]?: Connection };

/**
 * One socket, on which requests are answered one after the other.
 *
 * A client may send any number of requests without waiting for answers. What is not answered yet waits here, as it came, and
 * nothing more is read: so a client that does not fetch its answers has one of them made, not hundreds.
 */
export class Connection {
  readonly socket: Socket;
  /** When it was opened or last heard of, in milliseconds since some moment; undefined: nobody counts it yet. */
  usedMs: number | undefined;
  /** A request has come on it. */
  isUsed = false;
  /** In the order in which they came. */
  readonly #turns: Turn[] = [];
  #line: Line | undefined;
  /** Of the turns, those that the line counts. */
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

  /** That of a socket, which is made when it is first asked for. */
  static of(socket: Socket): Connection {
    const holder = socket as Holder;
    holder[CONNECTION] ??= new Connection(socket);
    return holder[CONNECTION];
  }

  get isIdle(): boolean {
    return this.#turns.length === 0;
  }

  /** What is next here is up to the client. */
  get waitsForClient(): boolean {
    return this.#turns[0]?.waitsForClient !== false;
  }

  /** A request has begun to come in. If the line is too long with it, the connection ends. */
  enter(turn: Turn, line: Line): void {
    this.isUsed = true;
    this.#turns.push(turn);
    if (this.#turns.length === 1) return;
    this.#line = line;
    this.#count();
    if (line.isTooLong(this.#waiting)) this.socket.destroy();
    else this.#pause();
  }

  /** @returns whether the answers before that of `turn` are out */
  isFirst(turn: Turn): boolean {
    return this.#turns[0] === turn;
  }

  /** Its answer is out: the next one's turn has come. */
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

  /** Each time: node reads on by itself when what is written has gone out. */
  #pause(): void {
    this.#isPaused = true;
    this.socket.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.socket.resume();
  }
}

/** Lets a request have its turn that is no exchange. */
export function inTurn(request: IncomingMessage, response: ServerResponse, line: Line, run: () => void): void {
  const connection = Connection.of(request.socket);
  const turn: Turn = { begin: run, lost: () => {}, waitsForClient: false };
  response.on('close', () => connection.leave(turn));
  connection.enter(turn, line);
  if (connection.isFirst(turn)) run();
}

/** The sockets of one server. When there are too many, those that are not used make room. */
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
      // At once: the event comes later, and others may connect before.
      this.#open.delete(victim);
      victim.socket.destroy();
    }
    this.#open.add(connection);
    socket.on('close', () => this.#open.delete(connection));
  }

  /**
   * Of those that have let `PATIENCE_MS` pass: what was never used, then what was not for the longest time, then what has sent a
   * part of a request, or does not fetch its answer. If all are younger, what was never used: its client may be about to.
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

/** The lower, the sooner it makes room. */
function rankOf(connection: Connection, nowMs: number): number {
  const isYoung = nowMs - connection.usedMs! < PATIENCE_MS;
  if (!connection.isUsed) return isYoung ? 3 : 0;
  if (isYoung || !connection.waitsForClient) return NEVER;
  return connection.isIdle ? 1 : 2;
}
