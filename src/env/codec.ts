/** Turns messages into bytes and back. Generic, as `Transport` is: `env` knows no message. */
export interface Codec<Message> {
  /** @returns bytes that the caller may keep and change */
  encode(message: Message): Uint8Array;
  /**
   * @param bytes one message, from the first byte to the last
   * @returns a message that shares no memory with `bytes`
   * @throws an error that says what is wrong with the bytes
   */
  decode(bytes: Uint8Array): Message;
}

/** For the requests and replies of a transport. */
export interface MessageCodecs<Request, Reply> {
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}
