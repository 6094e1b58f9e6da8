import type { Trace } from '../api/admin.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import type { Port } from '../env/peer-channel.ts';
import type { Transport } from '../env/transport.ts';
import { diskOf, nameOf } from '../peer/node-name.ts';
import type { PeerAnswer, PeerRequest } from '../peer/peer-messages.ts';
import type { CoordinatorTraces } from '../trace/coordinator-traces.ts';
import type { TraceLog } from '../trace/trace-log.ts';
import { diskOfRequest } from './request-ids.ts';

/** How long another process may take to tell of a request, in ms. */
const PATIENCE_MS = 2_000;

/** Files what the node of this process sends: for requests of this process, and for those of others. */
export function observed(
  transport: Transport<Request, Reply>,
  self: NodeId,
  own: TraceLog | undefined,
  others: CoordinatorTraces,
): Transport<Request, Reply> {
  return {
    send(to, request, onReply) {
      const mine = own === undefined ? onReply : own.sent(self, to, request, onReply);
      transport.send(to, request, mine === onReply ? others.sent(to, request, onReply) : mine);
    },
  };
}

interface TracesElsewhereParts {
  readonly self: NodeId;
  /** The processes that are known. */
  readonly known: () => readonly NodeId[];
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  readonly clock: Clock;
}

/**
 * Finds the trace of a request that another process has served.
 *
 * @returns undefined if none did, or it knows nothing of the request any more
 * @throws RingError if that process does not answer
 */
export function traceElsewhere(
  requestId: string,
  { self, known, port, clock }: TracesElsewhereParts,
): Promise<Trace | undefined> {
  const disk = diskOfRequest(requestId);
  const peer = known().find((node) => diskOf(node) === disk);
  if (peer === undefined || peer === self) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(new RingError(`${nameOf(peer)} has served the request, and cannot be asked about it now`));
    const timer = clock.after(PATIENCE_MS, refuse);
    port.ask(peer, { kind: 'trace', requestId }, (outcome) => {
      clock.cancel(timer);
      if (outcome.kind !== 'answered' || outcome.answer.kind !== 'trace') return refuse();
      const { json } = outcome.answer;
      try {
        resolve(json === undefined ? undefined : (JSON.parse(json) as Trace));
      } catch {
        refuse();
      }
    });
  });
}
