import type { NotSent, TransportFigures } from './peer-channel.ts';

/** Counts what a transport does. */
export class TransportCounts {
  sentMessages = 0;
  receivedMessages = 0;
  sentBytes = 0;
  receivedBytes = 0;
  frames = 0;
  lost = 0;
  connections = 0;
  readonly #notSent: Record<NotSent, number> = {
    'no-address': 0,
    down: 0,
    'queue-full': 0,
    'too-long': 0,
    unsupported: 0,
    stopped: 0,
  };
  readonly #refused = new Map<string, number>();
  readonly #cut = new Map<string, number>();

  noteNotSent(reason: NotSent): void {
    this.#notSent[reason]++;
  }

  noteRefused(reason: string): void {
    count(this.#refused, reason);
  }

  noteCut(reason: string): void {
    count(this.#cut, reason);
  }

  figures(): TransportFigures {
    const { sentMessages, receivedMessages, sentBytes, receivedBytes, frames, lost, connections } = this;
    return {
      sentMessages,
      receivedMessages,
      sentBytes,
      receivedBytes,
      frames,
      notSent: { ...this.#notSent },
      lost,
      refused: Object.fromEntries(this.#refused),
      cut: Object.fromEntries(this.#cut),
      connections,
    };
  }
}

function count(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
