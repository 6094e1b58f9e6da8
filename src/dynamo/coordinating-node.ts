import type { Departure } from '../api/departure.ts';
import type { Ballot } from './ballot.ts';
import type { AnswerTo, CoordinationRequest } from './coordination-messages.ts';
import type { NodeId } from './ring.ts';

/**
 * A request that the node has not begun and never will: another node may be asked instead. `not-sent`: it did not leave
 * this process. `leaving`: the node stops, and takes nothing new. `overloaded`: it has as much under way as it takes.
 */
export interface NotBegun {
  readonly kind: 'not-begun';
  readonly reason: 'not-sent' | RefusedAtDoor;
}

/** Why a node that was reached does not begin a request. */
export type RefusedAtDoor = 'leaving' | 'overloaded';

/** The request was sent, and no answer will come: it may have been carried out, or not, or may be yet. */
export interface Lost {
  readonly kind: 'lost';
}

/** Whether a node has not answered, and will not. */
export function isNoAnswer(reply: { readonly kind: string }): reply is NotBegun | Lost {
  return reply.kind === 'not-begun' || reply.kind === 'lost';
}

/** What a peer answers to the request of another process: that of the node, or that it was not let in. */
export type CoordinationReply = AnswerTo<CoordinationRequest> | NotBegun | Traced;

/** The answer to a request that names itself, with what the coordinator has done for it so far. */
export interface Traced {
  readonly kind: 'traced';
  readonly trace: CoordinatorTrace;
  readonly answer: AnswerTo<CoordinationRequest> | NotBegun;
}

export interface CoordinatorTrace {
  /** From when the request came to when the answer left, in ms. */
  readonly ms: number;
  /** At most `MOST_TRACED`. */
  readonly events: readonly CoordinatorEvent[];
}

/** The most events that one answer brings. */
export const MOST_TRACED = 64;

export interface CoordinatorEvent {
  /** Since the request came; below 0 for what another one of the same name has caused. */
  readonly atMs: number;
  readonly what: 'asked' | 'answered' | 'hint' | 'read-repair' | 'fault';
  readonly node: NodeId | undefined;
  readonly detail: string;
  readonly ballot: Ballot | undefined;
}

/** What a node does for a client of the ring: it coordinates requests, best on keys that are at home on it. */
export interface CoordinatingNode {
  /**
   * @param reply called at most once, perhaps within the call, perhaps long after the client has given up; never if the
   *   node is lost
   * @param departure of who waits for the answer: when it goes, a read ends at its next step, and a write goes on
   */
  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R>) => void,
    departure?: Departure,
  ): void;
}

/** A node as a client of the ring has it: a node of this process, or the way to one of another. */
export interface AskedNode {
  /** As in `CoordinatingNode`. A node of another process always replies: what it says, or why it will not. */
  coordinate<R extends CoordinationRequest>(
    request: R,
    reply: (answer: AnswerTo<R> | NotBegun | Lost) => void,
    departure?: Departure,
  ): void;
}
