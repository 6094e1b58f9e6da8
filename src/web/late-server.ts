import type { Server } from 'node:http';
import type { Listener } from './listen.ts';
import { createLimitedServer, createWebServer, type WebServer, type WebServerOptions } from './server.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from './web-limits.ts';

/**
 * Listens before there is anything to serve. Until then `/health` and every operation are answered with 503: it takes
 * the place of a web server, and hands its connections over to it.
 */
export class LateServer implements Listener {
  readonly onInternalError: (error: unknown) => void;
  readonly #limits: WebLimits;
  readonly #elapsedMs: () => number;
  readonly #waiting: WebServer;
  #served: WebServer | undefined;

  /** @param elapsedMs milliseconds since some moment in the past */
  constructor(options: Omit<WebServerOptions, 'execute' | 'isReady' | 'operator'>, elapsedMs: () => number) {
    this.onInternalError = options.onInternalError;
    this.#limits = { ...DEFAULT_WEB_LIMITS, ...options.limits };
    this.#elapsedMs = elapsedMs;
    const execute = async () => {
      throw new Error('an operation is carried out before there is anything to serve');
    };
    this.#waiting = createWebServer({ ...options, execute, isReady: () => false });
  }

  /** From now on this one answers. */
  serve(web: WebServer): void {
    this.#served = web;
  }

  createHttpServer(): Server {
    return createLimitedServer(this.#limits, this.#elapsedMs, (request, response) =>
      (this.#served ?? this.#waiting).listener(request, response),
    );
  }

  beginClosing(): void {
    this.#waiting.beginClosing();
    this.#served?.beginClosing();
  }
}
