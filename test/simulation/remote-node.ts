import type { CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { Codec } from '../../src/env/codec.ts';
import { answerCodec, COORDINATION_REQUEST_CODEC } from '../../src/wire/coordination-codec.ts';
import { sentAsBytes } from './sent-as-bytes.ts';

/** A node as a client in another process has it: requests and answers go through the codec, within the call. */
export class RemoteNode implements CoordinatingNode {
  readonly #node: CoordinatingNode;

  constructor(node: CoordinatingNode) {
    this.#node = node;
  }

  coordinate<R extends CoordinationRequest>(request: R, reply: (answer: AnswerTo<R>) => void): void {
    const received = sentAsBytes(COORDINATION_REQUEST_CODEC, request)() as R;
    const codec = answerCodec<R>(request.kind) as Codec<AnswerTo<R>>;
    this.#node.coordinate(received, (answer) => reply(sentAsBytes(codec, answer)()));
  }
}
