/**
 * Carries requests between nodes. It may lose, delay, double and reorder them; it never changes them.
 * It is generic, so that it knows nothing of the ring's messages: `dynamo/messages.ts` defines `Request` and `Reply`.
 */
export interface Transport<Request, Reply> {
  /**
   * Sends `request` to node `to`. `onReply` is called at most once for each delivery that is answered, so possibly
   * never and possibly twice. It is never called within this call, even if `to` is the sender.
   */
  send(to: string, request: Request, onReply: (reply: Reply) => void): void;
}

/** Handles a request that reaches a node. It calls `reply` at most once, now or later. */
export type Receive<Request, Reply> = (from: string, request: Request, reply: (reply: Reply) => void) => void;

/** What is wrong with the link from one node to another, in this direction. */
export interface LinkFault {
  /** Nothing arrives. */
  readonly cut?: boolean;
  /** Everything arrives this much later. */
  readonly delayMs?: number;
  /** The share of messages that get lost, 0 to 1. */
  readonly dropRate?: number;
}
