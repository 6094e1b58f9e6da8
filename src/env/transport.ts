/**
 * Carries requests between nodes. It may lose, delay, double and reorder them; it never changes them.
 * Generic so that it knows nothing of the ring's messages: `dynamo/messages.ts` names `Request` and `Reply`.
 */
export interface Transport<Request, Reply> {
  /**
   * Sends `request` to node `to`. `onReply` is called at most once per delivery that is answered, so possibly never,
   * possibly twice; never within this call, also when `to` is the sender.
   */
  send(to: string, request: Request, onReply: (reply: Reply) => void): void;
}

/** What a node does with a request that reaches it; it calls `reply` at most once, now or later. */
export type Receive<Request, Reply> = (from: string, request: Request, reply: (reply: Reply) => void) => void;
