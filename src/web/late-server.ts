import type { Server } from 'node:http';
import { LimitedServers, type ServerCertificate } from './limited-server.ts';
import type { Listener } from './listen.ts';
import { createWebServer, type WebServer, type WebServerOptions } from './server.ts';
import { DEFAULT_WEB_LIMITS } from './web-limits.ts';

/**
 * Listens before there is anything to serve. Until then `/health` and every operation are answered with 503: it takes
 * the place of a web server, and hands its connections over to it.
 */
export class LateServer implements Listener {
  readonly onInternalError: (error: unknown) => void;
  readonly #servers: LimitedServers;
  readonly #waiting: WebServer;
  #served: WebServer | undefined;

  /** @param elapsedMs milliseconds since some moment in the past */
  constructor(options: Omit<WebServerOptions, 'execute' | 'isReady' | 'operator'>, elapsedMs: () => number) {
    this.onInternalError = options.onInternalError;
    const limits = { ...DEFAULT_WEB_LIMITS, ...options.limits };
    this.#servers = new LimitedServers({ limits, elapsedMs, hints: undefined, https: options.https });
    const execute = async () => {
      throw new Error('an operation is carried out before there is anything to serve');
    };
    this.#waiting = createWebServer({ ...options, execute, isReady: () => false });
  }

  /** From now on this one answers. */
  serve(web: WebServer): void {
    this.#served = web;
  }

  /** New connections get this certificate, if it serves HTTPS. */
  renewCertificate(https: ServerCertificate): void {
    this.#servers.renew(https);
  }

  createHttpServer(): Server {
    return this.#servers.create((request, response) => (this.#served ?? this.#waiting).listener(request, response));
  }

  beginClosing(): void {
    this.#servers.beginClosing();
    this.#waiting.beginClosing();
    this.#served?.beginClosing();
  }
}
