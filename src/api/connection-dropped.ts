/** A fault rule wants the client to lose its connection: tier 1 ends it without an answer. */
export class ConnectionDropped extends Error {
  override readonly name = 'ConnectionDropped';

  constructor() {
    super('a fault rule dropped the connection');
  }
}
