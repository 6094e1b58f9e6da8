import type { Departure } from '../api/departure.ts';
import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import { leaveIfDamaged } from '../env/store-damage.ts';

/**
 * What clients of the ring ask of a node. A node whose store is damaged does not answer, and throws nothing: its
 * clients then retry at another node.
 */
export class Entrance implements CoordinatingNode {
  readonly #node: StorageNode;

  constructor(node: StorageNode) {
    this.#node = node;
  }

  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R>) => void,
    departure?: Departure,
  ): void {
    try {
      this.#node.coordinate(request, reply, departure);
    } catch (error) {
      leaveIfDamaged(error);
    }
  }
}
