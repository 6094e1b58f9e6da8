import type { Departure } from '../api/departure.ts';
import type { AskedNode, CoordinationReply, Lost, NotBegun } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { PeerId, Port } from '../env/peer-channel.ts';

/**
 * A node of another process, as a client of the ring in this one asks it: by the channel of coordination
 * (docs/protocol.md section 12.2). A request is sent once, and its reply comes once, never within the call.
 */
export class RemoteNode implements AskedNode {
  readonly #port: Pick<Port<CoordinationRequest, CoordinationReply>, 'ask'>;
  readonly #peer: PeerId;

  constructor(port: Pick<Port<CoordinationRequest, CoordinationReply>, 'ask'>, peer: PeerId) {
    this.#port = port;
    this.#peer = peer;
  }

  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R> | NotBegun | Lost) => void,
    departure?: Departure,
  ): void {
    // The channel has checked that the answer is one to this request.
    const hear = reply as (answer: CoordinationReply | Lost) => void;
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
}

const LOST: Lost = { kind: 'lost' };
const NOT_SENT: NotBegun = { kind: 'not-begun', reason: 'not-sent' };
