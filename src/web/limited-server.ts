import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import { isAdminPath } from './admin-path.ts';
import { answerClientErrors } from './client-error.ts';
import { Connections } from './connection.ts';
import { Handshakes } from './handshakes.ts';
import type { Hints } from './hints.ts';
import { toOriginForm } from './request-target.ts';
import type { WebLimits } from './web-limits.ts';

// `require` instead of `import`: an import reads every export, and so loads fetch's WebSocket (8 MB and 10 ms on Node
// 26).
const require = createRequire(import.meta.url);
const { createServer } = require('node:http') as typeof import('node:http');

/** What HTTPS is served with, in PEM. */
export interface ServerCertificate {
  /** The server's certificate, and those that lead to one which clients know. */
  readonly cert: string | Uint8Array;
  /** Its private key. */
  readonly key: string | Uint8Array;
}

/** How servers are made that hold what one client may take within limits. */
export interface LimitedServerOptions {
  readonly limits: WebLimits;
  /** Milliseconds since some moment in the past. */
  readonly elapsedMs: () => number;
  readonly hints: Hints | undefined;
  /** For HTTPS; undefined: plain HTTP. */
  readonly https: ServerCertificate | undefined;
}

/** Answers every request of a `node:http` or `node:https` server. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The HTTP servers of one web server, on whatever addresses and ports. */
export class LimitedServers {
  readonly #options: LimitedServerOptions;
  readonly #handshakes = new Handshakes();
  #https: SecureContext | undefined;
  /** Those of HTTPS. */
  readonly #secure: HttpsServer[] = [];

  constructor(options: LimitedServerOptions) {
    this.#options = options;
    this.#https = options.https && secureContextOf(options.https);
  }

  /** A server that does not listen yet. */
  create(listener: RequestListener): Server {
    const { limits, elapsedMs, hints } = this.#options;
    const options = {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
      noDelay: true,
    };
    const serve: RequestListener = (request, response) => listener(request, response);
    const connections = new Connections(limits.maxConnections, elapsedMs);
    const server = this.#https === undefined ? createServer(options, serve) : this.#createSecure(options, serve);
    answerClientErrors(server, hints);
    server.on('connection', (socket) => connections.add(socket));
    if (this.#https !== undefined) this.#watchHandshakes(server, connections);
    server.maxConnections = limits.maxConnections + CONNECTIONS_BEYOND;
    server.timeout = limits.socketTimeoutMs;
    // Refuses a body that is too large before it is sent.
    server.on('checkContinue', (request, response) => {
      toOriginForm(request);
      const max = isAdminPath(request.url!) ? limits.maxSnapshotBodyBytes : limits.maxBodyBytes;
      if (!(Number(request.headers['content-length']) > max)) response.writeContinue();
      listener(request, response);
    });
    return server;
  }

  /** New connections get this certificate. */
  renew(https: ServerCertificate): void {
    this.#https = secureContextOf(https);
    for (const server of this.#secure) server.setSecureContext(this.#https);
  }

  /** From now on no server takes a new connection. */
  beginClosing(): void {
    this.#handshakes.cutAll();
  }

  /** `node:https` is loaded only by servers that need it. */
  #createSecure(options: ServerOptions, serve: RequestListener): Server {
    const { createServer: createHttpsServer } = require('node:https') as typeof import('node:https');
    const handshakeTimeout = this.#options.limits.headersTimeoutMs;
    const server = createHttpsServer({ ...options, ...this.#https, handshakeTimeout }, serve);
    this.#secure.push(server);
    return server;
  }

  #watchHandshakes(server: Server, connections: Connections): void {
    const handshakes = this.#handshakes;
    server.on('connection', (socket) => handshakes.begin(socket));
    server.on('secureConnection', (secured) => {
      const socket = handshakes.finish(secured);
      if (socket === undefined) secured.destroy();
      else connections.secured(socket, secured);
    });
  }
}

/** How many connections may open before those that make room for them have closed. */
const CONNECTIONS_BEYOND = 1024;

interface SecureContext {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** As `node:https` takes it. */
function secureContextOf({ cert, key }: ServerCertificate): SecureContext {
  const asPem = (pem: string | Uint8Array) => (typeof pem === 'string' ? pem : Buffer.from(pem));
  return { cert: asPem(cert), key: asPem(key) };
}
