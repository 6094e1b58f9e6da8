import type { Channel, Outcome, PeerId, Serve } from './peer-channel.ts';

/** A channel that is open at this end. Its messages have lost their types on the way through the transport. */
export interface OpenPort {
  readonly channel: Channel<unknown, unknown>;
  readonly serve: Serve<unknown, unknown>;
  isOpen: boolean;
}

/** A request that was asked and has not ended. */
export interface Ask {
  readonly port: OpenPort;
  readonly to: PeerId;
  request: unknown;
  /** Undefined for a request to this peer itself. */
  payload: Uint8Array | undefined;
  done: (outcome: Outcome<unknown>) => void;
  /** When it was asked. */
  readonly sinceMs: number;
  state: 'queued' | 'written' | 'over';
  /** Its number on the connection that it was written to. */
  id: number;
}

/**
 * Ends a request, unless it is over already. `done` runs later if the outcome is a failure: those are found within calls
 * of whoever asks.
 */
export function endAsk(ask: Ask, outcome: Outcome<unknown>): void {
  if (ask.state === 'over') return;
  ask.state = 'over';
  if (outcome.kind === 'answered') ask.done(outcome);
  else queueMicrotask(() => ask.done(outcome));
}

/**
 * Ends a request that nobody waits for any more, and lets go of what it holds: a queue may keep it until its turn, and
 * whoever has asked keeps it for as long as the operation lasts.
 */
export function dropAsk(ask: Ask): void {
  ask.state = 'over';
  ask.request = undefined;
  ask.payload = undefined;
  ask.done = NOBODY;
}

const NOBODY = () => {};
