import type { AnswerTo, CoordinationRequest } from './coordination-messages.ts';

/** What a node does for a client of the ring: it coordinates requests, best on keys that are at home on it. */
export interface CoordinatingNode {
  /**
   * @param reply called at most once, perhaps within the call, perhaps long after the client has given up; never if the
   *   node is lost
   */
  coordinate<R extends CoordinationRequest>(request: R, reply: (answer: AnswerTo<R>) => void): void;
}
