import type { Trace } from '../api/admin.ts';
import type { Config } from '../config.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import type { Transport } from '../env/transport.ts';
import { diskOf, nameOf } from '../peer/node-name.ts';
import { CoordinatorTraces } from '../trace/coordinator-traces.ts';
import type { TraceLog } from '../trace/trace-log.ts';
import type { PeerNetwork } from './peer-network.ts';
import { createRequestIds, diskOfRequest } from './request-ids.ts';
import { createTraces } from './serve-ring.ts';

/** How long another process may take to tell of a request, in ms. */
const PATIENCE_MS = 2_000;

type Network = Pick<PeerNetwork, 'self' | 'known' | 'port' | 'tellTraces'>;

/**
 * What happens for requests, in one process of several: it keeps that of the requests that it serves, tells other processes
 * what its node does for theirs, and asks them about what they have served.
 */
export class PeerTraces {
  /** Of the requests that this process serves; undefined: they are not traced. */
  readonly own: TraceLog | undefined;
  readonly ofOthers: CoordinatorTraces;
  /** Makes the ids of requests. They begin with the disk of this process, so that any other one knows whom to ask. */
  readonly requestId: () => string;
  readonly #network: Network;
  readonly #clock: Clock;

  constructor(config: Config, network: Network, clock: Clock) {
    this.own = createTraces(config, clock);
    this.ofOthers = new CoordinatorTraces(() => clock.elapsedMs());
    this.requestId = createRequestIds(diskOf(network.self));
    this.#network = network;
    this.#clock = clock;
  }

  /** Files what the node of this process sends. */
  observing(transport: Transport<Request, Reply>): Transport<Request, Reply> {
    const { own, ofOthers } = this;
    const { self } = this.#network;
    return {
      send(to, request, onReply) {
        const mine = own === undefined ? onReply : own.sent(self, to, request, onReply);
        transport.send(to, request, mine === onReply ? ofOthers.sent(to, request, onReply) : mine);
      },
    };
  }

  /** The node of this process keeps a hint. */
  noteHint(hint: KeptHint): void {
    const { self } = this.#network;
    this.own?.hintKept(self, hint);
    this.ofOthers.hintKept(self, hint);
  }

  /** Other processes that ask are told from now on. */
  tell(find: (requestId: string) => Trace | undefined): void {
    this.#network.tellTraces((requestId) => {
      const trace = find(requestId);
      return trace && JSON.stringify(trace);
    });
  }

  /**
   * Finds the trace of a request that another process has served.
   *
   * @returns undefined if none did, or it knows nothing of the request any more
   * @throws RingError if that process does not answer
   */
  findElsewhere(requestId: string): Promise<Trace | undefined> {
    const { self, known, port } = this.#network;
    const disk = diskOfRequest(requestId);
    const peer = known.find((node) => diskOf(node) === disk);
    if (peer === undefined || peer === self) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const refuse = () =>
        reject(new RingError(`${nameOf(peer)} has served the request, and cannot be asked about it now`));
      const timer = this.#clock.after(PATIENCE_MS, refuse);
      port.ask(peer, { kind: 'trace', requestId }, (outcome) => {
        this.#clock.cancel(timer);
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
}
