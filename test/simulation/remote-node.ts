import type { CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { Codec } from '../../src/env/codec.ts';
import { answerCodec, COORDINATION_REQUEST_CODEC } from '../../src/wire/coordination-codec.ts';
import { MessageBytes } from './sent-as-bytes.ts';

/** A node as a client in another process has it: requests and answers may go through the codec, within the call. */
export class RemoteNode implements CoordinatingNode {
  readonly #node: CoordinatingNode;
  readonly #requests: MessageBytes<CoordinationRequest>;
  readonly #answers: MessageBytes<AnswerTo<CoordinationRequest>>;

  /** @param sendsBytes whether messages go through the codec */
  constructor(node: CoordinatingNode, sendsBytes: boolean) {
    this.#node = node;
    this.#requests = new MessageBytes(sendsBytes);
    this.#answers = new MessageBytes(sendsBytes);
  }

  coordinate<R extends CoordinationRequest>(request: R, reply: (answer: AnswerTo<R>) => void): void {
    const received = this.#requests.send(COORDINATION_REQUEST_CODEC, request)() as R;
    const codec = answerCodec<R>(request.kind) as Codec<AnswerTo<R>>;
    this.#node.coordinate(received, (answer) => reply(this.#answers.send(codec, answer)()));
  }
}
