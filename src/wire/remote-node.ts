import type { Departure } from '../api/departure.ts';
import type { AskedNode, CoordinationReply, CoordinatorTrace, Lost, NotBegun } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { PeerId, Port } from '../env/peer-channel.ts';

/** Keeps what nodes of other processes do for requests that are traced. */
export interface RemoteTraces {
  /** A node is asked now. @returns is told once what it has done; undefined: nothing is known of that */
  expect(requestId: string): ((trace: CoordinatorTrace | undefined) => void) | undefined;
}

/**
 * A node of another process, as a client of the ring in this one asks it: by the channel of coordination
 * (docs/protocol.md section 12.2). A request is sent once, and its reply comes once, never within the call.
 */
export class RemoteNode implements AskedNode {
  readonly #port: Pick<Port<CoordinationRequest, CoordinationReply>, 'ask'>;
  readonly #peer: PeerId;
  readonly #traces: RemoteTraces | undefined;

  /** @param traces undefined: nobody looks at what the node does */
  constructor(
    port: Pick<Port<CoordinationRequest, CoordinationReply>, 'ask'>,
    peer: PeerId,
    traces?: RemoteTraces | undefined,
  ) {
    this.#port = port;
    this.#peer = peer;
    this.#traces = traces;
  }

  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R> | NotBegun | Lost) => void,
    departure?: Departure,
  ): void {
    // The channel has checked that the answer is one to this request.
    const hear = this.#traced(request, reply as (answer: CoordinationReply | Lost) => void);
    const asked = this.#port.ask(this.#peer, request, (outcome) => {
      departure?.forget(withdraw);
      if (outcome.kind === 'answered') hear(outcome.answer);
      else hear(outcome.kind === 'lost' ? LOST : NOT_SENT);
    });
    // The port calls nobody back who has cancelled.
    const withdraw = () => {
      asked.cancel();
      hear(LOST);
    };
    // A write goes on, and what has become of it is to be known.
    if (departure === undefined || request.kind === 'coordinate-write') return;
    if (departure.isGone) withdraw();
    else departure.whenGone(withdraw);
  }

  /** Takes what the node tells of its work out of its answer. */
  #traced(
    request: CoordinationRequest,
    hear: (answer: CoordinationReply | Lost) => void,
  ): (answer: CoordinationReply | Lost) => void {
    const { requestId } = request as { readonly requestId?: string };
    if (requestId === undefined) return hear;
    const tell = this.#traces?.expect(requestId);
    return (answer) => {
      const isTraced = answer.kind === 'traced';
      tell?.(isTraced ? answer.trace : undefined);
      hear(isTraced ? answer.answer : answer);
    };
  }
}

const LOST: Lost = { kind: 'lost' };
const NOT_SENT: NotBegun = { kind: 'not-begun', reason: 'not-sent' };
