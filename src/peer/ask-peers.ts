import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Asked, Outcome, Port } from '../env/peer-channel.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';

export interface AskingPeers {
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  readonly clock: Clock;
}

/** What has come of a request to several peers. */
export interface AskedPeers {
  /** Those whose answer was not taken in time. */
  readonly silent: readonly NodeId[];
  /** Those that could not be reached: nothing was sent. */
  readonly gone: readonly NodeId[];
}

/**
 * Asks several peers the same, and waits until all have answered or `withinMs` are over.
 *
 * @param take whether an answer is what was asked for. Not called after the end
 */
export function askPeers(
  { port, clock }: AskingPeers,
  peers: readonly NodeId[],
  { request, withinMs }: { readonly request: PeerRequest; readonly withinMs: number },
  take: (answer: PeerAnswer, peer: NodeId) => boolean,
): Promise<AskedPeers> {
  const waiting = new Set(peers);
  const silent: NodeId[] = [];
  const gone: NodeId[] = [];
  let isOver = false;
  return new Promise((resolve) => {
    const end = () => {
      isOver = true;
      clock.cancel(timer);
      resolve({ silent: [...silent, ...waiting], gone });
    };
    const timer = clock.after(withinMs, end);
    for (const peer of peers) {
      port.ask(peer, request, (outcome) => {
        if (isOver) return;
        waiting.delete(peer);
        if (outcome.kind === 'not-sent' && outcome.reason !== 'unsupported') gone.push(peer);
        else if (!(outcome.kind === 'answered' && take(outcome.answer, peer))) silent.push(peer);
        if (waiting.size === 0) end();
      });
    }
    if (waiting.size === 0) end();
  });
}

/**
 * Asks one peer.
 *
 * @returns what has come of it; `lost` if that takes longer than `withinMs`, and then nobody waits for the answer any more
 */
export function askPeer(
  { port, clock }: AskingPeers,
  peer: NodeId,
  { request, withinMs }: { readonly request: PeerRequest; readonly withinMs: number },
): Promise<Outcome<PeerAnswer>> {
  return new Promise((resolve) => {
    let asked: Asked | undefined;
    const timer = clock.after(withinMs, () => {
      asked?.cancel();
      resolve({ kind: 'lost', reason: 'expired' });
    });
    asked = port.ask(peer, request, (outcome) => {
      clock.cancel(timer);
      resolve(outcome);
    });
  });
}

/** Whether an answer says that it was noted. */
export function isNoted({ kind }: PeerAnswer): boolean {
  return kind === 'noted';
}
