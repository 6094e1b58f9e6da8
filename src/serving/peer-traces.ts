import type { Trace } from '../api/admin.ts';
import type { Config } from '../config.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import type { Transport } from '../env/transport.ts';
import { askPeer } from '../peer/ask-peers.ts';
import { diskOf, nameOf } from '../peer/node-name.ts';
import type { PeerRequest } from '../peer/peer-messages.ts';
import { CoordinatorTraces } from '../trace/coordinator-traces.ts';
import type { TraceLog } from '../trace/trace-log.ts';
import type { PeerNetwork } from './peer-network.ts';
import { createRequestIds, diskOfRequest } from './request-ids.ts';
import { createTraces } from './serve-ring.ts';

/** How long another process may take to tell of a request, in ms. */
const PATIENCE_MS = 2_000;

type Network = Pick<PeerNetwork, 'self' | 'known' | 'nodes' | 'transport' | 'port' | 'tellTraces'>;

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
    this.#network.tellTraces(async (requestId, isForOther) => {
      const trace = find(requestId);
      if (trace !== undefined) return JSON.stringify(trace);
      const server = isForOther ? this.#serverOf(requestId) : undefined;
      return server && this.#ask(server, { kind: 'trace', requestId, isForOther: false });
    });
  }

  /**
   * Finds the trace of a request that another process has served.
   *
   * @returns undefined if none did, or it knows nothing of the request any more
   * @throws RingError if that process does not answer
   */
  async findElsewhere(requestId: string): Promise<Trace | undefined> {
    const disk = diskOfRequest(requestId);
    if (Number.isNaN(disk) || disk === diskOf(this.#network.self)) return undefined;
    const server = this.#serverOf(requestId);
    // Fronts do not know each other, but nodes know them.
    const asked = server ?? this.#network.nodes.find((node) => this.#network.transport.isUp(node));
    if (asked === undefined) return undefined;
    const json = await this.#ask(asked, { kind: 'trace', requestId, isForOther: server === undefined });
    return json === undefined ? undefined : (JSON.parse(json) as Trace);
  }

  /** The process that has served a request, if it is another one that is known here. */
  #serverOf(requestId: string): NodeId | undefined {
    const { self, known } = this.#network;
    const disk = diskOfRequest(requestId);
    return known.find((node) => node !== self && diskOf(node) === disk);
  }

  /** @throws RingError with what the peer says, if it does not tell */
  async #ask(peer: NodeId, request: PeerRequest & { readonly kind: 'trace' }): Promise<string | undefined> {
    const { port } = this.#network;
    const withinMs = PATIENCE_MS * (request.isForOther ? 2 : 1);
    const outcome = await askPeer({ port, clock: this.#clock }, peer, { request, withinMs });
    const answer = outcome.kind === 'answered' ? outcome.answer : undefined;
    if (answer?.kind === 'trace') return answer.json;
    const silent = `${nameOf(peer)} has served the request, and cannot be asked about it now`;
    throw new RingError(answer?.kind === 'cannot' ? answer.reason : silent);
  }
}
