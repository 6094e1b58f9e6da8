import { type Ask, dropAsk, endAsk, type OpenPort } from './open-port.ts';
import type { TransportCounts } from './transport-counts.ts';

/** What a peer asks of itself: served in a later microtask, without codecs, as between the nodes of one process. */
export class LocalAsking {
  readonly #counts: TransportCounts;
  readonly #requestLifeMs: number;
  readonly #gone = new WeakMap<Ask, () => void>();
  /** In the order in which they were asked. */
  readonly #asks = new Set<Ask>();

  constructor(counts: TransportCounts, requestLifeMs: number) {
    this.#counts = counts;
    this.#requestLifeMs = requestLifeMs;
  }

  add(ask: Ask): void {
    this.#asks.add(ask);
    queueMicrotask(() => this.#serve(ask));
  }

  cancel(ask: Ask): void {
    if (!this.#asks.delete(ask)) return;
    dropAsk(ask);
    this.#gone.get(ask)?.();
  }

  sweep(nowMs: number): void {
    for (const ask of this.#asks) {
      if (nowMs - ask.sinceMs < this.#requestLifeMs) break;
      this.#lose(ask, 'expired');
    }
  }

  /** Ends what is asked on a port that closes. */
  closed(port: OpenPort): void {
    for (const ask of this.#asks) if (ask.port === port) this.#lose(ask, 'connection');
  }

  #serve(ask: Ask): void {
    if (ask.state === 'over') return;
    ask.state = 'written';
    const { serve } = ask.port;
    serve(
      ask.to,
      ask.request,
      (answer) => {
        if (this.#asks.delete(ask)) endAsk(ask, { kind: 'answered', answer });
      },
      (run) => {
        if (this.#asks.has(ask)) this.#gone.set(ask, run);
      },
    );
  }

  #lose(ask: Ask, reason: 'connection' | 'expired'): void {
    this.#asks.delete(ask);
    this.#counts.lost++;
    endAsk(ask, { kind: 'lost', reason });
    this.#gone.get(ask)?.();
  }
}
