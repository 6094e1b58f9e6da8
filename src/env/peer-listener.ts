import { strict as assert } from 'node:assert';
import { unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Clock } from './clock.ts';
import { isOnThisHost, lineOf } from './dialer.ts';
import type { Address } from './peer-channel.ts';
import type { Line } from './peer-connection.ts';
import type { PeerLimits } from './peer-limits.ts';
import { listenOptions, type PeerSecurity, proofOf } from './peer-tls.ts';
import type { TransportCounts } from './transport-counts.ts';

const WINDOW_MS = 1_000;
/** For a socket that only this user can reach. */
const PRIVATE_UMASK = 0o177;

/** Someone who has connected and is not known yet. */
export interface Stranger {
  /** It was let in: it is no stranger any more. */
  admit(): void;
  /** It will be sent away, and counts as a stranger until its connection is closed. @param reason for counts */
  refuse(reason: string): void;
}

/**
 * Where peers call. What a stranger can use up before it has said who it is has a bound: a few connections, for a short
 * time, and the bytes of one short frame. Each that is sent away is counted, by reason.
 */
export class PeerListener {
  readonly #parts: ListenerParts;
  /** By address and port of the caller. */
  readonly #strangers = new Map<string, StrangerAtTheDoor>();
  /** Who has called how often since `#windowMs`. Cleared every second. */
  readonly #calls = new Map<string, number>();
  #windowMs = 0;
  #server: Server | undefined;
  #lastKey = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  async listen(address: Address): Promise<Address> {
    assert(this.#server === undefined, 'a listener listens once');
    const { security } = this.#parts;
    if (security.kind === 'open' && !isOnThisHost(address)) {
      throw new Error(
        'without a secret or certificates, peers may listen on the loopback interface or a Unix socket alone',
      );
    }
    const server = 'path' in address ? this.#plainServer() : this.#serverFor(security);
    if ('path' in address) await removeIfDead(address.path);
    await listening(server, address);
    // Such as when the process has no file descriptors left for a caller.
    server.on('error', () => this.#parts.counts.noteRefused('accept'));
    this.#server = server;
    if ('path' in address) return address;
    return { host: address.host, port: (server.address() as AddressInfo).port };
  }

  /** Lets nobody in any more, and sends strangers away. */
  async close(): Promise<void> {
    for (const stranger of [...this.#strangers.values()]) stranger.drop('stopped');
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #plainServer(): Server {
    return createServer({ noDelay: true }, (raw) => {
      const stranger = this.#receive(raw);
      if (stranger !== undefined) this.#parts.onLine(lineOf(raw, undefined, { kind: 'none' }), stranger);
    });
  }

  #serverFor(security: PeerSecurity): Server {
    if (security.kind === 'open') return this.#plainServer();
    // It never listens: it is given the connections of those that may try.
    const tls = createTlsServer({ ...listenOptions(security), handshakeTimeout: this.#parts.limits.helloMs });
    tls.on('tlsClientError', (_error, secure: TLSSocket) => this.#strangers.get(keyOf(secure))?.drop('tls'));
    tls.on('secureConnection', (secure: TLSSocket) => {
      secure.on('error', () => {});
      const stranger = this.#strangers.get(keyOf(secure));
      if (stranger === undefined) return secure.destroy();
      this.#parts.onLine(lineOf(stranger.raw, secure, proofOf(security, secure)), stranger);
    });
    return createServer({ noDelay: true }, (raw) => {
      if (this.#receive(raw) !== undefined) tls.emit('connection', raw);
    });
  }

  /** @returns undefined if it was sent away */
  #receive(raw: Socket): StrangerAtTheDoor | undefined {
    raw.on('error', () => {});
    const { clock, counts, limits } = this.#parts;
    const reason = this.#turnAway(raw.remoteAddress ?? 'unix');
    if (reason !== undefined) {
      counts.noteRefused(reason);
      if (raw.remoteAddress === undefined) raw.destroy();
      else raw.resetAndDestroy();
      return undefined;
    }
    const key = raw.remoteAddress === undefined ? `unix ${++this.#lastKey}` : keyOf(raw);
    const stranger = new StrangerAtTheDoor(raw, {
      refused: (why) => counts.noteRefused(why),
      left: () => {
        clock.cancel(timer);
        this.#strangers.delete(key);
      },
    });
    const timer = clock.after(limits.helloMs, () => stranger.drop('too-slow'));
    this.#strangers.set(key, stranger);
    return stranger;
  }

  #turnAway(from: string): string | undefined {
    const { clock, limits } = this.#parts;
    const now = clock.elapsedMs();
    if (now - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = now;
      this.#calls.clear();
    }
    const calls = (this.#calls.get(from) ?? 0) + 1;
    if (calls > limits.strangersASecond) return 'too-often';
    if (this.#strangers.size >= limits.strangers) return 'too-many';
    this.#calls.set(from, calls);
    return undefined;
  }
}

export interface ListenerParts {
  readonly security: PeerSecurity;
  readonly limits: PeerLimits;
  readonly clock: Clock;
  readonly counts: TransportCounts;
  /** Gets each connection on which a hello may come. */
  readonly onLine: (line: Line, stranger: Stranger) => void;
}

interface Told {
  readonly refused: (reason: string) => void;
  readonly left: () => void;
}

class StrangerAtTheDoor implements Stranger {
  readonly raw: Socket;
  readonly #told: Told;
  #isRefused = false;
  #isGone = false;

  constructor(raw: Socket, told: Told) {
    this.raw = raw;
    this.#told = told;
    raw.once('close', () => {
      this.refuse('closed');
      this.#leave();
    });
  }

  admit(): void {
    this.#isRefused = true;
    this.#leave();
  }

  refuse(reason: string): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#told.refused(reason);
  }

  drop(reason: string): void {
    this.refuse(reason);
    this.raw.destroy();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#told.left();
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function listening(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The file is made within the call, with the rights that the mask leaves.
    const mask = 'path' in address ? process.umask(PRIVATE_UMASK) : undefined;
    try {
      server.listen(address, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
  });
}

/** Removes the file of a Unix socket that nobody listens on any more, as a process that was killed leaves it. */
function removeIfDead(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve();
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') unlinkSync(path);
      resolve();
    });
  });
}
