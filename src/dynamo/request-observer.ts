import type { Lost, NotBegun } from './coordinating-node.ts';
import type { AnswerTo, PassableRequest } from './coordination-messages.ts';
import type { NodeId } from './ring.ts';

/** Told which node coordinates each request that names itself, and of what it answers. */
export interface RequestObserver {
  /** A node is about to coordinate the request. It may be the second one, if the first did not answer. */
  asked(requestId: string, coordinator: NodeId, kind: PassableRequest['kind']): void;
  answered(
    requestId: string,
    coordinator: NodeId,
    outcome: (AnswerTo<PassableRequest> | NotBegun | Lost)['kind'],
  ): void;
}
